#!/usr/bin/env bash
# Builds once, runs every test project, several side by side, and counts from the report files. See --help.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
. .ci/reports.sh

readonly solution=FenceGateway.sln
readonly results=artifacts/test-results
readonly packages=(nginx-full libnginx-mod-http-dav-ext util-linux redis-server postgresql mariadb-server zookeeper etcd-server iproute2)

# What starts processes lives by real clocks: one project after the other. The others only compute. They run beside these, on what
# these leave of the processors.
readonly real_time=(TokenStore.Tests TestKit.Tests Gateway.FunctionalTests Fleet.Tests)

# Of these, what waits for processes to start and end more than it computes: two tests at a time for each processor.
readonly waiting=(Gateway.FunctionalTests)

# Of the others, what uses one processor only: first, since at the end there are more.
readonly one_processor=(Simulation.Tests Protocol.Model.Tests)

# What needs no process beside the tests' own.
readonly quick=(Architecture.Tests DurableLog.Tests Fencing.Tests Gateway.Tests Idempotency.Tests Protocol.Model.Tests Replication.Tests TokenStore.Tests)
readonly with_servers=(Etcd MySql Postgres Quorum Redis Sql ZooKeeper)

limit=${TEST_TIMEOUT:-600}
jobs=${TEST_JOBS:-$(nproc)}

usage() {
    cat <<'USAGE'
Usage: ./test.sh [OPTION]... [NAME]...

Builds in Release and runs the test projects in tests/: those that start processes one after the other, the others beside them with
the lowest priority. With one or more NAMEs, only the projects whose name contains one of them, in any case:

  ./test.sh                        everything
  ./test.sh --quick                what needs no process beside the tests' own: the inner loop
  ./test.sh Fencing TokenStore     Fencing.Tests and TokenStore.Tests
  ./test.sh functional             Gateway.FunctionalTests

Options:
  --quick         no real servers and no fleets, so nothing is installed either
  --list          print the names of the test projects and stop
  --no-build      run what was built before
  --no-install    do not install missing Debian packages, go on without them
  --jobs N        run N projects side by side (default: one for each processor, or $TEST_JOBS)
  --timeout SEC   kill a project after this many seconds (default 600, or $TEST_TIMEOUT)
  -h, --help      this text

Needs the .NET SDK of global.json. Analyzers run in .ci/run, not here. The tests start real servers of their own on
loopback ports that nobody else has; their Debian packages are installed when they are missing, as root or through sudo:
  nginx-full libnginx-mod-http-dav-ext util-linux redis-server postgresql mariadb-server zookeeper etcd-server iproute2
One test makes a network namespace with a link that fails, which takes root.

Left in artifacts/test-results/: reports (xUnit XML), the full output of each project, and in logs/ what the gateways and
servers of failed tests said. A round in which the machine stood still is void and run again; how many there were is
said. The last line is "N passed, N failed, N skipped". A project that ran no test, crashed or timed out counts as one
failure.

Exit codes: 0 all passed, 1 something failed, 2 could not start.
USAGE
}

die() {
    printf 'test.sh: %s\n' "$1" >&2
    exit 2
}

contains() {
    local wanted=$1 item
    shift
    for item in "$@"; do
        [[ $item != "$wanted" ]] || return 0
    done
    return 1
}

missing_packages() {
    local package
    for package in "${packages[@]}"; do
        dpkg-query --show --showformat='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || echo "$package"
    done
}

install_packages() {
    local missing as_root=()
    command -v dpkg-query >/dev/null && command -v apt-get >/dev/null ||
        die "this is not a Debian system: install the equivalent of '${packages[*]}' and run with --no-install"
    mapfile -t missing < <(missing_packages)
    ((${#missing[@]})) || return 0

    if ((EUID != 0)); then
        command -v sudo >/dev/null && sudo -n true 2>/dev/null ||
            die "as root, run: apt-get update && apt-get install ${missing[*]}   (or skip it with --no-install)"
        as_root=(sudo -n)
    fi

    echo "Installing ${missing[*]}"
    local log=$results/apt.log
    "${as_root[@]}" apt-get update >"$log" 2>&1 &&
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}" \
            >>"$log" 2>&1 </dev/null || {
        tail -n 20 "$log" >&2
        die "could not install ${missing[*]}, see $log"
    }
}

check_sdk() {
    command -v dotnet >/dev/null || die "the .NET 10 SDK is missing: https://dotnet.microsoft.com/download/dotnet/10.0"
    local version
    version=$(dotnet --version 2>&1) || die "no .NET SDK fits global.json: $version"
    [[ $version == 10.* ]] || die "the .NET 10 SDK is needed, found $version"
}

# Servers that are tools of .NET.
restore_tools() {
    [[ -f .config/dotnet-tools.json ]] || return 0
    dotnet tool restore >"$results/tools.log" 2>&1 </dev/null || {
        tail -n 20 "$results/tools.log" >&2
        die "could not restore the tools of .config/dotnet-tools.json, see $results/tools.log"
    }
}

# The names of all test projects, in the order in which they run.
all_projects() {
    local project name
    printf '%s\n' "${real_time[@]}" "${one_processor[@]}"
    for project in tests/*/*Tests.csproj; do
        name=$(basename "$project" .csproj)
        contains "$name" "${real_time[@]}" "${one_processor[@]}" || echo "$name"
    done
}

# Those that match one of the arguments; all without arguments.
select_projects() {
    local name filter
    while read -r name; do
        [[ -z $is_quick ]] || contains "$name" "${quick[@]}" || continue
        (($#)) || echo "$name"
        for filter in "$@"; do
            if [[ ${name,,} == *"${filter,,}"* ]]; then
                echo "$name"
                break
            fi
        done
    done < <(all_projects)
}

# Builds what is to be run and what that needs; analyzers, which take longer than the compiler, are left to .ci/run.
build() {
    local what=$solution
    if ((${#projects[@]} < $(all_projects | wc -l))); then
        what=artifacts/test.slnf
        local files
        files=$(printf '"tests/%s.csproj",' "${projects[@]}" | sed -E 's:"tests/([^"]*)\.csproj":"tests/\1/\1.csproj":g')
        printf '{ "solution": { "path": "../%s", "projects": [ %s ] } }\n' "$solution" "${files%,}" >"$what"
    fi
    echo "Building $what"
    dotnet build "$what" -c Release -p:RunAnalyzers=false -v quiet --nologo -clp:NoSummary </dev/null
}

# A project that cannot speak for itself gets a report with one failure, so that the reports alone are counted.
report_failure() {
    local name=$1 reason=$2
    cat >"$results/$name.run.xml" <<XML
<?xml version="1.0" encoding="utf-8"?>
<assemblies><assembly name="$name" total="1" passed="0" failed="1" skipped="0" errors="0"><collection name="run"><test
  name="$name" result="Fail"><failure><message>$reason</message></failure></test></collection></assembly></assemblies>
XML
    printf '    %s: %s\n' "$name" "$reason"
}

# Name, message and stack of each failed test, shortened, and of its output where the logs are and how to run it again.
print_failures() {
    awk '
        / \[FAIL\]$/ { show = 1; lines = 0; said = 0; print; next }
        / \[(STARTING|PASS|SKIP|FINISHED|OUTPUT|NOT RUN)\]/ || /^=== / || /^  Finished: / { show = 0 }
        !show || /System\.Runtime\.|System\.Threading\.Tasks|^ *--- End of stack trace/ { next }
        /^ *Output:$/ { said = 1; next }
        said ? /LOG: |FENCEGATEWAY_SEED=|VOID ROUND/ : ++lines <= 40 { print substr($0, 1, 400) }
    ' "$1"
}

print_tail() {
    printf '    Last lines of %s:\n' "$1"
    tail -n 30 "$1" | sed 's/^/    | /'
}

# Servers keep their data in memory where there is room: no test pulls the plug, and a killed process loses nothing of it.
scratch=
make_scratch() {
    local free
    free=$(df --output=avail -BG /dev/shm 2>/dev/null | tail -n 1 | tr -dc 0-9)
    ((${free:-0} >= 4)) || return 0
    scratch=$(mktemp -d /dev/shm/fencegateway-XXXXXX)
    # PostgreSQL runs as a user of its own.
    chmod 755 "$scratch"
    export TMPDIR=$scratch
}
trap '[[ -z $scratch ]] || rm -rf "$scratch"' EXIT

must_be_on_time() {
    [[ -z $is_quick ]] && contains "$1" "${real_time[@]}"
}

# Runs one project to its end, and prints what became of it.
run_project() {
    local name=$1 binary=tests/$1/bin/Release/net10.0/FenceGateway.$1
    local report=$results/$name.xml log=$results/$name.log code=0 started=$SECONDS priority=(nice -n 19) threads=() filter=() namespace
    if [[ ! -x $binary ]]; then
        report_failure "$name" "not built: $binary"
        return
    fi
    if [[ -n $is_quick ]]; then
        for namespace in "${with_servers[@]}"; do
            filter+=(-namespace- "FenceGateway.$name.$namespace*")
        done
    fi

    ! must_be_on_time "$name" || priority=()
    ! contains "$name" "${waiting[@]}" || threads=(-maxThreads 2x)

    # A background job starts with SIGINT ignored, which the gateways under test would inherit. timeout passes a signal on to its
    # whole group: the tests and every server they started.
    "${priority[@]}" env --default-signal=INT,QUIT timeout --kill-after=15 "$limit" \
        "$binary" -xml "$report" -reporter verbose -noAutoReporters -noColor -noLogo -longRunning 60 "${threads[@]}" "${filter[@]}" \
        >"$log" 2>&1 </dev/null &
    trap 'kill -TERM '$!' 2>/dev/null; wait '$!' || true; exit 130' TERM
    wait $! || code=$?

    local passed=0 failed=0 skipped=0
    if [[ -s $report ]]; then
        passed=$(count passed "$report")
        failed=$(($(count failed "$report") + $(count errors "$report")))
        skipped=$(count skipped "$report")
    fi
    printf '%s: %d passed, %d failed, %d skipped, %d s\n' "$name" "$passed" "$failed" "$skipped" $((SECONDS - started))
    print_failures "$log"
    if ((code == 124 || code == 137)); then
        print_tail "$log"
        report_failure "$name" "timed out after $limit seconds, or was killed"
    elif ((code != 0 && failed == 0)); then
        print_tail "$log"
        report_failure "$name" "crashed with exit code $code"
    elif ((passed + failed == 0)); then
        report_failure "$name" "ran no test"
    fi
}

# Running projects by the process id of their shell. What one prints is kept until it has ended.
declare -A running=()
await_one() {
    local pid
    while wait -n -p pid "${!running[@]}" || true; [[ -z ${pid:-} ]]; do :; done
    cat "$results/${running[$pid]}.out"
    rm "$results/${running[$pid]}.out"
    unset "running[$pid]"
}

is_one_on_time() {
    local name
    for name in "${running[@]}"; do
        ! must_be_on_time "$name" || return 0
    done
    return 1
}

stop() {
    ((!${#running[@]})) || kill -TERM "${!running[@]}" 2>/dev/null || true
    wait || true
    exit 130
}

build=1 install=1 list= is_quick=
names=()
while (($#)); do
    case $1 in
        -h | --help) usage && exit 0 ;;
        --quick) is_quick=1 install= ;;
        --list) list=1 ;;
        --no-build) build= ;;
        --no-install) install= ;;
        --jobs)
            (($# > 1)) || die "--jobs needs a number"
            jobs=$2
            shift
            ;;
        --timeout)
            (($# > 1)) || die "--timeout needs a number of seconds"
            limit=$2
            shift
            ;;
        -*) die "unknown option $1, see --help" ;;
        *) names+=("$1") ;;
    esac
    shift
done
[[ $limit =~ ^[1-9][0-9]*$ ]] || die "the timeout must be a number of seconds, not '$limit'"
[[ $jobs =~ ^[1-9][0-9]*$ ]] || die "the number of jobs must be a number, not '$jobs'"

mapfile -t projects < <(select_projects "${names[@]}")
((${#projects[@]})) || die "no test project matches '${names[*]}', see --list"
if [[ $list ]]; then
    printf '%s\n' "${projects[@]}"
    exit 0
fi

export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 TESTINGPLATFORM_TELEMETRY_OPTOUT=1 DiffEngine_Disabled=true
# Code compiles faster without a second mapping of each of its pages; most of a short process is compiling.
export DOTNET_EnableWriteXorExecute=0
mkdir -p "$results"
rm -rf "$results"/*.xml "$results"/*.log "$results"/*.out "$results/logs"
check_sdk
[[ -z $install ]] || install_packages
[[ -n $is_quick ]] || restore_tools
if [[ $build ]] && ! build; then
    report_failure build "$solution does not build"
    projects=()
fi

make_scratch
trap stop INT TERM
while ((${#projects[@]} + ${#running[@]})); do
    for i in "${!projects[@]}"; do
        name=${projects[i]}
        ((${#running[@]} < jobs)) || break
        ! must_be_on_time "$name" || ! is_one_on_time || continue
        echo "Running $name"
        run_project "$name" >"$results/$name.out" 2>&1 &
        running[$!]=$name
        unset "projects[i]"
    done
    await_one
done

# The kit's own tests have void rounds on purpose.
void=$(find "$results" -maxdepth 1 -name '*Tests.log' ! -name TestKit.Tests.log -exec cat {} + | grep -c '^VOID ROUND' || true)
((!void)) || echo "$void rounds were void and run again, because the machine stood still: grep '^VOID ROUND' $results/*.log"
[[ ! -d $results/logs ]] || echo "What gateways and servers of failed tests said: $results/logs"
echo "Reports and output: $results, $SECONDS s in all"
summarize "$results"/*.xml
