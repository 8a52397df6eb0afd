# shellcheck shell=bash
#
# What every scenario starts from: `load helper` (from a subfolder `load ../helper`). Each test gets
# a run directory, a state directory and a scratch folder of its own; what it starts is ended by
# its teardown, and a process that outlives the node fails the test.
#
#   yaml NAME <<EOF          writes $DIR/NAME
#   node_up FILE…            `troupe up -d FILE…`; `node_down` stops the node
#   in_background NAME CMD…  runs CMD with its output in $DIR/NAME.out, its pid in $!
#   wait_until SECONDS CMD…  polls until CMD succeeds; the seconds grow with TEST_SCALE
#   ask ADDRESS MESSAGE ARG…   a call of an actor, with time for a busy machine
#   pid_of, state_of, incarnation_of, column_of COLUMN ADDRESS…; ps_paths
#   assert_tree_is_exactly [--escaped N] PATH…   the running actors, and not one process more
#
# A test that needs more before or after it defines its own setup or teardown and calls
# troupe_setup or troupe_teardown from there.

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BUILD=${BUILD:-$TOP/build}
[[ $BUILD == /* ]] || BUILD=$TOP/$BUILD
TEST_SCALE=${TEST_SCALE:-1} # whole number: how much slower than usual everything is

bats_load_library bats-support
bats_load_library bats-assert
bats_load_library bats-file

# ---- life of a test ----------------------------------------------------------------------

troupe_setup() {
    DIR=$(mktemp -d /tmp/tr.XXXXXX) # short: a socket's path has 107 bytes
    chmod 755 "$DIR"
    NODE_DIRS=()
    REGISTERED_PIDS=()
    unset TROUPE_NODE TROUPE_PATH TROUPE_CONTROL TROUPE_INCARNATION TROUPE_MAILBOX NOTIFY_SOCKET
    unset NO_COLOR
    export BUILD TOP DIR TEST_SCALE
    # Tools are Debian's own, whatever shims come first elsewhere: a python3 that is one of those is
    # a dozen processes, and tests start hundreds.
    export PATH=$BUILD/bin:$BUILD/tests/helpers:/usr/bin:/bin:$PATH
    export TROUPE_MODULE_PATH=$BUILD/tests/modules:$BUILD/workers
    use_node run
    cd "$DIR" || return 1
}

# Makes $DIR/NAME the run directory of what follows: a test that needs several nodes names each.
use_node() {
    local dir=$DIR/$1 known

    export TROUPE_RUN=$dir TROUPE_STATE=$dir.state
    for known in "${NODE_DIRS[@]}"; do
        [[ $known == "$dir" ]] && return 0
    done
    NODE_DIRS+=("$dir")
}

troupe_teardown() {
    local dir status=0

    [[ -n ${BATS_TEST_COMPLETED:-} ]] || show_what_happened
    for dir in "${NODE_DIRS[@]}"; do
        TROUPE_RUN=$dir TROUPE_STATE=$dir.state end_node || status=1
    done
    end_registered
    cd / && rm -rf "$DIR"
    return $status
}

setup() {
    troupe_setup
}

teardown() {
    troupe_teardown
}

# After a failure: what the tree looked like and what it said, in the test's own output.
show_what_happened() {
    local file

    echo "--- $TROUPE_RUN"
    [[ -e $TROUPE_RUN/.supervisor ]] && timeout 5 troupe ps 3>&- 4>&- </dev/null
    for file in "$DIR"/*.out "$TROUPE_STATE"/log/*.log "$TROUPE_STATE"/log/*/*.log; do
        [[ -f $file && -s $file ]] || continue
        echo "--- ${file##*/}"
        tail -n 30 "$file"
    done
    return 0
}

# Stops the node at $TROUPE_RUN if it still runs, and fails if a process of it is left after that.
end_node() {
    local pid left

    [[ -e $TROUPE_RUN/.supervisor ]] &&
        timeout $((20 * TEST_SCALE)) troupe down >/dev/null 2>&1 </dev/null 3>&- 4>&-
    # A foreground `up` that a test left behind is not the node's fault.
    wait_until 5 no_node_process && return 0
    left=$(node_pids)
    echo "processes of $TROUPE_RUN that are left after its end:"
    # shellcheck disable=SC2086
    ps -o pid,ppid,pgid,stat,args -p "$(echo $left | tr ' ' ,)"
    for pid in $left; do
        kill -KILL "$pid" 2>/dev/null
    done
    return 1
}

# Registers a process for the teardown; only its number is ever signalled.
register_pid() {
    REGISTERED_PIDS+=("$@")
}

end_registered() {
    local pid

    for pid in "${REGISTERED_PIDS[@]}"; do
        kill -CONT "$pid" 2>/dev/null
        kill -TERM "$pid" 2>/dev/null || continue
        wait_until 2 process_is_gone "$pid" || kill -KILL "$pid" 2>/dev/null
    done
    return 0
}

# ---- waiting -----------------------------------------------------------------------------

now_ms() {
    local now=${EPOCHREALTIME/[.,]/}
    echo $((now / 1000))
}

# A pause without a process: a read with a timeout from a pipe into which nobody writes.
pause() {
    if [[ -z ${IDLE_PIPE_OPEN:-} || ! -e /dev/fd/9 ]]; then
        exec 9<> <(:)
        IDLE_PIPE_OPEN=1
    fi
    read -r -t "${1:-0.02}" -u 9 || true
}

# wait_until SECONDS CMD…: polls every 20 ms. Fails at the deadline, naming what it waited for.
wait_until() {
    local limit=$(($1 * 1000 * TEST_SCALE)) start
    start=$(now_ms)
    shift
    until "$@" >/dev/null 2>&1; do
        if (($(now_ms) - start > limit)); then
            echo "waited $((limit / 1000)) s in vain for: $*"
            return 1
        fi
        pause 0.02
    done
}

# holds_for MILLISECONDS CMD…: CMD succeeds at every look during that time.
holds_for() {
    local limit=$1 start
    start=$(now_ms)
    shift
    while (($(now_ms) - start < limit)); do
        "$@" || return 1
        pause 0.02
    done
}

process_is_gone() {
    local line

    [[ -r /proc/$1/stat ]] || return 0
    line=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
    [[ ${line##*) } == Z* ]] # only its parent's wait is missing
}

# ---- nodes -------------------------------------------------------------------------------

# Writes $DIR/NAME from standard input.
yaml() {
    cat >"$DIR/$1"
}

# Starts the node at $TROUPE_RUN; back when everything is ready. What the node says later stays in
# $DIR/up.out: a pipe of the test's would be held open by it.
node_up() {
    local status=0

    timeout $((60 * TEST_SCALE)) troupe up -d "$@" </dev/null 3>&- 4>&- 9>&- 2>"$DIR/up.out" ||
        status=$?
    cat "$DIR/up.out" >&2
    return $status
}

node_down() {
    timeout $((60 * TEST_SCALE)) troupe down "$@" </dev/null 3>&- 4>&- 9>&-
}

# Runs CMD in the background, output in $DIR/NAME.out, registered for the teardown.
in_background() {
    local name=$1

    shift
    "$@" >"$DIR/$name.out" 2>&1 </dev/null 3>&- 4>&- 9>&- &
    register_pid $!
}

# column_of COLUMN ADDRESS: one value of one actor, as `ps -o` prints it; fails if it is not there.
column_of() {
    timeout $((10 * TEST_SCALE)) troupe ps -o "path,$1" "${3:-${2%/*}}" </dev/null 3>&- 4>&- |
        awk -v path="$2" '$1 == path { sub(/^[^ \t]+[ \t]*/, ""); print; found = 1 }
                          END { exit !found }'
}

# Calls an actor, and prints the answer's values.
ask() { # ADDRESS MESSAGE ARG…
    timeout $((30 * TEST_SCALE)) troupe call --timeout 25s "$@" </dev/null 3>&- 4>&-
}

pid_of() {
    column_of pid "$1"
}

state_of() {
    column_of state "$1"
}

incarnation_of() {
    column_of incarnation "$1"
}

state_is() { # ADDRESS STATE
    [[ $(state_of "$1") == "$2" ]]
}

# wait_for_state ADDRESS STATE [SECONDS]
wait_for_state() {
    wait_until "${3:-10}" state_is "$1" "$2"
}

# is_restarted ADDRESS INCARNATION: a later one than that is ready.
is_restarted() {
    local now
    now=$(incarnation_of "$1") && ((now > $2)) && state_is "$1" ready
}

# Every path of the node but sys and what is below it, one a line, in start order.
ps_paths() {
    timeout $((10 * TEST_SCALE)) troupe ps -o path "$@" </dev/null 3>&- 4>&- |
        grep -v -x -e sys -e 'sys/.*'
}

# ---- processes, by walking /proc ---------------------------------------------------------

# "PID PPID" of everything that lives, zombies left out.
live_processes() {
    ps -eo pid=,ppid=,stat= | awk '$3 !~ /^Z/ { print $1, $2 }'
}

# Pids of the node at $TROUPE_RUN: its supervisors, all that descends from them, and what has escaped
# them (tests/helpers/node_procs.c).
node_pids() {
    node_procs "$TROUPE_RUN" --pids | sort -n
}

no_node_process() {
    [[ -z $(node_pids) ]]
}

# assert_tree_is_exactly [--escaped N] PATH…: these actors run (sys aside), each as one process, and
# no process of the node is there besides: only the guard, the actors, and what actors that are no
# supervisors have below them. A process that was re-parented to a supervisor and is no actor is a
# stray; with --escaped there must be exactly N of those.
assert_tree_is_exactly() {
    local table wanted got strays escaped=0

    [[ $1 == --escaped ]] && escaped=$2 && shift 2
    table=$(timeout $((10 * TEST_SCALE)) troupe ps -o path,pid,kind,state </dev/null 3>&- 4>&- |
        awk '$4 != "lost" && $2 ~ /^[1-9][0-9]*$/')
    wanted=$(printf '%s\n' "$@" | LC_ALL=C sort)
    got=$(awk '$1 != "sys" && $1 !~ /^sys\// { print $1 }' <<<"$table" | LC_ALL=C sort)
    if [[ $wanted != "$got" ]]; then
        echo "the tree is not what was declared (< wanted, > running):"
        diff <(echo "$wanted") <(echo "$got")
        return 1
    fi
    strays=$(stray_pids "$table")
    [[ $(wc -w <<<"$strays") == "$escaped" ]] && return 0
    echo "processes of the node that are no part of the declared tree ($escaped expected):"
    # shellcheck disable=SC2086
    [[ -z $strays ]] || ps -o pid,ppid,pgid,stat,args -p "$(echo $strays | tr ' ' ,)"
    echo "$table"
    return 1
}

tree_is_exactly() {
    assert_tree_is_exactly "$@" >/dev/null 2>&1
}

# stray_pids TABLE (lines PATH PID KIND): pids of the node that nothing in the table accounts for.
stray_pids() {
    local node

    node=$(node_pids | tr '\n' ' ')
    {
        awk '{ print "actor", $2, $3 }' <<<"$1"
        live_processes
    } | awk -v node="$node" '
        $1 == "actor" { kind[$2] = $3; next }
        { parent[$1] = $2 }
        END {
            n = split(node, list, " ")
            for (i = 1; i <= n; i++) if (list[i] in parent) of_node[list[i]] = 1
            for (pid in of_node) if (!is_accounted(pid)) print pid
        }
        function is_accounted(pid,   at) {
            if (pid in kind) return 1
            if (has_actor_below(pid)) return 1 # the root
            if (!(parent[pid] in of_node)) return has_root_below(pid) # the guard
            for (at = parent[pid]; at in of_node; at = parent[at])
                if (at in kind) return kind[at] != "supervisor" # a worker may have its own
            return 0
        }
        function has_actor_below(pid,   other) {
            for (other in kind) if (parent[other] == pid && !(pid in kind)) return 1
            return 0
        }
        function has_root_below(pid,   other) {
            for (other in of_node) if (parent[other] == pid && has_actor_below(other)) return 1
            return 0
        }'
}

# ---- small things ------------------------------------------------------------------------

# A TCP port of the loopback that is free now: of those that the kernel gives to nobody by itself, any one, so that
# tests that run at the same time do not take it from each other.
free_port() {
    python3 -c 'import random, socket
while True:
    port = random.randint(20000, 32000)
    try:
        socket.socket().bind(("127.0.0.1", port))
    except OSError:
        continue
    print(port)
    break'
}

# For what runs as another user: if the build stands in a folder that is closed to others, a copy of it, below $DIR.
build_for_all_users() {
    setpriv --reuid 65534 --regid 65534 --clear-groups test -x "$BUILD/bin/troupe-supervisord" && return 0
    mkdir -p "$DIR/build/tests"
    cp -r "$BUILD/bin" "$BUILD/lib" "$BUILD/workers" "$DIR/build"
    cp -r "$BUILD/tests/modules" "$DIR/build/tests"
    export PATH=$DIR/build/bin:$PATH TROUPE_MODULE_PATH=$DIR/build/tests/modules:$DIR/build/workers
}

# require COMMAND…: what the test tools must bring; missing is a failure, not a skip.
require() {
    local command

    for command in "$@"; do
        command -v "$command" >/dev/null || {
            echo "$command is missing: run scripts/install-deps --test"
            return 1
        }
    done
}
