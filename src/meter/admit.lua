-- The twin of rule.rs `admit`, for many asks of one partner in their order.
-- KEYS: the partner's window, then workspaces as the asks name them by number.
-- ARGV: the asks as MessagePack, length of a generation, skew. Answers MessagePack too.
-- An ask: workspace key, token, now, period, calls limit (-1 for none), credits,
--   interval and capacity of token, workspace, partner (6), lifetime of the workspace key in ms as a text,
--   and with a snapshot: revision, left, calls.
-- A workspace key holds: period, revision, left, calls, generation, held, held before, window, windows of tokens.
local length, skew = tonumber(ARGV[2]), tonumber(ARGV[3])
local floor = math.floor
local stored = redis.call('MGET', unpack(KEYS))
local partner, partner_moved_at = tonumber(stored[1] or 0), nil
local states, lifetimes, moved_at = {}, {}, {}
for key = 2, #KEYS do
  local state = stored[key] and cmsgpack.unpack(stored[key])
  -- Replicas of the previous release keep windows of tokens elsewhere.
  if state and not state[9] then state[9] = {} end
  states[key] = state
end

local function learn(ask)
  local known = states[ask[1]]
  local is_for = known and (known[1] == ask[4] or known[1] > ask[4] and known[1] - ask[3] <= skew)
  local state = is_for and known
  if not ask[14] then return state end
  if not state then
    return {ask[4], ask[14], ask[15], ask[16], floor(ask[3] / length), 0, 0, known and known[8] or 0,
      known and known[9] or {}}
  end
  if state[1] ~= ask[4] then return state end
  if ask[14] >= state[2] then state[2], state[3] = ask[14], ask[15] end
  if ask[16] > state[4] then state[4] = ask[16] end
  return state
end

-- Where a window stands after one more call, and how far ahead of now it may stand.
local function moved(stands, interval, capacity, now)
  local depth = interval * capacity
  if stands < now or stands > now + depth + skew then stands = now end
  return stands + interval, depth
end

local function admit(ask)
  local key, now, credits = ask[1], ask[3], ask[6]
  local state = learn(ask)
  if not state then return {4} end
  local is_of_period = state[1] == ask[4]
  local current = floor(now / length)
  if current > state[5] then
    state[7] = current == state[5] + 1 and state[6] or 0
    state[6], state[5] = 0, current
  end
  if ask[14] and is_of_period then states[key], lifetimes[key], moved_at[key] = state, ask[13], now end
  local token, token_depth = moved(state[9][ask[2]] or 0, ask[7], ask[8], now)
  if token - now > token_depth then return {1, 0, token - now - token_depth} end
  local own, own_depth = moved(state[8], ask[9], ask[10], now)
  if own - now > own_depth then return {1, 1, own - now - own_depth} end
  local all, all_depth = moved(partner, ask[11], ask[12], now)
  if all - now > all_depth then return {1, 2, all - now - all_depth} end
  if is_of_period then
    if ask[5] >= 0 and state[4] >= ask[5] then return {2} end
    if credits > 0 and state[3] - state[6] - state[7] < credits then
      token, own, all = token - ask[7], own - ask[9], all - ask[11]
      return {3, floor((token_depth - (token - now)) / ask[7]), token - now,
        floor((own_depth - (own - now)) / ask[9]), own - now,
        floor((all_depth - (all - now)) / ask[11]), all - now}
    end
    state[4], state[6], lifetimes[key] = state[4] + 1, state[6] + credits, ask[13]
  else
    -- What is kept is of a later period and stays as long as it would.
    lifetimes[key] = lifetimes[key] or false
  end
  state[9][ask[2]], state[8], partner, partner_moved_at = token, own, all, now
  moved_at[key] = now
  return {0, floor((token_depth - (token - now)) / ask[7]), token - now,
    floor((own_depth - (own - now)) / ask[9]), own - now,
    floor((all_depth - (all - now)) / ask[11]), all - now, state[4], state[5]}
end

local answers = {}
for number, ask in ipairs(cmsgpack.unpack(ARGV[1])) do answers[number] = admit(ask) end
for key, lifetime in pairs(lifetimes) do
  local tokens = states[key][9]
  -- Not at once, because the next ask may come by a clock that is behind.
  for token, stands in pairs(tokens) do
    if stands + length < moved_at[key] then tokens[token] = nil end
  end
  local packed = cmsgpack.pack(states[key])
  if lifetime then redis.call('SET', KEYS[key], packed, 'PX', lifetime)
  else redis.call('SET', KEYS[key], packed, 'KEEPTTL') end
end
if partner_moved_at then
  local lifetime = math.ceil((partner - partner_moved_at) / 1000) + 1
  redis.call('SET', KEYS[1], string.format('%.0f', partner), 'PX', lifetime)
end
return cmsgpack.pack(answers)
