#!/usr/bin/env bats
#
# Services of several nodes whose store is PostgreSQL or Redis, and what can befall the ways between them and it
# (CLUSTER 4, L1 to L6): it is away, it is killed, one node or two cannot reach it or each other, an owner is
# stopped while a save of it is on its way. Leases of a second; F numbers as in tests/82-places.bats.

bats_require_minimum_version 1.5.0

load ../helper
load ../nodes
load ../wires
load ../servers
load fault

setup() {
    troupe_setup
    require python3
    cookie
    mkdir locks
    : >notes
    yaml tree.yaml <<YAML
troupe: 1
application: shop
supervisor:
  children:
    - name: things
      service: {module: entity, placement: local, max: 100, args: {notes: $DIR/notes, locks: $DIR/locks}}
    - name: kept
      service: {module: keeper, placement: local}
    - {name: swarm, module: swarm}
    - {name: talker, module: talker}
YAML
}

# member NAME [LINE…]: a node whose store is at the end of a wire of its own
member() {
    wire "$1-store" "$SERVER_PORT"
    node "$1" "store: '$(server_url "${WIRE[$1-store]}")'" 'lease: 1s' 'connect: isolated' "${@:2}"
}

# East, and west that reaches it by a wire; each has an actor, e and 0
company_on() { # KIND
    local url

    server_make "$1"
    member east
    url=$(url_of east)
    wire between "${url##*:}"
    member west "peers: ['tcp://127.0.0.1:${WIRE[between]}']"
    wait_until 20 are_in east west
    wait_until 10 is_answered east e
    wait_until 10 is_answered west 0
    wait_until 10 have_beaten east west
    is_owner e east
    is_owner 0 west
}

are_in() {
    local name

    for name in "$@"; do
        server_rows node | grep -q "^$name alive " || return 1
    done
}

# Before a node has seen another's beat move on it promises it nothing: a declaration of its death may be on its way.
have_beaten() {
    local name

    for name in "$@"; do
        (($(server_rows node | awk -v name="$name" '$1 == name && $2 == "alive" { print $3 }') > 8)) || return 1
    done
}

is_owner() { # ID NODE
    server_rows place | grep -q -x "shop/things/$1 $2"
}

nobody_is_dead() {
    [[ $(server_rows node | grep -c -w dead) == 0 ]]
}

hit() { # NODE ID
    at "$1" troupe call --timeout 15s "shop/things/$2" hit
}

is_answered() { # NODE ID
    hit "$1" "$2" >/dev/null 2>&1
}

epoch_of() { # ID: in the life that has noted last that it is ready
    awk -v id="$1" '$1 == "ready" && $2 == id { epoch = $3 } END { print epoch }' notes
}

noted() {
    grep -c -- "$1" "$DIR/notes"
}

never_two() {
    assert_equal "$(noted '^overlap')" 0
}

# For so long is the store away
AWAY_MS=4000
((SOAK)) && AWAY_MS=30000

both_are_answered() {
    is_answered east e && is_answered west 0
}

# ---- what happens ----------------------------------------------------------------------------------

store_is_away() {
    local e w calls

    e=$(epoch_of e) w=$(epoch_of 0)
    # who has reached an actor of another node goes on with it
    calls=$((AWAY_MS / 20))
    in_background calls at east troupe call --timeout 100s shop/swarm run shop/things/ hit 1 1 "$calls" 20 20 10000
    CALLS=$!
    wait_until 10 has_heard_more_than 1
    server_kill
    run hit east new
    assert_failure
    assert_output --partial 'unreachable'
    # whether that one lives is not known, which is not the same as that it does not
    assert_equal "$(at east ask shop/talker link shop/things/0)" 'error the store is unreachable'
    assert_equal "$(at east ask shop/talker monitor shop/things/0)" watched
    wait_until 10 is_told_in_east 'down shop/things/0 error the store is unreachable'
    holds_for "$AWAY_MS" both_are_answered
    run hit west new
    assert_failure
    assert_output --partial 'unreachable'
    server_start
    wait_until 20 is_answered east new
    wait_until 10 is_answered west new
    both_are_answered
    wait "$CALLS"
    assert_equal "$(cat calls.out)" "answered=$calls"
    nobody_is_dead
    assert_equal "$(epoch_of e) $(epoch_of 0)" "$e $w"
    never_two
}

is_told_in_east() { # TEXT
    at east ask shop/talker heard | grep -q "$1"
}

has_heard_more_than() { # MESSAGES
    (($(noted '^hit 0 ') > $1))
}

alone_without_store() {
    local pid epoch

    server_make "$1"
    member east
    wait_until 20 is_answered east e
    pid=$(at east pid_of shop/things/e) epoch=$(epoch_of e)
    server_kill
    wait_until 10 process_is_gone "$pid"
    run hit east e
    assert_failure
    server_start
    wait_until 20 is_answered east e
    assert [ "$(epoch_of e)" -gt "$epoch" ]
    nobody_is_dead
    never_two
    run at east troupe why shop/things
    assert_output --partial fenced
    run at east troupe log -n 1000 shop/kept # those that share a large service
    assert_output --partial "reason=fenced"
    refute_output --partial "reason=signal:KILL"
    assert_equal "$(at east column_of used shop)/$(at east column_of used shop/kept)" 0/0
    # another SIGKILL is one
    pid=$(at east pid_of shop/things)
    kill -KILL "$pid"
    wait_until 10 at east is_other_process shop/things "$pid"
    run at east troupe why shop/things
    assert_output --partial signal:KILL
    assert_equal "$(at east column_of used shop)" 1
}

is_other_process() { # PATH PID
    [[ $(pid_of "$1") != "$2" ]]
}

store_is_killed_under_calls() {
    local round id

    in_background calls at east troupe call --timeout 100s shop/swarm run shop/things/ hit 60 20 400 20 20 10000
    CALLS=$!
    for ((round = 0; round < $(rounds 3); round++)); do
        server_kill
        both_are_answered
        server_start
        wait_until 20 is_answered west "after-$round"
    done
    wait "$CALLS"
    assert_regex "$(cat calls.out)" 'answered=[0-9]+'
    assert_equal "$(tr ' ' '\n' <calls.out | awk -F= '{ sum += $2 } END { print sum }')" 24000
    for ((id = 0; id < 20; id++)); do
        wait_until 10 is_answered west "$id"
    done
    nobody_is_dead
    never_two
}

nodes_are_parted() {
    has_parted() {
        ! sessions_of east | grep -q -x west
    }
    is_out_of_reach() {
        hit "$1" "$2" 2>&1 | grep -q noconnection
    }
    order between cut
    wait_until 20 has_parted
    wait_until 10 is_out_of_reach east 0
    wait_until 10 is_out_of_reach west e
    is_answered east e
    is_answered west 0
    is_answered east on-east
    is_answered west on-west
    wait_until 10 is_out_of_reach west on-east
    nobody_is_dead
    order between heal
    wait_until 40 is_answered east on-west
    wait_until 10 is_answered west on-east
    both_are_answered
    nobody_is_dead
    assert_equal "$(noted '^ready e ') $(noted '^ready 0 ')" "1 1"
    never_two
}

# East reaches the store, so that it promises nothing: west's lease ends, and east has what was west's.
node_loses_the_store() {
    local pid epoch

    pid=$(at west pid_of shop/things/0) epoch=$(epoch_of 0)
    order west-store cut
    wait_until 10 process_is_gone "$pid"
    wait_until 10 is_answered east 0
    is_owner 0 east
    assert [ "$(epoch_of 0)" -gt "$epoch" ]
    order west-store heal
    wait_until 20 are_in east west
    wait_until 10 is_answered west 0
    is_owner 0 east
    wait_until 10 is_answered west of-west
    is_owner of-west west
    never_two
}

# Half of them are west's; east has some callers of all.
owner_dies_under_callers() {
    local id

    at west troupe call --timeout 60s shop/swarm run shop/things/ hit 20 20 1 0 0 20000
    in_background calls at east troupe call --timeout 100s shop/swarm run shop/things/ hit 500 40 60 20 60 20000
    CALLS=$!
    wait_until 20 has_heard_more_than 40
    kill_host west
    wait "$CALLS"
    run cat calls.out
    refute_output --partial timeout
    assert_equal "$(tr ' ' '\n' <calls.out | awk -F= '{ sum += $2 } END { print sum }')" 30000
    for ((id = 0; id < 40; id++)); do
        wait_until 10 is_answered east "$id"
        is_owner "$id" east
    done
    never_two
}

number_is() { # NODE ID NUMBER
    [[ $(at "$1" ask "shop/kept/$2" number) == "$3" ]]
}

# The save is between west's sys/store and the server while everything of west is stopped: it gets there when
# east has the actor already.
owner_is_stopped_with_a_save_under_way() {
    local pid before

    assert_equal "$(at west ask shop/kept/k add 5)" 5
    pid=$(at west pid_of shop/kept/k)
    before=$(at west column_of in shop/kept/k)
    all_of west >pids
    order west-store cut
    in_background late at west troupe call --timeout 20s shop/kept/k add 100
    wait_until 10 has_got_more_than "$before"
    # shellcheck disable=SC2046
    kill -STOP $(cat pids)
    wait_until 10 process_is_gone "$pid"
    wait_until 10 number_is east k 5
    order west-store heal
    # shellcheck disable=SC2046
    kill -CONT $(cat pids) 2>/dev/null || true
    wait_until 30 are_in east west
    assert_equal "$(at east ask shop/kept/k add 1)" 6
    assert_equal "$(at west ask shop/kept/k number)" 6
    run cat late.out
    refute_output 105
}

has_got_more_than() { # MESSAGES
    (($(at west column_of in shop/kept/k) > $1))
}

# ---- on PostgreSQL and Redis ------------------------------------------------------------------------

# on STORE OTHER SCENARIO: on the one; with SOAK on the other
on() {
    company_on "$([[ -n ${SOAK:-} ]] && echo "$2" || echo "$1")"
    "$3"
}

@test "F37, the store is away: nodes that promise each other serve on, nobody is declared dead, new ids fail by name" {
    on postgres redis store_is_away
}

@test "F37, the store is away and a node is alone: its lease ends and its actors with it, and they come back after" {
    alone_without_store "$([[ -n ${SOAK:-} ]] && echo postgres || echo redis)"
}

@test "PostgreSQL is killed again and again under calls: every call is told, no id lives twice" {
    company_on postgres
    store_is_killed_under_calls
}

@test "Redis is killed again and again under calls: every call is told, no id lives twice" {
    company_on redis
    store_is_killed_under_calls
}

@test "two nodes lose each other and both reach the store: nobody is dead, each keeps its own, all meet again" {
    on redis postgres nodes_are_parted
}

@test "a node loses the store, and the others do not: its actors end, and live on where it is reached" {
    on postgres redis node_loses_the_store
}

@test "the owner's host dies under 500 callers: each hears by name, one new life of each id, and it was never twice" {
    on postgres redis owner_dies_under_callers
}

@test "an owner is stopped with a save on its way to the store: another has the actor, and the save is refused" {
    on redis postgres owner_is_stopped_with_a_save_under_way
}
