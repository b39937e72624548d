-- The twin of rule.rs `admit`. KEYS: workspace hash, token window, partner window.
-- ARGV: now, period, generation length, skew, calls limit (-1 for none), credits,
--   interval and capacity of token, workspace, partner (6), lifetime of the hash in ms,
--   and with a snapshot: revision, left, calls.
local now, period, length, skew = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local limit, credits = tonumber(ARGV[5]), tonumber(ARGV[6])
local h = redis.call('HMGET', KEYS[1], 'p', 'r', 'l', 'n', 'g', 'h', 'b', 't')
local is_known = h[1] and tonumber(h[1]) == period
local is_new = false
local revision, left, calls, generation, held, before, tat
if is_known then
  revision, left, calls = tonumber(h[2]), tonumber(h[3]), tonumber(h[4])
  generation, held, before, tat = tonumber(h[5]), tonumber(h[6]), tonumber(h[7]), tonumber(h[8])
end
local current = math.floor(now / length)
if ARGV[14] then
  local r, l, n = tonumber(ARGV[14]), tonumber(ARGV[15]), tonumber(ARGV[16])
  if not is_known then
    revision, left, calls, generation, held, before, tat = r, l, n, current, 0, 0, 0
    is_new = true
  else
    if r >= revision then revision, left = r, l end
    if n > calls then calls = n end
  end
elseif not is_known then
  return {4}
end
if current == generation + 1 then before = held elseif current > generation then before = 0 end
if current > generation then held, generation = 0, current end

local function keep()
  redis.call('HSET', KEYS[1], 'p', period, 'r', revision, 'l', left, 'n', calls, 'g', generation, 'h', held,
    'b', before, 't', tat)
  if is_new then redis.call('PEXPIRE', KEYS[1], ARGV[13]) end
end

local stands = {tonumber(redis.call('GET', KEYS[2]) or 0), tat, tonumber(redis.call('GET', KEYS[3]) or 0)}
local moved, depths, intervals = {}, {}, {}
for i = 1, 3 do
  local interval = tonumber(ARGV[5 + 2 * i])
  local depth = interval * tonumber(ARGV[6 + 2 * i])
  local at = stands[i]
  if at < now or at > now + depth + skew then at = now end
  local wait = at + interval - now - depth
  if wait > 0 then
    if ARGV[14] then keep() end
    return {1, i - 1, wait}
  end
  moved[i], depths[i], intervals[i] = at + interval, depth, interval
end
if limit >= 0 and calls >= limit then
  if ARGV[14] then keep() end
  return {2}
end
if credits > 0 and left - held - before < credits then
  if ARGV[14] then keep() end
  return {3}
end
tat, calls, held = moved[2], calls + 1, held + credits
keep()
redis.call('SET', KEYS[2], moved[1], 'PX', math.ceil((moved[1] - now) / 1000) + 1)
redis.call('SET', KEYS[3], moved[3], 'PX', math.ceil((moved[3] - now) / 1000) + 1)
local answer = {0}
for i = 1, 3 do
  answer[2 * i] = math.floor((depths[i] - (moved[i] - now)) / intervals[i])
  answer[2 * i + 1] = moved[i] - now
end
answer[8], answer[9] = calls, generation
return answer
