-- PUT with a small body to 64 resources in turn, every request with the token given as the script's argument.
-- The last line that it prints is "requests N refused N failed N".
local requests, next = {}, 0

function init(args)
   local path, token = args[1], args[2]
   local headers = { ["Fencing-Token"] = token, ["Content-Type"] = "application/json" }
   for i = 1, 64 do
      requests[i] = wrk.format("PUT", path .. "/" .. i, headers, '{"state":"paid","total":42}')
   end
end

function request()
   next = next % 64 + 1
   return requests[next]
end

function done(summary, latency, _)
   local e = summary.errors
   print(string.format("requests %d refused %d failed %d", summary.requests, e.status, e.connect + e.read + e.write + e.timeout))
end
