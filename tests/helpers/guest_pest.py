#!/usr/bin/env python3
"""Guests of a gateway that misbehave, or do what nngcat cannot: guest_pest.py [HOST:]PORT KIND [ARG…]

  mutes HOST N        N connections from HOST, an address of ours, that say nothing
  idlers HOST N       N that have greeted as REQ. These two print `kept K`, and hold them until standard input ends
  noise N             N connections of random bytes
  storm N             N connections that are closed at once
  huge                messages that claim 1 MiB + 1 byte, 1 TiB, and 2**64 - 1
  half                a message without its end; prints `closed after SECONDS`
  halves N SIZE       N guests with SIZE bytes each of a message of 1 MiB; prints `kept K`, and holds them
  twice ADDRESS…      the same request twice on one connection; prints the answers that come within a second
  ask N SIZE BODY     N requests at once, each BODY and SIZE letters more; prints the answers, as they come
  glut N SIZE BODY    N requests as `ask` makes them, without reading: prints `stuck` when no more can be sent for a second,
                      then reads; prints how many answers came
  push N BODY         N casts at once, BODY with a number behind each; prints `all sent` when they are
  hear                subscribes, and prints how each message begins
  deaf                subscribes, and reads nothing; holds until standard input ends
"""
import random
import socket
import sys
import threading
import time

REQ, PUSH, SUB = 0x30, 0x50, 0x21
LIMIT = 1 << 20


def greeting(protocol):
    return b"\0SP\0\0" + bytes([protocol, 0, 0])


def frame(body, claimed=None):
    return (len(body) if claimed is None else claimed).to_bytes(8, "big") + body


def request(number, body):
    return frame((0x80000000 | number).to_bytes(4, "big") + body)


def dial(port, host="", limit=40):
    at, _, port = port.rpartition(":")
    return socket.create_connection((at or "127.0.0.1", int(port)), limit, (host, 0))


def guest(port, protocol, host=""):
    sock = dial(port, host)
    sock.sendall(greeting(protocol))
    return sock if take(sock, 8) else None


def take(sock, size):
    bytes_ = b""
    while len(bytes_) < size:
        try:
            more = sock.recv(size - len(bytes_))
        except ConnectionError:
            return b""
        if not more:
            return b""
        bytes_ += more
    return bytes_


def answer(sock):
    size = int.from_bytes(take(sock, 8), "big")
    return take(sock, size)[4:].decode()


def send(sock, data):
    try:
        sock.sendall(data)
    except ConnectionError:
        pass


def seconds_until_closed(sock):
    start = time.monotonic()
    take(sock, 1 << 30)
    return time.monotonic() - start


def is_open(sock):
    sock.setblocking(False)
    try:
        return bool(sock.recv(1 << 16))
    except BlockingIOError:
        return True
    except ConnectionError:
        return False


def hold(socks, settle=0.0):
    time.sleep(settle)
    print("kept", sum(sock is not None and is_open(sock) for sock in socks), flush=True)
    sys.stdin.read()


def mutes(port, host, count):
    hold([dial(port, host) for _ in range(int(count))])


def idlers(port, host, count):
    hold([guest(port, REQ, host) for _ in range(int(count))])


def noise(port, count):
    rng = random.Random(4711)
    for i in range(int(count)):
        sock = dial(port)
        send(sock, (greeting(REQ) if i % 2 else b"") + rng.randbytes(rng.randrange(200)))
        sock.close()


def storm(port, count):
    for _ in range(int(count)):
        dial(port).close()


def huge(port):
    for claimed in (LIMIT + 1, 1 << 40, (1 << 64) - 1):
        sock = guest(port, REQ)
        send(sock, frame(b"x" * 100, claimed))
        seconds_until_closed(sock)
    print("all closed")


def half(port):
    sock = guest(port, PUSH)
    sock.sendall(frame(b"shop/counter\t", 1000))
    print("closed after %d" % seconds_until_closed(sock))


def halves(port, count, size):
    socks = [guest(port, PUSH, "127.0.0.%d" % (2 + i % 4)) for i in range(int(count))]
    for sock in socks:
        send(sock, frame(b"x" * int(size), LIMIT))
    hold(socks, 1)


def twice(port, *words):
    sock = guest(port, REQ)
    body = "\t".join(words).encode()
    sock.sendall(request(1, body) + request(1, body))
    sock.settimeout(1)
    try:
        while True:
            print(answer(sock), flush=True)
    except TimeoutError:
        pass


def ask(port, count, size, body):
    sock = guest(port, REQ)
    letter = body.encode().decode("unicode_escape").encode() + b"x" * int(size)
    sock.sendall(b"".join(request(i, letter) for i in range(int(count))))
    for _ in range(int(count)):
        print(answer(sock), flush=True)


def glut(port, count, size, body):
    sock = guest(port, REQ)
    letter = body.encode().decode("unicode_escape").encode() + b"x" * int(size)
    left = memoryview(b"".join(request(i, letter) for i in range(int(count))))
    for buffer in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        sock.setsockopt(socket.SOL_SOCKET, buffer, 1 << 16)
    sock.settimeout(1)
    try:
        while left:
            left = left[sock.send(left):]
    except TimeoutError:
        print("stuck", flush=True)
    sock.settimeout(40)
    writer = threading.Thread(target=sock.sendall, args=(left,))
    writer.start()
    print(sum(bool(answer(sock)) for _ in range(int(count))), "answers", flush=True)
    writer.join()


def push(port, count, body):
    sock = guest(port, PUSH)
    sock.settimeout(None)
    letter = body.encode().decode("unicode_escape")
    for i in range(int(count)):
        sock.sendall(frame((letter + str(i)).encode()))
    print("all sent", flush=True)


def hear(port):
    sock = guest(port, SUB)
    print("subscribed", flush=True)
    sock.settimeout(None)
    while head := take(sock, 8):
        print(take(sock, int.from_bytes(head, "big"))[:40], flush=True)


def deaf(port):
    sock = dial(port)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.sendall(greeting(SUB))
    print("subscribed", flush=True)
    sys.stdin.read()


KINDS = {"mutes": mutes, "idlers": idlers, "noise": noise, "storm": storm, "huge": huge, "half": half,
         "halves": halves, "twice": twice, "ask": ask, "glut": glut, "push": push, "hear": hear, "deaf": deaf}

if __name__ == "__main__":
    KINDS[sys.argv[2]](sys.argv[1], *sys.argv[3:])
