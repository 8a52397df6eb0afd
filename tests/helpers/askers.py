#!/usr/bin/env python3
"""nng's askers that never rest, as nng does it: askers.py PATH N ROUNDS BODY

N clients ask BODY, ROUNDS times each, one after the other: the next when the last is answered. One whose
connection ends makes another, and asks again what was not answered. Prints `answered A resent R`, R being
how often that was so; fails on any answer but to what was asked last, and after 100 s.
"""
import selectors
import socket
import struct
import sys
import time

AGAIN = 0.05


class Asker:
    def __init__(self, crowd, number):
        self.crowd, self.number = crowd, number
        self.round, self.is_owed = 0, False
        self.dial()

    def dial(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.is_open, self.input = False, b""
        self.sock.settimeout(20)
        self.sock.connect(self.crowd.path)
        self.sock.setblocking(False)
        self.sock.send(b"\0SP\0\0\x30\0\0")
        self.crowd.selector.register(self.sock, selectors.EVENT_READ, self)

    def redial(self):
        self.crowd.selector.unregister(self.sock)
        self.sock.close()
        self.crowd.waiting.append((time.monotonic() + AGAIN, self))

    def id(self):
        return struct.pack(">I", 1 << 31 | (self.number * 1000 + self.round))

    def ask(self):
        if self.round == self.crowd.rounds:
            return
        self.crowd.resent += self.is_owed
        self.is_owed = True
        body = self.id() + self.crowd.body
        try:
            self.sock.send(b"\1" + struct.pack(">Q", len(body)) + body)
        except BrokenPipeError:
            self.redial()

    def on_readable(self):
        try:
            data = self.sock.recv(65536)
        except ConnectionResetError:
            data = b""
        if not data:
            self.redial()
            return
        self.input += data
        if not self.is_open and len(self.input) >= 8:
            self.is_open, self.input = True, self.input[8:]
            self.ask()
        elif self.is_open and len(self.input) >= 9:
            self.on_answer(struct.unpack(">Q", self.input[1:9])[0])

    def on_answer(self, size):
        if len(self.input) < 9 + size:
            return
        body, self.input = self.input[9:9 + size], self.input[9 + size:]
        if not body.startswith(self.id() + b"+"):
            sys.exit(f"asker {self.number}, round {self.round}: {body}")
        self.round, self.is_owed = self.round + 1, False
        self.crowd.answered += 1
        self.ask()


class Crowd:
    def __init__(self, path, n, rounds, body):
        self.path, self.rounds, self.body = path, rounds, body
        self.selector = selectors.DefaultSelector()
        self.waiting, self.answered, self.resent = [], 0, 0
        self.askers = [Asker(self, number) for number in range(n)]

    def run(self):
        end = time.monotonic() + 100
        while self.answered < len(self.askers) * self.rounds:
            if time.monotonic() > end:
                sys.exit(f"{self.answered} were answered")
            for key, _ in self.selector.select(0.02):
                key.data.on_readable()
            while self.waiting and self.waiting[0][0] <= time.monotonic():
                self.waiting.pop(0)[1].dial()
        print("answered", self.answered, "resent", self.resent)


Crowd(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4].encode()).run()
