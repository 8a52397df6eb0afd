#!/usr/bin/env bats
#
# Programs as actors (workers/port.c): what works, and what a program may do wrong without harm to others.

bats_require_minimum_version 1.5.0
load helper

setup() {
    troupe_setup
    require nngcat python3
}

# t/odd is a program that does what it is told, however odd; t/counter and t/crowd are plain actors.
odd() { # [ARGS OF THE PORT [CHILD KEYS [MORE CHILDREN]]]
    yaml t.yaml <<END
troupe: 1
application: t
supervisor:
  intensity: 1000
  period: 300s
  children:
    - {name: counter, module: counter}
    - {name: crowd, module: crowd}
    - name: odd
      module: port
      args: {exec: "python3 $TOP/tests/helpers/port_odd.py"${1:+, $1}}
${2:+      $2}
${3:+    $3}
END
    node_up t.yaml
}

call() { # MESSAGE ARG…
    timeout $((20 * TEST_SCALE)) troupe call --timeout $((15 * TEST_SCALE))s t/odd "$@"
}

# The port itself goes on, as the same incarnation.
assert_unharmed() {
    run call echo "still there"
    assert_success
    assert_output "still there"
    assert_equal "$(incarnation_of t/odd)" "${1:-1}"
}

logged() { # PATTERN [PATH]
    grep -q -e "$1" "$TROUPE_STATE/log/${2:-t/odd}.log"
}

# ---- the examples ------------------------------------------------------------------------

examples() {
    cp "$TOP"/etc/examples/port* "$DIR"
    node_up ports.yaml
}

@test "the example in shell counts words" {
    examples
    run troupe call ports/words count "to be or not	to be \\ *"
    assert_output 8
    run troupe call ports/words total
    assert_output 8
    status_is() { [[ $(column_of status ports/words) == "$1" ]]; }
    wait_until 5 status_is "8 words so far"
    run troupe describe ports/words
    assert_line --regexp "^count +TEXT +INT64 +counts the words of a text$"
    run troupe call ports/words sum
    assert_failure
    run timeout 10 nngcat --req --dial "ipc://$TROUPE_RUN/ports/words" --data "sum" --raw
    assert_output "!unknown_message sum"
}

@test "the example in Python remembers texts, and tells others" {
    examples
    in_background sub timeout 20 nngcat --sub --dial "ipc://$TROUPE_RUN/ports/memory" \
        --subscribe "" --count 2 --quoted
    heard() { # until the subscription stands, nobody hears it
        troupe call ports/memory put "a	key" "a
value \\" && grep -q put "$DIR/sub.out"
    }
    wait_until 10 heard
    run troupe call ports/memory get "a	key"
    assert_output 'a\nvalue \\'
    run troupe call ports/memory size
    assert_output 1
    run troupe call ports/memory get nothing
    assert_failure 8
    assert_output --partial "error nothing is remembered under 'nothing'"
    troupe call ports/memory delete "a	key"
    run troupe call ports/memory size
    assert_output 0
    run column_of status ports/memory
    assert_output "with an empty memory"
}

@test "the example in awk calculates" {
    examples
    run troupe call ports/calc add 2 0.5
    assert_output 2.5
    run troupe call ports/calc divide 1 0
    assert_failure 8
    assert_output --partial "error division by zero"
    troupe send ports/calc multiply 6 7
    run troupe call ports/calc last
    assert_output 42
    run troupe call ports/calc add 2 two
    assert_failure 2
    run timeout 10 nngcat --req --dial "ipc://$TROUPE_RUN/ports/calc" --data "add	2	two" --raw
    assert_output "!bad_message add: argument 2: expected f"
}

@test "the actor in awk that README and manual show works" {
    sed -n '/^```awk$/,/^```$/p' "$TOP/README.md" | grep -v '^```' >double.awk
    grep -q double double.awk
    yaml t.yaml <<END
troupe: 1
application: t
supervisor:
  children:
    - $(sed -n 's/^With `\({name: double.*}\)` among.*/\1/p' "$TOP/README.md")
END
    node_up t.yaml
    described() { troupe describe t/double | grep -q "double *DOUBLE *DOUBLE *doubles a number"; }
    wait_until 5 described
    run troupe call t/double double 21
    assert_output 42
}

# ---- what goes in and out ----------------------------------------------------------------

@test "a program that describes nothing gets every message, with its arguments as texts" {
    odd
    run call echo "one" "two	three" ""
    assert_output $'one\ttwo\\tthree\t'
    run call echo
    assert_success
    assert_output ""
    run troupe describe t/odd
    assert_line --regexp '^\* '
    run timeout 10 nngcat --req --dial "ipc://$TROUPE_RUN/t/odd" --data "echo	5" --raw
    assert_output "+5"
    run troupe call t/crowd ask t/odd echo hello 5 2 5000
    assert_output "answered=5"
}

@test "errors of a program are errors of its caller, and those with a name keep it" {
    odd
    run call fail "no such thing"
    assert_failure 8
    assert_output "troupe: t/odd: error no such thing"
    run call fail "overloaded for today"
    assert_output "troupe: t/odd: overloaded for today"
    run call fail ""
    assert_output "troupe: t/odd: error without a reason"
}

@test "a program casts, publishes, logs, and tells its status, unasked" {
    odd
    call say cast t/counter add 5
    value_is() { [[ $(troupe call t/counter value) == "$1" ]]; }
    wait_until 5 value_is 5
    call say log warning "a text\\twith a tab"
    wait_until 5 logged 'level=warning .*event=port.log text="a text'
    call say status "very busy"
    status_is() { [[ $(column_of status t/odd) == "very busy" ]]; }
    wait_until 5 status_is
    in_background sub timeout 20 nngcat --sub --dial "ipc://$TROUPE_RUN/t/odd" --subscribe tick \
        --count 1 --quoted
    heard() { call say publish tick 7 && grep -q 'tick\\t7' "$DIR/sub.out"; }
    wait_until 10 heard
    call say cast no//sense add 5
    call say cast t/nobody add 5
    call say log "TOO LOUD" x
    call say publish .hidden 7
    call say publish "two\\nlines" 7
    wait_until 5 logged "fault=lost_cast what=\"no//sense add: not an address and a message's name\""
    wait_until 5 logged "fault=bad_line what=\"publish .hidden: not a topic\""
    wait_until 5 logged "fault=lost_cast what=\"t/nobody add: noproc\""
    wait_until 5 logged "fault=bad_line what=\"log: expected a level"
    assert_unharmed
}

@test "a cast needs no answer, and has no number that could be answered" {
    odd
    troupe send t/odd echo hello
    wait_until 5 logged "fault=bad_line"
    assert_unharmed
}

@test "the program is a child of the port, and has no descriptors but three" {
    odd
    run call descriptors
    assert_output $'0 1 2\t4' # and the one that it lists them by
    run call environment TROUPE_PATH
    assert_output t/odd
    run call environment TROUPE_CONTROL
    assert_output unset
    assert_equal "$(ps -o ppid= -p "$(call pid)" | tr -d ' ')" "$(pid_of t/odd)"
    assert_equal "$(ps -o pgid= -p "$(call pid)" | tr -d ' ')" "$(pid_of t/odd)"
}

@test "what comes together is written together" {
    odd "queue: 1000"
    local port before
    call echo warm
    port=$(pid_of t/odd)
    writes() { awk '/^syscw/ { print $2 }' "/proc/$port/io"; }
    has_asked() { (($(column_of out t/crowd) >= 500)); }
    before=$(writes)
    kill -STOP "$port"
    in_background asker timeout 20 troupe call --timeout 15s t/crowd ask t/odd echo hello 500 500 10000
    wait_until 10 has_asked
    kill -CONT "$port"
    wait_until 10 grep -q answered=500 "$DIR/asker.out"
    (($(writes) - before < 100))
}

@test "what a program says of its messages is printed on a line each, and no line is its own" {
    odd
    call say describe '*'
    call say describe ring i i $'a bell\n* two lines'
    is_described() { troupe describe t/odd | grep -q ^ring; }
    wait_until 5 is_described
    run troupe describe t/odd
    assert_line --regexp '^ring .* a bell\\n\* two lines$'
    run troupe describe -o help t/odd
    assert_line 'a bell\n* two lines'
    run troupe describe -o json t/odd
    assert_output --partial '"a bell\n* two lines"'
}

# ---- beginning and end -------------------------------------------------------------------

@test "a command that is missing is a failed start that names it" {
    yaml t.yaml <<END
troupe: 1
application: t
supervisor:
  children:
    - {name: odd, module: port, args: {exec: "no-such-program -x"}}
END
    run node_up t.yaml
    assert_failure
    assert_output --partial "exec: no-such-program: No such file or directory"
}

@test "arguments that a port does not know are refused by name" {
    yaml t.yaml <<END
troupe: 1
application: t
supervisor:
  children:
    - {name: odd, module: port, args: {exec: "cat", qeue: 5}}
END
    run node_up t.yaml
    assert_failure
    assert_output --partial "args: qeue: unknown: did you mean queue?"
}

@test "with ready: line nothing is sent before the program says so; what came waits" {
    cat >slow.sh <<'END'
until [ -e go ]; do sleep 0.01; done
printf 'ready\tat last\n'
while IFS='	' read -r ref message; do printf '%s\t%s\n' "$ref" "$message"; done
END
    yaml t.yaml <<END
troupe: 1
application: t
supervisor:
  children:
    - {name: odd, module: port, args: {exec: "sh slow.sh", ready: line}}
END
    in_background up troupe up -d t.yaml
    wait_for_state t/odd starting
    in_background asker timeout 20 nngcat --req --dial "ipc://$TROUPE_RUN/t/odd" --data hello --raw
    holds_for 200 state_is t/odd starting
    touch go
    wait_for_state t/odd ready
    wait_until 5 grep -q "+hello" "$DIR/asker.out"
    assert_equal "$(column_of status t/odd)" "at last"
}

@test "a program that ends before it is ready is a failed start, with its reason" {
    yaml t.yaml <<END
troupe: 1
application: t
supervisor:
  children:
    - {name: odd, module: port, args: {exec: "sh -c 'exit 3'", ready: line}}
END
    run node_up t.yaml
    assert_failure
    assert_output --partial "exit:3"
}

@test "a program that ends takes its port along: callers hear why, and both begin anew" {
    odd
    run call exit 3
    assert_failure 1
    assert_output --partial "down exit:3"
    wait_until 10 is_restarted t/odd 1
    assert_unharmed 2
    run call half text 0
    assert_output --partial "down signal:KILL"
    wait_until 10 is_restarted t/odd 2
    run troupe why t/odd
    assert_output --partial "signal:KILL"
}

@test "what a program wants by its exit code, it gets: the port ends with its status" {
    odd "" "exit_codes: {75: restart_after 400ms, 78: abort}"
    local began
    began=$(now_ms)
    run call exit 75
    assert_output --partial "down exit:75"
    wait_for_state t/odd backoff
    wait_until 10 is_restarted t/odd 1
    (($(now_ms) - began >= 400))
    call exit 76 || true # says nothing of that: restarted as it is declared
    wait_until 10 is_restarted t/odd 2
    call exit 78 || true
    wait_for_state t failed
    assert_equal "$(column_of last t)" "shutdown abort t/odd"
}

@test "a program that ends with 0 has ended normally" {
    odd "" "restart: transient"
    run call exit 0
    assert_failure 1
    assert_output --partial "down normal"
    ended() { [[ $(column_of state t/odd) != ready && $(column_of last t/odd) == normal* ]]; }
    wait_until 10 ended
}

@test "an answer that is whole counts, however soon the program ends; half of one is none" {
    odd
    local answer length incarnation=1
    answer=$'N\tabc\n' # N: one digit, it is always the first request
    for ((length = 0; length <= ${#answer}; length++)); do
        run call half abc $length
        if ((length == ${#answer})); then
            assert_success
            assert_output abc
        else
            assert_failure 1
            assert_output --partial "down signal:KILL"
        fi
        wait_until 10 is_restarted t/odd $incarnation
        ((++incarnation))
    done
    wait_until 5 logged "fault=half_line what=\"5 bytes without a newline\""
}

@test "a stop lets the program answer what it has, and end by itself" {
    odd
    local program
    program=$(call pid)
    in_background asker timeout 20 troupe call t/odd late 0.5
    wait_until 5 test -e late.begun
    timeout 20 troupe stop t/odd
    wait_until 5 grep -q late "$DIR/asker.out"
    process_is_gone "$program"
    run troupe why t/odd
    assert_output --partial shutdown
}

@test "a program that does not end is ended" {
    odd "grace: 100ms"
    local program
    program=$(call pid)
    kill -STOP "$program"
    run timeout 20 troupe stop t/odd
    assert_success
    process_is_gone "$program"
}

@test "a program dies with its port" {
    odd
    local program
    program=$(call pid)
    kill -KILL "$(pid_of t/odd)"
    wait_until 5 process_is_gone "$program"
    wait_until 10 is_restarted t/odd 1
    assert_unharmed 2
}

@test "a program that closes its output or its input, and lives on, is ended and begun anew" {
    odd
    run call close_output
    assert_output --partial "down error port: the program has closed its output"
    wait_until 10 is_restarted t/odd 1
    run call close_input
    assert_output --partial "down error port: the program has closed its input"
    wait_until 10 is_restarted t/odd 2
    assert_unharmed 3
}

# ---- faults ------------------------------------------------------------------------------

@test "an answer that is given twice counts once" {
    odd
    run call twice hello
    assert_output hello
    wait_until 5 logged "fault=late_answer what=1 count=1"
    assert_unharmed
}

@test "an answer to nothing is counted and logged" {
    odd
    run call unknown hello
    assert_output hello
    wait_until 5 logged "fault=unknown_ref what=999999999 count=1"
    assert_unharmed
}

@test "a line that is too long costs its own answer" {
    odd "line: 1k"
    run call long 1022
    assert_success
    assert_equal "${#output}" 1022
    run call long 1023
    assert_failure 8
    assert_output "troupe: t/odd: error port: a line of the program is longer than 1024 bytes"
    run call long 1000000
    assert_output "troupe: t/odd: error port: a line of the program is longer than 1024 bytes"
    run call echo "$(printf '%01100d' 0)"
    assert_failure
    assert_output "troupe: t/odd: bad_message echo: longer than a line may be: 1024 bytes"
    assert_unharmed
}

@test "bytes that no line may hold are refused by name, and what is behind them is served" {
    odd
    call say describe '*' # the next message is none that it has described
    call say describe bytes B s
    is_described() { troupe describe t/odd | grep -q ^bytes; }
    wait_until 5 is_described
    printf 'a\0b' >nul
    run timeout 10 troupe call --raw t/odd bytes <nul
    assert_failure 8
    assert_output "troupe: t/odd: bad_message bytes: a NUL byte: a line cannot hold it"
    assert_unharmed
}

@test "bytes that no line may hold cost the answer they are in" {
    odd
    run call nul
    assert_output "troupe: t/odd: error port: NUL byte"
    run call escape
    assert_output --partial "error port: bad escape"
    call latin >latin.out
    assert_equal "$(od -An -tx1 <latin.out | tr -d ' \n')" "636166e90a"
    run timeout 10 nngcat --req --dial "ipc://$TROUPE_RUN/t/odd" --data $'echo\tcaf\xe9' --raw
    assert_output $'+caf\xe9'
    assert_unharmed
}

@test "a flood without a newline is one bad line, and takes no memory" {
    odd
    local before after
    before=$(awk '/^VmHWM/ { print $2 }' "/proc/$(pid_of t/odd)/status")
    run call flood 100000000
    assert_output flooded
    after=$(awk '/^VmHWM/ { print $2 }' "/proc/$(pid_of t/odd)/status")
    ((after - before < 4096))
    wait_until 5 logged "fault=long_line .* count=1"
    assert_unharmed
}

@test "a flood of bad lines is counted, and only some of it is logged" {
    odd
    run call words 20000
    assert_output said
    run call words 1
    (($(grep -c "fault=bad_line" "$TROUPE_STATE/log/t/odd.log") < 200))
    assert_unharmed
}

@test "a program that floods another actor is made to wait for it, and nothing is lost" {
    odd "" "" "- {name: other, module: counter, mailbox: {messages: 100}}"
    run call spray t/other add 20000
    assert_output sprayed
    value_is() { [[ $(troupe call t/other value) == "$1" ]]; }
    wait_until 10 value_is 199990000
    run logged lost_cast
    assert_failure
}

@test "an actor that does not take its casts costs a program a second, not more" {
    odd "" "" "- {name: other, module: counter, mailbox: {messages: 10}}"
    kill -STOP "$(pid_of t/other)"
    run timeout 60 troupe call --timeout 50s t/odd spray t/other add 500000
    assert_output sprayed
    wait_until 5 logged "fault=lost_cast what=\"t/other add: it does not keep up\""
    kill -CONT "$(pid_of t/other)"
    assert_unharmed
}

@test "a program that hangs under a thousand calls: each ends by name, in bounded memory" {
    odd "queue: 10"
    local program before after
    program=$(call pid)
    before=$(awk '/^VmHWM/ { print $2 }' "/proc/$(pid_of t/odd)/status")
    kill -STOP "$program"
    run timeout 60 troupe call --timeout 50s t/crowd ask t/odd echo hello 1000 1000 2000
    assert_output "timeout=1000"
    after=$(awk '/^VmHWM/ { print $2 }' "/proc/$(pid_of t/odd)/status")
    ((after - before < 8192))
    kill -CONT "$program"
    assert_unharmed
    run timeout 60 troupe call --timeout 50s t/crowd ask t/odd echo hello 1000 1000 20000
    assert_output "answered=1000"
}

@test "a program that does not answer loses its callers, not its place" {
    odd "queue: 2"
    run timeout 20 troupe call t/crowd ask t/odd ignore x 10 10 500
    assert_output "timeout=10"
    assert_unharmed
    run timeout 20 troupe call t/crowd ask t/odd late 0.6 1 1 200
    assert_output "timeout=1"
    wait_until 5 logged "fault=late_answer"
    assert_unharmed
}

@test "a hundred restarts under load: every call is answered, or failed by name" {
    cat >mortal.sh <<'END'
n=0
while IFS='	' read -r ref message text; do
    n=$((n + 1))
    [ $n -eq 20 ] && exit 3
    printf '%s\t%s\n' "$ref" "$text"
done
END
    yaml t.yaml <<END
troupe: 1
application: t
supervisor:
  intensity: 100000
  period: 300s
  children:
    - {name: crowd, module: crowd}
    - {name: odd, module: port, args: {exec: "sh mortal.sh"}}
END
    node_up t.yaml
    run timeout $((120 * TEST_SCALE)) troupe call --timeout $((100 * TEST_SCALE))s t/crowd ask t/odd \
        echo hello 3000 4 30000
    assert_success
    [[ $output =~ ^answered=([0-9]+)\ down=([0-9]+)$ ]]
    ((BASH_REMATCH[1] + BASH_REMATCH[2] == 3000))
    ((BASH_REMATCH[1] > 1500))
    (($(incarnation_of t/odd) > 100))
}

@test "a module has its environment however many variables there are" {
    local i

    for ((i = 0; i < 600; i++)); do
        export "MANY_$i=$i"
    done
    yaml t.yaml <<END
troupe: 1
application: t
supervisor:
  children:
    - {name: shell, module: port, args: {exec: "sh $TOP/etc/examples/port.sh", ready: line}}
END
    node_up t.yaml
    assert_equal "$(state_of t/shell)" ready
}

# What programs tell of what they were told: a port's in answers, others in a file.
tell_sh() {
    cat >tell.sh <<'END'
while IFS='	' read -r ref message rest; do
    printf '%s\t%s %s %s\n' "$ref" "${#BIG}" "${NUMBERED%%x*}${#NUMBERED}" "$TROUPE_PATH"
done
END
    cat >note.sh <<'END'
echo "${#BIG} ${#NUMBERED} $LISTEN_PID $$" >"$1.new"
mv "$1.new" "$1"
exec sleep 1000
END
}

@test "what a child is told may be as long as it likes: modules, programs, each replica" {
    local big

    big=$(head -c 50000 /dev/zero | tr '\0' x)
    tell_sh
    yaml t.yaml <<END
troupe: 1
application: t
supervisor:
  children:
    - {name: tells, module: port, args: {exec: "sh tell.sh"}, replicas: 2,
       env: {BIG: "$big", NUMBERED: "\${replica}$big"}}
    - {name: program, exec: [sh, note.sh, told], mailbox: true, env: {BIG: "$big"}}
    - {name: small, exec: [sh, note.sh, small], mailbox: true}
END
    node_up t.yaml
    assert_equal "$(troupe call t/tells.1 tell)" '50000 150001 t/tells.1'
    assert_equal "$(troupe call t/tells.2 tell)" '50000 250001 t/tells.2'
    kill -KILL "$(pid_of t/tells.2)"
    wait_until 5 is_restarted t/tells.2 1
    assert_equal "$(troupe call t/tells.2 tell)" '50000 250001 t/tells.2'
    wait_until 5 test -e told -a -e small
    assert_equal "$(cat told)" "50000 0 $(pid_of t/program) $(pid_of t/program)"
    assert_equal "$(cat small)" "0 0 $(pid_of t/small) $(pid_of t/small)"
}
