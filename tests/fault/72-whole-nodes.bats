#!/usr/bin/env bats
#
# Whole nodes: one that is stopped with all its processes, one whose peer reads nothing, and thirty that start
# at once.

bats_require_minimum_version 1.5.0

load ../helper
load ../nodes
load fault

setup() {
    troupe_setup
    require python3
    cookie
    yaml tree.yaml <<'YAML'
troupe: 1
application: t
supervisor:
  intensity: 100
  children:
    - {name: a, module: talker}
    - {name: g, module: grouper}
    - {name: mortal, module: counter}
YAML
}

# Every process of that node, at one moment as good as any
signal_node() { # NODE SIGNAL
    # shellcheck disable=SC2046 # a list of pids
    kill -"$2" $(node_procs "$DIR/$1" | awk '{ print $1 }')
}

sees_members() { # NODE COUNT: of group `all`
    [[ $(at "$1" ask t/g members all all | cut -f 1) == "$2" ]]
}

has_parted() { # NODE FROM
    ! sessions_of "$1" | grep -q -x "$2"
}

parted_times() { # NODE COUNT
    (($(at "$1" troupe log -n 10000 sys/node | grep -c event=node.down) >= $2))
}

heard_down() { # NODE TEXT
    [[ $(at "$1" ask t/a heard) == *"$2"* ]]
}

nobody_restarted() { # NODE…
    local node path

    for node; do
        for path in t/a t/g t/mortal sys/node; do
            assert_equal "$(at "$node" column_of incarnation $path)" 1
        done
    done
}

@test "a whole node that is stopped for 3 s is nobody's loss: what was sent meanwhile is answered" {
    two_nodes
    at east ask t/g join all 1
    wait_until 10 sees_members west 1
    signal_node east STOP
    in_background caller at west troupe call --timeout 20s t/mortal@east add 5
    TEST_SCALE=1 run wait_until 3 parted_times west 1
    assert_failure
    signal_node east CONT
    wait_until 10 grep -q -x 5 caller.out
    TEST_SCALE=1 run wait_until 2 parted_times west 1
    assert_failure
    wait_until 5 sees_members west 1
    nobody_restarted east west
}

@test "a whole node that is stopped for longer is gone, and comes back without a stale member" {
    local stopped=7

    ((SOAK)) && stopped=30
    two_nodes
    at west ask t/a monitor t/mortal@east
    at west ask t/a call t/mortal@east 5000 value
    for node in east west; do
        at $node ask t/g join all 2
    done
    wait_until 10 sees_members west 4
    wait_until 10 sees_members east 4
    signal_node east STOP
    TEST_SCALE=1 run wait_until $stopped false # it stays so, whatever happens
    has_parted west east
    wait_until 10 sees_members west 2
    heard_down west 'down t/mortal@east#1 noconnection'
    at west ask t/g leave all 1
    signal_node east CONT
    wait_until 30 are_connected east west
    wait_until 10 sees_members east 3
    wait_until 10 sees_members west 3
    assert_equal "$(at west ask t/a heard | grep -o noconnection | wc -l)" 1
    nobody_restarted east west
}

# ---- a peer that reads nothing ----------------------------------------------------------------------------

kb_of() { # NODE
    awk '/VmRSS/ { print $2 }' "/proc/$(at "$1" pid_of sys/node)/status"
}

is_sought() {
    at east ask t/a pour t/db@mallory 1 10
    grep -q deaf deaf.out
}

is_overloaded() {
    [[ $(at east ask t/a heard) == *"undelivered t/db@mallory put overloaded"* ]]
}

@test "a proven peer that reads nothing: overloaded by name, bounded memory, and others feel nothing of it" {
    local before started url

    two_nodes
    before=$(kb_of east)
    url=$(url_of east)
    in_background deaf python3 "$TOP/tests/helpers/proven.py" "${url##*:}" cookie mallory deaf
    wait_until 10 grep -q open deaf.out
    wait_until 10 is_sought # the way to t/db there is open
    for i in {1..10}; do
        at east ask t/a pour t/db@mallory 80 60000
    done
    wait_until 20 is_overloaded
    for i in {1..6}; do # and ways to mailboxes that never say that they are there
        at east ask t/a pour "t/db$i@mallory" 80 60000
    done
    for i in {1..20}; do
        started=$(now_ms)
        assert_equal "$(at east ask t/a plus t/mortal@west 1)" "$i"
        (($(now_ms) - started < 2000))
    done
    at west ask t/g join all 1
    wait_until 10 sees_members east 1
    [[ -n ${SAN:-} ]] || (($(kb_of east) < before + 40000)) # sanitizers take more
    run sessions_of east
    assert_line west
    assert_line mallory
}

# ---- thirty ---------------------------------------------------------------------------------------------------

MANY=30

all_know_all() {
    local i

    for ((i = 0; i < MANY; i++)); do
        (($(at "n$i" troupe nodes -o name,state | grep -c -w up) == MANY - 1)) || return 1
    done
}

all_see_all() { # as members of `crowd`
    local i

    for ((i = 0; i < MANY; i++)); do
        (($(at "n$i" troupe members crowd | grep -c page) == MANY)) || return 1
    done
}

@test "thirty nodes that start at once all know each other, and each other's members" {
    local i hub

    hub=tcp://127.0.0.1:$(free_port)
    yaml tree.yaml <<'YAML'
troupe: 1
application: t
supervisor:
  children:
    - {name: page, exec: [sleep, inf], groups: [crowd]}
YAML
    for ((i = 0; i < MANY; i++)); do
        use_node "n$i"
        {
            cat tree.yaml
            printf 'node: {name: n%s, cookie_file: %s/cookie, ' "$i" "$DIR"
            ((i)) && printf 'listen: "tcp://127.0.0.1:0", peers: ["%s"]}\n' "$hub"
            ((i)) || printf 'listen: "%s"}\n' "$hub"
        } >"n$i.yaml"
        in_background "up$i" troupe up -d "n$i.yaml"
    done
    wait_until 60 all_know_all
    wait_until 20 all_see_all
}
