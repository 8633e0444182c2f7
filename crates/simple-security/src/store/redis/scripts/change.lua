-- Changes single fields of the key ARGV[2], and gives back the record from before. ARGV[3]: the mark
-- of the row in the log. ARGV[4], about the revocation: 'keep' it as it is, 'clear' it, or the date
-- where there is none yet. Then the number of fields, and each with its value. A change that leaves the key as it
-- was is logged too: it may have been edited directly in the database, where nothing logs it.
local key = KEY .. ARGV[2]
local before = record(ARGV[2])
if not before then return false end
log(redis.call('HGET', key, 'digest'), ARGV[3])
local revocation = ARGV[4]
if revocation == 'clear' then
  redis.call('HDEL', key, 'revoked_at')
elseif revocation ~= 'keep' then
  redis.call('HSETNX', key, 'revoked_at', revocation)
end
for first = 6, 4 + 2 * tonumber(ARGV[5]), 2 do
  redis.call('HSET', key, ARGV[first], ARGV[first + 1])
end
announce()
return before
