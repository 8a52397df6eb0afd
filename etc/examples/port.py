#!/usr/bin/env python3
"""An actor in Python: it remembers texts. Run by etc/examples/ports.yaml, which see.

    troupe call ports/memory put colour blue
    troupe call ports/memory get colour         blue

Whoever subscribes to it hears `put KEY VALUE` and `delete KEY`.
"""
import re
import sys

PLAIN = {"t": "\t", "n": "\n", "\\": "\\"}
ESCAPES = {plain: "\\" + letter for letter, plain in PLAIN.items()}
texts = {}


def say(*fields):
    """One line: fields with TABs between them, escaped."""
    escaped = (re.sub(r"[\t\n\\]", lambda m: ESCAPES[m[0]], field) for field in fields)
    print("\t".join(escaped), flush=True)


def heard(line):
    """The fields of a line."""
    fields = line.rstrip("\n").split("\t")
    return [re.sub(r"\\(.)", lambda m: PLAIN[m[1]], field) for field in fields]


def put(key, value):
    texts[key] = value
    say("publish", "put", key, value)
    return []


def get(key):
    return [texts[key]]


def delete(key):
    del texts[key]
    say("publish", "delete", key)
    return []


def size():
    return [str(len(texts))]


MESSAGES = {
    "put": (put, "ss", "", "remembers VALUE under KEY"),
    "get": (get, "s", "s", "tells what is remembered under KEY"),
    "delete": (delete, "s", "", "forgets KEY"),
    "size": (size, "", "I", "tells how many are remembered"),
}


def main():
    sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape", newline="\n")
    sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape", newline="\n")
    for name, (_, arguments, reply, text) in MESSAGES.items():
        say("describe", name, arguments, reply, text)
    say("ready", "with an empty memory")
    for line in sys.stdin:
        ref, message, *arguments = heard(line)
        try:
            values = MESSAGES[message][0](*arguments)
        except KeyError as missing:
            if ref != "-":
                say("!" + ref, f"nothing is remembered under {missing}")
        else:
            if ref != "-": # a cast wants no answer
                say(ref, *values)


main()
