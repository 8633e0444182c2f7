-- The triggers that write the change log. This file runs after the migrations, and again where a
-- trigger is missing or disabled.

CREATE OR REPLACE TRIGGER log_insert AFTER INSERT ON simple_security.api_keys
    REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION simple_security.log_each();
CREATE OR REPLACE TRIGGER log_update AFTER UPDATE ON simple_security.api_keys
    REFERENCING OLD TABLE AS removed NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION simple_security.log_update();
CREATE OR REPLACE TRIGGER log_delete AFTER DELETE ON simple_security.api_keys
    REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION simple_security.log_each();
CREATE OR REPLACE TRIGGER log_truncate AFTER TRUNCATE ON simple_security.api_keys
    FOR EACH STATEMENT EXECUTE FUNCTION simple_security.log_truncate();

-- Also where session_replication_role is replica.
ALTER TABLE simple_security.api_keys
    ENABLE ALWAYS TRIGGER log_insert, ENABLE ALWAYS TRIGGER log_update,
    ENABLE ALWAYS TRIGGER log_delete, ENABLE ALWAYS TRIGGER log_truncate;

-- What was changed without a trigger is in no log, so the log starts again: a process that does not
-- find the row that it has read last drops everything that it has cached.
DELETE FROM simple_security.key_changes;
SELECT simple_security.write_log(ARRAY[decode(repeat('00', 32), 'hex')]);
