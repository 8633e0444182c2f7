-- Put before all that changes keys, after store.lua. The last of ARGV: the time of this server, in
-- microseconds, from which on nobody waits for the change; empty is never. It may have been held up on
-- the way, and would come after changes that were made since it was given up.
local last = table.remove(ARGV)
if last ~= '' then
  local now = redis.call('TIME')
  if now[1] * 1000000 + now[2] >= tonumber(last) then
    return redis.error_reply('TOOLATE nobody waits for it any more, and nothing was changed')
  end
end

