#!/usr/bin/env bash
# Builds once, runs every test project, and counts from the report files. See --help.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

readonly solution=FenceGateway.sln
readonly results=artifacts/test-results
readonly packages=(nginx-full libnginx-mod-http-dav-ext util-linux redis-server postgresql mariadb-server zookeeper etcd-server)
limit=${TEST_TIMEOUT:-600}

usage() {
    cat <<'USAGE'
Usage: ./test.sh [OPTION]... [NAME]...

Builds the solution in Release and runs the test projects in tests/. With one or more NAMEs, only the projects whose
name contains one of them, in any case:

  ./test.sh                        everything
  ./test.sh Fencing TokenStore     Fencing.Tests and TokenStore.Tests
  ./test.sh functional             Gateway.FunctionalTests

Options:
  --list          print the names of the test projects and stop
  --no-build      run what was built before
  --no-install    do not install missing Debian packages, go on without them
  --timeout SEC   kill a project after this many seconds (default 600, or $TEST_TIMEOUT)
  -h, --help      this text

Needs the .NET SDK of global.json. The tests start real servers of their own on free loopback ports; their Debian
packages are installed when they are missing, as root or through sudo:
  nginx-full libnginx-mod-http-dav-ext util-linux redis-server postgresql mariadb-server zookeeper etcd-server

Reports (xUnit XML) and the full output of each project are left in artifacts/test-results/. The last line is
"N passed, N failed, N skipped". A project that ran no test, crashed or timed out counts as one failure.

Exit codes: 0 all passed, 1 something failed, 2 could not start.
USAGE
}

die() {
    printf 'test.sh: %s\n' "$1" >&2
    exit 2
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

# The names of the test projects that match one of the arguments; all without arguments.
select_projects() {
    local project name filter
    for project in tests/*/*Tests.csproj; do
        name=$(basename "$project" .csproj)
        (($#)) || echo "$name"
        for filter in "$@"; do
            if [[ ${name,,} == *"${filter,,}"* ]]; then
                echo "$name"
                break
            fi
        done
    done
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

# The sum of an attribute of the <assembly> elements in the given reports.
count() {
    local attribute=$1
    shift
    (($#)) || { echo 0; return; }
    { grep -ho '<assembly [^>]*>' "$@" || true; } | { grep -o " $attribute=\"[0-9]*\"" || true; } |
        awk -F'"' '{ sum += $2 } END { print sum + 0 }'
}

# What the runner printed about each failed test, until the next test's line.
print_failures() {
    awk '
        / \[FAIL\]$/ { show = 1; print; next }
        / \[(STARTING|PASS|SKIP|FINISHED|OUTPUT|NOT RUN)\]/ || /^=== / || /^  Finished: / { show = 0 }
        show && lines++ < 400 { print }
    ' "$1"
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

running=
stop() {
    # timeout passes the signal on to the whole group: the tests and every server they started.
    [[ -z $running ]] || kill -TERM "$running" 2>/dev/null || true
    exit 130
}
trap stop INT TERM

run_project() {
    local name=$1 binary=tests/$1/bin/Release/net10.0/FenceGateway.$1
    local report=$results/$name.xml log=$results/$name.log code=0 ticks=0
    if [[ ! -x $binary ]]; then
        report_failure "$name" "not built: $binary"
        return
    fi

    # A background job starts with SIGINT ignored, which the gateways under test would inherit.
    env --default-signal=INT,QUIT timeout --kill-after=15 "$limit" \
        "$binary" -xml "$report" -reporter verbose -noAutoReporters -noColor -noLogo -longRunning 60 \
        >"$log" 2>&1 </dev/null &
    running=$!
    while kill -0 "$running" 2>/dev/null; do
        sleep 0.2
        if ((++ticks % 100 == 0)); then
            printf '    ... %d s, %d tests ended\n' $((ticks / 5)) "$(grep -c ' \[FINISHED\]' "$log" || true)"
        fi
    done
    wait "$running" || code=$?
    running=

    local passed=0 failed=0 skipped=0
    if [[ -s $report ]]; then
        passed=$(count passed "$report")
        failed=$(($(count failed "$report") + $(count errors "$report")))
        skipped=$(count skipped "$report")
    fi
    print_failures "$log"
    printf '    %d passed, %d failed, %d skipped, %d s\n' "$passed" "$failed" "$skipped" $((ticks / 5))

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

print_tail() {
    printf '    Last lines of %s:\n' "$1"
    tail -n 30 "$1" | sed 's/^/    | /'
}

build=1 install=1 list=
names=()
while (($#)); do
    case $1 in
        -h | --help) usage && exit 0 ;;
        --list) list=1 ;;
        --no-build) build= ;;
        --no-install) install= ;;
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

mapfile -t projects < <(select_projects "${names[@]}")
((${#projects[@]})) || die "no test project matches '${names[*]}', see --list"
if [[ $list ]]; then
    printf '%s\n' "${projects[@]}"
    exit 0
fi

export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 TESTINGPLATFORM_TELEMETRY_OPTOUT=1 DiffEngine_Disabled=true
mkdir -p "$results"
rm -f "$results"/*.xml "$results"/*.log
check_sdk
[[ -z $install ]] || install_packages
if [[ $build ]]; then
    echo "Building $solution"
    dotnet build "$solution" -c Release -v quiet --nologo -clp:NoSummary </dev/null || {
        report_failure build "the solution does not build"
        projects=()
    }
fi

make_scratch
for i in "${!projects[@]}"; do
    printf '[%d/%d] %s\n' $((i + 1)) ${#projects[@]} "${projects[i]}"
    run_project "${projects[i]}"
done

reports=("$results"/*.xml)
passed=$(count passed "${reports[@]}")
failed=$(($(count failed "${reports[@]}") + $(count errors "${reports[@]}")))
skipped=$(count skipped "${reports[@]}")
echo "Reports: $results"
echo "$passed passed, $failed failed, $skipped skipped"
((failed == 0))
