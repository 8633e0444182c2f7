-- At most ARGV[3] keys that come after the place ARGV[2], the newest first; an empty place is the
-- beginning. First the place of the last one, or false when there are no more; then the keys.
local from = ARGV[2] == '' and '+' or '(' .. ARGV[2]
local places = redis.call('ZREVRANGEBYLEX', BY_AGE, from, '-', 'LIMIT', '0', ARGV[3])
local keys = {#places == tonumber(ARGV[3]) and places[#places] or false}
for _, place in ipairs(places) do
  local key = record(string.sub(place, 13))
  if key then
    local usage = redis.call('HMGET', USAGE .. key[1], 'total', 'last')
    key[8], key[9] = usage[1], usage[2]
    keys[#keys + 1] = key
  end
end
return keys
