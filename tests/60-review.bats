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
