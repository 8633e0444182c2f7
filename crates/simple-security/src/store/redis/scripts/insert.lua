-- Adds keys: all, or none where one is taken. ARGV[2]: the mark of their rows in the log; then, for
-- each key: id, digest, name, created, expires, never, revoked, total, last. What is empty is none.
-- The number of the first that is taken; 0: all are added.
local FIELDS = 9
for first = 3, #ARGV, FIELDS do
  if redis.call('EXISTS', KEY .. ARGV[first]) == 1 or holder(ARGV[first + 1]) then
    return (first - 3) / FIELDS + 1
  end
end
for first = 3, #ARGV, FIELDS do
  local id, digest, created, revoked = ARGV[first], ARGV[first + 1], ARGV[first + 3], ARGV[first + 6]
  log(digest, ARGV[2])
  redis.call('HSET', KEY .. id, 'digest', digest, 'name', ARGV[first + 2], 'created', created,
    'expires', ARGV[first + 4], 'never', ARGV[first + 5])
  if revoked ~= '' then redis.call('HSET', KEY .. id, 'revoked', revoked) end
  redis.call('HSET', DIGESTS, digest, id)
  redis.call('ZADD', BY_AGE, '0', created .. id)
  local total, last = ARGV[first + 7], ARGV[first + 8]
  if total ~= '0' then redis.call('HSET', USAGE .. id, 'total', total) end
  if last ~= '' then redis.call('HSET', USAGE .. id, 'last', last) end
end
announce()
return 0
