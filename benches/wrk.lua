-- Sends the requests of a file, one after another and round and round, and prints what it measured as one line of JSON.
-- wrk counts answers of 400 and above, and those that it cannot read, as errors.

local requests, at = {}, 0

function init(arguments)
  local file = assert(io.open(arguments[1], "rb"))
  for text in file:read("*a"):gmatch("%Z+") do
    requests[#requests + 1] = text
  end
  file:close()
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency)
  local errors = summary.errors
  local lost = errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format(
    '\n{"micros":%d,"requests":%d,"refused":%d,"lost":%d,"p50_us":%d,"p99_us":%d}\n',
    summary.duration, summary.requests, errors.status, lost,
    latency:percentile(50), latency:percentile(99)))
end
