# shellcheck shell=bash
#
# What the fault scenarios share: `load fault` after `load ../helper`.
#
#   tree_is PATH… "=N TEXT"…     exactly that runs, by /proc alone (tests/helpers/node_procs.c)
#   wait_for_tree SECONDS …      polls tree_is; shows what is wrong at the deadline
#   nothing_is_left [MARK…]      no process of the node, and none that wears one of its marks
#   rounds N                     N, or ten times as many in `make soak`

SOAK=${SOAK:-0}
SYS_TREE=(sys sys/log)

node_procs_of() {
    node_procs "$TROUPE_RUN" "$@"
}

tree_is() {
    node_procs_of --expect "${SYS_TREE[@]}" "$@"
}

wait_for_tree() {
    local limit=$1

    shift
    wait_until "$limit" tree_is "$@" && return 0
    tree_is "$@"
    node_procs_of
    return 1
}

# The marks that the node's processes wear now, for nothing_is_left.
node_marks() {
    node_procs_of --marks
}

nothing_is_left() {
    local args=() mark left

    for mark in "$@"; do
        args+=(--mark "$mark")
    done
    left=$(node_procs_of "${args[@]}")
    [[ -z $left ]] && return 0
    echo "left behind:"
    echo "$left"
    return 1
}

wait_for_nothing() {
    local limit=$1

    shift
    wait_until "$limit" nothing_is_left "$@" && return 0
    nothing_is_left "$@"
    return 1
}

# The pid of the supervisor at PATH, by its title and its parent.
supervisor_pid() {
    node_procs_of | awk -v path="$1" '$5 == path && $6 == "troupe:" { print $1; exit }'
}

root_pid() {
    node_procs_of | awk '/troupe-supervisord \(root\)$/ { print $1; exit }'
}

guard_pid() {
    node_procs_of | awk '/troupe-supervisord \(guard\)$/ { print $1; exit }'
}

root_is_there() {
    [[ -n $(root_pid) ]]
}

rounds() {
    echo $((SOAK ? 10 * $1 : $1))
}

# The programs with fault points in them, instead of the usual ones, for the rest of this test.
use_fault_build() {
    local build=${FAULT_BUILD:-$BUILD-fault}

    [[ -x $build/bin/troupe-supervisord ]] || {
        echo "$build is missing: make fault-build"
        return 1
    }
    export PATH=$build/bin:$PATH TROUPE_MODULE_PATH=$build/tests/modules:$build/workers
}
