-- Admits a call or refuses it, in one step: a rate as GCRA in microseconds, a hold of credits, a count of calls.
-- KEYS: the rate's next free instant, the counters. ARGV: interval, tolerance (both in microseconds), credits, limit.
-- Answers 0, or after how many microseconds to try again, or -1 where credits do not suffice.

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, tolerance = tonumber(ARGV[1]), tonumber(ARGV[2])
local credits, limit = tonumber(ARGV[3]), tonumber(ARGV[4])

local free = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now)
if free - now > tolerance then
  return free - now - tolerance
end

if credits > 0 then
  local held = tonumber(redis.call('HGET', KEYS[2], 'held') or '0')
  if held + credits > limit then
    return -1
  end
  redis.call('HINCRBY', KEYS[2], 'held', credits)
end

redis.call('SET', KEYS[1], string.format('%.0f', free + interval), 'PX', 60000)
redis.call('HINCRBY', KEYS[2], 'calls', 1)
return 0
