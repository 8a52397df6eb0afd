#!/usr/bin/env bats
#
# How supervisors end their children (otp.md 1.3).

bats_require_minimum_version 1.5.0
load helper-otp

# ends_are "NAME REASON"…: the last ends of shop's children.
ends_are() {
    local end

    for end in "$@"; do
        ended "shop/${end%% *}" "${end#* }" || return 1
    done
}

@test "S16 shutdown: infinity is allowed to workers, too; both end for shutdown" {
    sup_up '' <<'Y'
- {name: child1, shutdown: infinity, supervisor: {children: [{name: below, module: w1}]}}
- {name: child2, shutdown: infinity, module: w1}
Y
    sup_shutdown shop
    last_is shop shutdown
    ends_are "child1 shutdown" "child2 shutdown"
}

@test "S16 infinity waits for a worker however long that takes" {
    sup_up '' <<'Y'
- {name: child1, shutdown: infinity, module: w2, args: {ms: 600}}
Y
    took_ms sup_shutdown shop
    ((took >= 600))
    ends_are "child1 shutdown"
}

@test "S17 a child that does not end in its shutdown time is killed, the other is not" {
    sup_up '' <<'Y'
- {name: child1, module: w1, shutdown: 400ms}
- {name: child2, module: w1, shutdown: 400ms}
Y
    deafen shop/child2
    took_ms sup_shutdown shop
    ((took >= 400))
    ends_are "child1 shutdown" "child2 killed"
    last_is shop shutdown
}

@test "S18 the same with a template" {
    template_up '' '{module: w1, restart: temporary, shutdown: 400ms}'
    add shop --name c1
    add shop --name c2
    deafen shop/c2
    took_ms sup_shutdown shop
    ((took >= 400))
    ends_are "c1 shutdown" "c2 killed"
    last_is shop shutdown
}

@test "S19 brutal_kill kills without asking" {
    sup_up '' <<'Y'
- {name: child1, module: w2, args: {ms: 100}, shutdown: 5s}
- {name: child2, module: w2, args: {ms: 100}, shutdown: brutal_kill}
Y
    sup_shutdown shop
    ends_are "child1 shutdown" "child2 killed"
    [[ $(troupe_now log -n 100 shop/child1) == *w2.cleaned* ]]
    [[ $(troupe_now log -n 100 shop/child2) != *w2.cleaned* ]]
}

@test "S20 ten children of a template with brutal_kill are all killed, the supervisor ends in order" {
    local i wanted=()

    template_up '' '{module: w4, shutdown: brutal_kill}'
    for i in {1..10}; do
        add shop reason=normal
        wanted+=("$i killed")
    done
    sup_shutdown shop
    ends_are "${wanted[@]}"
    last_is shop shutdown
}

@test "S22 whatever children end for when they are stopped, the supervisor ends for shutdown" {
    local restart

    for restart in temporary transient permanent; do
        use_node "$restart"
        template_up '' "{module: w4, restart: $restart, shutdown: 5s}"
        add shop --name c1 reason=normal
        add shop --name c2 reason=shutdown
        add shop --name c3 'reason=shutdown test'
        add shop --name c4 'reason=error other'
        sup_shutdown shop
        last_is shop shutdown
        ends_are "c1 normal" "c2 shutdown" "c3 shutdown test" "c4 error other"
    done
}

@test "S23 stopped by hand a supervisor does the same; ours: it ends for shutdown, not normal" {
    sup_up '' <<'Y'
- {name: c1, module: w1, shutdown: brutal_kill}
- {name: c2, module: w1, shutdown: 400ms}
- {name: c3, module: w1, shutdown: 400ms}
Y
    deafen shop/c3
    troupe_now stop shop
    state_is shop stopped
    last_is shop shutdown
    ends_are "c1 killed" "c2 shutdown" "c3 killed"
}
