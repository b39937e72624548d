-- The twin of rule.rs `settle`. KEYS: workspaces, as admit.lua keeps them.
-- ARGV: as MessagePack, for each of them: now, period, generation, held, held before, calls,
--   and with a snapshot: revision, left; then the length of a generation.
local length = tonumber(ARGV[2])

local function settle(key, told)
  local packed = redis.call('GET', key)
  local state = packed and cmsgpack.unpack(packed)
  if not state or state[1] ~= told[2] then return end
  local current = math.floor(told[1] / length)
  if current == state[5] + 1 then state[7] = state[6] elseif current > state[5] then state[7] = 0 end
  if current > state[5] then state[6], state[5] = 0, current end
  if told[6] > state[4] then state[4] = told[6] end
  if told[7] and told[7] >= state[2] then state[2], state[3] = told[7], told[8] end
  local function give_back(generation, credits)
    if generation == state[5] then state[6] = math.max(state[6] - credits, 0)
    elseif generation == state[5] - 1 then state[7] = math.max(state[7] - credits, 0) end
  end
  give_back(told[3], told[4])
  give_back(told[3] - 1, told[5])
  redis.call('SET', key, cmsgpack.pack(state), 'KEEPTTL')
end

for index, told in ipairs(cmsgpack.unpack(ARGV[1])) do settle(KEYS[index], told) end
return #KEYS
