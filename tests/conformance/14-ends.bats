#!/usr/bin/env bats
#
# What each way to end means to a permanent, a transient and a temporary child (S47 to S57).

load helper-otp
load helper-events

FLAGS='intensity: 2, period: 1h'

# One child, child1, of restart type $1.
one_child() {
    sup_up "$FLAGS" <<EOF
- {name: child1, restart: $1, module: w1}
EOF
    watch_events shop
}

# Ends child1 by the message "$@" and waits until its incarnation $LIFE is over and dealt with.
end_by() {
    LIFE=$(incarnation_of shop/child1)
    say shop/child1 "$@"
}

assert_restarted() {
    wait_restarted shop/child1 "$LIFE"
    assert_equal "$(counts shop)" "1 1 0 1"
}

assert_rests() {
    wait_for_state shop/child1 exited
    assert_equal "$(which shop)" "child1 exited"
    assert_equal "$(counts shop)" "1 0 0 1"
}

assert_gone_with_its_spec() {
    wait_until 5 happened child.removed shop/child1
    assert_equal "$(which shop)" ""
    assert_equal "$(counts shop)" "0 0 0 0"
}

logged() { # TEXT
    troupe_now log -n 100 shop | grep -qF -- "$1"
}

# ---- normal ------------------------------------------------------------------------------

@test "S47 external_start_no_progress_log: a start by add is no line in the log, the end is the first" {
    sup_up "$FLAGS" </dev/null
    troupe_now add shop '{name: child1, module: w1}'
    LIFE=1
    say shop/child1 stop
    assert_restarted
    wait_until 5 logged path=shop/child1
    wait_until 5 logged event=child.restart
    run troupe_now log -n 100 shop
    assert_success
    own=$(grep -F path=shop/child1 <<<"$output")
    [[ $(head -n 1 <<<"$own") == *event=child.exit*reason=normal* ]]
    run grep -E 'event=child\.(added|start|ready) ' <<<"$own"
    assert_failure
}

@test "S48 permanent_normal: a permanent child that ends in order is started again" {
    one_child permanent
    end_by stop
    assert_restarted
    assert_equal "$(last_of shop/child1)" normal
}

@test "S49 transient_normal: a transient child that ends in order rests, and its spec stays" {
    one_child transient
    end_by stop
    assert_rests
    assert_equal "$(last_of shop/child1)" normal
    run happened child.restart shop/child1
    assert_failure
}

@test "S50 temporary_normal: a temporary child that ends in order is gone with its spec" {
    one_child temporary
    end_by stop
    assert_gone_with_its_spec
    happened child.exit shop/child1 reason=normal
}

# ---- shutdown ----------------------------------------------------------------------------

@test "S51 permanent_shutdown: shutdown, with and without a text, starts a permanent child again" {
    one_child permanent
    end_by shutdown ""
    assert_restarted
    assert_equal "$(last_of shop/child1)" shutdown
    end_by shutdown info
    assert_restarted
    assert_equal "$(last_of shop/child1)" "shutdown info"
}

@test "S52 transient_shutdown: shutdown, with and without a text, lets a transient child rest" {
    one_child transient
    end_by shutdown ""
    assert_rests
    run troupe_now start shop/child1
    assert_success
    end_by shutdown info
    assert_rests
    assert_equal "$(last_of shop/child1)" "shutdown info"
    happened_times 0 child.restart shop/child1
}

@test "S53 temporary_shutdown: shutdown, with and without a text, removes a temporary child" {
    one_child temporary
    end_by shutdown ""
    assert_gone_with_its_spec
    run troupe_now add shop '{name: child1, restart: temporary, module: w1}'
    assert_success
    end_by shutdown info
    wait_until 5 happened_times 2 child.removed shop/child1
    assert_gone_with_its_spec
    happened child.exit shop/child1 'reason="shutdown info"'
}

@test "S54 faulty_application_shutdown: an application whose child fails to start fails, and says so" {
    sup_file "$FLAGS" <<EOF
- {name: bad, module: w1, args: {behaviour: error}}
EOF
    run node_up shop.yaml
    assert_failure 1
    assert_output --partial shop/bad
    assert_output --partial "start refused"
    assert_equal "$(state_of shop)" failed
    run last_of shop
    assert_output --regexp '^shutdown failed_to_start shop/bad .*start refused'
    run troupe_now down shop
    assert_success
    run ps_paths
    refute_output
}

# ---- abnormal ----------------------------------------------------------------------------

@test "S55 permanent_abnormal: a permanent child that fails is started again" {
    one_child permanent
    end_by die
    assert_restarted
    assert_equal "$(last_of shop/child1)" "error died"
}

@test "S56 transient_abnormal: a transient child that fails is started again" {
    one_child transient
    end_by die
    assert_restarted
    assert_equal "$(last_of shop/child1)" "error died"
}

@test "S57 temporary_abnormal: a temporary child that fails is gone with its spec" {
    one_child temporary
    end_by die
    assert_gone_with_its_spec
    happened child.exit shop/child1 'reason="error died"'
    happened_times 0 child.restart shop/child1
}
