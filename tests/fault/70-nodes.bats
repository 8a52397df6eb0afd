#!/usr/bin/env bats
#
# Nodes whose connection is cut, one way, both ways, or torn, again and again under load: groups agree
# afterwards, nothing arrives twice, nothing out of order, and nobody is restarted.

bats_require_minimum_version 1.5.0

load ../helper
load ../nodes
load ../wires
load fault

setup() {
    troupe_setup
    require python3
    cookie
}

# A tree for NODE, whose sources write to the ledger of OTHER…
tree_for() { # NODE OTHER…
    local other

    cat <<YAML
troupe: 1
application: t
supervisor:
  intensity: 1000
  children:
    - {name: tally, module: tally}
    - {name: ledger, module: ledger, args: {file: $DIR/$1.ledger}}
    - {name: g, module: grouper}
YAML
    for other in "${@:2}"; do
        echo "    - {name: to_$other, module: source, args: {to: t/ledger@$other, tally: t/tally," \
            "every: 5, count: 1000000, first: $((16#$(cksum <<<"$1" | cut -c1-4) % 1000))}}"
    done
}

# node_wire NAME NODE: a wire to that node
node_wire() {
    local url

    url=$(url_of "$2")
    wire "$1" "${url##*:}"
}

talk_node() { # NAME OTHERS LINE…
    # shellcheck disable=SC2086 # OTHERS is a list of words
    tree_for "$1" $2 >"$DIR/tree.yaml"
    node "$1" "${@:3}"
}

members_of() { # NODE: of group `all`, sorted
    at "$1" ask t/g members all all | cut -f 2 | tr '|' '\n' | sed 's/^ *//; s/ *$//' | sort
}

they_agree() { # N NODE…: all have the same N members
    local wanted=$1 node members first

    shift
    first=$(members_of "$1")
    (($(grep -c @ <<<"$first") == wanted)) || return 1
    for node; do
        members=$(members_of "$node")
        [[ $members == "$first" ]] || return 1
    done
}

assert_agree() {
    wait_until 60 they_agree "$@" && return 0
    shift
    for node; do
        echo "$node: $(members_of "$node")"
    done
    return 1
}

# What the ledger of NODE has, by what sources wrote: SENDER NUMBER, no number twice, none out of order
assert_once_and_in_order() { # NODE
    awk '$3 <= last[$2] { print FILENAME ": " $0 " after " last[$2]; wrong = 1 }
         { last[$2] = $3; n++ }
         END { exit wrong || !n }' "$DIR/$1.ledger"
}

has_grown() { # NODE LINES
    (($(wc -l <"$DIR/$1.ledger") > $2))
}

# Messages arrive at that node, from now on
assert_flows_to() {
    wait_until 60 has_grown "$1" "$(wc -l <"$DIR/$1.ledger")"
}

has_parted() { # NODE FROM
    ! sessions_of "$1" | grep -q -x "$2"
}

nobody_restarted() { # NODE…
    local node

    for node; do
        assert_equal "$(at "$node" column_of incarnation t/g)" 1
        assert_equal "$(at "$node" column_of incarnation t/ledger)" 1
        assert_equal "$(at "$node" column_of incarnation sys/node)" 1
    done
}

# East, and west that reaches it by a wire
two_by_wire() {
    talk_node east west 'connect: isolated'
    node_wire wire east
    talk_node west east 'connect: isolated' "peers: ['tcp://127.0.0.1:${WIRE[wire]}']"
    wait_until 20 are_connected east west
    for node in east west; do
        at $node ask t/g join all 1
        assert_flows_to $node
    done
    assert_agree 2 east west
}

@test "a connection that is torn, again and again under load: groups agree, nothing twice or out of order" {
    local round wanted=2

    two_by_wire
    for ((round = 0; round < $(rounds 5); round++)); do
        order wire reset
        at east ask t/g join all 1
        at west ask t/g join all 1
        wanted=$((wanted + 2))
        assert_agree $wanted east west
        assert_flows_to east
        assert_flows_to west
    done
    assert_once_and_in_order east
    assert_once_and_in_order west
    nobody_restarted east west
}

@test "a wire that is cut both ways and one way: both sides part and meet again, groups agree" {
    local round wanted=2 how

    two_by_wire
    for ((round = 0; round < $(rounds 1); round++)); do
        for how in cut forth back; do
            order wire $how
            at east ask t/g join all 1
            at west ask t/g leave all 1
            wait_until 20 has_parted east west
            wait_until 20 has_parted west east
            order wire heal
            at west ask t/g join all 1
            wanted=$((wanted + 1))
            assert_agree $wanted east west
            assert_flows_to east
            assert_flows_to west
        done
    done
    assert_once_and_in_order east
    assert_once_and_in_order west
    nobody_restarted east west
}

@test "three nodes, one side of the triangle cut: the third sees all, and afterwards all agree" {
    talk_node a "b c" 'connect: isolated'
    node_wire ab a
    talk_node b "a c" 'connect: isolated' "peers: ['tcp://127.0.0.1:${WIRE[ab]}']"
    talk_node c "a b" 'connect: isolated' "peers: ['$(url_of a)', '$(url_of b)']"
    wait_until 20 are_connected a b c
    for node in a b c; do
        at $node ask t/g join all 1
    done
    assert_agree 3 a b c
    order ab cut
    wait_until 20 has_parted a b
    wait_until 20 has_parted b a
    at a ask t/g join all 1
    at b ask t/g join all 1
    wait_until 20 they_agree 5 c
    wait_until 20 they_agree 3 a # its own two and that of c
    wait_until 20 they_agree 3 b
    order ab heal
    assert_agree 5 a b c
    for node in a b c; do
        assert_flows_to $node
        assert_once_and_in_order $node
    done
    nobody_restarted a b c
}

@test "a sys/node that is stopped is gone, and comes back to what there is now" {
    two_by_wire
    kill -STOP "$(at east pid_of sys/node)"
    wait_until 20 has_parted west east
    wait_until 10 they_agree 1 west
    kill -KILL "$(at west pid_of t/g)"
    wait_until 10 they_agree 0 west
    kill -CONT "$(at east pid_of sys/node)"
    wait_until 30 are_connected east west
    assert_agree 1 east west # what has ended meanwhile is nobody's member
    assert_flows_to west
    assert_once_and_in_order west
}
