-- The twin of rule.rs `settle`. KEYS: the workspace, as admit.lua keeps it.
-- ARGV: now, period, length of a generation, generation, held, held before,
--   and with a snapshot: revision, left, calls.
local packed = redis.call('GET', KEYS[1])
local state = packed and cmsgpack.unpack(packed)
if not state or state[1] ~= tonumber(ARGV[2]) then return 0 end
local current = math.floor(tonumber(ARGV[1]) / tonumber(ARGV[3]))
if current == state[5] + 1 then state[7] = state[6] elseif current > state[5] then state[7] = 0 end
if current > state[5] then state[6], state[5] = 0, current end
if ARGV[7] then
  if tonumber(ARGV[7]) >= state[2] then state[2], state[3] = tonumber(ARGV[7]), tonumber(ARGV[8]) end
  if tonumber(ARGV[9]) > state[4] then state[4] = tonumber(ARGV[9]) end
end
local function give_back(generation, credits)
  if generation == state[5] then state[6] = math.max(state[6] - credits, 0)
  elseif generation == state[5] - 1 then state[7] = math.max(state[7] - credits, 0) end
end
give_back(tonumber(ARGV[4]), tonumber(ARGV[5]))
give_back(tonumber(ARGV[4]) - 1, tonumber(ARGV[6]))
redis.call('SET', KEYS[1], cmsgpack.pack(state), 'KEEPTTL')
return 1
