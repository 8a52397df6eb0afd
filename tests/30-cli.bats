#!/usr/bin/env bats
#
# The command line by itself: usage, help, completion, formats, exit statuses.

bats_require_minimum_version 1.5.0
load helper

small_tree() {
    yaml shop.yaml <<'YAML'
troupe: 1
application: shop
supervisor:
  strategy: one_for_one
  intensity: 3
  period: 5s
  children:
    - {name: db, exec: [sh, -c, 'echo "hello from db"; exec sleep 1000']}
    - name: web
      supervisor:
        strategy: rest_for_one
        children:
          - {name: page, exec: [sleep, 1000]}
    - {name: farm, replicas: 3, exec: [sleep, 1000]}
    - {name: job, restart: transient, exec: [sh, -c, 'exit 0']}
YAML
    node_up shop.yaml
    wait_for_state shop/job exited
}

pool_tree() {
    yaml pool.yaml <<'YAML'
troupe: 1
application: pool
supervisor:
  template: {exec: [sleep]}
YAML
    node_up pool.yaml
}

# ---- usage -------------------------------------------------------------------------------

@test "without a verb the usage goes to stderr, with status 2" {
    run --separate-stderr troupe
    assert_failure 2
    assert_output ""
    # shellcheck disable=SC2154 # bats sets it
    [[ $stderr == *"usage: troupe VERB"* ]]
}

@test "a wrong verb names the nearest one, with status 2" {
    run troupe restrat x
    assert_failure 2
    assert_output --partial "did you mean restart?"
}

@test "a wrong option names the nearest one, with status 2" {
    run troupe ps --wdie
    assert_failure 2
    assert_output --partial "did you mean --wide?"
}

@test "an option without its value is refused" {
    run troupe log -n
    assert_failure 2
    assert_output --partial "expected N after it"
}

@test "a switch takes no value" {
    run troupe ps --wide=yes
    assert_failure 2
    assert_output --partial "--wide takes no value"
}

@test "a wrong column names the nearest one, with status 2" {
    run troupe ps -o path,stat
    assert_failure 2
    assert_output --partial "did you mean state?"
}

@test "too few and too many arguments are shown the usage, with status 2" {
    run troupe status
    assert_failure 2
    assert_output --partial "usage: troupe status"
    run troupe why a b
    assert_failure 2
}

# "--name" or "--name VALUE" for each option that a verb's help page lists.
options_of() {
    troupe help "$1" | sed -n '/^options:/,/^$/s/^ .*--\([a-z-]*\) \?\([A-Z]*\).*/--\1 \2/p'
}

@test "every verb has a help page, and takes each option that it lists" {
    local verb option value

    for verb in $(troupe help | awk '/^  [a-z]/ { print $1 }'); do
        run troupe help "$verb"
        assert_success
        assert_output --partial "usage: troupe $verb"
        while read -r option value; do
            run troupe "$verb" "$option" ${value:+1} --help
            assert_success
            assert_output --partial "usage: troupe $verb"
        done < <(options_of "$verb")
    done
    [[ $(options_of log) == *"--lines N"* ]]
}

@test "version prints one line" {
    run troupe version
    assert_success
    assert_output --regexp '^troupe [0-9]+\.[0-9]+\.[0-9]+$'
    run troupe --version
    assert_success
}

@test "without a node the status is 4" {
    run troupe ps
    assert_failure 4
    run troupe down
    assert_failure 4
    run troupe events
    assert_failure 4
}

@test "a reader that goes away ends the tool quietly" {
    run bash -c 'set -o pipefail; troupe help | head -n 1; echo ${PIPESTATUS[0]}'
    assert_line --index 1 0
    refute_output --partial "cannot write"
}

@test "output that cannot be written is a failure" {
    run bash -c 'troupe version >/dev/full'
    assert_failure 1
    assert_output --partial "cannot write"
}

# ---- documents made from the table -------------------------------------------------------

@test "the manual page's section on verbs is what the table of verbs says" {
    run diff <(troupe help --mdoc) <(sed -n '/^\.\\" What stands/,/^\.\\" The end/p' \
        "$TOP/man/troupe.1" | sed '1d;$d')
    assert_success
}

@test "the bash completion is valid bash" {
    troupe completion bash >c.bash
    bash -n c.bash
}

# Completes the words after the last argument; prints the candidates.
complete_words() {
    bash --norc -c 'source c.bash
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        _troupe
        printf "%s\n" "${COMPREPLY[@]}"' _ "$@"
}

@test "bash completes verbs, options, formats, files and shells" {
    troupe completion bash >c.bash
    touch some.yaml
    run complete_words troupe re
    assert_line restart
    run complete_words troupe log --fo
    assert_output -- --follow
    run complete_words troupe ps -o js
    assert_line json
    assert_line jsonl
    run complete_words troupe up some
    assert_output some.yaml
    run complete_words troupe completion f
    assert_output fish
}

@test "bash completes addresses of the running node" {
    small_tree
    troupe completion bash >c.bash
    run complete_words troupe stop shop/we
    assert_line shop/web
    assert_line shop/web/page
    run complete_words troupe down ""
    assert_output shop
}

@test "a completion for another shell than bash, zsh and fish is refused" {
    run troupe completion tcsh
    assert_failure 2
    troupe completion zsh >/dev/null
    troupe completion fish >/dev/null
}

@test "the zsh completion is valid zsh" {
    command -v zsh >/dev/null || skip "zsh is not installed"
    troupe completion zsh >c.zsh
    zsh -n c.zsh
}

@test "the fish completion is valid fish" {
    command -v fish >/dev/null || skip "fish is not installed"
    troupe completion fish >c.fish
    fish -n c.fish
}

# ---- ps and tree -------------------------------------------------------------------------

@test "ps shows every actor in start order, sys last" {
    small_tree
    run troupe ps -o path
    assert_success
    assert_line --index 0 shop
    assert_line --index 1 shop/db
    assert_line --index 2 shop/web
    assert_line --index 3 shop/web/page
    assert_line --index 4 shop/farm.1
    assert_line --index 7 shop/job
    assert_line --index 8 sys
}

@test "ps has the columns of the design and fits 80 of a terminal" {
    small_tree
    run troupe ps
    assert_line --index 0 --regexp '^PATH +PID +STATE +UP +RST +LAST +MEM +MBOX$'
    run env COLUMNS=80 TERM=xterm LANG=C.UTF-8 script -qec 'troupe ps' /dev/null
    assert_success
    while IFS= read -r line; do
        line=$(sed 's/\x1b\[[0-9;]*m//g; s/\r$//' <<<"$line")
        ((${#line} <= 80))
    done <<<"$output"
}

@test "ps ADDRESS shows that actor and what is below it, a pattern what it matches" {
    small_tree
    run troupe ps -o path shop/web
    assert_output $'shop/web\nshop/web/page'
    run troupe ps -o path 'shop/farm.*'
    assert_output $'shop/farm.1\nshop/farm.2\nshop/farm.3'
    run troupe ps -o path 'shop/w*'
    assert_output $'shop/web\nshop/web/page'
    run troupe ps 'shop/none.*'
    assert_failure 3
}

@test "JSON is versioned, with numbers as numbers and times in RFC 3339" {
    small_tree
    troupe ps -o json >ps.json
    python3 - <<'PY'
import json, datetime
d = json.load(open("ps.json"))
assert d["troupe"] == 1
rows = {r["path"]: r for r in d["actors"]}
db = rows["shop/db"]
assert isinstance(db["pid"], int) and db["pid"] > 1
assert isinstance(db["mem"], int) and isinstance(db["up"], int) and db["rst"] == 0
datetime.datetime.fromisoformat(db["started"].replace("Z", "+00:00"))
assert rows["shop/job"]["pid"] is None and rows["shop/job"]["state"] == "exited"
assert rows["shop/web"]["strategy"] == "rest_for_one"
PY
    troupe ps -o jsonl | python3 -c 'import json, sys; [json.loads(l) for l in sys.stdin]'
    [[ $(troupe tree -o json | python3 -c 'import json,sys; print(len(json.load(sys.stdin)["actors"]))') == $(troupe ps -o paths | wc -l) ]]
}

@test "columns print bare values with a TAB between them and - for none" {
    small_tree
    run troupe ps -o path,pid,state shop/job
    assert_output $'shop/job\t-\texited'
}

@test "tree draws with ASCII in a pipe and shows a supervisor's strategy and intensity" {
    small_tree
    run troupe tree shop
    assert_line --regexp '^shop .* one_for_one 0/3 in 5s$'
    assert_line --regexp '^\|- db '
    assert_line --regexp '^\|  `- page '
    assert_line --regexp '^`- job '
}

@test "tree draws with boxes on a terminal, unless asked for ASCII; NO_COLOR is honoured" {
    small_tree
    run env TERM=xterm LANG=C.UTF-8 script -qec 'troupe tree shop' /dev/null
    assert_output --partial $'\u251c\u2500 db'
    assert_output --partial $'\033['
    run env TERM=xterm LANG=C.UTF-8 NO_COLOR=1 script -qec 'troupe tree --ascii shop' /dev/null
    assert_output --partial '|- db'
    refute_output --partial $'\033['
}

is_paused() {
    [[ $(state_of "$1") == paused ]]
}

@test "a supervisor that does not answer is lost, and its children are shown from its table" {
    small_tree
    local shop web
    shop=$(pid_of shop) web=$(pid_of shop/web)
    kill -STOP "$shop" "$web"
    register_pid "$shop" "$web"
    wait_until 10 is_paused shop
    run troupe ps -o path,state
    kill -CONT "$shop" "$web"
    assert_success
    assert_line $'shop\tpaused'
    assert_line $'shop/web\tlost'
    assert_line $'shop/web/page\tlost'
    assert_line $'shop/db\tlost'
    assert_line $'sys/log\tready'
}

@test "a root that does not answer is lost alone: the supervisors below it are asked themselves" {
    small_tree
    local root pid
    root=$(ps -o ppid= -p "$(pid_of shop)" | tr -d ' ')
    pid=$(pid_of shop)
    kill -STOP "$root"
    register_pid "$root"
    run troupe ps -o path,state,pid,mem
    assert_success
    assert_line --regexp "^shop[[:space:]]ready[[:space:]]${pid}[[:space:]][1-9]"
    assert_line --regexp $'^shop/db\tready'
    assert_line --regexp $'^shop/web\tready'
    assert_line --regexp $'^shop/web/page\tready'
    assert_line --regexp $'^sys/log\tready'
    run troupe ps -o path,state shop
    assert_success
    assert_line $'shop\tready'
    assert_line $'shop/db\tready'
    run troupe tree shop
    assert_line --regexp '^shop .* one_for_one 0/3 in 5s$'
    kill -CONT "$root"
}

@test "a supervisor in the middle that does not answer: what is below answers for itself" {
    small_tree
    local shop
    shop=$(pid_of shop)
    kill -STOP "$shop"
    register_pid "$shop"
    wait_until 10 is_paused shop
    run troupe ps -o path,state
    assert_success
    assert_line $'shop\tpaused'
    assert_line $'shop/db\tlost'
    assert_line $'shop/web\tready'
    assert_line $'shop/web/page\tready'
    run troupe ps -o path,state shop/web
    assert_success
    assert_line $'shop/web\tready'
    assert_line $'shop/web/page\tready'
    kill -CONT "$shop"
}

# ---- one actor ---------------------------------------------------------------------------

@test "an actor that does not exist is status 3, with the nearest one named" {
    small_tree
    local verb
    for verb in status why start stop restart rm ps log events; do
        run troupe "$verb" shop/dbb
        assert_failure 3
        assert_output --partial "did you mean shop/db?"
    done
    run troupe counts shop/wbe
    assert_failure 3
}

@test "an address of another node is status 4" {
    small_tree
    run troupe ps shop@elsewhere
    assert_failure 4
    assert_output --partial "no session to elsewhere"
}

@test "a malformed address is status 2" {
    small_tree
    run troupe status shop//db
    assert_failure 2
}

@test "an incarnation that is over is status 3" {
    small_tree
    run troupe stop shop/db#99
    assert_failure 3
    run troupe status shop/db#1
    assert_success
}

@test "status shows an actor in depth, and is 1 when it is not ready" {
    small_tree
    wait_until 5 bash -c 'troupe status shop/db | grep -q "hello from db"'
    run troupe status shop/db
    assert_success
    assert_line --regexp '^state: +ready$'
    assert_line --regexp '^declared: +.*shop.yaml:8:'
    run troupe status -o state,pid shop/db
    assert_output --regexp $'^ready\t[0-9]+$'
    troupe status -o json shop/db | python3 -c 'import json,sys; s=json.load(sys.stdin)["status"]; assert s["significant"] is False and s["pid"] > 0'
    run troupe status shop/job
    assert_failure 1
    run troupe status -o stat shop/db
    assert_failure 2
    assert_output --partial "did you mean state?"
}

@test "status of the root shows the node" {
    small_tree
    run troupe status .
    assert_success
    assert_line --regexp '^version: '
}

@test "why speaks in words, and in JSON" {
    small_tree
    troupe stop shop/db
    run troupe why shop/db
    assert_success
    assert_output --partial "stopped by a person"
    troupe why -o json shop/db | python3 -c 'import json,sys; assert json.load(sys.stdin)["why"]'
}

@test "counts prints facts" {
    small_tree
    run troupe counts -o specs,supervisors,workers shop
    assert_output $'6\t1\t5'
}

# ---- orders ------------------------------------------------------------------------------

@test "stop returns when it is gone, start when it is ready; both are refused twice" {
    small_tree
    local pid
    pid=$(pid_of shop/db)
    troupe stop shop/db
    process_is_gone "$pid"
    state_is shop/db stopped
    troupe start shop/db
    state_is shop/db ready
    run troupe start shop/db
    assert_failure 1
    assert_output --partial "already running"
}

@test "a pattern stops and restarts all that it matches" {
    small_tree
    local before after
    before=$(troupe ps -o pid 'shop/farm.*')
    troupe restart --one-by-one 'shop/farm.*'
    after=$(troupe ps -o pid 'shop/farm.*')
    [[ $(sort <(echo "$before") <(echo "$after") | uniq -d) == "" ]]
    troupe stop 'shop/farm.*'
    run troupe ps -o state 'shop/farm.*'
    assert_output $'stopped\nstopped\nstopped'
}

@test "the root cannot be stopped like an actor" {
    small_tree
    run troupe stop .
    assert_failure 2
    assert_output --partial "troupe down"
}

@test "add takes a spec as text, from a file and from standard input, and prints the path" {
    small_tree
    run troupe add shop '{name: one, exec: [sleep, 1000]}'
    assert_success
    assert_output shop/one
    echo '{name: two, exec: [sleep, 1000]}' >two.yaml
    run troupe add shop -f two.yaml
    assert_output shop/two
    run bash -c 'echo "{name: three, exec: [sleep, 1000]}" | troupe add shop -f -'
    assert_output shop/three
    run troupe ps -o state shop/one shop/two shop/three
    assert_output $'ready\nready\nready'
}

@test "add refuses a bad spec with its place, status 7" {
    small_tree
    run troupe add shop '{name: one, exce: [sleep, 1]}'
    assert_failure 7
    assert_output --regexp 'command line:1:[0-9]+'
    run troupe add shop '{name: db, exec: [sleep, 1]}'
    assert_failure 1
    assert_output --partial already_started
}

@test "add makes children of a template, numbered or named" {
    pool_tree
    run troupe add pool 1000
    assert_output pool/1
    run troupe add pool --name blue 1000
    assert_output pool/blue
    run troupe add pool '{name: x, exec: [sleep, 1]}'
    assert_failure 1
    assert_output --partial template
}

@test "rm stops and forgets, and why still knows" {
    small_tree
    troupe rm shop/db
    run troupe status shop/db
    assert_failure 3
    run troupe why shop/db
    assert_success
    assert_output --partial "gone"
}

# ---- wait --------------------------------------------------------------------------------

@test "wait returns at once when it is so already" {
    small_tree
    timeout 5 troupe wait shop/db shop/web
    timeout 5 troupe wait --for gone shop/nobody
    timeout 5 troupe wait --for ready,down shop/job
}

@test "wait sees what happens later" {
    small_tree
    troupe stop shop/db
    in_background wait troupe wait shop/db
    local waiting=$!
    holds_for 200 kill -0 "$waiting"
    troupe start shop/db
    wait "$waiting"
    in_background gone troupe wait --for gone shop/db
    waiting=$!
    holds_for 200 kill -0 "$waiting"
    troupe rm shop/db
    wait "$waiting"
}

@test "wait for ready ends with 1 when the actor has ended for good, and with 6 when time is up" {
    small_tree
    run troupe wait shop/job
    assert_failure 1
    assert_output --partial exited
    run troupe wait --timeout 100ms --for down shop/db
    assert_failure 6
    run troupe wait --timeout 100ms nowhere/at/all
    assert_failure 6
    run troupe wait --timeout 5x shop/db
    assert_failure 2
    run troupe wait --for redy shop/db
    assert_failure 2
}

@test "wait sees a supervisor that is not there yet" {
    small_tree
    in_background wait troupe wait shop/late/child
    local waiting=$!
    holds_for 200 kill -0 "$waiting"
    troupe add shop '{name: late, supervisor: {children: [{name: child, exec: [sleep, 1000]}]}}'
    wait "$waiting"
}

@test "wait for gone holds when there is no node" {
    troupe wait --for gone shop/db
    run troupe wait shop/db
    assert_failure 4
}

# ---- events and log ----------------------------------------------------------------------

@test "events prints a snapshot, one line an actor" {
    small_tree
    run troupe events
    assert_success
    assert_line --regexp '^ts=[^ ]+Z level=info path=shop/db pid=[0-9]+ event=snapshot .*state=ready'
    troupe events -o json | python3 -c 'import json,sys; assert len(json.load(sys.stdin)["events"]) > 5'
}

@test "events -f tells changes below nested supervisors, and of supervisors that come later" {
    small_tree
    in_background events troupe events -f
    local pid=$!
    wait_until 5 grep -q 'path=shop/web/page .*event=snapshot' events.out
    troupe stop shop/web/page
    wait_until 5 grep -q 'path=shop/web/page .*event=child.stopped' events.out
    troupe add shop '{name: late, supervisor: {children: [{name: child, exec: [sleep, 1000]}]}}'
    wait_until 5 grep -q 'path=shop/late/child ' events.out
    troupe stop shop/late/child
    wait_until 5 grep -q 'path=shop/late/child .*event=child.stopped' events.out
    kill -INT "$pid"
    wait "$pid"
}

@test "events -f of one actor tells of that actor only" {
    small_tree
    in_background events troupe events -f -o jsonl shop/db
    wait_until 5 test -s events.out
    troupe stop shop/farm.1
    troupe stop shop/db
    wait_until 5 grep -q child.stopped events.out
    run grep -c farm events.out
    assert_output 0
    python3 -c 'import json; assert {json.loads(l)["path"] for l in open("events.out")} == {"shop/db"}'
}

@test "events -f ends with the node" {
    small_tree
    in_background events troupe events -f
    local pid=$!
    wait_until 5 test -s events.out
    node_down
    wait "$pid"
}

@test "log prints an actor's lines bare, and those of several with their path" {
    small_tree
    wait_until 5 bash -c 'troupe log shop/db | grep -q hello'
    run troupe log shop/db
    assert_output "hello from db"
    run troupe log shop
    assert_line "shop/db | hello from db"
    assert_line --regexp '^shop \| .*event=supervisor.ready'
    refute_line --regexp '^ts='
    troupe log -o json shop/db |
        python3 -c 'import json,sys; l=json.load(sys.stdin)["lines"]; assert l[0]["text"] == "hello from db" and l[0]["stream"]'
    run troupe log -n 0 shop/db
    assert_output ""
    run troupe log -n many shop/db
    assert_failure 2
}

@test "log -f goes on with what comes, until Ctrl-C" {
    small_tree
    in_background log troupe log -f -n 5 shop
    local pid=$!
    wait_until 5 grep -q 'shop/db | hello' log.out
    troupe restart shop/db
    # shellcheck disable=SC2016 # the inner shell expands it
    wait_until 5 bash -c '(($(grep -c "shop/db | hello" log.out) == 2))'
    kill -INT "$pid"
    wait "$pid"
}

# ---- up, down, check ---------------------------------------------------------------------

@test "check prints the tree of a good file and refuses a bad one with status 7" {
    yaml good.yaml <<<'{troupe: 1, application: a, supervisor: {children: [{name: x, exec: [sleep, 9]}]}}'
    yaml bad.yaml <<<'{troupe: 1, application: a, supervisor: {children: [{name: x, exce: [sleep, 9]}]}}'
    run troupe check good.yaml
    assert_success
    assert_output --partial x
    run troupe check bad.yaml
    assert_failure 7
    assert_output --regexp 'bad.yaml:1:[0-9]+'
    assert_output --partial exec
}

@test "up refuses a bad file with status 7 and starts nothing" {
    yaml bad.yaml <<<'{troupe: 1, application: a, supervisor: {children: [{name: x, exce: [sleep, 9]}]}}'
    run troupe up -d bad.yaml
    assert_failure 7
    assert_output --regexp 'bad.yaml:1:[0-9]+'
    run troupe ps
    assert_failure 4
    run troupe up -d missing.yaml
    assert_failure 7
}

@test "up -d says why not everything is ready, with status 1, and leaves the rest running" {
    yaml good.yaml <<<'{troupe: 1, application: good, supervisor: {children: [{name: x, exec: [sleep, 999]}]}}'
    yaml sad.yaml <<<'{troupe: 1, application: sad, supervisor: {children: [{name: x, exec: [sleep, 999], ready: {exec: ["false"]}, start_timeout: 300ms}]}}'
    run node_up good.yaml sad.yaml
    assert_failure 1
    assert_output --partial sad
    wait_for_state good ready
}

@test "up adds its applications to a running node; one that is there already is status 1" {
    small_tree
    yaml more.yaml <<<'{troupe: 1, application: more, supervisor: {children: [{name: x, exec: [sleep, 999]}]}}'
    node_up more.yaml
    state_is more/x ready
    run node_up more.yaml
    assert_failure 1
    assert_output --partial reload
    yaml bad.yaml <<<'{troupe: 1, application: bad, supervisor: {children: [{name: x}]}}'
    run node_up bad.yaml
    assert_failure 7
}

@test "up in the foreground stops its node on Ctrl-C, in order, with status 0" {
    yaml a.yaml <<<'{troupe: 1, application: a, supervisor: {children: [{name: x, exec: [sleep, 999]}]}}'
    in_background up troupe up a.yaml
    local pid=$!
    wait_until 10 state_is a/x ready
    kill -INT "$pid"
    wait "$pid"
    no_node_process
    [[ -z $(ls "$TROUPE_RUN") ]]
}

@test "a second Ctrl-C kills what does not want to end" {
    yaml a.yaml <<'YAML'
troupe: 1
application: a
supervisor:
  children:
    - {name: deaf, exec: [sh, -c, 'trap "" TERM; while :; do sleep 1; done'], shutdown: infinity}
YAML
    in_background up troupe up a.yaml
    local pid=$! deaf
    wait_until 10 state_is a/deaf ready
    deaf=$(pid_of a/deaf)
    kill -INT "$pid"
    wait_until 5 state_is a/deaf stopping
    kill -INT "$pid"
    wait_until 10 process_is_gone "$pid"
    process_is_gone "$deaf"
    wait_until 5 no_node_process
}

@test "up ends with 1 when one of its applications gives up, naming it, after stopping its others" {
    yaml good.yaml <<<'{troupe: 1, application: good, supervisor: {children: [{name: x, exec: [sleep, 999]}]}}'
    yaml sad.yaml <<'YAML'
troupe: 1
application: sad
supervisor: {intensity: 1, period: 5s, children: [{name: x, exec: [sh, -c, 'sleep 0.2; exit 3']}]}
YAML
    run timeout 20 troupe up good.yaml sad.yaml 3>&- 4>&-
    assert_failure 1
    assert_output --partial "sad gave up"
    no_node_process
}

@test "an application that gave up is shown failed, with nothing below it" {
    yaml sad.yaml <<'YAML'
troupe: 1
application: sad
supervisor: {intensity: 1, period: 5s, children: [{name: x, exec: [sh, -c, 'sleep 0.2; exit 3']}]}
YAML
    node_up sad.yaml
    wait_for_state sad failed
    run ps_paths
    assert_output sad
}

@test "up on a running node stops only its own applications on Ctrl-C" {
    small_tree
    yaml more.yaml <<<'{troupe: 1, application: more, supervisor: {children: [{name: x, exec: [sleep, 999]}]}}'
    in_background up troupe up more.yaml
    local pid=$!
    wait_until 10 state_is more/x ready
    kill -INT "$pid"
    wait "$pid"
    state_is shop/db ready
    run ps_paths
    refute_line more
}

@test "two ups at the same moment make one node with both applications" {
    yaml a.yaml <<<'{troupe: 1, application: a, supervisor: {children: [{name: x, exec: [sleep, 999]}]}}'
    yaml b.yaml <<<'{troupe: 1, application: b, supervisor: {children: [{name: x, exec: [sleep, 999]}]}}'
    in_background a troupe up -d a.yaml
    local first=$!
    in_background b troupe up -d b.yaml
    local second=$!
    wait "$first"
    wait "$second"
    state_is a/x ready
    state_is b/x ready
}

@test "down APP stops one application, down the node, and nothing is left" {
    small_tree
    yaml more.yaml <<<'{troupe: 1, application: more, supervisor: {children: [{name: x, exec: [sleep, 999]}]}}'
    node_up more.yaml
    node_down more
    state_is shop/db ready
    run troupe down nobody
    assert_failure 3
    node_down
    no_node_process
    [[ -z $(ls "$TROUPE_RUN") ]]
    run troupe down
    assert_failure 4
}
