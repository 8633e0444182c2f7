-- A record by its id (ARGV[2]), or by its digest (ARGV[3]) where the id is empty.
if ARGV[2] ~= '' then return record(ARGV[2]) or false end
local id = holder(ARGV[3])
if not id then return false end
local found = record(id)
if not found then damaged(KEY .. id .. ' is missing') end
if redis.call('HGET', KEY .. id, 'digest') ~= ARGV[3] then damaged(KEY .. id .. ' has another digest') end
return found
