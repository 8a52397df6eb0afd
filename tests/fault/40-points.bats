# shellcheck shell=bash
#
# The nth call of a kind fails, for n = 1, 2, 3 … until a whole life passes without that failure: a
# node starts, loses a child, takes a new one and ends. Each time either it failed by name and left
# nothing, or the tree is what it should be.

bats_require_minimum_version 1.5.0

load ../helper
load fault

write_small() {
    yaml small.yaml <<EOF
troupe: 1
application: app
supervisor:
  intensity: 20
  children:
    - {name: module, module: counter}
    - {name: program, ready: notify, exec: [sh, -c, 'echo >&\$TROUPE_READY_FD; exec sleep 90020']}
    - name: sub
      supervisor:
        intensity: 20
        children:
          - {name: program, exec: [sleep, 90021]}
EOF
}

DECLARED=(app app/module app/program app/sub app/sub/program "=1 sleep 90020" "=1 sleep 90021")

was_hit() {
    [[ -s $DIR/hits ]]
}

sleeper() {
    node_procs_of | awk -v n="$1" '$6 == "sleep" && $7 == n { print $1 }'
}

whole_or_nothing() {
    tree_is || tree_is "${DECLARED[@]}"
}

# The start failed: it says what, and nothing runs but what had been promised to go on.
failed_by_name() {
    [[ -s $DIR/up.err ]] || {
        echo "up failed without a word"
        return 1
    }
    if node_is_there; then # -d leaves the node; its application must be up or down as a whole
        wait_until 10 whole_or_nothing
    else
        wait_until 5 nothing_is_left
    fi
}

node_is_there() {
    [[ -n $(guard_pid) ]]
}

# What it lost comes back; or its supervisor gave up, as a whole and with a reason.
goes_on() {
    local pid

    for number in 90020 90021; do
        pid=$(sleeper $number)
        [[ -n $pid ]] || return 1
        kill -KILL "$pid"
    done
    wait_until 10 tree_is "${DECLARED[@]}"
}

with_or_without() {
    tree_is "${DECLARED[@]}" app/new "=1 sleep 90022" || tree_is "${DECLARED[@]}" "=0 sleep 90022"
}

# Added and up, or refused in words; an answer that is lost leaves both possible, but nothing between.
takes_a_new_one() {
    if timeout 10 troupe add app 'name: new
exec: [sleep, "90022"]' </dev/null >add.out 2>&1 3>&- 4>&-; then
        wait_until 5 tree_is "${DECLARED[@]}" app/new "=1 sleep 90022"
    else
        [[ -s add.out ]] && wait_until 5 with_or_without
    fi
}

# The order to end may be what fails: then it says so, and the next one works.
ends_in_order() {
    if ! timeout 20 troupe down </dev/null >down.out 2>&1 3>&- 4>&-; then
        [[ -s down.out ]] || return 1
        node_is_there && timeout 20 troupe down </dev/null >>down.out 2>&1 3>&- 4>&-
    fi
    wait_until 10 nothing_is_left
}

# One life; the nth call fails.
one_life() { # POINT N ERRNO PATH
    local before

    rm -f hits up.err up.out add.out down.out
    WAS_UP=0
    if TROUPE_FAULT_POINT=$1:$2:$3:$4 TROUPE_FAULT_HITS=$DIR/hits \
        timeout 20 troupe up -d small.yaml </dev/null >up.out 2>up.err 3>&- 4>&- 9>&-; then
        WAS_UP=1
        wait_until 10 tree_is "${DECLARED[@]}" || return 1
        before=$(supervisor_pid app)
        goes_on || return 1
        takes_a_new_one || return 1
        [[ $(supervisor_pid app) == "$before" ]] || { # want of resources is no reason to die
            echo "app died of it"
            return 1
        }
    else
        failed_by_name || return 1
    fi
    node_is_there || return 0
    ends_in_order
}

# through POINT ERRNO PATH: until no call is left to fail; `check` takes larger and larger steps,
# `soak` takes them all.
through() {
    local n failures=0

    use_fault_build
    write_small
    for ((n = 1; ; n += SOAK ? 1 : n)); do
        one_life "$1" "$n" "$2" "$3" >life.log 2>&1 || {
            {
                echo "--- the call $n of $1 fails with $2 in $3:"
                cat hits life.log up.err up.out add.out down.out 2>/dev/null || true
                tree_is "${DECLARED[@]}" || true
                node_procs_of
            } | sed 's/^/# /' >&3
            failures=$((failures + 1))
            use_node "run$1$n" # leave the mess to the teardown
        }
        was_hit || break
    done
    echo "# $1 in $3: up to call $n" >&3
    # The one life that no failure met has shown that the scenario itself is sound.
    ((failures == 0 && WAS_UP))
}

@test "the nth malloc fails in the root" {
    through malloc ENOMEM .
}

@test "the nth malloc fails in an application's supervisor" {
    through malloc ENOMEM app
}

@test "the nth malloc fails in a nested supervisor" {
    through malloc ENOMEM app/sub
}

@test "the nth fork fails" {
    through fork EAGAIN .
    through fork EAGAIN app
    through fork ENOMEM app/sub
}

@test "the nth socket fails" {
    through socket EMFILE .
    through socket EMFILE app
    through socket ENFILE app/sub
}

@test "the nth pipe fails" {
    through pipe EMFILE .
    through pipe EMFILE app
    through pipe EMFILE app/sub
}

@test "the nth file cannot be opened" {
    through open EMFILE .
    through open EMFILE app
    through open EMFILE app/sub
}

@test "the nth write fails" {
    through write EPIPE .
    through write EPIPE app
    through write ENOBUFS app/sub
}

@test "the nth mapping fails" {
    through map ENOMEM .
    through map ENOMEM app
    through map ENOMEM app/sub
}
