-- All times are whole seconds since 1970-01-01T00:00:00Z.

CREATE TABLE api_keys (
    id            TEXT    NOT NULL PRIMARY KEY, -- 11 base62 characters, public
    digest        BLOB    NOT NULL UNIQUE CHECK (length(digest) = 32), -- SHA-256 of the whole key
    name          TEXT    NOT NULL,
    created_at    INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL,
    never_expires INTEGER NOT NULL CHECK (never_expires IN (0, 1)),
    revoked_at    INTEGER,                      -- NULL: not revoked
    owner         TEXT    NOT NULL DEFAULT ''   -- '': no owner
) STRICT;
-- Keys are listed in pages, newest first. Neither column of a key ever changes.
CREATE INDEX api_keys_by_age ON api_keys (created_at, id);
CREATE INDEX api_keys_by_owner ON api_keys (owner, created_at, id) WHERE owner <> '';

CREATE TABLE key_usage (
    id           TEXT    NOT NULL PRIMARY KEY REFERENCES api_keys (id) ON DELETE CASCADE,
    total        INTEGER NOT NULL,
    last_used_at INTEGER                        -- NULL: never used
) STRICT, WITHOUT ROWID;

-- The last batch of counts of each engine, so that none is added twice.
CREATE TABLE usage_batches (
    writer  BLOB    NOT NULL PRIMARY KEY,
    number  INTEGER NOT NULL,
    made_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The change log. AUTOINCREMENT never hands out a position twice, and the single writer hands
-- them out in the order of commits. The random mark tells this log from a restored one.
CREATE TABLE key_changes (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    mark     BLOB    NOT NULL DEFAULT (randomblob(8)),
    digest   BLOB    NOT NULL
) STRICT;

CREATE TABLE settings (
    name  TEXT NOT NULL PRIMARY KEY,
    value ANY  NOT NULL
) STRICT, WITHOUT ROWID;

-- How long an answer may be used after a reading, for all processes.
INSERT INTO settings (name, value) VALUES ('lease_microseconds', 10000);
