#!/usr/bin/env python3
"""Peers that misbehave, on a Unix socket: sp_storm.py KIND PATH [N]

  connect   N connects, closed at once
  half      a valid stream of header and frame, cut after every one of its bytes
  bytes     the same stream, byte by byte, in one connection; prints what came back
  huge      frames that claim 1<<60, 1<<63, 2**64-1 and 16 MiB + 1 bytes
  noise     N connections of random bytes, with and without a valid header before
  mute      N connections that say nothing, held until standard input ends; prints `held`
  wait-eof  one mute connection; prints after how many milliseconds it was closed
"""
import random
import socket
import struct
import sys
import time

HEADER = b"\0SP\0\0\x50\0\0"


def frame(body, claimed=None):
    return b"\1" + struct.pack(">Q", len(body) if claimed is None else claimed) + body


def dial(path):
    """A full queue is waited for: the storm is about peers, not about the queue."""
    deadline = time.monotonic() + 20
    while True:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(20)
        try:
            sock.connect(path)
            return sock
        except (BlockingIOError, socket.timeout):
            sock.close()
            if time.monotonic() > deadline:
                raise


def send(sock, data):
    try:
        sock.sendall(data)
    except (BrokenPipeError, ConnectionResetError):
        pass


def connect(path, n):
    for _ in range(n):
        dial(path).close()


def half(path, _):
    stream = HEADER + frame(b"whole")
    for cut in range(len(stream)):
        sock = dial(path)
        send(sock, stream[:cut])
        sock.close()


def bytewise(path, _):
    sock = dial(path)
    for byte in HEADER + frame(b"bytewise"):
        sock.sendall(bytes([byte]))
    print(sock.recv(8).hex())


def huge(path, _):
    for claimed in (1 << 60, 1 << 63, (1 << 64) - 1, (16 << 20) + 1):
        sock = dial(path)
        send(sock, HEADER + frame(b"x" * 100, claimed))
        while sock.recv(100):
            pass
    print("all closed")


def noise(path, n):
    rng = random.Random(4711)
    for i in range(n):
        sock = dial(path)
        send(sock, (HEADER if i % 2 else b"") + rng.randbytes(rng.randrange(200)))
        sock.close()


def mute(path, n):
    socks = [dial(path) for _ in range(n)]
    print("held", len(socks), flush=True)
    sys.stdin.read()


def wait_eof(path, _):
    start = time.monotonic()
    sock = dial(path)
    if sock.recv(1) == b"":
        print(int((time.monotonic() - start) * 1000))


KINDS = {"connect": connect, "half": half, "bytes": bytewise, "huge": huge, "noise": noise,
         "mute": mute, "wait-eof": wait_eof}

if __name__ == "__main__":
    KINDS[sys.argv[1]](sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 1)
