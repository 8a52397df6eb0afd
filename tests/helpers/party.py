#!/usr/bin/env python3
"""A program that speaks its control socket (PROTOCOL 4): party.py FOLDER

What is written to FOLDER/NAME.do, a line at a time, it does; what it hears goes to FOLDER/NAME.heard,
a line at a time. NAME is the last part of its path. The lines of NAME.do:

  say LINE         says that line to its supervisor
  many N ADDRESS   says N MONITOR lines, as fast as the socket takes them; refs from 1
  each A B ADDRESS says MONITOR lines with refs from A to B, each of ADDRESS#REF
  repeat N LINE    says that line N times
  deaf             hears nothing more; `hear` goes on
  end N            ends with that status
  count            writes `counted N M`: DOWN lines heard so far, and how many different refs
"""
import os
import select
import socket
import sys


class Party:
    def __init__(self, folder):
        name = os.path.join(folder, os.environ["TROUPE_PATH"].rsplit("/", 1)[-1])
        self.control = socket.socket(fileno=int(os.environ["TROUPE_CONTROL"]))
        self.control.setblocking(False)
        self.heard = open(name + ".heard", "a", buffering=1)
        if not os.path.exists(name + ".do"):
            os.mkfifo(name + ".do")
        self.orders = os.open(name + ".do", os.O_RDWR | os.O_NONBLOCK)
        self.partial = b""
        self.deaf = False
        self.downs = 0
        self.refs = set()
        self.quiet = False
        self.outbox = []
        self.heard.write("here %s\n" % os.environ["TROUPE_INCARNATION"])

    def hear(self):
        try:
            datagram = self.control.recv(65536)
        except BlockingIOError:
            return
        if not datagram:
            sys.exit(1)
        for line in datagram.decode().splitlines():
            if line.startswith("DOWN "):
                self.downs += 1
                self.refs.add(line.split()[1])
            if not self.quiet or not line.startswith("DOWN "):
                self.heard.write(line + "\n")

    def speak(self):
        while self.outbox:
            try:
                self.control.send(self.outbox[0])
            except BlockingIOError:
                return
            self.outbox.pop(0)

    def many(self, lines):
        for first in range(0, len(lines), 200):
            self.outbox.append("".join(lines[first:first + 200]).encode())

    def obey(self, line):
        verb, _, rest = line.partition(" ")
        if verb == "say":
            self.outbox.append(rest.encode() + b"\n")
        elif verb == "many":
            count, address = rest.split()
            self.quiet = True
            self.many(["MONITOR %d %s\n" % (ref, address) for ref in range(1, int(count) + 1)])
        elif verb == "repeat":
            count, line = rest.split(" ", 1)
            self.many([line + "\n"] * int(count))
        elif verb == "each":
            first, last, address = rest.split()
            self.many(["MONITOR %d %s#%d\n" % (ref, address, ref)
                       for ref in range(int(first), int(last) + 1)])
        elif verb in ("deaf", "hear"):
            self.deaf = verb == "deaf"
        elif verb == "count":
            self.heard.write("counted %d %d\n" % (self.downs, len(self.refs)))
        elif verb == "end":
            sys.exit(int(rest))

    def run(self):
        while True:
            writers = [self.control] if self.outbox else []
            readers = [self.orders] + ([] if self.deaf else [self.control])
            readable, writable, _ = select.select(readers, writers, [])
            if self.control in readable:
                self.hear()
            if self.orders in readable:
                self.partial += os.read(self.orders, 65536)
                *lines, self.partial = self.partial.split(b"\n")
                for line in lines:
                    self.obey(line.decode())
            self.speak()


if __name__ == "__main__":
    Party(sys.argv[1]).run()
