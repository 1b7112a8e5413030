#!/usr/bin/env bash
# How long the published gateway takes from the start of its process to its first answer.
set -euo pipefail

usage() {
    cat <<'USAGE'
Usage: load/startup.sh [OPTION]... [-- PUBLISH_OPTION...]

Publishes the gateway, starts it again and again, and measures the milliseconds from the start of the process until a write on
a fenced route, tried every 10 ms, was answered by the service behind, and the CPU time that the process had used by then,
which other work on the machine stretches less. Prints min, median and max.

Options:
  --starts N        starts (default 9)
  --published DIR   use this published build
  -h, --help        this text

What follows -- goes to dotnet publish, such as -p:PublishReadyToRun=true. Needs the .NET SDK and Debian's nginx-light (or
another nginx) and curl. Exit codes: 0 within 2 seconds, 1 above, 2 could not measure.
USAGE
}

starts=9
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
while (($#)); do
    case $1 in
        -h | --help) usage && exit 0 ;;
        --starts) starts=${2:?} && shift ;;
        --published) published=$(cd "${2:?}" && pwd) && shift ;;
        --) shift && break ;;
        *) die "unknown option $1, see --help" ;;
    esac
    shift
done
[[ $starts =~ ^[1-9][0-9]?$ ]] || die "starts is a number from 1 to 99"
need dotnet=dotnet-sdk-10.0 nginx=nginx-light curl=curl

answers() {
    curl -fsS -o "$work/answer" -X PUT -H "Fencing-Token: 34" --data x "http://127.0.0.1:$gateway_port/fenced/1" 2>"$work/curl.log"
}

publish "$@"
start_upstream
write_configuration
for ((start = 1; start <= starts; start++)); do
    # Every start is a first one.
    rm -rf "$work/tokens"
    tries=0
    began=${EPOCHREALTIME/[.,]/}
    start_gateway
    until answers; do
        ((++tries < 1000)) || die "the gateway did not answer: $(tail -n 3 "$work/gateway.log")"
        sleep 0.01
    done
    ended=${EPOCHREALTIME/[.,]/}
    echo "$(((ended - began) / 1000)) $(($(cpu_time) / 1000))" >>"$work/starts"
    kill -TERM "$gateway"
    wait "$gateway" || true
    unset 'pids[-1]'
done

# Arguments: column, name, limit (empty: none). Fails when the median is above the limit.
summarize() {
    awk -v column="$1" '{ print $column }' "$work/starts" | sort -n | awk -v name="$2" -v limit="$3" '
        { v[NR] = $1 }
        END {
            median = NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2
            missed = limit != "" && median > limit
            verdict = limit == "" ? "" : (missed ? "MISSED " : "within ") limit
            printf "%-12s min %5d  median %5d  max %5d  %s\n", name, v[1], median, v[NR], verdict
            exit missed
        }'
}

echo "milliseconds from the start of the process to its first answer, $starts starts"
summarize 2 "CPU time" ""
summarize 1 "clock time" 2000
