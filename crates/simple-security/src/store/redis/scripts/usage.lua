-- The total and the last use of the key ARGV[2].
if redis.call('EXISTS', KEY .. ARGV[2]) == 0 then return false end
return redis.call('HMGET', USAGE .. ARGV[2], 'total', 'last_used_at')
