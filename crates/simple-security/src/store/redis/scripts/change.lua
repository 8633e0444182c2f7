-- Changes single fields of the key ARGV[2], and gives back the record from before. ARGV[3]: the mark
-- of the row in the log. ARGV[4], about the revocation: 'keep' it as it is, 'clear' it, or the date
-- where there is none yet. Then pairs of a field and its value. A change that leaves the key as it
-- was is logged too: it may have been edited directly in the database, where nothing logs it.
local key = KEY .. ARGV[2]
local before = record(ARGV[2])
if not before then return false end
log(before[2], ARGV[3])
local revocation = ARGV[4]
if revocation == 'clear' then
  redis.call('HDEL', key, 'revoked')
elseif revocation ~= 'keep' and not before[7] then
  redis.call('HSET', key, 'revoked', revocation)
end
for first = 5, #ARGV, 2 do
  redis.call('HSET', key, ARGV[first], ARGV[first + 1])
end
announce()
return before
