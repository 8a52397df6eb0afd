#!/usr/bin/env python3
"""What a peer may do to a node that knows the cookie, or has heard somebody who does.

proven.py PORT COOKIE NAME garbage     proves itself, then random bytes
proven.py PORT COOKIE NAME gigabyte    … then a frame's length of 1 GiB
proven.py PORT COOKIE NAME promise     … then the beginning of a message of 1 GiB
proven.py PORT COOKIE NAME promises    … then beginnings of as many messages as it can, each of 16 MiB
proven.py PORT COOKIE NAME nonsense    … then a message of no kind that there is
proven.py PORT COOKIE NAME silent      … then not a word
proven.py PORT COOKIE NAME deaf        … then answers for the first mailbox that is sought there, and from then on
                                       gives signs of life, and reads nothing at all; prints "deaf"
proven.py PORT COOKIE NAME replay      says a second time, to a second challenge, what proved it the first time
proven.py PORT COOKIE NAME echo        says back whatever it is told, from the beginning
proven.py PORT COOKIE NAME mirror      listens (prints "port N"), and hands all that a dialler says to PORT, and back
Prints "open" when a session has begun, "closed after SECONDS" when the node closes, "still open" after 20 s.
"""
import hashlib
import hmac
import os
import select
import socket
import sys
import time

HEADER = bytes([0]) + b"SP" + bytes([0, 0, 0x10, 0, 0])
CHALLENGE, HELLO, WELCOME, IDENTITY, READY, REFUSE = range(1, 7)
WHOLE, FIRST = 32, 33
BEAT = bytes([16])
OPEN, BACK = 0x10, 0x12  # of channels
VERSION = (1).to_bytes(2, "little")
GIB = 1 << 30


def frame(body):
    return bytes([1]) + len(body).to_bytes(8, "big") + body


def fields(*values):
    return b"".join(bytes([len(value)]) + value for value in values)


def kind_of(message):
    return message[1] if len(message) > 1 else 0


class Peer:
    def __init__(self, port, cookie, name):
        self.sock = socket.create_connection(("127.0.0.1", int(port)))
        self.sock.settimeout(20)
        with open(cookie, "rb") as file:
            self.key = file.read().removesuffix(b"\n")
        self.name = name.encode()
        self.told = []

    def take(self, size):
        data = b""
        while len(data) < size:
            more = self.sock.recv(size - len(data))
            if not more:
                raise ConnectionError("closed")
            data += more
        return data

    def receive(self):
        return self.take(int.from_bytes(self.take(9)[1:], "big"))

    def say(self, message):
        self.told.append(message)
        self.sock.sendall(frame(message))

    def with_mac(self, word, before, *values):
        message = fields(*values)
        mac = hmac.new(self.key, digestmod=hashlib.sha256)
        for part in (word, *before, message):
            mac.update(len(part).to_bytes(4, "little") + part)
        return message + fields(mac.digest())

    def meet(self):
        """The node's challenge."""
        self.sock.sendall(HEADER)
        self.take(len(HEADER))
        return self.receive()

    def prove(self):
        challenge = self.meet()
        hello = self.with_mac(b"troupe dial", [challenge], bytes([HELLO]), VERSION, VERSION, os.urandom(32))
        self.say(hello)
        if kind_of(self.receive()) != WELCOME:
            raise ConnectionError("no welcome")
        self.say(self.with_mac(b"troupe dial is", [challenge, hello], bytes([IDENTITY]), self.name,
                               os.urandom(7) + b"\1", os.urandom(7) + b"\1", b""))

    def begin(self):
        """The lower-named is the first to say that it is ready; here that is always the node."""
        self.prove()
        if kind_of(self.receive()) != READY:
            raise ConnectionError("refused")
        self.say(fields(bytes([READY])))
        print("open", flush=True)

    def wait_for_close(self):
        start = time.monotonic()
        try:
            while self.sock.recv(65536):
                pass
        except ConnectionError:
            pass
        except TimeoutError:
            print("still open", flush=True)
            return
        print("closed after %.1f" % (time.monotonic() - start), flush=True)


def after_the_proof(peer, bytes_of):
    peer.begin()
    try:
        for data in bytes_of():
            peer.sock.sendall(data)
    except ConnectionError:
        pass
    peer.wait_for_close()


def begun(number, size):
    return frame(bytes([FIRST]) + number.to_bytes(4, "little") + size.to_bytes(4, "little") + bytes(100))


WORDS = {
    "garbage": lambda: [bytes([255]) + os.urandom(100000)],
    "gigabyte": lambda: [bytes([1]) + GIB.to_bytes(8, "big") + bytes(1000)],
    "promise": lambda: [begun(1, GIB)],
    "promises": lambda: (begun(number, 16 << 20) for number in range(2000)),
    "nonsense": lambda: [frame(bytes([WHOLE, 99]) + bytes(10))],
    "silent": lambda: [],
}


def hello(address):
    """The envelope with which a mailbox begins: version, kind, the sizes of its payload and of `from`."""
    head = bytes([1, 1, 0, 0, 8, 0, 0, 0]) + bytes(20) + len(address).to_bytes(2, "little") + bytes(2)
    return head + address + bytes(8)


def be_deaf(peer):
    peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    peer.begin()
    said = b""
    while said[:1] != bytes([OPEN]):
        said = peer.receive()[1:]
    peer.sock.sendall(frame(bytes([WHOLE, BACK]) + said[1:5] + hello(b"t/db@" + peer.name + b"#1")))
    print("deaf", flush=True)
    while True:
        peer.sock.sendall(frame(BEAT))
        time.sleep(1)


def replay(peer, port):
    peer.begin()
    peer.sock.close()
    peer.sock = socket.create_connection(("127.0.0.1", int(port)))
    peer.sock.settimeout(20)
    peer.meet()
    try:
        for message in peer.told:
            peer.sock.sendall(frame(message))
    except ConnectionError:
        pass  # it does not wait for the last of them
    peer.wait_for_close()


def relay(ends):
    while True:
        for end in select.select(ends, [], [])[0]:
            data = end.recv(65536)
            if not data:
                return
            ends[end is ends[0]].sendall(data)


def echo(peer):
    start = time.monotonic()
    try:
        while data := peer.sock.recv(65536):
            peer.sock.sendall(data)
    except OSError:
        pass
    print("closed after %.1f" % (time.monotonic() - start), flush=True)


def mirror(port):
    server = socket.create_server(("127.0.0.1", 0))
    print("port", server.getsockname()[1], flush=True)
    while True:
        near, _ = server.accept()
        far = socket.create_connection(("127.0.0.1", int(port)))
        try:
            relay([near, far])
        except OSError:
            pass
        near.close()
        far.close()
        print("mirrored", flush=True)


def main(port, cookie, name, what):
    if what == "mirror":
        mirror(port)
    peer = Peer(port, cookie, name)
    if what in WORDS:
        after_the_proof(peer, WORDS[what])
    elif what == "deaf":
        be_deaf(peer)
    elif what == "replay":
        replay(peer, port)
    else:
        echo(peer)


main(*sys.argv[1:])
