-- All times are whole seconds since 1970-01-01T00:00:00Z, all durations microseconds.
-- Ids are compared byte by byte, as the engine does.

-- Whoever may not make a schema has it made by an administrator.
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'simple_security') THEN
        CREATE SCHEMA simple_security;
    END IF;
END $$;

-- One row. The store adds it when all tables are there.
CREATE TABLE simple_security.settings (
    only_row       boolean NOT NULL PRIMARY KEY DEFAULT true CHECK (only_row),
    store_id       uuid    NOT NULL DEFAULT gen_random_uuid(),
    schema         integer NOT NULL, -- the last migration that was made
    minimum_reader integer NOT NULL, -- the oldest schema a program may know to work with this one
    max_staleness  bigint  NOT NULL, -- for all processes: how late a change may be known
    stale_if_error bigint  NOT NULL  -- for how long more, while the store is down
);

CREATE TABLE simple_security.api_keys (
    id            text COLLATE "C" NOT NULL PRIMARY KEY CHECK (id ~ '^[0-9A-Za-z]{11}$'),
    digest        bytea            NOT NULL UNIQUE CHECK (octet_length(digest) = 32), -- SHA-256
    name          text COLLATE "C" NOT NULL,
    created_at    bigint           NOT NULL,
    expires_at    bigint           NOT NULL,
    never_expires boolean          NOT NULL,
    revoked_at    bigint,                    -- NULL: not revoked
    owner         text COLLATE "C" NOT NULL DEFAULT '' -- '': no owner
);
-- Keys are shown in pages, the newest first. Neither column of a key ever changes.
CREATE INDEX api_keys_by_age ON simple_security.api_keys (created_at, id);
CREATE INDEX api_keys_by_owner ON simple_security.api_keys (owner, created_at, id) WHERE owner <> '';

CREATE TABLE simple_security.key_usage (
    id           text COLLATE "C" NOT NULL PRIMARY KEY
        REFERENCES simple_security.api_keys (id) ON DELETE CASCADE,
    total        bigint           NOT NULL,
    last_used_at bigint                     -- NULL: never used
);

-- The last batch of counts of each engine, so that none is added twice.
CREATE TABLE simple_security.usage_batches (
    writer  bytea  NOT NULL PRIMARY KEY,
    number  bigint NOT NULL,
    made_at bigint NOT NULL
);

-- The change log. The random mark tells this log from a restored one.
CREATE TABLE simple_security.key_changes (
    position bigint NOT NULL PRIMARY KEY,
    mark     bigint NOT NULL,
    digest   bytea  NOT NULL
);

-- One row: the last position that was given. Who changes a key locks it until the commit, so that
-- positions are in the order of commits. A sequence would not be: what commits late under a lower
-- number is skipped for ever by who has read a higher one.
CREATE TABLE simple_security.change_head (
    only_row boolean NOT NULL PRIMARY KEY DEFAULT true CHECK (only_row),
    position bigint  NOT NULL
);
INSERT INTO simple_security.change_head (position) VALUES (0);

CREATE FUNCTION simple_security.random_mark() RETURNS bigint
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
    SELECT ('x' || right(replace(gen_random_uuid()::text, '-', ''), 16))::bit(64)::bigint
$$;

-- Writes changes to the log, and keeps the last 10,000 of them. Whoever may change a key by hand
-- need not be allowed to write to the log.
CREATE FUNCTION simple_security.write_log(digests bytea[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    added bigint := cardinality(digests);
    head  bigint;
    fresh bigint := simple_security.random_mark();
BEGIN
    IF added = 0 THEN
        RETURN;
    END IF;
    UPDATE simple_security.change_head SET position = position + added RETURNING position INTO head;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'simple_security.change_head has lost its row: restore it from a backup';
    END IF;
    INSERT INTO simple_security.key_changes (position, mark, digest)
        SELECT head - added + ordinal, fresh, changed
        FROM unnest(digests) WITH ORDINALITY AS given (changed, ordinal);
    -- Not at each change: it is cheaper to remove a hundred at once.
    IF head / 100 <> (head - added) / 100 THEN
        DELETE FROM simple_security.key_changes WHERE position <= head - 10000;
    END IF;
    -- A hint. Nothing relies on it but speed.
    PERFORM pg_notify('simple_security_changes', '');
END $$;

-- Triggers write the log, so that an edit made directly in the database is seen too; triggers.sql
-- creates them.
CREATE FUNCTION simple_security.log_each() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM simple_security.write_log(ARRAY(SELECT digest FROM changed));
    RETURN NULL;
END $$;

-- A row that is the same before and after is logged too: what processes have cached of it may be
-- older than both. Of a new digest the old one is logged as well.
CREATE FUNCTION simple_security.log_update() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM simple_security.write_log(ARRAY(
        SELECT digest FROM removed UNION SELECT digest FROM added
    ));
    RETURN NULL;
END $$;

-- The log begins anew: who reads it does not find the row that it knows, and forgets everything.
CREATE FUNCTION simple_security.log_truncate() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM FROM simple_security.change_head FOR UPDATE;
    DELETE FROM simple_security.key_changes;
    PERFORM simple_security.write_log(ARRAY[decode(repeat('00', 32), 'hex')]);
    RETURN NULL;
END $$;

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA simple_security FROM PUBLIC;
