# shellcheck shell=bash
#
# sys/log by itself, driven by hand: tests/helpers/log_driver.c plays the supervisor.

bats_require_minimum_version 1.5.0

load helper

setup() {
    troupe_setup
    export LOG_WORKER=$BUILD/workers/log
    LOGS=$TROUPE_STATE/log
    mkdir -p "$TROUPE_STATE"
}

# Runs the driver's commands from standard input.
drive() {
    timeout $((120 * TEST_SCALE)) log_driver 3>&- 4>&- 9>&-
}

# The lines of a path, oldest first, without their times.
lines_of() {
    local file=$LOGS/$1.log older

    {
        older=$(find "$(dirname "$file")" -name "${file##*/}.*" | grep '[.][0-9]*$' | sort -V -r)
        # shellcheck disable=SC2086
        cat $older "$file"
    } | cut -d' ' -f2-
}

# numbers_are_complete PATH NAME LAST: NAME 1 to NAME LAST, each once, in order.
numbers_are_complete() {
    lines_of "$1" | awk -v name="$2" -v last="$3" '
        $2 == name && $3 != ++wanted { printf "%d where %d was expected\n", $3, wanted; bad = 1; exit }
        END { if (!bad && wanted != last) { print wanted " of " last; bad = 1 } exit bad }'
}

# numbers_are_accounted_for PATH NAME LAST: what is there and what is said to be dropped make LAST.
numbers_are_accounted_for() {
    lines_of "$1" | awk -v name="$2" -v last="$3" '
        $2 == name { if ($3 <= at) { print $3 " after " at; bad = 1 } at = $3; there++ }
        $1 == "log" && / lines dropped: / { dropped += $2 }
        END { print there " there, " dropped " dropped"
              exit bad || !dropped || there + dropped != last }'
}

@test "a line goes to its path's file with time and stream" {
    drive <<'DRIVE'
start
pipe shop both
pipe shop/web out
pipe shop/web err
write shop both hello\nworld\n
write shop/web out one\n
write shop/web err two\n
stop
DRIVE
    run cat "$LOGS/shop.log"
    assert_line --regexp '^20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z both hello$'
    run lines_of shop/web
    assert_line "out one"
    assert_line "err two"
}

@test "a folder that is called like a log file does not get in its way" {
    drive <<'DRIVE'
start
pipe a/web both
pipe a/web.log/x both
pipe a/web.log both
write a/web both 1\n
write a/web.log/x both 2\n
write a/web.log both 3\n
taken
log a 10
stop
DRIVE
    assert_equal "$(lines_of a/web)" "both 1"
    assert_equal "$(lines_of a/web.log~/x)" "both 2"
    assert_equal "$(lines_of a/web.log)" "both 3"
}

@test "foreign bytes cannot forge a line or reach a terminal" {
    run drive <<'DRIVE'
start
pipe a both
follow f a 0
write a both x\x1b[2J\x00\xff\r2026-11-21T08:15:30.123Z out forged\n
until f forged
got f
log a 1
stop
DRIVE
    assert_success
    assert_line --index 0 'a both x\x1b[2J\x00\xffr2026-11-21T08:15:30.123Z out forged'
    assert_line --index 1 'a both x\x1b[2J\x00\xffr2026-11-21T08:15:30.123Z out forged'
    run ! grep -aP '[\x00-\x09\x0b-\x1f\x7f]' "$LOGS/a.log"
}

@test "a long line is cut into marked pieces and nothing of it is lost" {
    drive <<'DRIVE'
start
pipe a both
fill a both 20000 x
write a both \nshort\n
stop
DRIVE
    run awk '{ print $2, length($3) }' "$LOGS/a.log"
    assert_output "both+ 8192
both+ 8192
both 3616
both 5"
}

@test "a line without end fills no pipe: a program that never writes newlines does not wait" {
    drive <<'DRIVE'
start
pipe a both
pipe small both 4096
fill a both 1000000 x
fill small both 100000 y
write a both \n
write small both \n
stop
DRIVE
    assert_equal "$(cut -d' ' -f3 "$LOGS/a.log" | tr -d '\n' | wc -c)" 1000000
    assert_equal "$(cut -d' ' -f3 "$LOGS/small.log" | tr -d '\n' | wc -c)" 100000
}

@test "a line that is not complete waits, and is written when its actor is gone" {
    run drive <<'DRIVE'
start
pipe a both
pipe b both
write a both whole\nhal
write b both half of b
taken
log 10
write a both f\nrest
close a
drop b
follow f . 10
until f half of b
stop
DRIVE
    assert_success
    assert_output "a both whole
exit 0"
    assert_equal "$(lines_of a)" "both whole
both half
both rest"
    assert_equal "$(lines_of b)" "both half of b"
}

@test "what is in the pipe of an actor that is gone for good is read" {
    drive <<'DRIVE'
start
pipe a both
numbers n a both 1 3000
finish 10
close a
stop
DRIVE
    numbers_are_complete a n 3000
}

@test "an orderly restart loses nothing and splits no line" {
    drive <<'DRIVE'
start
pipe a both
pipe b both
write b both one li
numbers n a both 1 100000
restarts 5
finish 20
write b both ne\n
numbers n a both 100001 200000
restarts 5
finish 60
stop
DRIVE
    numbers_are_complete a n 200000
    assert_equal "$(lines_of b)" "both one line"
    assert_not_exists "$TROUPE_RUN/.log"
}

@test "SIGKILL of sys/log, of its reader alone or with the writer, is made good or owned up to" {
    local repeated

    drive <<'DRIVE'
start
pipe a both
numbers n a both 1 1000000
burst 40
finish 90
stop
DRIVE
    # Where bytes may be there twice the log says so; nothing is ever missing.
    repeated=$(lines_of a | grep -c ' bytes may be repeated: ') || true
    ((repeated)) || numbers_are_complete a n 1000000
    lines_of a | awk '$2 == "n" && $3 > at + 1 { print at, $3; exit 1 } $2 == "n" { at = $3 }
                      END { exit at != 1000000 }'
}

@test "the beginning of a line outlives a kill of both processes" {
    drive <<'DRIVE'
start
pipe a both
write a both whole\nbegin
taken
kill-all
start
write a both ning and end\n
taken
stop
DRIVE
    assert_equal "$(lines_of a)" "both whole
both beginning and end"
}

@test "a killed writer has a successor that neither loses nor repeats" {
    drive <<'DRIVE'
start --patience-ms 30000
pipe a both
numbers n a both 1 500000
writer KILL
writer KILL
writer KILL
writer KILL
writer KILL
writer KILL
finish 60
stop
DRIVE
    numbers_are_complete a n 500000
}

@test "a file is rotated by size and the oldest of a path's files goes" {
    drive <<'DRIVE'
start --size 8192 --files 3
pipe a both
numbers n a both 1 5000
finish 20
taken
log a 1
stop
DRIVE
    run ls "$LOGS"
    assert_output "a.log
a.log.1
a.log.2"
    assert [ -z "$(find "$LOGS" -size +8192c)" ]
    run bash -c "cut -d' ' -f4 '$LOGS/a.log.2' '$LOGS/a.log.1' '$LOGS/a.log' |
        awk 'NR > 1 && \$1 != at + 1 { exit 1 } { at = \$1 } END { print at }'"
    assert_success
    assert_output 5000
}

@test "all files together stay under the total, the oldest rotated ones go first" {
    local i

    {
        echo "start --size 8192 --files 10 --total 65536"
        for i in 1 2 3 4 5; do
            echo "pipe p$i both"
            echo "numbers n p$i both 1 1000"
            echo "finish 20"
            echo taken
            echo "log p$i 1"
        done
        echo stop
    } >script
    drive <script
    run bash -c "cat '$LOGS'/* | wc -c"
    assert [ "$output" -le 65536 ]
    assert_exists "$LOGS/p1.log"
    assert_not_exists "$LOGS/p1.log.6"
    assert_exists "$LOGS/p5.log.1"
}

@test "300 paths are written and at most 256 files are open" {
    local i

    {
        echo start --patience-ms 20000 # a busy machine must not cost lines here
        for ((i = 0; i < 300; i++)); do
            echo "pipe app/p$i both"
            printf "write app/p%d both first\\\\n\n" "$i"
        done
        for ((i = 0; i < 300; i++)); do
            printf "write app/p%d both second\\\\n\n" "$i"
        done
        echo taken
        echo "log app 1000"
        echo descriptors 256
        echo stop
    } >script
    run drive <script
    assert_success
    assert_line 256
    assert_equal "$(grep -c '^app/p' <<<"$output")" 600
    assert_equal "$(cat "$LOGS"/app/*.log | wc -l)" 600
}

@test "a full disk: no actor waits longer than the patience, and what is dropped is counted" {
    ((EUID == 0)) || skip "mounting needs root"
    mkdir -p "$LOGS"
    cat >script <<DRIVE
start --patience-ms 300 --spool-bytes 262144
pipe a both
follow f a 0
numbers n a both 1 40000
status dropping lines: No space left on device
finish 20
until f n 40000
sh mount -o remount,size=64m $LOGS
until f lines dropped: No space left on device
numbers n a both 40001 40010
finish 5
taken
log a 1
stop
sh cp -r $LOGS $DIR/kept
DRIVE
    export -f drive
    run unshare -m bash -c "mount -t tmpfs -o size=64k tmpfs '$LOGS' && drive <script"
    assert_success
    LOGS=$DIR/kept
    numbers_are_accounted_for a n 40010
    assert_equal "$(lines_of a | tail -n 1)" "both n 40010"
}

@test "a disk that does not answer: no actor waits longer than the patience, followers see all" {
    run drive <<'DRIVE'
start --patience-ms 300 --spool-bytes 262144
pipe a both
pipe b both
follow f a 0
writer STOP
numbers n a both 1 40000
status dropping lines: the disk is too slow
finish 20
until f n 40000
write b both b is dropped too\n
writer CONT
until f lines dropped: the disk is too slow
write b both and back\n
taken
log b 10
stop
DRIVE
    assert_success
    assert_line "b log 1 lines dropped: the disk is too slow"
    assert_line "b both and back"
    numbers_are_accounted_for a n 40000
}

@test "STOP while the disk does not answer ends in time, and the successor writes the rest" {
    local began

    began=$(now_ms)
    run drive <<'DRIVE'
start --patience-ms 300
pipe a both
writer STOP
write a both kept\n
taken
log a 1
stop
start
log a 10
stop
DRIVE
    assert_success
    assert_line --index 0 "a both kept"
    assert_line --index 1 "exit 0"
    assert_line --index 2 "a both kept"
    assert_equal "$(lines_of a)" "both kept"
    assert [ $(($(now_ms) - began)) -lt $((10000 * TEST_SCALE)) ]
}

@test "followers that do not read lose lines, are told, and hold up nobody" {
    run drive <<'DRIVE'
start
pipe a both
deaf a 3
follow f a 0
follow g a 0
numbers n a both 1 4000 500
until f n 4000
until g n 4000
numbers n a both 4001 8000 500
until f n 8000
until g n 8000
numbers n a both 8001 12000 500
until f n 12000
until g n 12000
numbers n a both 12001 16000 500
until f n 16000
until g n 16000
numbers n a both 16001 20000 500
until f n 20000
until g n 20000
numbers n a both 20001 24000 500
until f n 24000
until g n 24000
hear
stop
DRIVE
    assert_success
    assert_line --regexp '^[0-9]+ lines skipped: this reader is too slow$'
    numbers_are_complete a n 24000
}

@test "the history is merged by time over paths and rotated files, and knows what is not written yet" {
    run drive <<'DRIVE'
start --size 4096 --files 10
pipe s/a both
pipe s/b both
pipe t both
numbers n s/a both 1 200
finish 5
taken
log s 2
write t both t1\n
taken
log t 1
write s/b both b1\n
taken
log s/b 1
write s/a both a201\n
taken
log . 3
log s/a 150
writer STOP
write s/b both b2\n
taken
log s 2
writer CONT
log nobody 5
stop
DRIVE
    assert_success
    assert_line --index 0 "s/a both n 199"
    assert_line --index 1 "s/a both n 200"
    assert_line --index 4 "t both t1"
    assert_line --index 5 "s/b both b1"
    assert_line --index 6 "s/a both a201"
    assert_line --index 7 "s/a both n 52"
    assert_equal "${#lines[@]}" $((2 + 1 + 1 + 3 + 150 + 2 + 1))
    assert_line --index 157 "s/a both a201"
    assert_line --index 158 "s/b both b2"
}

@test "a follower gets every line once, whenever it begins" {
    run drive <<'DRIVE'
start
pipe a both
numbers n a both 1 40000
follow f a 100000
finish 20
until f n 40000
got f
stop
DRIVE
    assert_success
    awk '$3 == "n" && at && $4 != at + 1 { print at, $4; exit 1 } $3 == "n" { at = $4 }
         END { exit at != 40000 }' <<<"$output"
}

@test "a watch is answered with the first line that matches and came after it" {
    run drive <<'DRIVE'
start
pipe a out
pipe a err
pipe a/b out
write a out ready too early\n
taken
log a 1
watch w a ^ready [0-9]+$
watch e a err(or)? line
write a/b out ready 1\n
write a out ready soon\nready 2\nready 3\n
matched w ready 2
quiet e
write a err an err line\n
matched e an err line
refused log-watch a ready(
since s a ready 60
matched s ready too early
stop
DRIVE
    assert_success
    assert_line --partial "bad_request log-watch: "
}

@test "a watch that looks back finds the line that a dead predecessor had read" {
    drive <<'DRIVE'
start
pipe a both
write a both ready at last\n
taken
log a 1
kill
start
since w a ^ready 60
matched w ready at last
stop
DRIVE
}

@test "who tells, and does not ask, gets no answer but to what is wrong" {
    run drive <<'DRIVE'
start
tell log-close a/b
refused nonsense
stop
DRIVE
    assert_success
    assert_line --index 0 "unknown_request expected log, log-open, log-close or log-watch"
}

@test "bad requests are refused by name" {
    run drive <<'DRIVE'
start
refused log-open
refused log-open ../x out
refused log-open a/b left
refused log-open a/b out
refused log-close
refused log a b c
refused nonsense
file a/b out
ping
stop
DRIVE
    assert_success
    assert_line --index 0 "bad_request log-open: expected PATH and out, err or both"
    assert_line --index 1 "bad_request log-open: expected PATH and out, err or both"
    assert_line --index 3 "bad_request log-open: expected a pipe's read end with the request"
    assert_line --index 5 "bad_request log: expected PATH COUNT FOLLOW"
    assert_line --index 6 "unknown_request expected log, log-open, log-close or log-watch"
    assert_line --index 7 "failed log-open: Invalid argument"
}

@test "nobody but root and the node's user is served" {
    ((EUID == 0)) || skip "becoming another user needs root"
    run drive <<DRIVE
start
sh ! echo "log 1" | setpriv --reuid=65534 --regid=65534 --clear-groups log_driver 2>/dev/null
log 1
stop
DRIVE
    assert_success
}

@test "an idle sys/log does not wake up" {
    drive <<'DRIVE'
start
pipe a both
write a both x\npartial
taken
log a 1
idle 1000
stop
DRIVE
}
