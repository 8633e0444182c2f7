-- Adds keys: all, or none where one is taken. ARGV[2]: the mark of their rows in the log; then, for
-- each key: id, digest, created, total, last use, the number of fields, and each with its value. What is
-- empty is null. The number of the first that is taken; 0: all are added.
local function each(visit)
  local first, number = 3, 0
  while first <= #ARGV do
    local fields = tonumber(ARGV[first + 5])
    number = number + 1
    if visit(ARGV[first], first, fields) then return number end
    first = first + 6 + 2 * fields
  end
  return 0
end

local taken = each(function(id, first)
  return redis.call('EXISTS', KEY .. id) == 1 or holder(ARGV[first + 1])
end)
if taken > 0 then return taken end

each(function(id, first, fields)
  local digest, created, total, last = unpack(ARGV, first + 1, first + 4)
  log(digest, ARGV[2])
  redis.call('HSET', KEY .. id, unpack(ARGV, first + 6, first + 5 + 2 * fields))
  redis.call('HSET', DIGESTS, digest, id)
  redis.call('ZADD', BY_AGE, '0', created .. id)
  if total ~= '0' then redis.call('HSET', USAGE .. id, 'total', total) end
  if last ~= '' then redis.call('HSET', USAGE .. id, 'last_used_at', last) end
end)
announce()
return 0
