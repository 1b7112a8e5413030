-- Paced PUTs with a small body. Arguments: path, in which a * stands for each of the numbers from 1 to 64 in turn, token, and the
-- milliseconds that each connection pauses after an answer, as a client with something else to do.
-- The last line that it prints is "requests N refused N failed N mean US p99 US"; refused is every status of 400 or more.
local requests, next, pause = {}, 0, 0

function init(args)
   local headers = { ["Fencing-Token"] = args[2], ["Content-Type"] = "application/json" }
   pause = tonumber(args[3])
   for i = 1, 64 do
      requests[i] = wrk.format("PUT", (args[1]:gsub("%*", tostring(i))), headers, '{"state":"paid","total":42}')
   end
end

function delay()
   return pause
end

function request()
   next = next % #requests + 1
   return requests[next]
end

function done(summary, latency, _)
   local e = summary.errors
   print(string.format("requests %d refused %d failed %d mean %.1f p99 %.1f",
      summary.requests, e.status, e.connect + e.read + e.write + e.timeout, latency.mean, latency:percentile(99)))
end
