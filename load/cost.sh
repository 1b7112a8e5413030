#!/usr/bin/env bash
# What the fence and the resilience mechanisms cost in the built gateway: CPU of a fenced write, of one with every mechanism, and of a
# stale 409, against the same route without a policy; with the marks in the embedded store or in Redis.
set -euo pipefail

usage() {
    cat <<'USAGE'
Usage: load/cost.sh [OPTION]...

Publishes the gateway, starts it once with three routes to one service (bare, with a fencing policy, and with that and every
resilience mechanism), and drives PUT with a small body over 32 connections on each in turn, then writes with a stale token.
Prints the cost of a request on each and the ratios within each round: min, median, max. About four minutes.

The counter is instructions (perf stat) where the machine counts them, else the CPU time of the gateway's process.

With Redis as the token store its calls during the steady writes are counted as well: there must be none but heartbeats.

Options:
  --store NAME      Embedded (default) or Redis: where the marks are
  --rounds N        rounds (default 15)
  --seconds N       seconds that each route is driven in a round (default 3)
  --published DIR   use this published build
  -h, --help        this text

Needs the .NET SDK and Debian's wrk, nginx-light (or another nginx) and curl; redis-server for Redis, linux-perf for instructions.
Exit codes: 0 within the limits, 1 a limit is missed, 2 could not measure.
USAGE
}

rounds=15 seconds=3 store=Embedded
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
while (($#)); do
    case $1 in
        -h | --help) usage && exit 0 ;;
        --store) store=${2:?} && shift ;;
        --rounds) rounds=${2:?} && shift ;;
        --seconds) seconds=${2:?} && shift ;;
        --published) published=$(cd "${2:?}" && pwd) && shift ;;
        *) die "unknown option $1, see --help" ;;
    esac
    shift
done
[[ $rounds =~ ^[1-9][0-9]?$ && $seconds =~ ^[1-9][0-9]?$ ]] || die "rounds and seconds are numbers from 1 to 99"
[[ $store == Embedded || $store == Redis ]] || die "the store is Embedded or Redis"
[[ $store == Embedded ]] || need redis-server=redis-server redis-cli=redis-tools
need dotnet=dotnet-sdk-10.0 wrk=wrk nginx=nginx-light curl=curl

readonly connections=32 steady_token=34 stale_token=33

counts_instructions() {
    command -v perf >/dev/null && [[ $(perf stat -x, -e instructions true 2>&1) =~ (^|$'\n')[0-9]+,,instructions ]]
}

# Arguments: path, token. Prints "requests N refused N failed N".
drive() {
    wrk --threads 1 --connections "$connections" --duration "${seconds}s" --script "$repository/load/cost.lua" \
        "http://127.0.0.1:$gateway_port" -- "$1" "$2" | tail -n 1
}

# Arguments: path, token, whether all (1) or none (0) are to be refused. Prints the cost of one request.
measure() {
    local before after line fields
    if [[ $counter == instructions ]]; then
        perf stat -x, -e instructions -p "$gateway" -o "$work/perf" -- sleep "$seconds" &
        line=$(drive "$1" "$2")
        wait $!
        before=0 after=$(awk -F, '/instructions/ { print $1 }' "$work/perf")
    else
        before=$(cpu_time)
        line=$(drive "$1" "$2")
        after=$(cpu_time)
    fi
    read -ra fields <<<"$line"
    local requests=${fields[1]} refused=${fields[3]} failed=${fields[5]}
    ((requests > 0 && failed == 0 && refused == requests * $3)) || die "unexpected answers on $1: $line"
    awk -v used=$((after - before)) -v requests="$requests" 'BEGIN { printf "%.4f\n", used / requests }'
}

# A fenced write; of Redis as well when it keeps the marks: calls, and microseconds of CPU.
fenced() {
    local calls used
    if [[ $store == Redis ]]; then
        calls=$(redis_calls) used=$(cpu_time "$redis")
    fi
    measure /fenced "$steady_token" 0
    if [[ $store == Redis ]]; then
        echo "$(($(redis_calls) - calls)) $(($(cpu_time "$redis") - used))" >>"$work/redis.steady"
    fi
}
direct() { measure /direct "$steady_token" 0; }
resilient() { measure /resilient "$steady_token" 0; }
stale() { measure /fenced "$stale_token" 1; }

publish
start_upstream
if [[ $store == Redis ]]; then
    start_redis
    token_store="{ \"Provider\": \"Redis\", \"Redis\": { \"Configuration\": \"127.0.0.1:$redis_port\" } }"
fi
write_configuration
start_gateway
wait_for "the gateway" curl -fsS -o "$work/ready" "http://127.0.0.1:$admin_port/readyz" 2>"$work/curl.log"
if counts_instructions; then counter=instructions; else counter="microseconds of CPU"; fi
echo "counter: $counter per request of the gateway's process; $connections connections; $rounds rounds of $seconds s each"

# Until the JIT has compiled what is hot, on every route alike.
for _ in 1 2 3; do fenced && direct && resilient && stale; done >/dev/null
: >"$work/redis.steady"

printf '%-6s %10s %10s %10s %10s %14s %16s %14s\n' round direct fenced resilient stale fenced/direct resilient/direct stale/direct
for ((round = 1; round <= rounds; round++)); do
    # There and back, so that a drift of the machine favours none.
    if ((round % 2)); then
        d=$(direct) f=$(fenced) r=$(resilient) s=$(stale)
    else
        s=$(stale) r=$(resilient) f=$(fenced) d=$(direct)
    fi
    awk -v n="$round" -v d="$d" -v f="$f" -v r="$r" -v s="$s" \
        'BEGIN { printf "%-6d %10.2f %10.2f %10.2f %10.2f %14.3f %16.3f %14.3f\n", n, d, f, r, s, f / d, r / d, s / d }' | tee -a "$work/rounds"
done

# Column, name, limit (empty: none). Fails when the median is above the limit.
summarize() {
    awk -v column="$1" '{ print $column }' "$work/rounds" | sort -g | awk -v name="$2" -v limit="$3" '
        { v[NR] = $1 }
        END {
            median = NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2
            missed = limit != "" && median > limit
            printf "%-16s %9.3f %9.3f %9.3f  %s\n", name, v[1], median, v[NR], limit == "" ? "" : (missed ? "MISSED " : "within ") limit
            exit missed
        }'
}

code=0
printf '\n%-16s %9s %9s %9s\n' "" min median max
summarize 2 "direct" ""
summarize 3 "fenced" ""
summarize 4 "resilient" ""
summarize 5 "stale 409" ""
summarize 6 "fenced/direct" "$([[ $store == Redis ]] && echo 1.07 || echo 1.05)" || code=1
summarize 7 "resilient/direct" 1.15 || code=1
summarize 8 "stale/direct" 0.5 || code=1

# A heartbeat every third of five seconds, and one that began before.
if [[ $store == Redis ]]; then
    awk -v seconds="$seconds" '
        { calls += $1; used += $2 }
        END {
            most = NR * (seconds * 3 / 5 + 1)
            printf "Redis during %d s of fenced writes: %d calls (%s %d heartbeats), %d microseconds of CPU\n", \
                NR * seconds, calls, (calls > most ? "MISSED" : "within"), most, used
            exit (calls > most)
        }' "$work/redis.steady" || code=1
fi
exit "$code"
