-- The twin of rule.rs `admit`, for many asks of one partner in their order.
-- KEYS: the partner's window, then workspaces and tokens as the asks name them by number.
-- ARGV: the asks as JSON, length of a generation, skew.
-- An ask: workspace key, token key, now, period, calls limit (-1 for none), credits,
--   interval and capacity of token, workspace, partner (6), lifetime of the workspace key in ms,
--   and with a snapshot: revision, left, calls.
-- A workspace key holds: period, revision, left, calls, generation, held, held before, window.
local length, skew = tonumber(ARGV[2]), tonumber(ARGV[3])
local states, tats, lifetimes, moved_at = {}, {}, {}, {}

local function state_of(key)
  if states[key] == nil then
    local packed = redis.call('GET', KEYS[key])
    states[key] = packed and cmsgpack.unpack(packed) or false
  end
  return states[key]
end

local function tat_of(key)
  if tats[key] == nil then tats[key] = tonumber(redis.call('GET', KEYS[key]) or 0) end
  return tats[key]
end

local function learn(ask)
  local state = state_of(ask[1])
  if state and state[1] ~= ask[4] then state = false end
  if not ask[14] then return state end
  if not state then
    return {ask[4], ask[14], ask[15], ask[16], math.floor(ask[3] / length), 0, 0, 0}
  end
  if ask[14] >= state[2] then state[2], state[3] = ask[14], ask[15] end
  if ask[16] > state[4] then state[4] = ask[16] end
  return state
end

local function admit(ask)
  local now, credits = ask[3], ask[6]
  local state = learn(ask)
  if not state then return {4} end
  local current = math.floor(now / length)
  if current == state[5] + 1 then state[7] = state[6] elseif current > state[5] then state[7] = 0 end
  if current > state[5] then state[6], state[5] = 0, current end
  if ask[14] then states[ask[1]], lifetimes[ask[1]] = state, ask[13] end
  local stands = {tat_of(ask[2]), state[8], tat_of(1)}
  local depths = {}
  for i = 1, 3 do
    local interval, at = ask[5 + 2 * i], stands[i]
    local depth = interval * ask[6 + 2 * i]
    if at < now or at > now + depth + skew then at = now end
    local wait = at + interval - now - depth
    if wait > 0 then return {1, i - 1, wait} end
    stands[i], depths[i] = at + interval, depth
  end
  if ask[5] >= 0 and state[4] >= ask[5] then return {2} end
  if credits > 0 and state[3] - state[6] - state[7] < credits then return {3} end
  tats[ask[2]], state[8], tats[1] = stands[1], stands[2], stands[3]
  moved_at[ask[2]], moved_at[1] = now, now
  state[4], state[6] = state[4] + 1, state[6] + credits
  states[ask[1]], lifetimes[ask[1]] = state, ask[13]
  local answer = {0}
  for i = 1, 3 do
    answer[2 * i] = math.floor((depths[i] - (stands[i] - now)) / ask[5 + 2 * i])
    answer[2 * i + 1] = stands[i] - now
  end
  answer[8], answer[9] = state[4], state[5]
  return answer
end

local answers = {}
for number, ask in ipairs(cjson.decode(ARGV[1])) do answers[number] = admit(ask) end
for key, lifetime in pairs(lifetimes) do
  redis.call('SET', KEYS[key], cmsgpack.pack(states[key]), 'PX', lifetime)
end
for key, now in pairs(moved_at) do
  redis.call('SET', KEYS[key], string.format('%.0f', tats[key]), 'PX', math.ceil((tats[key] - now) / 1000) + 1)
end
return answers
