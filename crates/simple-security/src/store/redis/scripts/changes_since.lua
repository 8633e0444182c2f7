-- What came after the row of the position ARGV[2] and the mark ARGV[3]: whether that row is there (1
-- or 0), the position and the mark of the newest row, and the digests since, each 32 bytes.
local known = ARGV[2] ~= '' and redis.call('XRANGE', CHANGES, ARGV[2] .. '-0', ARGV[2] .. '-0')[1]
if known and known[2][2] == ARGV[3] then
  local rows = redis.call('XRANGE', CHANGES, '(' .. ARGV[2] .. '-0', '+')
  local digests = {}
  for index, row in ipairs(rows) do digests[index] = row[2][4] end
  local newest = rows[#rows] or known
  return {1, string.match(newest[1], '^%d+'), newest[2][2], table.concat(digests)}
end
local newest = redis.call('XREVRANGE', CHANGES, '+', '-', 'COUNT', '1')[1]
if not newest then return redis.error_reply('NOLOG the log of changes is empty') end
return {0, string.match(newest[1], '^%d+'), newest[2][2], ''}
