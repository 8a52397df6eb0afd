# shellcheck shell=bash
#
# Messages under fire: receivers that die, hang, never read; senders that stop half way.

bats_require_minimum_version 1.5.0

load ../helper
load fault

# ask ADDRESS MESSAGE [ARG…]: a raw call, as anything that speaks nng would make it
ask() {
    local to=$1 IFS=$'\t'

    shift
    printf '%s' "$*" | timeout $((20 * TEST_SCALE)) nngcat --req --dial "ipc://$TROUPE_RUN/$to" --file - --raw
}

kill_ledger() {
    local pid=$1

    kill -KILL "$pid"
    wait_until 10 is_another_pid app/ledger "$pid"
}

is_another_pid() { # ADDRESS PID: something else runs there, ready
    local now

    now=$(pid_of "$1") && [[ $now != 0 && $now != "$2" && $(state_of "$1") == ready ]]
}

farm() { # N FIRST: a supervisor of N sources
    cat <<END
    - name: sources$2
      supervisor:
        max_children: $1
        intensity: unlimited
        children:
          - {name: s, module: source, replicas: $1, backoff: {initial: 100ms, max: 1s},
             args: {to: app/ledger, tally: app/tally, every: 300, count: 60, first: $2}}
END
}

all_have_told() { # N
    local told

    told=$(ask app/tally total)
    [[ ${told%%$'\t'*} == "+$1" ]]
}

@test "1,000 senders to one mailbox that is restarted 100 times: nothing twice, order kept, every call answered" {
    local i total

    {
        printf 'troupe: 1\napplication: app\nsupervisor:\n  intensity: 100000\n  period: 1s\n  children:\n'
        echo "    - {name: tally, module: tally}"
        echo "    - {name: ledger, module: ledger, args: {file: $DIR/ledger.txt}}"
        farm 500 0
        farm 500 500
    } | yaml app.yaml
    node_up app.yaml
    for ((i = 0; i < 100; i++)); do
        kill_ledger "$(pid_of app/ledger)"
    done
    wait_until 90 all_have_told 1000
    # told, asked, answered, failed, wrong answers, failures without a proper name
    IFS=$'\t' read -r -a total <<<"$(ask app/tally total)"
    echo "${total[*]}"
    ((total[1] == 30000 && total[1] == total[2] + total[3]))
    ((total[2] > 0 && total[3] > 0 && total[4] == 0 && total[5] == 0))
    # Over all lives of the ledger, the numbers of one sender only grow: none twice, none late.
    run awk '$3 <= last[$2] { print "line " NR ": " $0 " after " last[$2] } { last[$2] = $3 }' ledger.txt
    assert_output ""
    # And it was at work in many of those lives: in how many, the machine's load decides.
    (( $(cut -d' ' -f1 ledger.txt | sort -u | wc -l) > 10 ))
}
