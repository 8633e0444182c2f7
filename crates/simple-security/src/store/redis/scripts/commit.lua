-- Makes operations, each on another key: all, or none where one cannot be made. ARGV[2]: the mark of
-- their rows in the log; then the operations:
--   insert, and a key as `add` has it
--   change, id, revocation ('keep' it as it is, 'clear' it, or the date where there is none yet), the
--     number of fields, and each with its value
--   delete, id
-- Returns each key before and after; or the number of the first operation that cannot be made. A change
-- that leaves its key as it was is logged too: it may have been edited directly in the database, where
-- nothing logs it.
local function length(first)
  if ARGV[first] == 'insert' then return 7 + 2 * tonumber(ARGV[first + 6]) end
  if ARGV[first] == 'change' then return 4 + 2 * tonumber(ARGV[first + 3]) end
  return 2
end

local function is_possible(first)
  if ARGV[first] == 'insert' then return not is_taken(first + 1) end
  local key = KEY .. ARGV[first + 1]
  if redis.call('EXISTS', key) == 0 then return false end
  -- Nothing is taken back when a script fails half-way, so it must not.
  local fields = {'digest', 'name', 'created_at', 'expires_at', 'never_expires'}
  for index, value in ipairs(redis.call('HMGET', key, unpack(fields))) do
    if not value then damaged(key .. ' has no ' .. fields[index]) end
  end
  return true
end

local function change(first, id)
  local key, revocation = KEY .. id, ARGV[first + 2]
  log(redis.call('HGET', key, 'digest'), ARGV[2])
  if revocation == 'clear' then
    redis.call('HDEL', key, 'revoked_at')
  elseif revocation ~= 'keep' then
    redis.call('HSETNX', key, 'revoked_at', revocation)
  end
  if ARGV[first + 3] ~= '0' then
    redis.call('HSET', key, unpack(ARGV, first + 4, first + length(first) - 1))
  end
end

local function delete(id)
  local digest, created = unpack(redis.call('HMGET', KEY .. id, 'digest', 'created_at'))
  log(digest, ARGV[2])
  redis.call('DEL', KEY .. id, USAGE .. id)
  redis.call('HDEL', DIGESTS, digest)
  redis.call('ZREM', BY_AGE, created .. id)
end

local first, number = 3, 0
while first <= #ARGV do
  number = number + 1
  if not is_possible(first) then return number end
  first = first + length(first)
end

local images = {}
first = 3
while first <= #ARGV do
  local operation, id = ARGV[first], ARGV[first + 1]
  images[#images + 1] = record(id) or false
  if operation == 'insert' then add(first + 1, ARGV[2])
  elseif operation == 'change' then change(first, id)
  else delete(id) end
  images[#images + 1] = record(id) or false
  first = first + length(first)
end
announce()
return images
