#!/usr/bin/env bats
#
# Process groups (SEMANTICS 8, CLUSTER 3): joined by actors, by attached processes' supervisors and by the config,
# seen on all nodes that are connected. The table itself has its own tests (groups_test); here it is real
# processes. P and Y are numbers of otp.md, part 2.

load helper
load nodes

setup() {
    troupe_setup
    cookie
    yaml tree.yaml <<'YAML'
troupe: 1
application: t
supervisor:
  intensity: 100
  children:
    - {name: a, module: grouper}
    - {name: b, module: grouper}
    - {name: page, exec: [sleep, inf], groups: [pages]}
YAML
}

says() { # NODE WANTED ACTOR MESSAGE ARG…
    [[ $(at "$1" ask "t/$3" "${@:4}") == "$2" ]]
}

assert_says() {
    wait_until 10 says "$@"
}

one_node() {
    node east
}

@test "P01, P04: a group is a multiset: joined three times, left as often" {
    one_node
    assert_says east ok a join g 1
    assert_says east ok a join g 2
    assert_says east $'3\tt/a@east#1 | t/a@east#1 | t/a@east#1' a members g all
    assert_says east $'3\tt/a@east#1 | t/a@east#1 | t/a@east#1' b members g local
    assert_says east $'2\tpages | g' b groups pg all
    assert_says east ok a leave g 2
    assert_says east $'1\tt/a@east#1' b members g all
    assert_says east ok a leave g 1
    assert_says east $'0\t' b members g all
    assert_says east $'1\tpages' b groups pg all
}

@test "P04, Y02, Y03: leaving what one is not in is not_joined; leaving too often is leaving all" {
    one_node
    assert_says east not_joined a leave g 1
    assert_says east ok a join g 2
    assert_says east ok a leave g 3
    assert_says east not_joined a leave g 1
    assert_says east $'0\t' a members g all
}

@test "scopes are apart, and a name that is none is refused" {
    one_node
    assert_says east ok a join chat:rooms/1 1
    assert_says east $'1\tt/a@east#1' a members chat:rooms/1 all
    assert_says east $'0\t' a members rooms/1 all
    assert_says east $'1\trooms/1' a groups chat all
    assert_says east 'refused no name of a group' a join 'a b' 1
    assert_says east 'refused no name of a group' a join a:b:c 1
}

@test "Y08: groups of a node in which nobody has ever joined are empty" {
    sed -i '/page/d' tree.yaml
    use_node alone
    node_up tree.yaml
    run ps_paths
    refute_output --partial sys/node
    assert_equal "$(ask t/a members g all)" $'0\t'
    assert_equal "$(ask t/a groups pg all)" $'0\t'
    assert_equal "$(ask t/a send g all hello)" 0
    assert_equal "$(ask t/a join g 1)" ok
    assert_equal "$(ask t/b members g all)" $'1\tt/a@local#1'
    assert_equal "$(state_of sys/node)" ready
}

@test "groups in the config hold for a program that knows nothing of Troupe" {
    one_node
    assert_says east $'1\tt/page@east#1' a members pages all
    kill_actor east t/page
    assert_says east $'1\tt/page@east#2' a members pages all
    at east troupe stop t/page
    assert_says east $'0\t' a members pages all
    run at east troupe status t/a
    refute_output --partial groups:
    at east troupe start t/page
    run at east troupe status t/page
    assert_line --regexp '^groups: +pages$'
}

@test "actors of services are members, also of one so large that inner supervisors have them" {
    local service

    cat >>tree.yaml <<'YAML'
    - {name: few, service: {module: grouper, max: 10}}
    - {name: many, service: {module: grouper, max: 5000}}
YAML
    one_node
    for service in few many; do
        assert_equal "$(at east ask t/$service/7 join $service 2)" ok
        assert_equal "$(at east ask t/$service/8 join $service 1)" ok
        wait_until 10 eval "[[ \$(at east ask t/a members $service all) == 3*t/$service/7@east*t/$service/8@east* ]]"
        kill -KILL "$(at east pid_of t/$service/7)"
        wait_until 10 eval "[[ \$(at east ask t/a members $service all) == 1*t/$service/8@east* ]]"
    done
}

@test "P03, P04: a member that ends has left, whatever it was about to say" {
    local i

    one_node
    for ((i = 1; i <= 10; i++)); do
        assert_says east ok a join g 2
        kill_actor east t/a
        wait_until 5 eval "[[ \$(at east column_of incarnation t/a) == $((i + 1)) ]]"
    done
    assert_says east $'0\t' b members g all
    assert_equal "$(at east column_of incarnation sys/node)" 1
}

@test "Y01, P26, P27: a watcher hears the members of now, then each change; one leave for each membership" {
    one_node
    assert_says east ok a join g 1
    assert_says east ok b watch g
    assert_says east ok a join g 2
    kill_actor east t/a
    assert_says east '+g t/a@east#1 | +g t/a@east#1 | +g t/a@east#1 | -g t/a@east#1 | -g t/a@east#1 | -g t/a@east#1' \
        b heard
}

@test "P26: a watcher of a scope hears of all its groups; one that has given up hears nothing" {
    one_node
    assert_says east ok b watch pg:
    assert_says east ok a join one 1
    assert_says east ok a join other:two 1
    assert_says east ok a leave one 1
    assert_says east '+pages t/page@east#1 | +one t/a@east#1 | -one t/a@east#1' b heard
    assert_says east '' b unwatch
    assert_says east ok a join one 1
    assert_says east $'1\tt/a@east#1' b members one all
    assert_says east '+pages t/page@east#1 | +one t/a@east#1 | -one t/a@east#1' b heard
}

@test "P10, P11, P16: members of another node are seen, are not local, and go with it" {
    node east
    assert_says east ok a join g 1
    node west "peers: [$(url_of east)]"
    assert_says west $'1\tt/a@east#1' a members g all
    assert_says west $'0\t' a members g local
    assert_says west ok b watch g
    assert_says west ok a join g 1
    assert_says east $'2\tt/a@east#1 | t/a@west#1' a members g all
    assert_says east $'1\tt/a@east#1' a members g local
    at east troupe down
    assert_says west $'1\tt/a@west#1' a members g all
    assert_says west '+g t/a@east#1 | +g t/a@west#1 | -g t/a@east#1' b heard
}

@test "P18, P28: sys/node is killed: local members are there again, no actor is restarted" {
    two_nodes
    assert_says east ok a join g 2
    assert_says west ok a join g 1
    assert_says east $'3\tt/a@east#1 | t/a@east#1 | t/a@west#1' b members g all
    kill -KILL "$(at east pid_of sys/node)"
    wait_until 10 eval '[[ $(at east column_of incarnation sys/node) == 2 ]]'
    wait_until 20 says east $'3\tt/a@east#1 | t/a@east#1 | t/a@west#1' b members g all
    wait_until 20 says west $'3\tt/a@west#1 | t/a@east#1 | t/a@east#1' b members g all
    assert_equal "$(at east column_of incarnation t/a)" 1
}

@test "a message to all reaches each distinct member once, here and there" {
    two_nodes
    assert_says east ok a join g 3
    assert_says west ok a join g 1
    assert_says west ok b join g 1
    assert_says east $'5\tt/a@east#1 | t/a@east#1 | t/a@east#1 | t/a@west#1 | t/b@west#1' b members g all
    assert_says east 3 b send g all hello
    assert_says east 'hello from t/b@east#1' a heard
    assert_says west 'hello from t/b@east#1' a heard
    assert_says west 'hello from t/b@east#1' b heard
}

@test "to one, to one a node, to the nearest" {
    local i

    two_nodes
    assert_says west ok a join g 1
    assert_says west ok b join g 1
    assert_says east $'2\tt/a@west#1 | t/b@west#1' b members g all
    assert_says east 1 b send g nearest far
    assert_says east ok a join g 1
    assert_says east $'3\tt/a@east#1 | t/a@west#1 | t/b@west#1' b members g all
    assert_says east 1 b send g one single
    assert_says east 2 b send g a_node each
    for i in 1 2 3; do
        assert_says east 1 b send g nearest "near $i"
    done
    wait_until 5 eval '[[ $(at east ask t/a heard) == *"near 1"*"near 2"*"near 3 from t/b@east#1"* ]]'
    wait_until 5 eval '[[ $(at west ask t/a heard)$(at west ask t/b heard) == *"each from t/b@east#1"* ]]'
    wait_until 5 eval '[[ $(at west ask t/a heard)$(at west ask t/b heard) == *"far from t/b@east#1"* ]]'
    assert_equal "$(cat <(at east ask t/a heard) <(at west ask t/a heard) <(at west ask t/b heard) |
        grep -o single | wc -l)" 1
}

@test "P12, Y04: what happens while nodes are apart is agreed on afterwards; membership is not transitive" {
    node east
    node west 'connect: isolated' "peers: [$(url_of east)]"
    node north 'connect: isolated' "peers: [$(url_of east)]"
    wait_until 10 are_connected east west
    wait_until 10 are_connected east north
    assert_says west ok a join g 1
    assert_says east $'1\tt/a@west#1' a members g all
    assert_says north $'0\t' a members g all
    kill -STOP "$(at east pid_of sys/node)"
    wait_until 20 says west $'1\tt/a@west#1' a members g all
    assert_says west ok a leave g 1
    assert_says west ok b join h 1
    kill -CONT "$(at east pid_of sys/node)"
    wait_until 30 says east $'0\t' a members g all
    wait_until 30 says east $'1\tt/b@west#1' a members h all
}

# The numbers that an actor has heard in notes, and what it should have
numbers() { # NODE ACTOR
    at "$1" ask "t/$2" heard | tr '|' '\n' | awk '{ print $1 }'
}

has_heard_last() { # NODE ACTOR NUMBER
    [[ $(numbers "$1" "$2" | tail -n 1) == "$3" ]]
}

heard_in_order() { # FROM NODE
    local i stopped

    for i in 1 2 3; do # the first time the direct way is new, then it is there
        stopped=$(at "$2" pid_of t/a)
        at "$2" ask t/a forget
        kill -STOP "$stopped" # both ways are full of what it has not read when it goes on
        assert_equal "$(at "$1" ask t/b mix g "t/a@$2" 400)" 400
        kill -CONT "$stopped"
        wait_until 10 has_heard_last "$2" a 400
        assert_equal "$(numbers "$2" a)" "$(seq 400)"
    done
}

@test "what goes to a group and to one of its members stays in order, in one node and between two, and nothing comes twice" {
    two_nodes
    assert_says east ok a join g 1
    assert_says west ok a join g 1
    wait_until 10 says west $'2\tt/a@west#1 | t/a@east#1' b members g all
    heard_in_order west west
    heard_in_order west east
    assert_says west ok b join g 1 # a third one, whom no direct message goes to
    at east ask t/b forget
    assert_says east ok b join g 1
    wait_until 10 says west 4 b send g all last
    at east ask t/b forget
    assert_equal "$(at west ask t/b mix g t/a@east 100)" 100
    wait_until 10 has_heard_last east b 99
    assert_equal "$(numbers east b)" "$(seq 20; seq 21 2 99)"
}

has_no_channel() { # NODE OTHER
    at "$1" troupe nodes -o jsonl | grep -q '"name": *"'"$2"'".*"channels": *0[,}]'
}

@test "what goes to a member stays behind what went to its group, after the ways there have rested, too" {
    local pid

    two_nodes
    assert_says east ok a join g 1
    wait_until 10 says west '1	t/a@east#1' b members g all
    pid=$(at east pid_of t/a)
    kill -STOP "$pid"
    assert_equal "$(at west ask t/b mix g t/a@east 20)" 20
    wait_until 45 has_no_channel west east # ways are closed when they were not used for 10 to 20 s
    at west ask t/b mix nobody t/a@east 60
    kill -CONT "$pid"
    wait_until 10 has_heard_last east a 60
    assert_equal "$(numbers east a)" "$(seq 20; seq 22 2 60)"
}
