-- Adds keys: all, or none where one is taken. ARGV[2]: the mark of their rows in the log; then each key,
-- as `add` has it. The number of the first that is taken; 0: all are added.
local first, number = 3, 0
while first <= #ARGV do
  number = number + 1
  if is_taken(first) then return number end
  first = first + 6 + 2 * tonumber(ARGV[first + 5])
end
first = 3
while first <= #ARGV do first = add(first, ARGV[2]) end
announce()
return 0
