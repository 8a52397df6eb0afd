#!/usr/bin/env bats
#
# What the end of one child does to its siblings (otp.md 1.5 to 1.8).

bats_require_minimum_version 1.5.0
load helper-otp

# remember PATH…: their incarnations and pids, for is_new and is_same.
remember() {
    local path

    declare -gA incarnation pid
    for path in "$@"; do
        incarnation[$path]=$(incarnation_of "$path")
        pid[$path]=$(pid_of "$path")
    done
}

# All of these run again, as other processes; the former ones are gone.
are_new() { # PATH…
    local path

    for path in "$@"; do
        wait_restarted "$path" "${incarnation[$path]}" || return 1
        [[ $(pid_of "$path") != "${pid[$path]}" ]] || return 1
        process_is_gone "${pid[$path]}" || return 1
    done
}

is_same() { # PATH
    [[ $(pid_of "$1") == "${pid[$1]}" ]] && process_lives "${pid[$1]}"
}

# The supervisor gave up: it named who and why, and nothing of it is left.
gave_up() { # PATH REASON
    wait_sup_ended shop || return 1
    run last_of shop
    assert_output --partial "shutdown $1 $2: more than"
    run troupe_now ps -o path,pid shop
    refute_output --regexp 'shop[^	]*	[0-9]'
}

first_listed() {
    which shop | awk '{ print "shop/" $1; exit }'
}

# ---- 1.5 one_for_one ---------------------------------------------------------------------

@test "S33 one_for_one: only the child that crashed is restarted" {
    sup_up 'strategy: one_for_one, intensity: 2, period: 1h' <<'Y'
- {name: child1, module: w1}
- {name: child2, module: w1}
Y
    remember shop/child1 shop/child2
    crash shop/child1
    are_new shop/child1
    is_same shop/child2
    counts_are shop "2 2 0 2"
    [[ $(column_of incarnation shop/child2) == 1 ]]
    last_is shop/child1 "error died"
}

@test "S33 one_for_one: one crash more than the intensity, whoever's it is, ends the supervisor" {
    local survivor

    sup_up 'strategy: one_for_one, intensity: 2, period: 1h' <<'Y'
- {name: child1, module: w1}
- {name: child2, module: w1}
Y
    crash_and_wait shop/child1
    crash_and_wait shop/child2
    survivor=$(pid_of shop/child2)
    state_is shop ready
    crash "$(first_listed)"
    gave_up shop/child1 "error died"
    process_is_gone "$survivor"
    ended shop/child2 shutdown
}

@test "S34 one_for_one: restarts that fail count, and the supervisor takes the others down with it" {
    sup_up 'strategy: one_for_one, intensity: 4, period: 1h' <<'Y'
- {name: child1, module: w1, args: {behaviour: error_later}}
- {name: child2, module: w1}
Y
    remember shop/child1 shop/child2
    crash shop/child1
    gave_up shop/child1 "error start refused"
    process_is_gone "${pid[shop/child2]}"
    ended shop/child2 shutdown
    ended shop/child1 "error start refused" 5 # the first, and four tries
}

# ---- 1.6 one_for_all ---------------------------------------------------------------------

@test "S35 one_for_all: all are restarted when one crashes" {
    sup_up 'strategy: one_for_all, intensity: 2, period: 1h' <<'Y'
- {name: child1, module: w1}
- {name: child2, module: w1}
Y
    remember shop/child1 shop/child2
    crash shop/child1
    are_new shop/child1 shop/child2
    last_is shop/child1 "error died"
    last_is shop/child2 shutdown
    counts_are shop "2 2 0 2"
    [[ $(column_of used shop) == 1 ]]
}

@test "S35 one_for_all: the third crash ends the supervisor" {
    sup_up 'strategy: one_for_all, intensity: 2, period: 1h' <<'Y'
- {name: child1, module: w1}
- {name: child2, module: w1}
Y
    remember shop/child1 shop/child2
    crash shop/child1
    are_new shop/child1 shop/child2
    remember shop/child1 shop/child2
    crash shop/child2
    are_new shop/child1 shop/child2
    remember shop/child1 shop/child2
    crash "$(first_listed)"
    gave_up shop/child1 "error died"
    process_is_gone "${pid[shop/child2]}"
}

@test "S36 one_for_all: a sibling that cannot be restarted ends the supervisor" {
    sup_up 'strategy: one_for_all, intensity: 4, period: 1h' <<'Y'
- {name: child1, module: w1}
- {name: child2, module: w1, args: {behaviour: error_later}}
Y
    remember shop/child1 shop/child2
    crash shop/child1
    gave_up shop/child2 "error start refused"
    process_is_gone "${pid[shop/child2]}"
    # The crash and four failed starts of child2; child1 is stopped and started with each of them.
    ended shop/child2 "error start refused" 5
}

# ---- 1.7 simple_one_for_one: a template --------------------------------------------------

@test "S38 a template: only the child that crashed is restarted, under its name" {
    template_up 'intensity: 2, period: 1h' '{module: w1}'
    add shop
    add shop
    remember shop/1 shop/2
    crash shop/1
    are_new shop/1
    is_same shop/2
    counts_are shop "1 2 0 2"
}

@test "S38 a template: the third crash ends the supervisor for shutdown" {
    template_up 'intensity: 2, period: 1h' '{module: w1}'
    add shop
    add shop
    crash_and_wait shop/1
    crash_and_wait shop/2
    remember shop/1 shop/2
    crash "$(first_listed)"
    gave_up shop/1 "error died"
    [[ $(last_of shop) == "shutdown "* ]]
    process_is_gone "${pid[shop/2]}"
}

@test "S39 a template's children are stopped at the same time, the slow one killed in time" {
    template_up '' '{module: w2, shutdown: 1500ms}'
    add shop --name a ms=600
    add shop --name b ms=600
    add shop --name c ms=9000
    took_ms sup_shutdown shop
    ((took >= 1500 && took < 2600 * TEST_SCALE)) # one after the other: 2.7 s at least
    ended shop/a shutdown
    ended shop/b shutdown
    ended shop/c killed
}

@test "S40 a template: what a child says when it is ready is said again after a restart" {
    local _

    template_up 'intensity: 2, period: 1h' '{module: w1}'
    add shop behaviour=extra
    for _ in 1 2; do
        [[ $(column_of status shop/1) == extra ]]
        crash_and_wait shop/1
    done
    [[ $(column_of status shop/1) == extra ]]
    crash shop/1
    gave_up shop/1 "error died"
}

@test "S41 a template: a restart has the arguments of the first start; one that fails escalates" {
    template_up 'intensity: 4, period: 1h' '{module: w1}'
    add shop behaviour=error_later
    add shop
    remember shop/1 shop/2
    crash shop/1
    gave_up shop/1 "error start refused"
    process_is_gone "${pid[shop/2]}"
    ended shop/1 "error start refused" 5
}

# Kilobytes of memory that are this process's own.
private_kb() {
    awk '/^Private/ { sum += $2 } END { print sum }' "/proc/$1/smaps_rollup"
}

@test "S42 the arguments of temporary children that are gone are not kept" {
    local before after i shop big

    # A sanitizer would keep what is freed.
    export ASAN_OPTIONS=${ASAN_OPTIONS:-}:quarantine_size_mb=0:thread_local_quarantine_size_kb=0
    big=$(printf '%0100000d' 0)
    template_up '' '{module: w1, restart: temporary}'
    shop=$(pid_of shop)
    add shop "behaviour=normal" "big=$big"
    finish shop/1
    wait_until 5 counts_are shop "1 0 0 0"
    before=$(private_kb "$shop")
    for i in {2..21}; do
        add shop "behaviour=normal" "big=$big"
        finish "shop/$i"
        wait_until 5 counts_are shop "1 0 0 0"
    done
    after=$(private_kb "$shop")
    echo "$before KiB before, $after KiB after 20 children with 100 KB each"
    ((after - before < 1000))
}

# ---- 1.8 rest_for_one --------------------------------------------------------------------

@test "S44 rest_for_one: those after the one that crashed go with it, those before stay" {
    sup_up 'strategy: rest_for_one, intensity: 2, period: 1h' <<'Y'
- {name: child1, module: w1}
- {name: child2, module: w1}
- {name: child3, module: w1}
Y
    remember shop/child1 shop/child2 shop/child3
    crash shop/child2
    are_new shop/child2 shop/child3
    is_same shop/child1
    last_is shop/child3 shutdown
    counts_are shop "3 3 0 3"
    remember shop/child1 shop/child2 shop/child3
    crash shop/child3
    are_new shop/child3
    is_same shop/child1
    is_same shop/child2
    crash shop/child2
    gave_up shop/child2 "error died"
    process_is_gone "${pid[shop/child1]}"
}

@test "S45 rest_for_one: a later sibling that cannot be restarted ends the supervisor" {
    sup_up 'strategy: rest_for_one, intensity: 4, period: 1h' <<'Y'
- {name: child1, module: w1}
- {name: child2, module: w1, args: {behaviour: error_later}}
Y
    remember shop/child1 shop/child2
    crash shop/child1
    gave_up shop/child2 "error start refused"
    process_is_gone "${pid[shop/child1]}"
    process_is_gone "${pid[shop/child2]}"
}
