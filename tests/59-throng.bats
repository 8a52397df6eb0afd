#!/usr/bin/env bats
#
# More senders than a mailbox has room for connections: 1,024 sit, the others wait in the queue.

bats_require_minimum_version 1.5.0
load helper

EACH=1000 # senders below a supervisor: with sanitizers, whose processes are large, a few more than have room
[[ -z ${SAN:-} ]] || EACH=400

# throng SUPERVISORS SENDERS EVERY COUNT: so many senders below each supervisor, who send so many numbers each
# to t/ledger, one every so many ms, casts and calls by turns; and tell t/tally when all are answered. They
# begin when there is a file called go.
throng() {
    local n

    {
        printf 'troupe: 1\napplication: t\nsupervisor:\n  intensity: 10\n  children:\n'
        echo "    - {name: tally, module: tally}"
        echo "    - {name: ledger, module: ledger, args: {file: $DIR/ledger.txt}}"
        for ((n = 0; n < $1; n++)); do
            cat <<END
    - name: farm$n
      supervisor:
        max_children: 1000
        children:
          - {name: s, module: source, replicas: $2, restart: temporary,
             args: {to: t/ledger, tally: t/tally, every: $3, count: $4, first: ${n}000, after: $DIR/go}}
END
        done
    } | yaml t.yaml
    node_up t.yaml
}

have_told() { # N
    local told

    told=$(ask t/tally total)
    [[ ${told%%$'\t'*} == "$1" ]]
}

# From each sender every number once, in its order.
# assert_all_in_order SENDERS COUNT
assert_all_in_order() { # SENDERS COUNT
    awk -v senders="$1" -v count="$2" '
        $3 != ++last[$2] { print "line " NR ": " $0 " after " last[$2] - 1; bad = 1 }
        END {
            for (sender in last) { known++; if (last[sender] != count) bad = 1 }
            if (known != senders) print known " senders were heard"
            exit bad || known != senders
        }' ledger.txt
}

@test "of thousands of senders to one actor each is heard within seconds, all it said once and in its order" {
    local start total

    throng 3 "$EACH" 100 4
    touch go
    start=$(now_ms)
    wait_until 30 have_told $((3 * EACH))
    echo "# $((3 * EACH)) senders in $(($(now_ms) - start)) ms" >&3
    (($(now_ms) - start < 9000 * TEST_SCALE)) # what rests is left alone for 10 s
    # told, asked, answered, failed, wrong answers, failures without a proper name
    IFS=$'\t' read -r -a total <<<"$(ask t/tally total)"
    assert_equal "${total[*]}" "$((3 * EACH)) $((6 * EACH)) $((6 * EACH)) 0 0 0"
    assert_all_in_order $((3 * EACH)) 4
}

# nobody_was_far_ahead SENDERS NUMBER: when each had been heard, none had got beyond that number.
nobody_was_far_ahead() {
    awk -v senders="$1" -v limit="$2" '
        !($2 in heard) { heard[$2]; known++ }
        $3 > most { most = $3 }
        known == senders { print "# the first was at " most " when the last was heard"; exit !(most <= limit) }
    ' ledger.txt >&3
}

@test "senders that never rest do not keep those waiting for whom there was no room" {
    throng 3 400 200 30
    touch go
    wait_until 60 have_told 1200
    assert_all_in_order 1200 30
    nobody_was_far_ahead 1200 25
}

# ---- who does not know the words ------------------------------------------------------------------

# An actor, and CROWD clients of this kind that keep their connections (tests/helpers/sitters.py).
crowd_of() { # KIND [BODY…]
    yaml t.yaml <<'END'
troupe: 1
application: t
supervisor:
  children:
    - {name: counter, module: counter}
    - {name: listener, module: listener}
END
    node_up t.yaml
    mkfifo crowd.in
    in_background crowd sh -c "exec python3 '$TOP/tests/helpers/sitters.py' '$1' '$TROUPE_RUN/t/counter' 1100 ${2:-} <>crowd.in"
}

seated_are() { # N: that many sit now
    [[ $(tail -n 1 crowd.out) == "seated $1" ]]
}

have_sat() { # N
    awk -v n="$1" '$2 >= n { found = 1 } END { exit !found }' crowd.out
}

has_heard() { # ADDRESS TEXT
    [[ $(ask "$1" heard) == "$2" ]]
}

# In a time in which nobody would have given up the seat by himself.
is_answered() {
    timeout $((30 * TEST_SCALE)) troupe call --timeout $((8 * TEST_SCALE))s t/counter add 0
}

@test "nng's askers, of whom each keeps its connection, do not keep others out" {
    crowd_of req value
    wait_until 20 have_sat 1000
    run is_answered
    assert_output 0
    run timeout $((20 * TEST_SCALE)) "$BUILD/tests/helpers/nng_client" dial req "$TROUPE_RUN/t/counter" 20 nonsense
    assert_success
    assert_equal "$(grep -c '^!unknown_message' <<<"$output")" 20
}

@test "nng's askers that never rest have their turns: each is answered, and nothing is done twice" {
    yaml t.yaml <<'END'
troupe: 1
application: t
supervisor:
  children:
    - {name: counter, module: counter}
END
    node_up t.yaml
    run timeout $((60 * TEST_SCALE)) python3 "$TOP/tests/helpers/askers.py" "$TROUPE_RUN/t/counter" 1300 40 $'add\t1'
    assert_success
    echo "# $output" >&3
    assert_output --regexp '^answered 52000 resent [0-9]+$'
    assert_equal "$(ask t/counter value)" 52000
}

@test "who never says who it is does not keep others out" {
    crowd_of mute
    wait_until 20 have_sat 1000
    run is_answered
    assert_output 0
}

@test "those who keep their seats have not all of them, and one too many is told so" {
    crowd_of sub
    wait_until 20 seated_are 896
    run is_answered
    assert_output 0
    ask t/listener subscribe t/counter "" 0
    wait_until 5 has_heard t/listener "ended overloaded too many subscribers"
    seated_are 896
}

# Somebody has gone, and somebody else has come: since there were so many lines.
has_changed() { # LINES
    (($(wc -l <crowd.out) > $1))
}

@test "nng's pushers have not all the seats, either, and one that is quiet makes room for another" {
    local lines
    crowd_of push
    wait_until 20 seated_are 896
    run is_answered
    assert_output 0
    lines=$(wc -l <crowd.out)
    wait_until 20 has_changed "$lines" # who is quiet for ten seconds
    wait_until 10 seated_are 896
}
