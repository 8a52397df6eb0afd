#!/usr/bin/env python3
"""What a stranger may do to a node's port.

peer_pest.py PORT garbage         random bytes; ends when the node has closed
peer_pest.py PORT gigabyte        the header of a peer, then a frame's length of 1 GiB
peer_pest.py PORT mute            connects and says nothing; ends when the node has closed
peer_pest.py PORT mutes N         N of these at once; prints how many the node keeps, and waits for its end
peer_pest.py PORT early           a frame of a session, before any handshake
peer_pest.py challenge            listens as a node does, with a challenge, and answers HELLO with a WELCOME of its own making
peer_pest.py listen               listens on a free port, prints it, prints what each dialler says (hex)
Prints "closed after SECONDS" when the node closes, "still open" after 20 s.
"""
import os
import select
import socket
import sys
import time

HEADER = bytes([0]) + b"SP" + bytes([0, 0, 0x10, 0, 0])


def dial(port):
    return socket.create_connection(("127.0.0.1", int(port)))


def wait_for_close(sock, limit=20):
    start = time.monotonic()
    sock.settimeout(limit)
    try:
        while sock.recv(65536):
            pass
    except ConnectionError:
        pass
    except TimeoutError:
        print("still open", flush=True)
        return
    print("closed after %.1f" % (time.monotonic() - start), flush=True)


def say(port, words):
    sock = dial(port)
    try:
        sock.sendall(words)
    except ConnectionError:
        pass
    wait_for_close(sock)


def is_open(sock):
    sock.setblocking(False)
    try:
        while True:
            if not sock.recv(65536):
                return False
    except BlockingIOError:
        return True
    except ConnectionError:
        return False


def mutes(port, count):
    socks = [dial(port) for _ in range(int(count))]
    deadline = time.monotonic() + 2
    kept = len(socks)
    while time.monotonic() < deadline:
        select.select(socks, [], [], 0.1)
        kept = sum(is_open(sock) for sock in socks)
        time.sleep(0.05)
    print("kept", kept, flush=True)
    while any(is_open(sock) for sock in socks):
        time.sleep(0.1)


def frame(body):
    return bytes([1]) + len(body).to_bytes(8, "big") + body


def fields(*values):
    return b"".join(bytes([len(value)]) + value for value in values)


CHALLENGE = fields(b"\x01", b"troupe", b"\x01\x00", b"\x01\x00", bytes(32))
WELCOME = fields(b"\x03", b"\x01\x00", b"west", bytes(7) + b"\x01", bytes(7) + b"\x01", b"", bytes(32))


def listen(first, second=b""):
    server = socket.create_server(("127.0.0.1", 0))
    print("port", server.getsockname()[1], flush=True)
    while True:
        sock, _ = server.accept()
        sock.settimeout(10)
        heard = b""
        try:
            sock.sendall(HEADER + frame(first))
            while True:
                if second and len(heard) > len(HEADER):
                    sock.sendall(frame(second))
                    second = b""
                more = sock.recv(65536)
                if not more:
                    break
                heard += more
        except OSError:
            pass
        print("heard", heard.hex(), flush=True)


if sys.argv[1] == "listen":
    listen(os.urandom(40))
elif sys.argv[1] == "challenge":
    listen(CHALLENGE, WELCOME)
elif sys.argv[2] == "garbage":
    say(sys.argv[1], bytes([255]) + os.urandom(100000))
elif sys.argv[2] == "gigabyte":
    say(sys.argv[1], HEADER + bytes([1]) + (1 << 30).to_bytes(8, "big") + bytes(1000))
elif sys.argv[2] == "early":
    say(sys.argv[1], HEADER + bytes([1]) + (4).to_bytes(8, "big") + b"\x01abc")
elif sys.argv[2] == "mute":
    wait_for_close(dial(sys.argv[1]))
else:
    mutes(sys.argv[1], sys.argv[3])
