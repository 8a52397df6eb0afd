# What a hostile look at the whole found: keys that must have their effect at run time.

load helper

@test "no_new_privs: false reaches the program, true does too" {
    yaml t.yaml <<EOF
troupe: 1
application: t
supervisor:
  children:
    - {name: free, exec: [sleep, 1000], no_new_privs: false}
    - {name: bound, exec: [sleep, 1000]}
EOF
    [[ $(awk '/NoNewPrivs/ {print $2}' /proc/self/status) == 0 ]] || skip "set for ourselves already"
    node_up "$DIR/t.yaml"
    run grep NoNewPrivs "/proc/$(pid_of t/free)/status"
    assert_output --regexp '0$'
    run grep NoNewPrivs "/proc/$(pid_of t/bound)/status"
    assert_output --regexp '1$'
}

@test "LISTEN_FDS: accept of a plain program waits for somebody to connect" {
    cat >"$DIR/fd3.py" <<'EOF'
import os, socket
assert os.environ["LISTEN_FDS"] == "1" and int(os.environ["LISTEN_PID"]) == os.getpid()
server = socket.socket(fileno=3)
while True:
    peer, _ = server.accept()
    peer.sendall(b"hello\n")
    peer.close()
EOF
    yaml t.yaml <<EOF
troupe: 1
application: t
supervisor:
  children:
    - {name: plain, exec: [python3, fd3.py], mailbox: true}
EOF
    cat >"$DIR/ask.py" <<'EOF'
import os, socket
peer = socket.socket(socket.AF_UNIX)
peer.connect(os.environ["TROUPE_RUN"] + "/t/plain")
print(peer.recv(6).decode().strip())
EOF
    node_up "$DIR/t.yaml"
    for _ in 1 2 3; do
        run timeout 10 python3 "$DIR/ask.py"
        assert_output hello
    done
    assert_equal "$(incarnation_of t/plain)" 1
}

@test "IGNORE after READY does not keep a permanent child down" {
    cat >"$DIR/late.py" <<'EOF'
import os, socket
control = socket.socket(fileno=int(os.environ["TROUPE_CONTROL"]))
control.send(b"READY")
control.send(b"IGNORE")
os._exit(3)
EOF
    yaml t.yaml <<EOF
troupe: 1
application: t
supervisor:
  intensity: 1000
  children:
    - {name: late, exec: [python3, late.py], ready: notify}
EOF
    node_up "$DIR/t.yaml"
    is_back() { [[ $(incarnation_of t/late) -ge 2 ]]; }
    wait_until 10 is_back
}

@test "a uid without rights is told so at once, with status 5" {
    ((EUID == 0)) || skip "needs root to become somebody else"
    local verb as=(setpriv --reuid=65534 --regid=65534 --clear-groups)
    yaml t.yaml <<EOF
troupe: 1
application: t
supervisor: {children: [{name: c, exec: [sleep, 1000]}]}
EOF
    node_up "$DIR/t.yaml"
    for verb in ps tree "why t/c" "stop t/c" "log t/c" "wait t/c" down; do
        # shellcheck disable=SC2086
        run timeout 10 "${as[@]}" troupe $verb
        assert_failure 5
        assert_output --partial "not allowed to uid 65534"
    done
    assert_equal "$(state_of t/c)" ready
}

@test "a supervisor that hangs is not said to have gone: status 6" {
    yaml t.yaml <<EOF
troupe: 1
application: t
supervisor: {children: [{name: c, exec: [sleep, 1000]}]}
EOF
    node_up "$DIR/t.yaml"
    local pid
    pid=$(pid_of t)
    kill -STOP "$pid"
    run timeout 20 troupe why t/c
    kill -CONT "$pid"
    assert_failure 6
    assert_output --partial "does not answer"
}

@test "ready: exec runs as its child does: user, cwd and replica" {
    ((EUID == 0)) || skip "needs root to become somebody else"
    mkdir "$DIR/at.1" "$DIR/at.2"
    yaml t.yaml <<EOT
troupe: 1
application: t
supervisor:
  children:
    - name: asked
      replicas: 2
      exec: [sleep, 1000]
      user: nobody
      cwd: "at.\${replica}"
      start_timeout: 5s
      ready: {exec: [sh, -c, 'echo "\$1 \$(id -un) \$(pwd)"', x, "no.\${replica}"]}
EOT
    node_up "$DIR/t.yaml"
    said() { troupe log "t/asked.$1" | grep -q "no.$1 nobody $DIR/at.$1\$"; }
    wait_until 5 said 1
    wait_until 5 said 2
}

@test "what a node was told at its own start does not reach its children" {
    yaml t.yaml <<EOT
troupe: 1
application: t
supervisor: {children: [{name: c, exec: [sleep, 1000]}]}
EOT
    (
        export LISTEN_FDS=1 LISTEN_PID=1 WATCHDOG_USEC=1000000 TROUPE_MAILBOX=/other/box
        export TROUPE_CONTROL=99 TROUPE_READY_FD=77 TROUPE_PATH=other/child
        troupe up -d "$DIR/t.yaml"
    )
    run bash -c "tr '\\0' '\\n' </proc/$(pid_of t/c)/environ"
    assert_line "TROUPE_PATH=t/c"
    refute_output --partial LISTEN_
    refute_output --partial WATCHDOG_
    refute_output --partial TROUPE_MAILBOX
    refute_output --partial TROUPE_READY_FD
    refute_output --partial TROUPE_CONTROL=99
}

@test "down meets a node that boots: it ends, and so does down" {
    yaml t.yaml <<EOT
troupe: 1
application: t
supervisor: {children: [{name: c, exec: [sleep, 1000]}]}
EOT
    for _ in {1..20}; do
        troupe up -d "$DIR/t.yaml" >"$DIR/up.out" 2>&1 3>&- &
        local starter=$!
        wait_until 5 test -e "$TROUPE_RUN/.lock"
        run timeout $((15 * TEST_SCALE)) troupe down
        [[ $status -ne 124 ]] || fail "down hangs"
        wait "$starter" || true
        timeout 20 troupe down || true
    done
}

@test "down is heard in the end by a node that breaks connections off, however many" {
    cat >deaf.py <<'EOT'
import os, socket, sys
mailbox, aside = sys.argv[1:]
os.rename(mailbox, aside)
listener = socket.socket(socket.AF_UNIX)
listener.bind(mailbox)
listener.listen(16)
print("deaf", flush=True)
for _ in range(8):
    listener.accept()[0].close()
os.rename(aside, mailbox)
EOT
    yaml t.yaml <<EOT
troupe: 1
application: t
supervisor: {children: [{name: c, exec: [sleep, 1000]}]}
EOT
    node_up t.yaml
    in_background deaf python3 deaf.py "$TROUPE_RUN/.supervisor" "$TROUPE_RUN/.aside"
    wait_until 5 grep -q deaf deaf.out
    run timeout $((15 * TEST_SCALE)) troupe down
    assert_success
    wait_until 2 no_node_process
    assert_not_exists "$TROUPE_RUN"
}

@test "what was below an application that gave up keeps nobody waiting" {
    yaml t.yaml <<EOT
troupe: 1
application: t
supervisor:
  intensity: 0
  children:
    - {name: s, supervisor: {intensity: 0, children: [{name: c, exec: [sleep, 1000]}, {name: m, module: counter}]}}
EOT
    node_up "$DIR/t.yaml"
    kill -KILL "$(pid_of t/s/c)"
    wait_until 5 test ! -e "$TROUPE_RUN/t/.supervisor"
    assert_equal "$(find "$TROUPE_RUN/t" -type s)" ""
    troupe start t
    assert_equal "$(state_of t/s/m)" ready
}

@test "add beyond max_children says so" {
    yaml t.yaml <<EOT
troupe: 1
application: t
supervisor: {max_children: 2, template: {exec: [sleep]}}
EOT
    node_up "$DIR/t.yaml"
    troupe add t 1000
    troupe add t 1000
    run troupe add t 1000
    assert_failure 1
    assert_output --partial "max_children is reached: 2"
}

@test "what outlives a supervisor is for its node's user alone to read" {
    yaml t.yaml <<EOT
troupe: 1
application: t
supervisor: {children: [{name: c, exec: [sleep, 1000]}]}
EOT
    node_up "$DIR/t.yaml"
    assert_equal "$(stat -c %a "$TROUPE_RUN/t/.table")" 600
}

@test "a folder with somebody's files is not emptied to become a run directory" {
    yaml t.yaml <<EOT
troupe: 1
application: t
supervisor: {children: [{name: c, exec: [sleep, 1000]}]}
EOT
    mkdir -p "$TROUPE_RUN/sub"
    echo precious >"$TROUPE_RUN/sub/file"
    run timeout 20 troupe up -d "$DIR/t.yaml"
    assert_failure 1
    assert_output --partial "holds files of somebody else"
    assert_equal "$(cat "$TROUPE_RUN/sub/file")" precious
    rm -r "$TROUPE_RUN/sub"
    node_up "$DIR/t.yaml"
}

@test "the end of a child that went with its killed supervisor is on record" {
    yaml deep.yaml <<'EOF'
troupe: 1
application: deep
supervisor:
  children:
    - name: web
      supervisor:
        children:
          - {name: page, exec: [sleep, "1000"]}
EOF
    node_up deep.yaml
    kill -KILL "$(pid_of deep/web | head -n 1)"
    second_life() { [[ $(incarnation_of deep/web/page) == 2 && $(state_of deep/web/page) == ready ]]; }
    wait_until 5 second_life
    run troupe why deep/web/page
    assert_line --regexp '^Incarnation 1 of deep/web/page ended .* ago after .*: killed\.$'
}

@test "up -d of an application that is stopped meanwhile ends with 1, and says so" {
    local up status=0
    yaml slow.yaml <<'EOF'
troupe: 1
application: slow
supervisor:
  children:
    - {name: late, exec: [sleep, "1000"], ready: notify, start_timeout: 60s}
EOF
    in_background up timeout 30 troupe up -d slow.yaml
    up=$!
    wait_for_state slow/late starting
    troupe stop slow
    wait "$up" || status=$?
    assert_equal "$status" 1
    grep -q 'slow was stopped while it started' "$DIR/up.out"
}

@test "who is born has no signal blocked and none ignored, though supervisors read theirs; SIGHUP ends none" {
    local life
    yaml t.yaml <<'EOF'
troupe: 1
application: t
supervisor:
  children:
    - {name: program, exec: [sh, -c, 'grep ^Sig /proc/self/status >signals.new; mv signals.new signals; exec sleep 1000']}
    - {name: module, module: counter}
    - name: inner
      supervisor: {children: [{name: leaf, exec: [sleep, "1000"]}]}
EOF
    node_up t.yaml
    wait_until 5 test -e signals
    # 1 to 31: libc keeps 32 and 33 to itself
    assert_equal "$(awk '/^Sig(Blk|Ign)/ && $2 !~ /[08]0000000$/' signals)" ''
    assert_equal "$(awk '/^SigBlk/ && $2 !~ /[08]0000000$/' "/proc/$(pid_of t/module)/status")" ''
    life=$(incarnation_of t/inner)
    kill -HUP "$(pid_of t/inner)"
    kill -TERM "$(pid_of t/inner/leaf)"
    wait_until 5 is_restarted t/inner/leaf 1
    assert_equal "$(incarnation_of t/inner)" "$life"
    kill -TERM "$(pid_of t/inner)"
    wait_until 5 is_restarted t/inner "$life"
}
