-- Put before every other script. KEYS[1]: the hash of the store. ARGV[1]: the id of the store that
-- was opened. A server that came back empty, or with another store, must never answer "unknown".

local KEY, USAGE = 'simple-security:key:', 'simple-security:usage:'
local DIGESTS, BY_AGE = 'simple-security:digests', 'simple-security:by-age'
local CHANGES = 'simple-security:changes'

-- Changes nothing, but a replica refuses it, and so does a primary that sees too few replicas
-- (min-replicas-to-write): what they hold may be old. A full disk refuses it too, and is no reason
-- not to read.
local refused = redis.pcall('DEL', 'simple-security:nothing')
if type(refused) == 'table' and refused.err and not string.find(refused.err, 'MISCONF', 1, true) then
  return refused
end

local opened = redis.call('HGET', KEYS[1], 'id')
if not opened then return redis.error_reply('NOTMADE there is no store') end
if opened ~= ARGV[1] then return redis.error_reply('ANOTHERSTORE it is another store') end

-- Adds a row to the log of changes. It comes before what it tells of: a change that fails in the log
-- has changed nothing.
local function log(digest, mark)
  local position = string.format('%.0f', redis.call('HINCRBY', KEYS[1], 'position', 1))
  redis.call('XADD', CHANGES, 'MAXLEN', '~', '10000', position .. '-0', 'mark', mark, 'digest', digest)
end

-- Only a hint: a user that may not publish can change keys all the same.
local function announce()
  redis.pcall('PUBLISH', CHANGES, ARGV[1])
end

-- A key: its id, the fields of its hash, and those of its usage; nil where there is none.
local function record(id)
  local fields = redis.call('HGETALL', KEY .. id)
  if #fields == 0 then return nil end
  return {id, fields, redis.call('HGETALL', USAGE .. id)}
end

-- Parts can get lost alone: by a restore key by key, by eviction, by hand. An error then, never "unknown".
local function damaged(what)
  error('DAMAGED ' .. what, 0)
end

-- The id of the key of a digest; false where there is none.
local function holder(digest)
  local found = redis.call('HMGET', DIGESTS, '', digest)
  if not found[1] then damaged(DIGESTS .. ' is missing') end
  return found[2]
end
