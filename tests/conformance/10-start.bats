#!/usr/bin/env bats
#
# How supervisors and children start, and what a start may answer (otp.md 1.1 and 1.2).

bats_require_minimum_version 1.5.0
load helper-otp

empty_sup() {
    sup_up 'intensity: 2, period: 1h' </dev/null
}

is_never_started_again() { # PATH INCARNATION
    [[ $(incarnation_of "$1") == "$2" ]]
}

# ---- 1.1 ---------------------------------------------------------------------------------

@test "S01 a supervisor without children starts, and ends for shutdown when it is asked to" {
    empty_sup
    counts_are shop "0 0 0 0"
    state_is shop ready
    sup_shutdown shop
    last_is shop shutdown
}

@test "S01 SIGTERM is asking, too" {
    local pid

    empty_sup
    pid=$(pid_of shop)
    kill -TERM "$pid"
    wait_sup_ended shop
    last_is shop shutdown
    process_is_gone "$pid"
}

@test "S02 ours: it is an actor that says ignore; the start succeeds and nobody hears of a failure" {
    sup_up 'intensity: 2, period: 1h' <<'Y'
- {name: child1, module: w1, args: {behaviour: ignore_first}}
Y
    state_is shop ready
    holds_for 150 state_is shop/child1 exited
    last_is shop/child1 normal
    run troupe_now log -n 1000 shop
    assert_success
    assert_output --partial 'event=child.exited'
    refute_output --regexp 'level=(warn|error)|child\.(failed|restart)'
}

@test "S03 the spec of an ignored permanent child is kept" {
    empty_sup
    add shop '{name: child1, module: w1, args: {behaviour: ignore_first}}'
    add shop '{name: child2, module: w1}'
    [[ $(which shop) == $'child1 exited\nchild2 ready' ]]
    [[ $(pids shop) =~ ^child2\ [0-9]+$ ]]
    counts_are shop "2 1 0 2"
}

@test "S04 the spec of an ignored temporary child of the list is not kept" {
    sup_up 'intensity: 2, period: 1h' <<'Y'
- {name: child1, module: w1, restart: temporary, args: {behaviour: ignore_first}}
- {name: child2, module: w1, restart: temporary}
Y
    [[ $(which shop) == "child2 ready" ]]
    counts_are shop "1 1 0 1"
}

@test "S05 nor that of an added one" {
    empty_sup
    add shop '{name: child1, module: w1, restart: temporary, args: {behaviour: ignore_first}}'
    add shop '{name: child2, module: w1, restart: temporary}'
    [[ $(which shop) == "child2 ready" ]]
    counts_are shop "1 1 0 1"
}

@test "S06 a temporary template: the child that ignored is not listed" {
    template_up 'intensity: 2, period: 1h' '{module: w1, restart: temporary}'
    add shop behaviour=ignore_first
    [[ -z $(which shop) ]]
    [[ $(add shop) == shop/2 ]]
    [[ $(which shop) == "2 ready" ]]
    counts_are shop "1 1 0 1"
}

@test "S07 a permanent template: the same, no ghost is left, and the supervisor ends cleanly" {
    template_up 'intensity: 2, period: 1h' '{module: w1}'
    add shop behaviour=ignore_first
    add shop
    [[ $(which shop) == "2 ready" ]]
    counts_are shop "1 1 0 1"
    sup_shutdown shop
    last_is shop shutdown
}

@test "S08 ours: the config is a supervisor's init; an invalid one is refused and nothing starts" {
    yaml shop.yaml <<'Y'
troupe: 1
application: shop
supervisor: [what, is, this]
Y
    refused "shop.yaml:3:1: shop: supervisor: a list: expected a map of supervisor keys"
    assert_not_exists "$TROUPE_RUN/.supervisor"
}

@test "S09 a supervisor whose start fails says why, and no other application is touched" {
    local other

    yaml other.yaml <<'Y'
troupe: 1
application: other
supervisor: {children: [{name: child1, module: w1}]}
Y
    node_up other.yaml
    other=$(pid_of other/child1)
    sup_file '' <<'Y'
- {name: child1, module: w1}
- {name: child2, module: w1, args: {behaviour: error}}
Y
    run node_up shop.yaml
    assert_failure 1
    assert_output --partial "shop/child2"
    assert_output --partial "error start refused"
    wait_sup_ended shop
    last_of shop | grep -F "shop/child2 error start refused"
    [[ $(pid_of other/child1) == "$other" ]]
    holds_for 100 state_is other/child1 ready
}

@test "S10 a child that answers its start with an error is refused, and its spec is not kept" {
    empty_sup
    run add shop '{name: child1, module: w1, args: {behaviour: error}}'
    assert_failure 1
    assert_output --partial "shop/child1: error start refused"
    [[ -z $(which shop) ]]
    counts_are shop "0 0 0 0"
}

@test "S10 nor is that of a program that ends before it is ready" {
    empty_sup
    run add shop '{name: child2, exec: [sh, -c, "exit 3"], ready: notify}'
    assert_failure 1
    assert_output --partial "shop/child2: exit:3"
    [[ -z $(which shop) ]]
    counts_are shop "0 0 0 0"
    add shop '{name: child2, module: w1}'
}

@test "S11 a manual start that fails leaves the spec there, and is not tried again" {
    sup_up 'intensity: 2, period: 1h' <<'Y'
- {name: child1, module: w1, args: {behaviour: error_later}}
Y
    troupe_now stop shop/child1
    run troupe_now start shop/child1
    assert_failure 1
    assert_output --partial "error start refused"
    [[ $(which shop) == "child1 failed" ]]
    counts_are shop "1 0 0 1"
    holds_for 200 is_never_started_again shop/child1 2
    state_is shop ready
}

@test "S12 a template's child whose start fails is refused, and nothing of it is left" {
    template_up 'intensity: 2, period: 1h' '{module: w1}'
    run add shop behaviour=error
    assert_failure 1
    assert_output --partial "error start refused"
    run add shop behaviour=nonsense
    assert_failure 1
    assert_output --partial "error args: behaviour: nonsense"
    [[ -z $(which shop) ]]
    counts_are shop "1 0 0 0"
}

# ---- 1.2 ---------------------------------------------------------------------------------

# spec_of PATH: restart, shutdown, kind and significant on one line.
spec_of() {
    local key

    for key in restart shutdown kind significant; do
        fact_of "$1" "$key"
    done | paste -sd ' '
}

@test "S13 what a spec leaves out has OTP's defaults, but ours for intensity: 3 in 5 s" {
    sup_up '' <<'Y'
- {name: child1, module: w1}
- {name: child2, module: w1, shutdown: brutal_kill}
- {name: child3, supervisor: {children: []}}
Y
    [[ $(spec_of shop/child1) == "permanent 5s module no" ]]
    [[ $(fact_of shop/child1 module) == w1 ]]
    [[ $(spec_of shop/child2) == "permanent brutal_kill module no" ]]
    [[ $(spec_of shop/child3) == "permanent infinity supervisor no" ]]
    [[ $(column_of strategy,intensity,period shop) == $'one_for_one\t3\t5000' ]]
    run troupe_now status shop/nobody
    assert_failure 3
}

@test "S14 every child of a template has the template's spec; a foreign name has none" {
    local name

    template_up '' '{module: w1, restart: temporary}'
    for name in 1 2 3; do
        [[ $(add shop) == "shop/$name" ]]
        [[ $(spec_of "shop/$name") == "temporary 5s module no" ]]
    done
    run troupe_now status shop/4
    assert_failure 3
}

@test "S15 a child without a name, without anything to run, or that is no map, is refused" {
    sup_file '' <<'Y'
- {module: w1}
- {name: child2}
- child3
Y
    refused "shop.yaml:5:7: shop: supervisor: children: item 1: name: missing" \
        "shop.yaml:6:7: shop/child2: nothing to run" \
        "shop.yaml:7:7: shop: supervisor: children: item 3: not a map"
}

@test "S15 ours differs: an unknown key of a child is refused" {
    sup_file '' <<'Y'
- {name: child1, module: w1, colour: red}
Y
    refused "shop.yaml:5:34: shop/child1: colour: unknown key"
}
