-- Of each pair of an id and a digest, from ARGV[2] on: whether one of them is taken, as 0 or 1.
local taken = {}
for first = 2, #ARGV, 2 do
  local is_taken = redis.call('EXISTS', KEY .. ARGV[first]) == 1 or holder(ARGV[first + 1])
  taken[#taken + 1] = is_taken and '1' or '0'
end
return table.concat(taken)
