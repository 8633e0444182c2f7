-- Adds one chunk of a batch of counts, once. ARGV[2]: the writer. ARGV[3] and ARGV[4]: the number of
-- the batch and that of the chunk in it, both of a fixed width, so that they compare as text. Then,
-- for each key: id, count, last use.
local writer = 'simple-security:writer:' .. ARGV[2]
local done = redis.call('HMGET', writer, 'number', 'chunk')
local number, chunk = done[1] or '', done[2] or ''
if number > ARGV[3] or (number == ARGV[3] and chunk >= ARGV[4]) then return 0 end

-- Had a chunk before it been refused, it would be taken for an old one from now on.
local next_chunk = number == ARGV[3] and tonumber(chunk) + 1 or 0
if tonumber(ARGV[4]) ~= next_chunk then
  return redis.error_reply('CHUNKMISSING a chunk of the batch before this one is missing')
end

redis.call('HSET', writer, 'number', ARGV[3], 'chunk', ARGV[4])
redis.call('EXPIRE', writer, '2592000')
for first = 5, #ARGV, 3 do
  local id, last = ARGV[first], ARGV[first + 2]
  if redis.call('EXISTS', KEY .. id) == 1 then
    local usage = USAGE .. id
    -- Added by the server: a number of Lua is exact only up to 2^53.
    local total = redis.pcall('HINCRBY', usage, 'total', ARGV[first + 1])
    if type(total) == 'table' then
      redis.call('HSET', usage, 'total', '9223372036854775807')
    end
    local before = redis.call('HGET', usage, 'last_used_at')
    if not before or tonumber(before) < tonumber(last) then
      redis.call('HSET', usage, 'last_used_at', last)
    end
  end
end
return 1
