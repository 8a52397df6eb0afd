#!/usr/bin/env python3
"""A program behind a port that does on demand what none should do."""
import os
import signal
import sys
import time

out = sys.stdout.buffer


def write(data):
    out.write(data)
    out.flush()


def line(*fields):
    write("\t".join(map(str, fields)).encode("utf-8", "surrogateescape") + b"\n")


def end_by(number):
    os.kill(os.getpid(), number)


def half(ref, text, length):
    """The first bytes of an answer; then it is killed."""
    write(f"{ref}\t{text}\n".encode()[: int(length)])
    end_by(signal.SIGKILL)


def flood(ref, size):
    """So many bytes that no newline ends, then one, then the answer."""
    for _ in range(int(size) // 65536):
        write(b"x" * 65536)
    write(b"\n")
    line(ref, "flooded")


def spray(ref, address, message, count):
    for number in range(int(count)):
        line("cast", address, message, number)
    line(ref, "sprayed")


def twice(ref, text):
    line(ref, text)
    line(ref, "again")


def unknown(ref, text):
    line(999999999, "nobody asked")
    line(ref, text)


def late(ref, seconds):
    open("late.begun", "w").close()
    time.sleep(float(seconds))
    line(ref, "late")


def close_output(_):
    os.close(1)
    time.sleep(60)


def close_input(_):
    os.close(0)
    time.sleep(60)


def words(ref, many):
    """So many lines that mean nothing."""
    for number in range(int(many)):
        line("what", number)
    line(ref, "said")


MESSAGES = {
    "echo": lambda ref, *texts: line(ref, *texts),
    "ignore": lambda ref, *_: None,
    "pid": lambda ref: line(ref, os.getpid()),
    "environment": lambda ref, name: line(ref, os.environ.get(name, "unset")),
    "descriptors": lambda ref: line(ref, " ".join(sorted(os.listdir("/proc/self/fd"))[:3]),
                                    len(os.listdir("/proc/self/fd"))),
    "twice": twice,
    "unknown": unknown,
    "long": lambda ref, size: line(ref, "x" * int(size)),
    "nul": lambda ref: write(f"{ref}\ta\0b\n".encode()),
    "escape": lambda ref: line(ref, "\\x"),
    "latin": lambda ref: write(f"{ref}\tcaf".encode() + b"\xe9\n"),
    "fail": lambda ref, reason: line("!" + ref, reason),
    "flood": flood,
    "words": words,
    "half": half,
    "exit": lambda ref, status: sys.exit(int(status)),
    "stop": lambda ref: (line(ref, "stopping"), end_by(signal.SIGSTOP)),
    "late": late,
    "spray": spray,
    "say": lambda ref, *fields: (line(*fields), line(ref, "said")),
    "close_output": close_output,
    "close_input": close_input,
}


def main():
    stdin = open(0, encoding="utf-8", errors="surrogateescape", newline="\n", closefd=False)
    for request in stdin:
        ref, message, *arguments = request.rstrip("\n").split("\t")
        MESSAGES[message](ref, *arguments)


main()
