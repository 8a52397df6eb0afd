#!/usr/bin/env python3
"""Clients of a mailbox that take a connection each, and keep it: sitters.py KIND PATH N [BODY]

  req    nng's REQ: each has asked BODY once, and was answered
  push   nng's PUSH, that have sent nothing
  sub    nng's SUB
  mute   PAIR0, that never say HELLO

They come back at once when they are closed, as nng does. Prints `seated K` as often as that changes, for
the first time when everybody has tried; until standard input ends.
"""
import os
import selectors
import socket
import struct
import sys
import time

NUMBERS = {"req": 0x30, "push": 0x50, "sub": 0x21, "mute": 0x10}
AGAIN = 0.1  # as long as nng waits


class Sitter:
    def __init__(self, crowd):
        self.crowd = crowd
        self.dial()

    def dial(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.seated = False
        try:
            self.sock.connect(self.crowd.path)
        except BlockingIOError:
            self.leave()
            return
        self.sock.setblocking(False)
        self.sock.send(b"\0SP\0\0" + bytes([NUMBERS[self.crowd.kind], 0, 0]))
        self.crowd.selector.register(self.sock, selectors.EVENT_READ, self)

    def leave(self):
        self.sock.close()
        self.crowd.waiting.append((time.monotonic() + AGAIN, self))

    def on_readable(self):
        try:
            data = self.sock.recv(65536)
        except ConnectionResetError:
            data = b""
        if not data:
            self.crowd.selector.unregister(self.sock)
            self.crowd.count(-1 if self.seated else 0)
            self.leave()
        elif not self.seated:
            self.seated = True
            self.crowd.count(1)
            if self.crowd.body:
                self.ask()

    def ask(self):
        body = struct.pack(">I", 1 << 31 | self.sock.fileno()) + self.crowd.body
        self.sock.send(b"\1" + struct.pack(">Q", len(body)) + body)


class Crowd:
    def __init__(self, kind, path, n, body):
        self.kind, self.path, self.body = kind, path, body
        self.selector = selectors.DefaultSelector()
        self.waiting, self.seated, self.told = [], 0, None
        self.sitters = [Sitter(self) for _ in range(n)]

    def count(self, n):
        self.seated += n

    def run(self):
        os.set_blocking(0, False)
        self.selector.register(0, selectors.EVENT_READ, None)
        while True:
            for key, _ in self.selector.select(0.05):
                if key.data:
                    key.data.on_readable()
                elif not os.read(0, 65536):
                    return
            while self.waiting and self.waiting[0][0] <= time.monotonic():
                self.waiting.pop(0)[1].dial()
            if self.seated != self.told:
                self.told = self.seated
                print("seated", self.seated, flush=True)


Crowd(sys.argv[1], sys.argv[2], int(sys.argv[3]), "\t".join(sys.argv[4:]).encode()).run()
