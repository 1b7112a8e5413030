# What the tests' reports (xUnit XML) say. Sourced by test.sh and by what runs tests after it.
# shellcheck shell=bash

# The sum of an attribute of the <assembly> elements in the given reports.
count() {
    local attribute=$1
    shift
    (($#)) || { echo 0; return; }
    { grep -ho '<assembly [^>]*>' "$@" || true; } | { grep -o " $attribute=\"[0-9]*\"" || true; } |
        awk -F'"' '{ sum += $2 } END { print sum + 0 }'
}

# Prints "N passed, N failed, N skipped" of the given reports. Fails when a test did.
summarize() {
    local passed failed skipped
    passed=$(count passed "$@")
    failed=$(($(count failed "$@") + $(count errors "$@")))
    skipped=$(count skipped "$@")
    echo "$passed passed, $failed failed, $skipped skipped"
    ((failed == 0))
}
