-- Put before the scripts that add keys.

-- Adds the key whose id is ARGV[first]; after it: digest, created, total, last use, the number of fields,
-- and each with its value. What is empty is null. Returns where the next argument is.
local function add(first, mark)
  local id, digest, created, total, last = unpack(ARGV, first, first + 4)
  local fields = first + 5 + 2 * tonumber(ARGV[first + 5])
  log(digest, mark)
  redis.call('HSET', KEY .. id, unpack(ARGV, first + 6, fields))
  redis.call('HSET', DIGESTS, digest, id)
  redis.call('ZADD', BY_AGE, '0', created .. id)
  if total ~= '0' then redis.call('HSET', USAGE .. id, 'total', total) end
  if last ~= '' then redis.call('HSET', USAGE .. id, 'last_used_at', last) end
  return fields + 1
end

-- Whether the id at ARGV[first], or the digest after it, is taken.
local function is_taken(first)
  return redis.call('EXISTS', KEY .. ARGV[first]) == 1 or holder(ARGV[first + 1])
end

