#!/usr/bin/env bats
#
# Significant children and auto_shutdown (S83 to S87). The supervisor under test is transient, so that
# one that has ended in order rests.

load helper-otp
load helper-events

HOWS=(stop kill abnormal normal)

end_child() { # PATH HOW: ends it and waits until that is dealt with
    local before

    before=$(times_of child.exit "$1")
    case $2 in
    stop) troupe_now stop "$1" ;;
    kill) kill_actor "$1" ;;
    abnormal) crash "$1" ;;
    normal) finish "$1" ;;
    esac
    wait_until 5 happened_times $((before + 1)) child.exit "$1"
}

# Supervisors shop/never, shop/any, shop/all, each with the children of standard input.
each_mode_tree() {
    local children mode key

    children=$(sed 's/^/      /')
    for mode in never any all; do
        key=${mode/any/any_significant}
        key=${key/all/all_significant}
        printf -- '- name: %s\n  restart: transient\n  supervisor:\n' "$mode"
        printf '    auto_shutdown: %s\n    intensity: 5\n    period: 1h\n    children:\n%s\n' \
            "$key" "$children"
    done >"$DIR/children.yaml"
    sup_up '' <"$DIR/children.yaml"
    watch_events shop
}

# A supervisor shop/sup with auto_shutdown $1 over c1 and c2, significant and of restart type $2,
# and c3, which is neither.
significant_tree() {
    sup_up '' <<EOF
- name: sup
  restart: transient
  supervisor:
    auto_shutdown: $1
    intensity: 5
    period: 1h
    children:
      - {name: c1, significant: true, restart: $2, module: w1}
      - {name: c2, significant: true, restart: $2, module: w1}
      - {name: c3, module: w1}
EOF
    watch_events shop
    SUP=$(pid_of shop/sup)
    mapfile -t PIDS < <(pids shop/sup | cut -d' ' -f2)
}

assert_no_shutdown() {
    holds_for 200 process_lives "$SUP"
    assert_equal "$(state_of shop/sup)" ready
    assert_equal "$(pid_of shop/sup)" "$SUP"
    assert_equal "$(state_of shop/sup/c3)" ready
}

assert_auto_shutdown() { # CULPRIT
    wait_for_state shop/sup exited
    run last_of shop/sup
    assert_output --partial "shutdown $1"
    wait_gone "$SUP" "${PIDS[@]}"
    assert_equal "$(state_of shop)" ready
}

# ---- not significant -----------------------------------------------------------------------

assert_still_all_three() { # runs after everything that could have ended them
    holds_for 1000 still_the_same
    assert_equal "$(pids shop)" "$BEFORE"
}

still_the_same() {
    [[ $(pids shop) == "$BEFORE" ]]
}

@test "S83 nonsignificant_temporary: whatever ends a temporary child, its supervisor stays" {
    each_mode_tree <<EOF
- {name: stop, restart: temporary, module: w1}
- {name: kill, restart: temporary, module: w1}
- {name: abnormal, restart: temporary, module: w1}
- {name: normal, restart: temporary, module: w1}
EOF
    BEFORE=$(pids shop)
    for mode in never any all; do
        for how in "${HOWS[@]}"; do
            end_child "shop/$mode/$how" "$how"
        done
    done
    assert_still_all_three
    assert_equal "$(which shop/any)$(which shop/all)$(which shop/never)" ""
}

@test "S84 nonsignificant_transient: whatever ends a transient child, its supervisor stays" {
    each_mode_tree <<EOF
- {name: stop, restart: transient, module: w1}
- {name: kill, restart: transient, module: w1}
- {name: abnormal, restart: transient, module: w1}
- {name: normal, restart: transient, module: w1}
EOF
    BEFORE=$(pids shop)
    for mode in never any all; do
        for how in "${HOWS[@]}"; do
            end_child "shop/$mode/$how" "$how"
        done
        wait_restarted "shop/$mode/kill" 1
        wait_restarted "shop/$mode/abnormal" 1
    done
    assert_still_all_three
    for mode in never any all; do
        assert_equal "$(which "shop/$mode")" \
            $'stop stopped\nkill ready\nabnormal ready\nnormal exited'
    done
}

# ---- significant, temporary ----------------------------------------------------------------

@test "S85 significant_temporary: any_significant (a): one that a person stops ends nothing" {
    significant_tree any_significant temporary
    end_child shop/sup/c1 stop
    assert_no_shutdown
}

@test "S85 significant_temporary: any_significant (b): killed, it takes all along" {
    significant_tree any_significant temporary
    end_child shop/sup/c1 kill
    assert_auto_shutdown shop/sup/c1
}

@test "S85 significant_temporary: any_significant (c): failed, it takes all along" {
    significant_tree any_significant temporary
    end_child shop/sup/c1 abnormal
    assert_auto_shutdown shop/sup/c1
}

@test "S85 significant_temporary: any_significant (d): done, it takes all along" {
    significant_tree any_significant temporary
    end_child shop/sup/c1 normal
    assert_auto_shutdown shop/sup/c1
}

@test "S85 significant_temporary: all_significant: the last one takes all along" {
    significant_tree all_significant temporary
    end_child shop/sup/c1 normal
    assert_no_shutdown
    end_child shop/sup/c2 normal
    assert_auto_shutdown shop/sup/c2
}

# ---- significant, transient ----------------------------------------------------------------

@test "S86 significant_transient: any_significant: only an end in order takes all along" {
    significant_tree any_significant transient
    end_child shop/sup/c1 stop
    assert_no_shutdown
    troupe_now start shop/sup/c1
    life=$(incarnation_of shop/sup/c1)
    end_child shop/sup/c1 kill
    wait_restarted shop/sup/c1 "$life"
    assert_no_shutdown
    life=$(incarnation_of shop/sup/c1)
    end_child shop/sup/c1 abnormal
    wait_restarted shop/sup/c1 "$life"
    assert_no_shutdown
    end_child shop/sup/c1 normal
    assert_auto_shutdown shop/sup/c1
}

@test "S86 significant_transient: all_significant: both ends in order are needed" {
    significant_tree all_significant transient
    end_child shop/sup/c2 abnormal
    wait_restarted shop/sup/c2 1
    end_child shop/sup/c1 normal
    assert_no_shutdown
    end_child shop/sup/c2 kill
    wait_restarted shop/sup/c2 2
    assert_no_shutdown
    end_child shop/sup/c2 normal
    assert_auto_shutdown shop/sup/c2
}

# ---- templates -----------------------------------------------------------------------------

@test "S87 significant_simple: a template's supervisor does not shut down by itself" {
    local mode

    for mode in any_significant all_significant; do
        template_file "auto_shutdown: $mode" '{restart: transient, module: w1}'
        run troupe_now check shop.yaml
        assert_failure 7
        assert_output --partial auto_shutdown
        run node_up shop.yaml
        assert_failure 7
    done
    template_up 'auto_shutdown: never' '{restart: transient, module: w1}'
    assert_equal "$(state_of shop)" ready
}
