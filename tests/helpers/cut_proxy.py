#!/usr/bin/env python3
"""A wire between two nodes that can be cut: a TCP relay on the loopback.

cut_proxy.py PORT FIFO    listens on a free port, prints "port N", relays to PORT
Lines that come through FIFO:
  cut      nothing passes any more, either way; what was sent waits, as it does in a network
  forth    nothing passes from who dialled to PORT
  back     nothing passes from PORT to who dialled
  heal     all passes again
  reset    every connection is reset; new ones are let through
Each is answered by a line of its own on stdout when it is done: the word and how many were.
"""
import os
import selectors
import socket
import struct
import sys

FORTH, BACK = "forth", "back"
SIZE = 65536


class Half:
    """One direction of one connection: at most SIZE bytes are on the way."""

    def __init__(self, name, source, target):
        self.name, self.source, self.target = name, source, target
        self.bytes = b""

    def wants_to_read(self, cut):
        return not self.bytes and self.name not in cut

    def wants_to_write(self, cut):
        return bool(self.bytes) and self.name not in cut

    def read(self):
        self.bytes = self.source.recv(SIZE)
        return bool(self.bytes)

    def write(self):
        self.bytes = self.bytes[self.target.send(self.bytes):]


class Proxy:
    def __init__(self, port, fifo):
        self.port = port
        self.server = socket.create_server(("127.0.0.1", 0))
        self.orders = os.fdopen(os.open(fifo, os.O_RDWR | os.O_NONBLOCK), "rb", buffering=0)
        self.cut = set()
        self.pairs = []

    def accept(self):
        near, _ = self.server.accept()
        try:
            far = socket.create_connection(("127.0.0.1", self.port))
        except OSError:
            near.close()
            return
        for sock in (near, far):
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.pairs.append((Half(FORTH, near, far), Half(BACK, far, near)))

    def end(self, pair, abrupt=False):
        for half in pair:
            if abrupt:
                half.source.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            half.source.close()
        self.pairs.remove(pair)

    def obey(self, order):
        count = len(self.pairs)
        if order == "cut":
            self.cut = {FORTH, BACK}
        elif order in (FORTH, BACK):
            self.cut = {order}
        elif order == "heal":
            self.cut = set()
        elif order == "reset":
            for pair in list(self.pairs):
                self.end(pair, abrupt=True)
        print(order, count, flush=True)

    def move(self, pair, half, events):
        try:
            alive = half.read() if events == "read" else half.write() is None
        except BlockingIOError:
            return
        except OSError:
            alive = False
        if not alive and pair in self.pairs:
            self.end(pair)

    def turn(self):
        with selectors.DefaultSelector() as selector:
            selector.register(self.orders, selectors.EVENT_READ, None)
            if not self.cut:
                selector.register(self.server, selectors.EVENT_READ, None)
            wanted = {}
            for pair in self.pairs:
                for half in pair:
                    if half.wants_to_read(self.cut):
                        wanted.setdefault(half.source, []).append((pair, half, "read"))
                    if half.wants_to_write(self.cut):
                        wanted.setdefault(half.target, []).append((pair, half, "write"))
            for sock, moves in wanted.items():
                mask = 0
                for _, _, what in moves:
                    mask |= selectors.EVENT_READ if what == "read" else selectors.EVENT_WRITE
                selector.register(sock, mask, moves)
            for key, mask in selector.select():
                self.handle(key, mask)

    def handle(self, key, mask):
        if key.fileobj is self.orders:
            for order in os.read(self.orders.fileno(), 4096).decode().split():
                self.obey(order)
        elif key.fileobj is self.server:
            self.accept()
        else:
            for pair, half, what in key.data:
                ready = selectors.EVENT_READ if what == "read" else selectors.EVENT_WRITE
                if mask & ready and pair in self.pairs:
                    self.move(pair, half, what)


proxy = Proxy(int(sys.argv[1]), sys.argv[2])
print("port", proxy.server.getsockname()[1], flush=True)
while True:
    proxy.turn()
