#!/usr/bin/env bats
# The stats pages (PROTOCOL 5): who counts where, and who reaches whose.

bats_require_minimum_version 1.5.0
load helper

SCRATCH_UID=54362 # named by `user:` in the tree

@test "a program with a mailbox counts on its page, and each incarnation begins anew" {
    cat >counting.py <<'EOT'
import os, signal, struct
fd, offset = map(int, os.environ["TROUPE_STATS"].split(":"))
before = os.pread(fd, 16, offset)
print("begins with", struct.unpack("<QQ", before), flush=True)
os.pwrite(fd, struct.pack("<QQ", 41, 42), offset)
signal.pause()
EOT
    yaml t.yaml <<'EOT'
troupe: 1
application: t
supervisor:
  children: [{name: counting, exec: [python3, counting.py], mailbox: true}]
EOT
    counts() { [[ "$(column_of in,out t/counting)" =~ ^41[[:space:]]+42$ ]]; }
    begun() { [[ $(troupe log t/counting | grep -cF 'begins with (0, 0)') == "$1" ]]; }
    node_up t.yaml
    wait_until 10 counts
    kill -KILL "$(pid_of t/counting)"
    wait_until 10 is_restarted t/counting 1
    wait_until 10 begun 2
    wait_until 10 counts
}

# Writes over every file without a name that it holds, and tries to cut it short.
hostile() {
    cat >hostile.py <<'EOT'
import os, signal
for name in os.listdir("/proc/self/fd"):
    try:
        fd, file = int(name), os.readlink("/proc/self/fd/" + name)
    except OSError:
        continue
    if not file.startswith("/memfd:"):
        continue
    size = os.fstat(fd).st_size
    print("overwritten", os.pwrite(fd, b"\xff" * size, 0), flush=True)
    for size in (0, 1 << 30):
        try:
            os.ftruncate(fd, size)
            print("resized", flush=True)
        except OSError:
            print("refused", flush=True)
print("done", flush=True)
signal.pause()
EOT
}

hostile_is_done() { [[ $(troupe log t/hostile | grep -c 'done$') == 1 ]]; }

@test "a hostile program spoils its own figures, not those of its siblings" {
    hostile
    yaml t.yaml <<'EOT'
troupe: 1
application: t
supervisor:
  children:
    - {name: before, module: counter}
    - {name: hostile, exec: [python3, hostile.py], mailbox: true}
    - {name: after, module: counter}
EOT
    node_up t.yaml
    wait_until 10 hostile_is_done
    assert_equal "$(troupe log t/hostile | grep -c 'overwritten')" 1
    assert_equal "$(troupe log t/hostile | grep -c 'refused')" 2
    assert_equal "$(column_of in t/before)" 0
    assert_equal "$(column_of mbox t/after)" 0
    ask t/before add 1 # which asks for a description first
    ask t/after add 1
    assert_equal "$(column_of in t/before)" 2
    assert_equal "$(column_of in t/after)" 2
    assert_equal "$(column_of busy t/hostile)" 0
    assert_equal "$(column_of in t/hostile)" 18446744073709551615
    troupe ps -o json | python3 -c 'import json, sys; json.load(sys.stdin)'
    troupe status t/hostile
    assert_equal "$(column_of rst t/before)" 0
    assert_equal "$(state_of t)" ready
}

# maps PID: the sizes, in bytes, of the stats pages that it has mapped.
maps() {
    awk '/memfd:troupe-stats/ { print $1 }' "/proc/$1/maps" | while IFS=- read -r from to; do
        echo $((0x$to - 0x$from))
    done
}

holds_table() { find "/proc/$1/fd" -lname '/memfd:troupe-stats*' | grep -q .; }

@test "a module keeps its own page of the table, and no way to the others" {
    yaml t.yaml <<EOT
troupe: 1
application: t
supervisor:
  children:
    - {name: one, module: counter}
    - {name: another, module: counter}
    - {name: plain, exec: [sleep, 1000]}
EOT
    node_up t.yaml
    local name pid
    for name in one another; do
        pid=$(pid_of t/$name)
        assert_equal "$(maps "$pid")" 4096
        ! holds_table "$pid" || fail "$name holds the table"
    done
    holds_table "$(pid_of t)" || fail "the test looks for a file that is not there"
    ! holds_table "$(pid_of t/plain)" || fail "a program without a mailbox holds the table"
}

@test "a module of another user has a page in a file of its own" {
    ((EUID == 0)) || skip "becoming another user needs root"
    build_for_all_users
    yaml t.yaml <<EOT
troupe: 1
application: t
supervisor:
  children:
    - {name: mine, module: counter}
    - {name: other, module: counter, user: '$SCRATCH_UID'}
EOT
    node_up t.yaml
    file_of() { awk '/memfd:troupe-stats/ { print $5 }' "/proc/$(pid_of "$1")/maps"; }
    [[ "$(file_of t/mine)" != "$(file_of t/other)" ]] || fail "both write to one file"
    assert_equal "$(maps "$(pid_of t/other)")" 4096
    ask t/other add 1
    assert_equal "$(column_of in t/other)" 2
}
