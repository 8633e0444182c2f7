-- A record by its id (ARGV[2]), or by its digest (ARGV[3]) where the id is empty.
local id = ARGV[2]
if id == '' then id = redis.call('HGET', DIGESTS, ARGV[3]) end
return id and record(id) or false
