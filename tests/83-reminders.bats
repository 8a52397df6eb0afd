#!/usr/bin/env bats
# Reminders (CLUSTER 4), from the shell: who is told, when, and after what. An actor of tests/modules/waker.c
# notes each that it is told of: ID NAME COUNT EPOCH. What is decided, and when, is in tests/unit/reminders_test.c.

load helper
load nodes

setup() {
    troupe_setup
    : >notes
}

# tree [KEYS]: shop/things, a service of such actors, with these keys; shop/plain, one of no service.
tree() {
    cat >tree.yaml <<END
troupe: 1
application: shop
supervisor:
  intensity: 20
  children:
    - name: things
      service: {module: waker, state: true, args: {notes: $DIR/notes}${1:+, $1}}
    - name: plain
      module: waker
      state: true
      args: {notes: $DIR/notes}
      backoff: {initial: 100ms, max: 200ms}
END
}

noted() { # PATTERN: how many lines
    grep -c -- "$1" "$DIR/notes"
}

is_noted() { # PATTERN [TIMES]
    (($(noted "$1") >= ${2:-1}))
}

# The reminders' rows.
rows() { # SQL [STORE]
    python3 - "${2:-$TROUPE_STATE/store}"/state.db "$1" <<'SCRIPT'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], timeout=10, isolation_level=None)
for row in db.execute(sys.argv[2]):
    print(*row)
SCRIPT
}

count_is() { # N [STORE]
    [[ $(rows 'select count(*) from reminder' "${@:2}") == "$1" ]]
}

is_gone() { # ADDRESS: is no such actor running?
    ! pid_of "$1"
}

# ---- one host --------------------------------------------------------------------------------------------

@test "an actor that lives is told, once, and the row is gone" {
    tree
    node_up tree.yaml
    ask shop/things/1 set once 300 0
    wait_until 5 is_noted '^1 once 1 '
    wait_until 5 count_is 0
    assert_equal "$(noted .)" 1
}

@test "an actor of a service that has gone is started by it; a plain one is told as well" {
    tree 'idle: 200ms'
    node_up tree.yaml
    ask shop/things/1 set later 1500 0
    ask shop/plain set tick 300 0
    wait_until 5 is_gone shop/things/1
    assert_equal "$(noted '^1 ')" 0
    wait_until 10 is_noted '^1 later 1 '
    wait_until 5 is_noted '^plain tick 1 0$'
    wait_until 5 count_is 0
}

@test "a period: again and again, on the beat, until it is cleared" {
    local n

    tree
    node_up tree.yaml
    ask shop/things/1 set tick 0 200
    wait_until 10 is_noted '^1 tick ' 5
    ask shop/things/1 clear tick
    n=$(noted .)
    assert_equal "$(rows 'select count(*) from reminder')" 0
    as_many() { (($(noted .) <= n + 1)); } # one may have been on its way
    holds_for 1000 as_many
}

@test "F40: what was missed while the node was down comes as one, with its count" {
    tree
    node_up tree.yaml
    ask shop/things/1 set hourly 3600000 1000
    node_down
    # an hour after its first tick was due
    rows 'update reminder set due = due - 7200000000'
    node_up tree.yaml
    wait_until 10 is_noted '^1 hourly '
    run awk '{ print ($3 >= 3600 && $3 < 3700); exit }' notes
    assert_output 1
    wait_until 5 is_noted '^1 hourly 1 ' 2 # and then each second
    assert_equal "$(awk '$3 > 100' notes | wc -l)" 1
}

@test "an actor that ends over it is told again" {
    tree
    node_up tree.yaml
    ask shop/things/1 set crash 100 0
    ask shop/plain set tick 100 0
    wait_until 5 is_noted '^plain tick ' # another's end is nothing to it
    wait_until 10 is_noted '^1 crash 1 ' 2
    wait_until 5 count_is 0
    assert_equal "$(noted '^1 crash ')" 2
    run troupe log -n 100 sys/node
    assert_output --partial 'event=reminder.failed service=shop/things id=1 name=crash'
}

@test "sys/node killed between the telling and the row's advance: it is told again" {
    tree
    node_up tree.yaml
    ask shop/things/1 set slow 100 0
    wait_until 5 is_noted '^1 slow '
    kill -KILL "$(pid_of sys/node)"
    wait_until 10 is_noted '^1 slow ' 2
    wait_until 10 count_is 0
    assert_equal "$(noted '^1 slow ')" 2
}

@test "the store away for a while: nobody ends for it, and what was due comes then, in one" {
    local node plain store

    tree
    node_up tree.yaml
    ask shop/things/1 set tick 100 100
    wait_until 5 is_noted '^1 tick '
    node=$(pid_of sys/node) plain=$(pid_of shop/plain) store=$(pid_of sys/store)
    kill -STOP "$store"
    : >notes
    few() { (($(noted .) <= 1)); } # one may have been on its way
    holds_for 4500 few
    kill -CONT "$store"
    wait_until 10 is_noted '^1 tick ' 3
    assert [ "$(awk '$3 > 20' notes | wc -l)" -ge 1 ]
    kill -KILL "$store"
    : >notes
    wait_until 10 is_noted '^1 tick ' 3
    assert_equal "$(pid_of sys/node) $(pid_of shop/plain)" "$node $plain"
}

@test "a node at rest does not wake up for reminders, and notices one that is set" {
    local before pid

    tree
    node_up tree.yaml
    ask shop/things/1 set far 3600000 0
    pid=$(pid_of sys/node)
    turns() { awk '/^voluntary_ctxt_switches/ { print $2 }' "/proc/$pid/status"; }
    are_steady() { [[ $(turns) == "$before" ]]; }
    at_rest() { before=$(turns) && holds_for 2500 are_steady; }
    wait_until 20 at_rest
    ask shop/things/2 set soon 500 0
    wait_until 3 is_noted '^2 soon 1 '
}

@test "what keeps state and comes later brings both the store and who tells" {
    yaml shop.yaml <<END
troupe: 1
application: shop
supervisor:
  children:
    - {name: idle, exec: [sleep, infinity]}
END
    node_up shop.yaml
    run pid_of sys/node
    assert_failure
    troupe add shop "{name: late, module: waker, state: true, args: {notes: $DIR/notes}}"
    ask shop/late set tick 100 0
    wait_until 10 is_noted '^late tick 1 '
}

# ---- several nodes ---------------------------------------------------------------------------------------

# member NAME: a node that knows the first one, and keeps its rows in $DIR/store.
member() {
    local peers=()

    [[ -e first ]] && peers=("peers: [\"$(cat first)\"]")
    node "$1" "store: \"sqlite:$DIR/store\"" "lease: 1s" "${peers[@]}"
    [[ -e first ]] || url_of "$1" >first
}

company() { # NAME…
    local name

    cookie
    for name in "$@"; do
        member "$name"
    done
    wait_until 15 are_in "$@"
}

are_in() { # NAME…
    local name

    for name in "$@"; do
        python3 - "$DIR"/store/place-*.db "$name" <<'SCRIPT' || return 1
import sqlite3, sys
db = sqlite3.connect("file:%s?mode=ro" % sys.argv[1], uri=True)
sys.exit(not db.execute("select 1 from node where state = 'alive' and name = ?", (sys.argv[2],)).fetchone())
SCRIPT
    done
}

all_of() { # NODE: every process of it
    local root

    root=$(at "$1" ps -o ppid= -p "$(at "$1" pid_of sys)")
    echo "$(ps -o ppid= -p "$root") $root $(at "$1" troupe ps -o json | jq -r '.. | .pid? // empty')"
}

are_all_noted() { # NAME N: by so many actors
    [[ $(awk -v name="$1" '$2 == name { print $1 }' notes | sort -u | wc -l) == "$2" ]]
}

@test "two nodes: each is told once while both live, wherever it was set" {
    local id

    tree 'placement: hash'
    company east west
    for id in 1 2 3 4 5 6 7 8 9 10 11 12; do
        at east ask "shop/things/$id" set once 2500 0
    done
    wait_until 10 are_all_noted once 12
    wait_until 10 count_is 0 "$DIR/store"
    assert_equal "$(noted ' once 1 ')" 12
    assert_equal "$(noted .)" 12
}

@test "the node that tells dies: the other goes on" {
    local id

    tree 'placement: hash'
    company east west
    for id in 1 2 3 4 5 6 7 8; do
        at east ask "shop/things/$id" set tick 0 500
    done
    wait_until 10 are_all_noted tick 8
    # shellcheck disable=SC2046
    kill -KILL $(all_of west)
    : >notes
    wait_until 20 are_all_noted tick 8
}

@test "an actor of no service is told on the node that has it, whoever is first for it" {
    local name

    tree
    company east
    sed -i '/name: plain/,$d' tree.yaml
    member west
    wait_until 15 are_in east west
    for name in a b c d e f; do
        at east troupe add shop "{name: $name, module: waker, state: true, args: {notes: $DIR/notes}}"
        at east ask "shop/$name" set tick 200 0
    done
    for name in a b c d e f; do
        wait_until 10 is_noted "^$name tick 1 0"
    done
    wait_until 10 count_is 0 "$DIR/store"
}
