-- Triggers write the change log, so that an edit made directly in the database is seen too. This
-- file runs after the migrations, and again where a trigger is missing or changed.

DROP TRIGGER IF EXISTS api_keys_insert;
CREATE TRIGGER api_keys_insert AFTER INSERT ON api_keys BEGIN
    INSERT INTO key_changes (digest) VALUES (new.digest);
END;

DROP TRIGGER IF EXISTS api_keys_update;
CREATE TRIGGER api_keys_update AFTER UPDATE ON api_keys BEGIN
    INSERT INTO key_changes (digest) VALUES (old.digest);
    INSERT INTO key_changes (digest) SELECT new.digest WHERE new.digest IS NOT old.digest;
END;

DROP TRIGGER IF EXISTS api_keys_delete;
CREATE TRIGGER api_keys_delete AFTER DELETE ON api_keys BEGIN
    INSERT INTO key_changes (digest) VALUES (old.digest);
END;

-- `OR REPLACE` deletes the rows that are in the way, and fires no trigger for it
-- (https://sqlite.org/lang_conflict.html). They are logged before they go.
DROP TRIGGER IF EXISTS api_keys_insert_replaces;
CREATE TRIGGER api_keys_insert_replaces BEFORE INSERT ON api_keys BEGIN
    INSERT INTO key_changes (digest)
    SELECT digest FROM api_keys
    WHERE (id = new.id OR rowid = new.rowid) AND digest IS NOT new.digest;
END;

DROP TRIGGER IF EXISTS api_keys_update_replaces;
CREATE TRIGGER api_keys_update_replaces BEFORE UPDATE ON api_keys
WHEN new.id IS NOT old.id OR new.digest IS NOT old.digest OR new.rowid IS NOT old.rowid BEGIN
    INSERT INTO key_changes (digest)
    SELECT digest FROM api_keys
    WHERE (id = new.id OR digest = new.digest OR rowid = new.rowid) AND rowid IS NOT old.rowid;
END;

-- What was changed without a trigger is in no log, so the log starts again: a process that does not
-- find the row that it has read last drops everything that it has cached.
DELETE FROM key_changes;
INSERT INTO key_changes (digest) VALUES (zeroblob(32));
