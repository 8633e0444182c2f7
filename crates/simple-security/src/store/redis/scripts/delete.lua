-- Removes the key ARGV[2] with its usage, and gives back its record. ARGV[3]: the mark of the row in
-- the log.
local before = record(ARGV[2])
if not before then return false end
local digest, created = unpack(redis.call('HMGET', KEY .. ARGV[2], 'digest', 'created_at'))
log(digest, ARGV[3])
redis.call('DEL', KEY .. ARGV[2], USAGE .. ARGV[2])
redis.call('HDEL', DIGESTS, digest)
redis.call('ZREM', BY_AGE, created .. ARGV[2])
announce()
return before
