-- Keys are shown in pages, the newest first. Neither column of a key ever changes.
CREATE INDEX api_keys_by_age ON api_keys (created_at, id);
