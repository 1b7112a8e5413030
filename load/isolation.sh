#!/usr/bin/env bash
# Whether trouble stays where it is: a service that hangs, a resource that is flooded, a storm of stale requests, an open circuit.
set -euo pipefail

usage() {
    cat <<'USAGE'
Usage: load/isolation.sh [OPTION]...

Publishes the gateway, starts it once in front of one good and one hanging service, and measures a bystander at a fixed rate, quiet
and with trouble beside it, in turns. Prints each round, then for each kind of trouble the median of the rounds' ratios:

  hanging   p99 of a cluster, while another cluster hangs with all of its places and its queue full     limit 1.25
  flooded   p99 of a resource, while another resource of its route hangs and is flooded                  limit 1.25
  stale     mean latency of the holder of a lock, while nine times as many stale requests come           limit 1.10
  open      mean time to refuse a request of a cluster whose circuit is open, in milliseconds            limit 1
  memory    resident memory of the gateway after the last round, over that after the first               limit 1.10

Options:
  --rounds N        rounds (default 9)
  --seconds N       seconds that each phase takes (default 4)
  --published DIR   use this published build
  -h, --help        this text

Needs the .NET SDK and Debian's hey, nginx-light (or another nginx), python3 and curl.
Exit codes: 0 within the limits, 1 a limit is missed, 2 could not measure.
USAGE
}

rounds=9 seconds=4
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
while (($#)); do
    case $1 in
        -h | --help) usage && exit 0 ;;
        --rounds) rounds=${2:?} && shift ;;
        --seconds) seconds=${2:?} && shift ;;
        --published) published=$(cd "${2:?}" && pwd) && shift ;;
        *) die "unknown option $1, see --help" ;;
    esac
    shift
done
[[ $rounds =~ ^[1-9][0-9]?$ && $seconds =~ ^[1-9][0-9]?$ ]] || die "rounds and seconds are numbers from 1 to 99"
need dotnet=dotnet-sdk-10.0 hey=hey nginx=nginx-light python3=python3 curl=curl

# The system takes the connections of a socket that listens; nobody ever reads from them.
start_hanging() {
    hanging_port=$(free_port)
    python3 -c '
import signal, socket, sys
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", int(sys.argv[1])))
s.listen(4096)
signal.pause()' "$hanging_port" &
    pids+=($!)
}

write_isolation_configuration() {
    gateway_port=$(free_port) admin_port=$(free_port)
    cat >"$work/gateway.json" <<JSON
{
  "Urls": "http://127.0.0.1:$gateway_port",
  "Serilog": { "MinimumLevel": "Error" },
  "ReverseProxy": {
    "Routes": {
      "good": { "ClusterId": "good", "Match": { "Path": "/good/{id}" }, "Metadata": { "FencingPolicy": "per-id", "ResiliencePolicy": "bounded" } },
      "hanging": { "ClusterId": "hanging", "Match": { "Path": "/hanging/{id}" }, "Metadata": { "ResiliencePolicy": "bounded" } },
      "closed": { "ClusterId": "closed", "Match": { "Path": "/closed/{id}" }, "Metadata": { "ResiliencePolicy": "breaking" } }
    },
    "Clusters": {
      "good": { "Destinations": { "a": { "Address": "http://127.0.0.1:$upstream_port/" } } },
      "hanging": { "Destinations": { "a": { "Address": "http://127.0.0.1:$hanging_port/" } } },
      "closed": { "Destinations": { "a": { "Address": "http://127.0.0.1:9/" } } }
    }
  },
  "FenceGateway": {
    "Admin": { "Url": "http://127.0.0.1:$admin_port" },
    "TokenStore": { "Provider": "Embedded", "Embedded": { "Path": "$work/tokens" } },
    "FencingPolicies": { "per-id": { "Resource": "things/{id}" } },
    "ResiliencePolicies": {
      "bounded": {
        "Bulkhead": { "PermitLimit": 64, "QueueLimit": 32, "PerResource": { "PermitLimit": 8, "QueueLimit": 16 } },
        "Timeouts": { "FirstByte": "00:00:02", "Total": "00:00:05" }
      },
      "breaking": { "CircuitBreaker": { "BreakDuration": "00:10:00" } }
    }
  }
}
JSON
}

url() { echo "http://127.0.0.1:$gateway_port$1"; }

# Sends PUTs at a fixed rate for a phase. Arguments: report, connections, requests a second of each, token, path. hey's report goes to a file.
send() {
    hey -z "${seconds}s" -c "$2" -q "$3" -m PUT -d x -T text/plain -H "Fencing-Token: $4" -disable-redirects "$(url "$5")" >"$work/$1" 2>&1
}

# Keeps so many requests at the gateway for a phase, as fast as they are answered. Arguments: report, connections, path.
flood() {
    hey -z "${seconds}s" -c "$2" -t 10 -m PUT -d x -T text/plain -H 'Fencing-Token: 34' "$(url "$3")" >"$work/$1" 2>&1
}

# Milliseconds from a report: its 99th percentile, or its mean.
p99() { awk '/99% in/ { printf "%.3f\n", $3 * 1000 }' "$work/$1"; }
mean() { awk '/Average:/ { printf "%.3f\n", $2 * 1000 }' "$work/$1"; }

# Every request of a report has the status.
all_are() {
    grep -q "\[$2\]" "$work/$1" && [[ $(grep -c '^ *\[[0-9]*\]' "$work/$1") == 1 ]] && ! grep -q 'Error distribution' "$work/$1" ||
        die "$1: not every answer is $2: $(tail -n 12 "$work/$1" | tr '\n' ' ')"
}

resident() { awk '/VmRSS/ { print $2 }' "/proc/$gateway/status"; }

# The bystander: 400 requests a second to one resource of the good cluster.
bystander() {
    send "$1" 8 50 34 /good/1
    all_are "$1" 204
    p99 "$1"
}

# The holder of a lock: 200 requests a second.
holder() {
    send "$1" 4 50 34 /good/2
    all_are "$1" 204
    mean "$1"
}

beside() {
    local trouble=$1
    shift
    "$trouble" &
    local started=$!
    "$@"
    wait "$started"
}

hang() { flood hang.txt 96 /hanging/1; }
flood_resource() { flood flood.txt 24 /good/hot; }
storm() {
    send storm.txt 36 50 33 /good/2
    all_are storm.txt 409
}

upstream_locations='location = /good/hot { proxy_pass http://127.0.0.1:HANGING; }'
publish
start_hanging
upstream_locations=${upstream_locations/HANGING/$hanging_port}
start_upstream
write_isolation_configuration
start_gateway
wait_for "the gateway" curl -fsS -o "$work/ready" "http://127.0.0.1:$admin_port/readyz" 2>"$work/curl.log"

echo "$rounds rounds, each phase $seconds s; milliseconds"
# Until the JIT has compiled what is hot, and until the circuit of the closed cluster has opened.
bystander warm.txt >/dev/null
beside hang bystander warm.txt >/dev/null
holder warm.txt >/dev/null
for _ in {1..30}; do curl -s -o "$work/closed" -X PUT -d x "$(url /closed/1)"; done
grep -q circuit-open "$work/closed" || die "the circuit did not open: $(<"$work/closed")"

printf '%-6s %8s %8s %8s %8s %8s %8s %10s\n' round quiet hanging flooded holder storm open memory/kB
for ((round = 1; round <= rounds; round++)); do
    quiet=$(bystander quiet.txt)
    hanging=$(beside hang bystander hanging.txt)
    flooded=$(beside flood_resource bystander flooded.txt)
    alone=$(holder alone.txt)
    stormed=$(beside storm holder stormed.txt)
    hey -n 2000 -c 1 -m PUT -d x -T text/plain "$(url /closed/1)" >"$work/open.txt"
    all_are open.txt 503
    printf '%-6d %8s %8s %8s %8s %8s %8s %10s\n' \
        "$round" "$quiet" "$hanging" "$flooded" "$alone" "$stormed" "$(mean open.txt)" "$(resident)" | tee -a "$work/rounds"
done

# Arguments: name, awk expression of a round's figure, limit. Fails when the median is above the limit.
judge() {
    awk "{ print $2 }" "$work/rounds" | sort -g | awk -v name="$1" -v limit="$3" '
        { v[NR] = $1 }
        END {
            median = NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2
            missed = median > limit
            printf "%-10s %8.3f %8.3f %8.3f  %s\n", name, v[1], median, v[NR], (missed ? "MISSED " : "within ") limit
            exit missed
        }'
}

code=0
printf '\n%-10s %8s %8s %8s\n' "" min median max
judge hanging '$3 / $2' 1.25 || code=1
judge flooded '$4 / $2' 1.25 || code=1
judge stale '$6 / $5' 1.10 || code=1
judge open '$7' 1 || code=1
first=$(awk 'NR == 1 { print $8 }' "$work/rounds") last=$(awk 'END { print $8 }' "$work/rounds")
awk -v first="$first" -v last="$last" 'BEGIN {
    missed = last / first > 1.10
    printf "%-10s %26.3f  %s\n", "memory", last / first, (missed ? "MISSED " : "within ") 1.10
    exit missed
}' || code=1
exit "$code"
