#!/usr/bin/env bash
# What the access log costs: CPU of a request on a route without a policy, with a line for each request, with a line for one in a
# hundred, and with none.
set -euo pipefail

usage() {
    cat <<'USAGE'
Usage: load/access-log.sh [OPTION]...

Publishes the gateway, starts it three times with the access log on, sampled (1 %) and off, and drives PUT with a small body over
32 connections on each in turn. Prints the CPU time of the gateway's process for each request, and the ratios to "off" within each
round: min, median, max. About two minutes. The log goes to /dev/null: what a disk or a collector costs is not counted.

Options:
  --rounds N        rounds (default 15)
  --seconds N       seconds that each is driven in a round (default 2)
  --published DIR   use this published build
  -h, --help        this text

Needs the .NET SDK and Debian's wrk, nginx-light (or another nginx) and curl.
Exit codes: 0 measured, 2 could not measure.
USAGE
}

rounds=15 seconds=2
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
need dotnet=dotnet-sdk-10.0 wrk=wrk nginx=nginx-light curl=curl

readonly arms=(on sampled off)
declare -A ratio=([on]=1 [sampled]=0.01 [off]=0) port=() process=()

# Argument: an arm. Prints the CPU of one request, in microseconds.
measure() {
    local before after line fields
    before=$(cpu_time "${process[$1]}")
    line=$(wrk --threads 1 --connections 32 --duration "${seconds}s" --script "$repository/load/cost.lua" \
        "http://127.0.0.1:${port[$1]}" -- /direct 34 | tail -n 1)
    after=$(cpu_time "${process[$1]}")
    read -ra fields <<<"$line"
    ((fields[1] > 0 && fields[3] == 0 && fields[5] == 0)) || die "unexpected answers: $line"
    awk -v used=$((after - before)) -v requests="${fields[1]}" 'BEGIN { printf "%.4f\n", used / requests }'
}

publish
start_upstream
for arm in "${arms[@]}"; do
    token_store='{ "Provider": "Memory" }'
    write_configuration
    dotnet "$published/fencegateway.dll" run --config "$work/gateway.json" --Serilog:MinimumLevel=Information \
        --FenceGateway:AccessLog:SamplingRatio="${ratio[$arm]}" --FenceGateway:Idempotency:Path="$work/answers-$arm" \
        >/dev/null 2>"$work/gateway-$arm.log" </dev/null &
    pids+=($!)
    process[$arm]=$! port[$arm]=$gateway_port
    wait_for "the gateway" curl -fsS -o "$work/ready" "http://127.0.0.1:$admin_port/readyz" 2>"$work/curl.log"
done

# Until the JIT has compiled what is hot.
for _ in 1 2 3; do for arm in "${arms[@]}"; do measure "$arm"; done; done >/dev/null

printf '%-6s %10s %10s %10s %10s %12s\n' round on sampled off on/off sampled/off
for ((round = 1; round <= rounds; round++)); do
    # There and back, so that a drift of the machine favours none.
    if ((round % 2)); then
        n=$(measure on) s=$(measure sampled) o=$(measure off)
    else
        o=$(measure off) s=$(measure sampled) n=$(measure on)
    fi
    awk -v r="$round" -v n="$n" -v s="$s" -v o="$o" \
        'BEGIN { printf "%-6d %10.2f %10.2f %10.2f %10.3f %12.3f\n", r, n, s, o, n / o, s / o }' | tee -a "$work/rounds"
done

# Column, name.
summarize() {
    awk -v column="$1" '{ print $column }' "$work/rounds" | sort -g | awk -v name="$2" '
        { v[NR] = $1 }
        END { printf "%-12s %9.3f %9.3f %9.3f\n", name, v[1], NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2, v[NR] }'
}

printf '\n%-12s %9s %9s %9s\n' "" min median max
summarize 2 on
summarize 3 sampled
summarize 4 off
summarize 5 on/off
summarize 6 sampled/off
