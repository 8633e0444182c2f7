-- Put before all that adds keys. It changes nothing, but where memory is short it is refused. Only the
-- first write of a script ever is; that of store.lua never is, so that a full server still revokes.
local full = redis.pcall('SETRANGE', 'simple-security:nothing', '0', '')
if type(full) == 'table' and full.err then return full end

