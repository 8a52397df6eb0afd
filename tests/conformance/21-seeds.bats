#!/usr/bin/env bats
#
# The examples and tests of the seeds that are about actors and their supervisors (seeds D.5 and D.6), in
# our terms. Those that have a place elsewhere are there: README.md.

# shellcheck disable=SC2016,SC2030,SC2031 # what the command expands; a test is a subshell
bats_require_minimum_version 1.5.0
load helper-otp
load helper-events

# tree [FLAGS] <<children: application t, from $DIR/t.yaml.
tree() {
    {
        printf 'troupe: 1\napplication: t\nsupervisor:\n'
        [[ -z ${1:-} ]] || printf '  <<: {%s}\n' "$1"
        printf '  children:\n'
        sed 's/^/    /'
    } >"$DIR/t.yaml"
}

foreground() { # FILE…: leaves its pid in $UP
    in_background up troupe up "$@"
    UP=$!
}

# The foreground `up` ends by itself, or by a signal before; its status is in $STATUS.
wait_for_up() {
    wait_until "${1:-10}" process_is_gone "$UP" || return 1
    STATUS=0
    wait "$UP" || STATUS=$?
}

interrupt() {
    kill -INT "$UP"
}

why_says() { # ADDRESS TEXT
    troupe_now why "$1" | grep -qF -- "$2"
}

said() { # ADDRESS TEXT
    troupe_now log -n 1000 "$1" | grep -qF -- "$2"
}

# ---- D.5: states -------------------------------------------------------------------------

@test "seed 45 runtime: starting inside init, ready after it, and its end is an exit with 0" {
    tree "auto_shutdown: any_significant" <<END
- {name: one, module: novice, restart: temporary, significant: true, args: {until: "$DIR/go", life: 700}}
END
    foreground t.yaml
    wait_for_state t/one starting
    wait_until 5 status_is t/one initialising
    assert_equal "$(fact_of t/one state)" starting
    assert_equal "$(state_of t)" starting # it waits for its child
    run troupe_now status t/one
    assert_failure 1
    touch go
    wait_for_state t/one ready
    assert_equal "$(fact_of t/one state)" ready
    assert_equal "$(column_of status t/one)" running
    wait_for_up
    assert_equal "$STATUS" 0
    wait_until 2 no_node_process
}

status_is() { # ADDRESS TEXT
    [[ $(column_of status "$1") == "$2" ]]
}

# The paths below t to which exactly these happened, in this order, one a line.
whose_life_was() { # "EVENT EVENT…"
    awk -v wanted="$1" '
        {
            path = ""; event = ""
            for (i = 1; i <= NF; i++) {
                if ($i ~ /^path=t\//) path = substr($i, 6)
                if ($i ~ /^event=child\.(start|ready|exit)$/) event = substr($i, 13)
            }
            if (path != "" && event != "") life[path] = life[path] (life[path] == "" ? "" : " ") event
        }
        END { for (path in life) if (life[path] == wanted) print path }' events.out
}

@test "seed 46 actors: 1000 programs and 1000 modules that live shortly; nothing is left of them" {
    yaml empty.yaml <<<'{troupe: 1, application: empty, supervisor: {children: []}}'
    {
        echo "- {name: gate, module: novice, restart: temporary, args: {until: $DIR/go, life: 0}}"
        for n in {0..999}; do
            echo "- {name: f$n, exec: [\"true\"], restart: temporary, significant: true}"
            echo "- {name: s$n, module: novice, restart: temporary, significant: true, args: {life: 0}}"
        done
        echo "- {name: last, module: novice, restart: temporary, significant: true, args: {life: 300}}"
    } | tree "auto_shutdown: all_significant, max_children: 3000"
    node_up empty.yaml
    watch_events
    foreground t.yaml
    wait_until 10 grep -q path=t/gate events.out # whoever watches hears of all the others
    touch go
    wait_for_up 120
    assert_equal "$STATUS" 0
    wait_until 10 everybody_has_lived
    wait_until 5 happened child.exited t # and has not failed
    run troupe_now status t
    assert_failure 3
    assert_not_exists "$TROUPE_RUN/t"
    assert_tree_is_exactly empty
}

everybody_has_lived() {
    (($(whose_life_was "start ready exit" | grep -c '^t/[fs][0-9]') == 2000))
}

# ---- D.5: trees that grow ----------------------------------------------------------------

# launcher LEVELS: the keys of a supervisor with ten spawners, a launcher that tells them to spawn, and
# `next`, to which each adds a launcher of one level less.
launcher() {
    local next="{children: []}" launches=0

    (($1 == 1)) || {
        next="{template: {supervisor: $(launcher $(($1 - 1)))}}"
        launches=10
    }
    echo "{children: [{name: next, supervisor: $next}," \
        "{name: spawner, module: spawner, replicas: 10}," \
        "{name: launcher, module: spawner, args: {launches: $launches}}]}"
}

count_is() {
    [[ $(say -c t/count value) == "$1" ]]
}

actors_of_kind() {
    troupe_now ps -o kind,state t/farm | grep -c -x "$1[[:space:]]*ready"
}

spawn_levels() { # LEVELS COUNT
    local start

    tree "" <<END
- {name: count, module: counter}
- {name: farm, supervisor: $(launcher "$1")}
END
    start=$(now_ms)
    node_up t.yaml
    wait_until 120 count_is "$2"
    echo "# $2 actors in $(($(now_ms) - start)) ms" >&3
    wait_until 20 all_are_ready "$2"
    holds_for 100 count_is "$2"
    node_down
    wait_until 5 no_node_process
}

all_are_ready() {
    (($(actors_of_kind module) == $1))
}

@test "seed 48 benchmark: launchers and spawners, two levels: 121 actors" {
    spawn_levels 2 121
}

# A mailbox has at most 1024 connections: those that are quiet make room for the others.
@test "seed 48 benchmark: launchers and spawners, three levels: 1221 actors" {
    spawn_levels 3 1221
}

# ---- D.5: siblings -----------------------------------------------------------------------

FIRST='- {name: first, module: greeter}'
SECOND='- {name: second, module: greeter, args: {to: t/first}}'

@test "seed 49 two: the second looks up the first, and they greet each other; Ctrl-C stops both" {
    tree "" <<<"$FIRST
$SECOND"
    foreground t.yaml
    wait_until 10 status_is t/first "hey first"
    wait_until 10 status_is t/second "hey second"
    said t/first "from=t/second"
    watch_events
    interrupt
    wait_for_up
    assert_equal "$STATUS" 0
    wait_until 5 order_is "second first" t child.stop
    wait_until 5 order_is "second first" t child.exit
    wait_until 2 no_node_process
}

@test "seed 49 two: in the reverse order the second does not find the first, and nothing starts" {
    tree "" <<<"$SECOND
$FIRST"
    foreground t.yaml
    wait_for_up
    assert_equal "$STATUS" 1
    run cat up.out
    assert_output --partial "t/second"
    assert_output --partial "t/first is not there"
    wait_until 2 no_node_process
}

# ---- D.5: one path, one actor ------------------------------------------------------------

@test "seed 58: a path is refused twice in a config, and nothing starts" {
    tree "" <<<'- {name: one, module: w1}
- {name: one, module: w1}'
    run troupe_now check t.yaml
    assert_failure 7
    assert_output --partial 't.yaml:6'
    assert_output --partial 'name: "one": taken by the child at'
    run node_up t.yaml
    assert_failure 7
    wait_until 2 no_node_process
}

@test "seed 58: a path that is taken, alive or stopped, is free when it is forgotten" {
    tree "" <<<'- {name: one, module: w1}'
    node_up t.yaml
    one=$(pid_of t/one)
    run add t '{name: one, module: w1}'
    assert_failure 1
    assert_output --partial already_started
    assert_equal "$(pid_of t/one)" "$one"
    run troupe_now stop t/one
    assert_success
    run add t '{name: one, module: w1}'
    assert_failure 1
    assert_output --partial already_present
    run troupe_now rm t/one
    assert_success
    assert_equal "$(add t '{name: one, module: w2}')" t/one
    wait_ready t/one
}

@test "seed 58: the path of an attached process is its own until it has ended" {
    tree "" <<<'- {name: one, module: w1}'
    node_up t.yaml
    run troupe_now run --name t/one -- true
    assert_failure
    assert_output --partial "one: the name is taken"
    in_background guest troupe run --name t/guest -- sleep 90057
    wait_ready t/guest
    run troupe_now run --name t/guest -- true
    assert_failure
    assert_output --partial "guest: the name is taken"
    run add t '{name: guest, module: w1}'
    assert_failure 1
    troupe_now stop t/guest
    run troupe_now run --name t/guest -- echo free
    assert_success
    assert_output free
    assert_equal "$(add t '{name: guest, module: w1}')" t/guest
}

# ---- D.5: what the seeds got wrong -------------------------------------------------------

# A program with a child in its own session and one in another.
parent_of_two() { # NAME [KEYS]
    echo "- {name: $1, exec: [sh, -c, 'setsid sleep 90058 & echo \$! >\$DIR/far; sleep 90058 &" \
        "echo \$! >\$DIR/near; wait']${2:+, $2}}"
}

@test "seed 64: a crash by a signal is an end with that reason, and its grandchildren go first" {
    parent_of_two one | tree ""
    node_up t.yaml
    wait_until 5 test -s near
    far=$(cat far) near=$(cat near)
    watch_events
    kill -SEGV "$(pid_of t/one)"
    wait_until 10 happened child.exit t/one "reason=signal:SEGV"
    process_is_gone "$far"
    process_is_gone "$near"
    wait_restarted t/one 1
    assert_equal "$(last_of t/one)" signal:SEGV
    wait_until 5 tree_is_exactly t t/one
}

has_died_a_second_ago() {
    (($(now_ms) - died >= 1000))
}

@test "seed 64: a child that died a second ago is in the tree, and why is known" {
    tree "intensity: unlimited" <<'END'
- &one {name: one, module: crasher, backoff: {initial: 30s, max: 30s, jitter: 0}}
- {<<: *one, name: two, restart: transient}
- {name: gone, module: crasher, restart: temporary}
END
    node_up t.yaml
    say t/one segv
    say t/two reason normal
    say t/gone error "out of luck"
    died=$(now_ms)
    wait_until 5 has_died_a_second_ago
    run troupe_now tree t
    assert_line --regexp ' one .*backoff.*signal:SEGV'
    assert_line --regexp ' two .*exited.*normal'
    run troupe_now why t/one
    assert_output --partial signal:SEGV
    run troupe_now status t/one
    assert_failure 1
    assert_output --partial signal:SEGV
    run troupe_now why t/gone # its spec went with it
    assert_output --partial "error out of luck"
}

@test "seed 64: an interrupt works while an actor is in its init" {
    tree "" <<<'- {name: one, module: w1}
- {name: two, module: novice, start_timeout: 60s, args: {until: never}}'
    foreground t.yaml
    wait_for_state t/two starting
    interrupt
    wait_for_up 5
    wait_until 2 no_node_process
}

@test "seed 64: an interrupt works after an error" {
    tree "intensity: unlimited" <<'END'
- {name: one, module: crasher, backoff: {initial: 30s, max: 30s, jitter: 0}}
- {name: two, module: crasher, restart: temporary}
END
    foreground t.yaml
    wait_until 10 state_is t/two ready
    say t/two segv
    say t/one error broken
    wait_for_state t/one backoff
    interrupt
    wait_for_up 5
    assert_equal "$STATUS" 0
    wait_until 2 no_node_process
}

@test "seed 64: a child that hangs, and hears no signal, does not hold up the end" {
    tree "" <<'END'
- {name: one, module: crasher, shutdown: 300ms}
- {name: two, exec: [sh, -c, 'trap "" TERM INT HUP; echo deaf >$DIR/deaf; while :; do sleep 1; done'], shutdown: 300ms}
END
    sed -i "s|\$DIR|$DIR|" t.yaml
    foreground t.yaml
    wait_until 10 test -s deaf
    say t/one hang
    wait_until 5 is_busy t/one
    watch_events
    began=$(now_ms)
    interrupt
    wait_for_up
    (($(now_ms) - began >= 600)) # one after the other, each with its time
    wait_until 5 happened child.exit t/one reason=killed
    happened child.exit t/two reason=killed
    wait_until 2 no_node_process
}

# ---- D.6 ---------------------------------------------------------------------------------

@test "seed 67 chatter: who waits for a resource counts by a relay until the other crashes" {
    tree "" <<END
- {name: hello, module: chatter, restart: temporary, args: {share_at: "$DIR/speak"}}
- {name: relay, module: chatter, args: {relay_to: t/hello}}
- {name: howdy, module: chatter, shutdown: 30s, args: {of: t/hello, through: t/relay, slow: 1000}}
END
    foreground t.yaml
    wait_for_state t/howdy starting
    run troupe_now tree t
    assert_line --regexp ' hello .*ready'
    assert_line --regexp ' relay .*ready'
    assert_line --regexp ' howdy .*starting'
    touch speak
    wait_ready t/howdy
    wait_until 5 why_says t/hello "I counted to 3!"
    for n in 1 2 3; do
        said t/hello "to=$n"
    done
    wait_until 5 grep -qF "error I counted to 3!" up.out # the report
    wait_until 5 status_is t/howdy "alone: down error I counted to 3!"
    state_is t/howdy ready
    in_background stop troupe stop t/howdy
    wait_for_state t/howdy stopping
    holds_for 300 state_is t/howdy stopping
    wait_for_state t/howdy stopped
    assert_equal "$(last_of t/howdy)" shutdown
    interrupt
    wait_for_up
    assert_equal "$STATUS" 0
}

@test "seed 68 two-phase init: an actor that began and was never ready is cleaned up" {
    tree "" <<<'- {name: other, module: w1}'
    node_up t.yaml
    watch_events
    run add t '{name: one, module: novice, start_timeout: 500ms, shutdown: 200ms, args: {until: never, child: 1}}'
    assert_failure 1
    assert_output --partial "timeout:start"
    run happened child.ready t/one
    assert_failure
    wait_until 5 said t/one novice.terminate
    assert_equal "$(ps_paths t | tr '\n' ' ')" "t t/other "
    assert_not_exists "$TROUPE_RUN/t/one"
    assert_tree_is_exactly t t/other
}

@test "seed 68 two-phase init: one that is dropped while it starts is cleaned up, and its path is free" {
    tree "" <<<'- {name: other, module: w1}'
    node_up t.yaml
    in_background add troupe add t '{name: one, module: novice, start_timeout: 60s, shutdown: 200ms, args: {until: never, child: 1}}'
    wait_for_state t/one starting
    troupe_now rm t/one
    wait_until 5 tree_is_exactly t t/other
    wait_until 5 test ! -e "$TROUPE_RUN/t/one"
    assert_equal "$(add t '{name: one, module: w1}')" t/one
}

# sub, with children whose clean-up takes a while, and one that fails as it is told.
slow_to_clean() {
    tree "" <<END
- name: sub
  restart: temporary
  supervisor:
    intensity: 0
    children:
      - {name: one, module: w2, args: {ms: 400}}
      - {name: two, module: w2, args: {ms: 400}}
$(sed 's/^/      /')
END
}

all_are_gone() {
    local pid

    for pid in "$@"; do
        process_is_gone "$pid" || return 1
    done
}

@test "seed 69: a supervisor's error is told when its children are stopped and gone, not before" {
    slow_to_clean <<<'- {name: bad, module: crasher}'
    node_up t.yaml
    one=$(pid_of t/sub/one) two=$(pid_of t/sub/two)
    watch_events
    say t/sub/bad error broken
    wait_until 10 happened child.exit t/sub
    all_are_gone "$one" "$two"
    wait_until 5 said t/sub/one w2.cleaned
    wait_until 5 said t/sub/two w2.cleaned
    happened child.exit t/sub reason=\"shutdown
    why_says t/sub "error broken"
}

@test "seed 69: a supervisor that cannot start says so when what had started is gone" {
    slow_to_clean <<<'- {name: bad, module: w1, args: {behaviour: error}}'
    run node_up t.yaml
    assert_failure 1
    assert_output --partial "t/sub/bad"
    assert_output --partial "start refused"
    assert_tree_is_exactly # nobody
    wait_until 5 said t/sub/one w2.cleaned
    wait_until 5 said t/sub/two w2.cleaned
}

@test "seed 70: an abort is told as one, a crash as a crash" {
    for app in wants breaks aborts; do
        printf 'troupe: 1\napplication: %s\nsupervisor: {intensity: 0, children: [%s]}\n' "$app" \
            '{name: one, module: crasher}' >"$app.yaml"
    done
    node_up wants.yaml breaks.yaml aborts.yaml
    watch_events
    say wants/one need abort
    say breaks/one segv
    say aborts/one abort # of the C library: that is a crash
    for app in wants breaks aborts; do
        wait_sup_ended "$app"
    done
    assert_equal "$(last_of wants)" "shutdown abort wants/one"
    assert_equal "$(last_of breaks)" "shutdown breaks/one signal:SEGV: more than 0 restarts in 5s"
    assert_equal "$(last_of aborts)" "shutdown aborts/one signal:ABRT: more than 0 restarts in 5s"
    wait_until 5 happened child.exit wants/one 'reason="error in need"'
    wait_until 5 happened child.exit breaks/one reason=signal:SEGV
    wait_until 5 happened child.exit aborts/one reason=signal:ABRT
    why_says wants "shutdown abort wants/one"
    why_says breaks signal:SEGV
}
