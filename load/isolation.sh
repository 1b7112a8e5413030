#!/usr/bin/env bash
# Whether what hangs, is flooded, is stale or is broken slows anything else: latencies beside trouble against those without it.
set -euo pipefail

usage() {
    cat <<'USAGE'
Usage: load/isolation.sh [OPTION]... [PROOF]...

Publishes the gateway, starts it with bulkheads, time-outs and a circuit breaker in front of small services, and measures in rounds,
with and without trouble in turn, so that a drift of the machine favours neither. All clients are paced: they pause after each answer.
Prints each round, then min, median and max of the ratios with the limit on the median. Two to three minutes a proof.

  clusters   p99 of writes to one cluster, alone and while another cluster's process is stopped (SIGSTOP) under 128 clients;
             at most 1.25 times
  resources  p99 of writes to 64 resources of a route, alone and while 128 clients write to one more that the service takes slowly;
             at most 1.25 times
  stale      mean latency of a holder's writes with nine times as many stale writes to the same resources, against the same load
             of current writes to other resources; at most 1.1 times. Its latency alone is printed as well
  breaker    time of a request that an open circuit sheds, one at a time; below 1 ms

clusters and resources also hold the gateway's resident memory after the last round against that after the second; at most 1.1 times.

Options:
  --rounds N        rounds (default 7)
  --seconds N       seconds of each measurement (default 10)
  --published DIR   use this published build
  -h, --help        this text

Needs the .NET SDK and Debian's wrk, nginx-light (or another nginx) and curl.
Exit codes: 0 within the limits, 1 a limit is missed, 2 could not measure.
USAGE
}

rounds=7 seconds=10 proofs=()
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
while (($#)); do
    case $1 in
        -h | --help) usage && exit 0 ;;
        --rounds) rounds=${2:?} && shift ;;
        --seconds) seconds=${2:?} && shift ;;
        --published) published=$(cd "${2:?}" && pwd) && shift ;;
        clusters | resources | stale | breaker) proofs+=("$1") ;;
        *) die "unknown argument $1, see --help" ;;
    esac
    shift
done
[[ $rounds =~ ^[1-9][0-9]?$ && $seconds =~ ^[1-9][0-9]?$ ]] || die "rounds and seconds are numbers from 1 to 99"
((${#proofs[@]})) || proofs=(clusters resources stale breaker)
need dotnet=dotnet-sdk-10.0 wrk=wrk nginx=nginx-light curl=curl

# A service of one process that can be stopped as a whole; it takes 50 requests a second to /things/hot.
start_second() {
    second_port=$(free_port)
    sed -e "s/listen 127.0.0.1:[0-9]*;/listen 127.0.0.1:$second_port backlog=4096;/" -e "s#$work/nginx/#$work/second/#" \
        -e 's/^worker_processes 1;/master_process off;/' -e 's/worker_connections 1024/worker_connections 8192/' \
        -e "s#location / { return 204; }#&\nlocation = /things/hot { limit_req zone=hot burst=1000; proxy_pass http://127.0.0.1:$upstream_port; }#" \
        -e 's#^    server {#limit_req_zone $server_port zone=hot:1m rate=50r/s;\n&#' "$work/nginx.conf" >"$work/second.conf"
    mkdir -p "$work/second"
    nginx -e stderr -c "$work/second.conf" &
    second=$!
    pids+=("$second")
    wait_for "the second service" listens "$second_port"
}

write_resilient_configuration() {
    write_configuration
    local dead
    dead=$(free_port)
    cat >"$work/gateway.json" <<JSON
{
  "Urls": "http://127.0.0.1:$gateway_port",
  "Serilog": { "MinimumLevel": "Fatal" },
  "ReverseProxy": {
    "Routes": {
      "orders": { "ClusterId": "first", "Match": { "Path": "/orders/{id}" }, "Metadata": { "FencingPolicy": "orders" } },
      "others": { "ClusterId": "second", "Match": { "Path": "/others/{id}" }, "Metadata": { "FencingPolicy": "others" } },
      "things": { "ClusterId": "second", "Match": { "Path": "/things/{id}" }, "Metadata": { "FencingPolicy": "things" } },
      "dead": { "ClusterId": "dead", "Match": { "Path": "/dead/{id}" }, "Metadata": { "FencingPolicy": "dead" } }
    },
    "Clusters": {
      "first": { "Metadata": { "ResiliencePolicy": "bounded" }, "Destinations": { "a": { "Address": "http://127.0.0.1:$upstream_port/" } } },
      "second": { "Metadata": { "ResiliencePolicy": "bounded" }, "Destinations": { "a": { "Address": "http://127.0.0.1:$second_port/" } } },
      "dead": { "Metadata": { "ResiliencePolicy": "breaking" }, "Destinations": { "a": { "Address": "http://127.0.0.1:$dead/" } } }
    }
  },
  "FenceGateway": {
    "Admin": { "Url": "http://127.0.0.1:$admin_port" },
    "TokenStore": { "Provider": "Embedded", "Embedded": { "Path": "$work/tokens" } },
    "FencingPolicies": {
      "orders": { "Resource": "orders/{id}" }, "others": { "Resource": "others/{id}" },
      "things": { "Resource": "things/{id}" }, "dead": { "Resource": "dead/{id}" }
    },
    "ResiliencePolicies": {
      "bounded": {
        "Bulkhead": { "PermitLimit": 64, "QueueLimit": 32, "PerResource": { "PermitLimit": 8, "QueueLimit": 16 } },
        "Timeouts": { "Connect": "00:00:02", "FirstByte": "00:00:10", "Idle": "00:00:30", "Total": "00:00:30" }
      },
      "breaking": { "CircuitBreaker": { "BreakDuration": "01:00:00" } }
    }
  }
}
JSON
}

# Arguments: connections, path, token, pause in ms, seconds. Prints "requests N refused N failed N mean US p99 US".
drive() {
    wrk --threads 1 --connections "$1" --duration "${5}s" --timeout 20s --latency --script "$repository/load/isolation.lua" \
        "http://127.0.0.1:$gateway_port" -- "$2" "$3" "$4" | tail -n 1
}

# Drives as the trouble does, from a second before the measurement to its end, and leaves its line in $work/trouble.
begin_trouble() {
    drive "$@" $((seconds + 2)) >"$work/trouble" &
    trouble=$!
    sleep 1
}

end_trouble() { wait "$trouble"; }

# Arguments: the line of a measurement, the field's name (mean or p99). All of its requests were answered by the service.
figure() {
    local fields
    read -ra fields <<<"$1"
    ((fields[1] > 100 && fields[3] == 0 && fields[5] == 0)) || die "unexpected answers: $1"
    [[ $2 == mean ]] && echo "${fields[7]}" || echo "${fields[9]}"
}

memory() { awk '/^VmRSS/ { print $2 }' "/proc/$gateway/status"; }

# The trouble was real: more was refused than answered. Argument: at most how many were not refused in a second.
require_trouble() {
    local fields
    read -ra fields <"$work/trouble"
    ((fields[1] - fields[3] <= $1 * (seconds + 2) && fields[3] > 100)) || die "the trouble was none: $(<"$work/trouble")"
}

clusters_quiet() { figure "$(drive 16 '/orders/*' 34 5 "$seconds")" p99; }

clusters_troubled() {
    kill -STOP "$second"
    begin_trouble 128 '/others/*' 34 100
    figure "$(drive 16 '/orders/*' 34 5 "$seconds")" p99
    end_trouble
    kill -CONT "$second"
    require_trouble 0
}

resources_quiet() { figure "$(drive 16 '/things/*' 34 5 "$seconds")" p99; }

resources_troubled() {
    begin_trouble 128 /things/hot 34 100
    figure "$(drive 16 '/things/*' 34 5 "$seconds")" p99
    end_trouble
    require_trouble 60
}

stale_quiet() {
    begin_trouble 72 '/orders/other-*' 34 25
    figure "$(drive 8 '/orders/*' 34 25 "$seconds")" mean
    end_trouble
}

stale_troubled() {
    begin_trouble 72 '/orders/*' 33 25
    figure "$(drive 8 '/orders/*' 34 25 "$seconds")" mean
    end_trouble
    require_trouble 0
}

breaker_quiet() { figure "$(drive 1 '/orders/*' 34 0 "$seconds")" mean; }

# Every request is shed.
breaker_troubled() {
    local line fields
    line=$(drive 1 '/dead/*' 34 0 "$seconds")
    read -ra fields <<<"$line"
    ((fields[1] > 100 && fields[1] == fields[3] && fields[5] == 0)) || die "not everything was shed: $line"
    echo "${fields[7]}"
}

circuit_is_open() {
    curl -sS -X PUT -H "Fencing-Token: 34" --data x "http://127.0.0.1:$gateway_port/dead/1" | grep -q ":circuit-open"
}

# Column, name, limit (empty: none). Fails when the median is above the limit.
summarize() {
    awk -v column="$1" '{ print $column }' "$work/rounds" | sort -g | awk -v name="$2" -v limit="$3" '
        { v[NR] = $1 }
        END {
            median = NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2
            missed = limit != "" && median > limit
            printf "%-24s %9.3f %9.3f %9.3f  %s\n", name, v[1], median, v[NR], limit == "" ? "" : (missed ? "MISSED " : "within ") limit
            exit missed
        }'
}

# Arguments: the proof, and what its figure is. Fills $work/rounds with: round, quiet, troubled, ratio, memory in kB.
run_rounds() {
    local round quiet troubled
    : >"$work/rounds"
    "$1_quiet" >/dev/null
    "$1_troubled" >/dev/null
    printf '\n%s: %s in microseconds\n%-6s %10s %10s %8s %12s\n' "$1" "$2" round quiet troubled ratio "memory kB"
    for ((round = 1; round <= rounds; round++)); do
        # There and back, so that a drift of the machine favours none.
        if ((round % 2)); then
            quiet=$("$1_quiet") troubled=$("$1_troubled")
        else
            troubled=$("$1_troubled") quiet=$("$1_quiet")
        fi
        awk -v n="$round" -v q="$quiet" -v t="$troubled" -v m="$(memory)" \
            'BEGIN { printf "%-6d %10.1f %10.1f %8.3f %12d\n", n, q, t, t / q, m }' | tee -a "$work/rounds"
    done
    printf '%-24s %9s %9s %9s\n' "" min median max
}

# The last round's memory against the second's.
hold_memory() {
    awk -v limit=1.1 '
        NR <= 2 { early = $5 }
        { late = $5 }
        END {
            missed = late > early * limit
            printf "%-24s %29.3f  %s\n", "memory, last/second", late / early, (missed ? "MISSED " : "within ") limit
            exit missed
        }' "$work/rounds"
}

publish
start_upstream
start_second
trap 'kill -CONT "$second" 2>/dev/null || true; stop_all' EXIT
write_resilient_configuration
start_gateway
wait_for "the gateway" curl -fsS -o "$work/ready" "http://127.0.0.1:$admin_port/readyz" 2>"$work/curl.log"
wait_for "an open circuit" circuit_is_open
echo "$rounds rounds; each figure over $seconds s"
# Until the JIT has compiled what is hot.
for _ in 1 2; do stale_quiet && stale_troubled && breaker_quiet; done >/dev/null

code=0
for proof in "${proofs[@]}"; do
    case $proof in
        clusters | resources)
            run_rounds "$proof" "p99 of the others' writes"
            summarize 4 "$proof, troubled/quiet" 1.25 || code=1
            hold_memory || code=1
            ;;
        stale)
            run_rounds "$proof" "mean of the holder's writes"
            summarize 4 "stale, storm/same load" 1.1 || code=1
            printf '%-24s %19s\n' "the holder alone" "$(figure "$(drive 8 '/orders/*' 34 25 "$seconds")" mean)"
            ;;
        breaker)
            run_rounds "$proof" "mean of a forwarded (quiet) and of a shed write, one at a time"
            summarize 3 "breaker, shed in us" 1000 || code=1
            ;;
    esac
done
exit "$code"
