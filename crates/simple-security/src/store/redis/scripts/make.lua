-- Makes a store where there is none: its id, the format, the format that a program must know, the
-- bounds in microseconds, and the mark of the first row of its log. 1: it is made.
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
if redis.call('EXISTS', 'simple-security:changes', 'simple-security:by-age', 'simple-security:digests') > 0 then
  return redis.error_reply('LEFTOVERS there are keys without their store')
end
redis.call('HSET', KEYS[1], 'id', ARGV[1], 'format', ARGV[2], 'minimum', ARGV[3],
  'max_staleness', ARGV[4], 'stale_if_error', ARGV[5], 'position', '1')
-- What is empty otherwise would not be there, and could not be told from what was lost.
redis.call('HSET', 'simple-security:digests', '', '')
redis.call('ZADD', 'simple-security:by-age', '0', '')
redis.call('XADD', 'simple-security:changes', '1-0', 'mark', ARGV[6], 'digest', '')
return 1
