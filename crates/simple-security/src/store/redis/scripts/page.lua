-- At most ARGV[3] keys that come after the place ARGV[2], the newest first; an empty place is the
-- beginning. First the place of the last one, or false when there are no more; then the keys.
if not redis.call('ZSCORE', BY_AGE, '') then damaged(BY_AGE .. ' is missing') end
local from = ARGV[2] == '' and '+' or '(' .. ARGV[2]
local places = redis.call('ZREVRANGEBYLEX', BY_AGE, from, '(', 'LIMIT', '0', ARGV[3])
local keys = {#places == tonumber(ARGV[3]) and places[#places] or false}
for _, place in ipairs(places) do
  local id = string.sub(place, 13)
  local key = record(id)
  if not key then damaged(KEY .. id .. ' is missing') end
  keys[#keys + 1] = key
end
return keys
