#!/usr/bin/env bats
#
# What may be asked of a supervisor, and what it takes for a child spec or a flag (otp.md 1.4).

bats_require_minimum_version 1.5.0
load helper-otp

# answers STATUS TEXT CMD…: the command ends with that status and says so.
answers() {
    local status_wanted=$1 text=$2

    shift 2
    run troupe_now "$@"
    assert_equal "$status" "$status_wanted"
    assert_output --partial "$text"
}

done_with() { # CMD…
    run troupe_now "$@"
    assert_success
}

# ---- administration ----------------------------------------------------------------------

@test "S25 a running child: another of its name is refused, strangers are not known" {
    sup_up 'intensity: 2, period: 1h' <<'Y'
- {name: child1, module: w1}
Y
    answers 1 already_started add shop '{name: child1, module: w1}'
    answers 3 "no such actor" stop shop/child2
    answers 3 "no such actor" start shop/child2
    answers 3 "no such actor" restart shop/child2
    answers 3 "no such actor" rm shop/child2
    answers 1 "already running" start shop/child1
    counts_are shop "1 1 0 1"
}

@test "S25 whoever asks a supervisor that is not there hears noproc, and at once" {
    sup_up '' </dev/null
    took_ms answers 3 "no such actor" counts nobody
    took_ms answers 3 "no such actor" stop nobody/child1
    ((took < 1000 * TEST_SCALE))
    answers 3 "no such actor" add nobody '{name: child1, module: w1}'
    sup_shutdown shop
    took_ms answers 3 "is not running" counts shop
    ((took < 1000 * TEST_SCALE))
}

@test "S25 a stopped child: its spec stays, a second stop is done already, start brings a new one" {
    local pid

    sup_up 'intensity: 2, period: 1h' <<'Y'
- {name: child1, module: w1}
Y
    pid=$(pid_of shop/child1)
    done_with stop shop/child1
    process_is_gone "$pid"
    last_is shop/child1 shutdown
    [[ $(which shop) == "child1 stopped" ]]
    counts_are shop "1 0 0 1"
    done_with stop shop/child1
    answers 1 already_present add shop '{name: child1, module: w1}'
    done_with start shop/child1
    [[ $(pid_of shop/child1) != "$pid" ]]
    counts_are shop "1 1 0 1"
}

@test "S25 a removed child is forgotten, and its name is free; ours: rm stops what runs" {
    local pid

    sup_up 'intensity: 2, period: 1h' <<'Y'
- {name: child1, module: w1}
Y
    done_with stop shop/child1
    done_with rm shop/child1
    answers 3 "no such actor" start shop/child1
    answers 3 "no such actor" rm shop/child1
    [[ -z $(which shop) ]]
    counts_are shop "0 0 0 0"
    done_with add shop '{name: child1, module: w1}'
    counts_are shop "1 1 0 1"
    pid=$(pid_of shop/child1)
    done_with rm shop/child1
    process_is_gone "$pid"
    counts_are shop "0 0 0 0"
}

@test "S25 a child is no process id: such a name is not found, and the child untouched" {
    local pid

    sup_up '' <<'Y'
- {name: child1, module: w1}
Y
    pid=$(pid_of shop/child1)
    answers 3 "no such actor" stop "shop/$pid"
    [[ $(pid_of shop/child1) == "$pid" ]]
    state_is shop/child1 ready
}

@test "S26 a template counts as one spec, its children as active" {
    template_up '' '{module: w1}'
    [[ -z $(which shop) ]]
    counts_are shop "1 0 0 0"
    done_with add shop
    done_with add shop
    counts_are shop "1 2 0 2"
    answers 3 "no such actor" stop shop/w1
    answers 1 "has a template" add shop '{name: other, module: w1}'
}

@test "S26 a template's child that is stopped is forgotten; to stop it again is done already" {
    local pid

    template_up '' '{module: w1}'
    done_with add shop
    done_with add shop
    pid=$(pid_of shop/1)
    done_with stop shop/1
    process_is_gone "$pid"
    counts_are shop "1 1 0 1"
    done_with stop shop/1
    answers 3 "no such actor" start shop/1
    answers 3 "no such actor" stop shop/3
    [[ $(add shop) == shop/3 ]]
}

@test "S26 a template stops no child of others; ours: restart and rm take its children by name" {
    local pid

    yaml other.yaml <<'Y'
troupe: 1
application: other
supervisor: {children: [{name: child1, module: w1}]}
Y
    node_up other.yaml
    pid=$(pid_of other/child1)
    template_up '' '{module: w1}'
    answers 3 "no such actor" stop shop/child1
    [[ $(pid_of other/child1) == "$pid" ]]
    done_with add shop
    pid=$(pid_of shop/1)
    done_with restart shop/1
    [[ $(pid_of shop/1) != "$pid" ]]
    counts_are shop "1 1 0 1"
    done_with rm shop/1
    counts_are shop "1 0 0 0"
}

@test "S27 what a child says when it is ready is seen after add, start and a restart" {
    sup_up 'intensity: 2, period: 1h' <<'Y'
- {name: child1, module: w1, args: {behaviour: extra}}
Y
    [[ $(column_of status shop/child1) == extra ]]
    done_with stop shop/child1
    done_with stop shop/child1
    [[ $(column_of status shop/child1) == - ]]
    done_with start shop/child1
    [[ $(column_of status shop/child1) == extra ]]
    answers 1 "already running" start shop/child1
    crash_and_wait shop/child1
    [[ $(column_of status shop/child1) == extra ]]
    done_with rm shop/child1
    answers 3 "no such actor" start shop/child1
    done_with add shop '{name: child1, module: w1, args: {behaviour: extra}}'
    [[ $(column_of status shop/child1) == extra ]]
    [[ $(which shop) == "child1 ready" ]]
}

# ---- child specs -------------------------------------------------------------------------

@test "S28 wrong child specs are refused, each by its place, all of them at once" {
    sup_file '' <<'Y'
- {name: c1, module: [w1]}
- {name: c2, module: w1, restart: sometimes}
- {name: c3, module: w1, shutdown: -10}
- {name: c4, module: w1, exec: [sleep, 1]}
- {name: c5, exec: []}
- {name: c6, module: no_such_module}
- {name: same, module: w1}
- {name: same, module: w1}
Y
    refused "shop.yaml:5:18: shop/c1: module: a list: expected" \
        'shop.yaml:6:30: shop/c2: restart: "sometimes": expected permanent, transient or temporary' \
        'shop.yaml:7:30: shop/c3: shutdown: "-10": expected a time' \
        'shop.yaml:8:30: shop/c4: exec: one too many: expected one of module, exec' \
        'shop.yaml:9:18: shop/c5: exec: an empty list: expected' \
        'shop.yaml:10:18: shop/c6: module: "no_such_module": no such module' \
        'shop.yaml:12:7: shop/same: name: "same": taken by the child at'
}

@test "S28 a child is added by the same rules, and refused without a trace" {
    local spec

    sup_up '' </dev/null
    answers 1 "shop has no template" add shop 7
    for spec in '{name: [c1], module: w1}' '{name: c1, module: [w1]}' '{name: c1, module: w1,' \
        '{name: c1, module: w1, restart: sometimes}' '{name: c1, module: w1, shutdown: -10}' \
        '{name: c1, module: w1, exec: [sleep, 1]}' '{name: c1, exec: []}' '{name: c1}'; do
        run troupe_now add shop "$spec"
        assert_failure 7
        assert_output --regexp '^command line:[12]:[0-9]+: '
    done
    answers 7 'restart: "sometimes": expected permanent, transient or temporary' \
        add shop '{name: c1, module: w1, restart: sometimes}'
    counts_are shop "0 0 0 0"
}

# Every restart type with every kind of shutdown and every type of child.
good_children() {
    local restart shutdown kind i=0

    for restart in permanent transient temporary; do
        for shutdown in 0s 1s infinity brutal_kill; do
            for kind in 'module: w1' 'exec: [sleep, 1000]' 'supervisor: {children: []}'; do
                i=$((i + 1))
                printf -- '- {name: c%d, restart: %s, shutdown: %s, %s}\n' $i $restart $shutdown \
                    "$kind"
            done
        done
    done
}

@test "S28 every restart type goes with every shutdown and every type of child" {
    good_children | sup_file ''
    accepted
    node_up shop.yaml
    counts_are shop "36 36 12 24"
}

@test "S28 a supervisor has one template, or children, not both and not two" {
    template_file '' '[{module: w1}, {module: w2}]'
    refused "shop.yaml:4:3: shop: supervisor: template: a list: expected a map"
    template_file '' '{}'
    refused "shop: supervisor: template: nothing to run"
    template_file 'children: []' '{module: w1}'
    refused "shop: supervisor: template: beside children: expected one of the two"
}

@test "S29 a child that has neither a name nor anything to run hears of both" {
    sup_file '' <<'Y'
- {}
Y
    refused "item 1: name: missing" "item 1: nothing to run"
    sup_file 'auto_shutdown: any_significant' <<'Y'
- {name: c1, module: w1, restart: transient, significant: maybe}
Y
    refused 'shop/c1: significant: "maybe": expected true or false'
}

# significance AUTO RESTART SIGNIFICANT: "" or what the combination is refused for.
significance_refusal() {
    [[ $3 == true ]] || return 0
    [[ $1 != never ]] || echo "expected false, or auto_shutdown: any_significant or all_significant"
    [[ $2 != @(permanent|unset) ]] || echo "expected false, or restart: transient or temporary"
}

@test "S29 significant goes with auto_shutdown, and with a child that can end for good" {
    local auto restart significant why

    for auto in never any_significant all_significant; do
        for restart in unset permanent transient temporary; do
            for significant in true false; do
                why=$(significance_refusal $auto $restart $significant)
                sup_file "auto_shutdown: $auto" <<Y
- {name: c1, module: w1, significant: $significant$([[ $restart == unset ]] || echo ", restart: $restart")}
Y
                run troupe_now check shop.yaml
                assert_equal "$status" $((${#why} ? 7 : 0))
                assert_output --partial "${why%%$'\n'*}"
            done
        done
    done
}

@test "S29 a significant child is neither started nor added where auto_shutdown is never" {
    sup_file '' <<'Y'
- {name: c1, module: w1, restart: transient, significant: true}
Y
    refused "shop/c1: significant: true: expected false, or auto_shutdown"
    sup_up '' </dev/null
    answers 7 "shop/c1: significant: true: expected false, or auto_shutdown" \
        add shop '{name: c1, module: w1, restart: transient, significant: true}'
    counts_are shop "0 0 0 0"
}

@test "S29 ours differs: unknown keys are refused" {
    sup_file '' <<'Y'
- {name: c1, module: w1, signifcant: false}
Y
    refused "shop/c1: signifcant: unknown key: did you mean significant?"
}

# ---- flags -------------------------------------------------------------------------------

flag_refused() { # FLAG TEXT
    sup_file "$1" </dev/null
    run troupe_now check shop.yaml
    assert_failure 7
    assert_output --partial "shop: supervisor: $2"
}

@test "S30 wrong flags of a supervisor are refused" {
    flag_refused 'strategy: none_for_one' 'strategy: "none_for_one": expected one_for_one, one_for_all'
    flag_refused 'intensity: infinity' 'intensity: "infinity": expected a number from 0 to'
    flag_refused 'intensity: -1' 'intensity: "-1": expected a number from 0 to'
    flag_refused 'period: 0s' 'period: "0s": expected a time'
    flag_refused 'period: 5' 'period: "5": expected a time'
    flag_refused 'period: infinity' 'period: "infinity": expected a time'
    flag_refused 'auto_shutdown: sometimes' 'auto_shutdown: "sometimes": expected never, any'
    refused
}

@test "S30 ours differs: an unknown flag is refused" {
    flag_refused 'hibernate_after: 5s' 'hibernate_after: unknown key: expected a supervisor key'
}

@test "S30 ours: intensity may be unlimited when every child that restarts has a back-off" {
    sup_file 'intensity: unlimited' <<'Y'
- {name: c1, module: w1}
Y
    refused unlimited backoff
    sup_file 'intensity: unlimited' <<'Y'
- {name: c1, module: w1, backoff: {initial: 100ms, max: 1s}}
- {name: c2, module: w1, restart: temporary}
Y
    accepted
}

window_is_empty() {
    [[ $(column_of used shop) == 0 ]]
}

@test "S31 restarts that are older than the period count no more" {
    local i

    sup_up 'intensity: 1, period: 100ms' <<'Y'
- {name: child1, module: w1, shutdown: brutal_kill}
Y
    for i in 1 2 3 4; do
        crash_and_wait shop/child1
        wait_until 5 window_is_empty
    done
    [[ $(column_of rst shop/child1) == 4 ]]
    state_is shop ready
    done_with stop shop/child1
    done_with rm shop/child1
}
