#!/usr/bin/env bats
#
# Rules that sys/node and those who speak to it keep: the same cookie for whoever checks it, the same port
# after a restart, no other's name, nothing lost unsaid, and asking again for what was not to be had.

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
    - {name: a, module: talker}
    - {name: g, module: grouper}
YAML
}

# ---- cookie and port ------------------------------------------------------------------------------

# What `troupe check` and sys/node say of a cookie of SIZE bytes and a newline
checks_and_starts() { # SIZE
    printf "%0$1d\n" 0 >cookie
    {
        cat tree.yaml
        printf 'node: {name: east, cookie_file: %s/cookie}\n' "$DIR"
    } >checked.yaml
    troupe check checked.yaml && TROUPE_NODE=east timeout 10 troupe-node --cookie cookie --peer nonsense
}

@test "what may be a cookie is one rule: a newline at its end does not count, for check and for sys/node" {
    chmod 600 cookie
    run checks_and_starts 15
    assert_output --partial "cookie_file: too short: expected a file of 16 to 4096 bytes"
    run env TROUPE_NODE=east troupe-node --cookie cookie
    assert_failure 78
    assert_output --partial "too short: expected a file of 16 to 4096 bytes"
    run checks_and_starts 16
    refute_output --partial short
    assert_output --partial "nonsense: expected tcp://" # it has come past the cookie
}

other_url() { # NODE URL: does it listen elsewhere?
    [[ -n $(url_of "$1") && $(url_of "$1") != "$2" ]]
}

listens_times() { # NODE COUNT
    (($(at "$1" troupe log -n 1000 sys/node | grep -c event=node.listen) >= $2))
}

@test "sys/node on a port that was the kernel's choice has the same one when it is restarted" {
    local url round

    node east 'listen: tcp://127.0.0.1:0'
    url=$(url_of east)
    node west "peers: ['$url']"
    wait_until 10 are_connected east west
    for round in 2 3; do
        kill -KILL "$(at east pid_of sys/node)"
        wait_until 10 listens_times east $round
        assert_equal "$(url_of east)" "$url"
    done
    wait_until 20 are_connected east west
}

@test "sys/node whose port was taken by another meanwhile has another one" {
    local url sys

    require python3
    node east 'listen: tcp://127.0.0.1:0'
    url=$(url_of east)
    sys=$(supervisor_of_sys)
    kill -STOP "$sys" # nobody restarts it before the other has the port
    kill -KILL "$(at east pid_of sys/node)"
    in_background squatter python3 -c '
import socket, sys, time
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
while True:
    try:
        s.bind(("127.0.0.1", int(sys.argv[1])))
        s.listen()
        break
    except OSError:
        time.sleep(0.01)
print("squats", flush=True)
time.sleep(60)' "${url##*:}"
    wait_until 10 grep -q squats squatter.out
    kill -CONT "$sys"
    wait_until 20 other_url east "$url"
}

# ---- who speaks to sys/node --------------------------------------------------------------------------

# What a process of this node hears that casts to a group by way of sys/node
hears_of_cast() { # NODE GROUP
    local pid

    mkfifo say.fifo # its input stays open until there is an answer
    TROUPE_RUN=$DIR/$1 stranger sys/node <>say.fifo >heard 2>&1 3>&- 4>&- &
    pid=$!
    printf 'cast\t%s\tnote\n' "$2" >say.fifo
    wait_until 5 test -s heard
    kill $pid
    cat heard
}

@test "a message to a group by way of its own sys/node is denied: there it could be in anybody's name" {
    two_nodes
    at east ask t/g join all 1
    run hears_of_cast east pg:all
    assert_output --partial "denied a message to a group"
    at west ask t/g send all all 'from afar'
    wait_until 10 heard_from_afar
    assert_equal "$(at east ask t/g heard)" "from afar from t/g@west#1"
}

heard_from_afar() {
    [[ -n $(at east ask t/g heard) ]]
}

# What a process of this node hears that calls itself NAME, and tells sys/node what its children have joined
hears_of_claim() { # NODE NAME
    rm -f say.fifo heard
    mkfifo say.fifo
    TROUPE_RUN=$DIR/$1 stranger sys/node "$2" <>say.fifo >heard 2>&1 3>&- 4>&- &
    register_pid $!
    printf 'request\tgroup-snapshot\tt/a#7\tpg\tall\t2\nrequest\tgroup-join\tt/a#7\tpg\tall\t1\n' >say.fifo
    wait_until 5 eval '(($(wc -l <heard) >= 2))'
    cat heard
}

@test "only a supervisor tells what its children have joined, whatever another calls itself" {
    local name node

    two_nodes
    at east ask t/g join all 1
    for name in t@east#1 .@east#1 t@west#1 t .@west#1 stranger@east#1 t/a@east#1 sys@east#1; do
        run hears_of_claim east "$name"
        assert_line --regexp '^error.1.denied '
        refute_output --partial reply
    done
    for node in east west; do
        wait_until 10 eval "[[ \$(at $node ask t/g members all all) == \$'1\tt/g@east#1' ]]"
    done
    kill -KILL "$(at east pid_of sys/node)" # those who may tell it again
    wait_until 20 eval '[[ $(at west ask t/g members all all) == 1*t/g@east#1 ]]'
}

# In the root's table: the process that has that application
write_pid() { # APPLICATION PID
    python3 - "$DIR/east/.table" "$1" "$2" <<'END'
import mmap, sys
name = sys.argv[2].encode() + b"\0"
with open(sys.argv[1], "r+b") as file, mmap.mmap(file.fileno(), 0) as table:
    slot = next(at for at in range(0, len(table), 4096) if table[at:at + len(name)] == name)
    table[slot + 72:slot + 76] = int(sys.argv[3]).to_bytes(4, sys.byteorder)
END
}

has_no_answer() {
    [[ ! -s joined.out ]]
}

@test "a supervisor that its parent has not written down yet is heard when it is, and nobody's join fails meanwhile" {
    local pid

    require python3
    node east
    pid=$(at east pid_of t)
    write_pid t 0
    at east in_background joined troupe call t/g join all 1
    holds_for 150 has_no_answer
    write_pid t "$pid"
    wait_until 5 grep -qx ok joined.out
    assert_equal "$(at east ask t/g members all all)" $'1\tt/g@east#1'
}

# ---- what is lost -------------------------------------------------------------------------------------

has_lost() { # NODE
    at "$1" troupe log -n 1000 sys/node | grep -q 'event=node.lost messages='
}

next_life_refuses() {
    [[ $(at west ask t/a heard) == *"undelivered t/g@east put unknown_message"* ]]
}

@test "casts that sys/node has taken for an actor that ends before it reads them go to its next life" {
    local pid

    two_nodes
    at west ask t/a call t/g@east 5000 forget # the way is open
    pid=$(at east pid_of t/g)
    kill -STOP "$pid"
    assert_equal "$(at west ask t/a pour t/g@east 25 30000)" 25
    wait_until 20 has_come east 700000
    kill -KILL "$pid"
    wait_until 20 next_life_refuses
}

@test "casts of one who does not ask are counted, and the count is logged" {
    local pid

    two_nodes
    at west ask t/g join flooded 1
    at east ask t/g join flooded 1
    at west ask t/g send flooded all first
    pid=$(at east pid_of t/g)
    kill -STOP "$pid"
    assert_equal "$(at west ask t/g pour flooded 100 30000)" 100
    wait_until 20 has_come east 3000000
    kill -KILL "$pid"
    wait_until 20 has_lost east
}

has_come() { # NODE BYTES: from west
    (($(at "$1" troupe nodes -o jsonl | sed -n 's/.*"name": *"west".*"in": *\([0-9]*\).*/\1/p') >= $2))
}

# ---- sys/node that is not there ---------------------------------------------------------------------------

joins() {
    [[ $(ask t/g join g 1) == ok ]]
}

@test "sys/node that could not be started is asked for again" {
    mkdir -p own/bin own/workers
    cp "$BUILD"/bin/troupe{,-supervisord} own/bin
    cp "$BUILD"/workers/log own/workers
    PATH=$DIR/own/bin:$PATH
    node_up tree.yaml
    run ask t/g join g 1
    refute_output ok
    cp "$BUILD/bin/troupe-node" own/bin/new
    mv own/bin/new own/bin/troupe-node
    wait_until 20 joins
}

@test "sys/node that nobody had written down is there again when all of sys was restarted" {
    node_up tree.yaml
    wait_until 10 joins
    kill -KILL "$(supervisor_of_sys)"
    wait_until 20 joins
}

supervisor_of_sys() {
    node_procs "$TROUPE_RUN" | awk '$5 == "sys" && $6 == "troupe:" { print $1; exit }'
}
