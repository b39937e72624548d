-- The twin of rule.rs `settle`. KEYS: workspace hash.
-- ARGV: now, period, generation length, generation, held, held before,
--   and with a snapshot: revision, left, calls.
local h = redis.call('HMGET', KEYS[1], 'p', 'r', 'l', 'n', 'g', 'h', 'b')
if not h[1] or tonumber(h[1]) ~= tonumber(ARGV[2]) then return 0 end
local revision, left, calls = tonumber(h[2]), tonumber(h[3]), tonumber(h[4])
local generation, held, before = tonumber(h[5]), tonumber(h[6]), tonumber(h[7])
local current = math.floor(tonumber(ARGV[1]) / tonumber(ARGV[3]))
if current == generation + 1 then before = held elseif current > generation then before = 0 end
if current > generation then held, generation = 0, current end
if ARGV[7] then
  if tonumber(ARGV[7]) >= revision then revision, left = tonumber(ARGV[7]), tonumber(ARGV[8]) end
  if tonumber(ARGV[9]) > calls then calls = tonumber(ARGV[9]) end
end
local function give_back(of, credits)
  if of == generation then held = math.max(held - credits, 0)
  elseif of == generation - 1 then before = math.max(before - credits, 0) end
end
give_back(tonumber(ARGV[4]), tonumber(ARGV[5]))
give_back(tonumber(ARGV[4]) - 1, tonumber(ARGV[6]))
redis.call('HSET', KEYS[1], 'r', revision, 'l', left, 'n', calls, 'g', generation, 'h', held, 'b', before)
return 1
