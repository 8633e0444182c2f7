-- Changes single fields of the key ARGV[2], and gives back the record from before. ARGV[3]: the mark
-- of the row in the log. ARGV[4], about the revocation: 'keep' it as it is, 'clear' it, or the date
-- where there is none yet. Then pairs of a field and its value.
local key = KEY .. ARGV[2]
local before = record(ARGV[2])
if not before then return false end
local set, is_revoked = {}, before[7] ~= false
if ARGV[4] ~= 'keep' and ARGV[4] ~= 'clear' and not is_revoked then
  set = {'revoked', ARGV[4]}
end
for first = 5, #ARGV, 2 do
  if redis.call('HGET', key, ARGV[first]) ~= ARGV[first + 1] then
    set[#set + 1] = ARGV[first]
    set[#set + 1] = ARGV[first + 1]
  end
end
local clear = ARGV[4] == 'clear' and is_revoked
if #set > 0 or clear then
  log(before[2], ARGV[3])
  if #set > 0 then redis.call('HSET', key, unpack(set)) end
  if clear then redis.call('HDEL', key, 'revoked') end
  announce()
end
return before
