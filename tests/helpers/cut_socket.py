#!/usr/bin/env python3
"""A listening Unix socket whose connections can be cut, while who listens lives on.

cut_socket.py SOCKET    takes its place (the socket itself is SOCKET.real from now on), prints "ready",
                        and relays to it whoever connects
Lines of stdin, each answered by itself on stdout:
  cut     all connections end, and nobody listens here any more
  heal    the socket is there again
"""
import os
import socket
import sys
import threading


class Relay:
    def __init__(self, path):
        self.path = path
        self.sockets = []
        os.rename(path, path + ".real")
        self.listen()

    def listen(self):
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(self.path)
        self.server.listen(64)
        threading.Thread(target=self.serve, args=(self.server,), daemon=True).start()

    def serve(self, server):
        while True:
            try:
                near, _ = server.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            far.connect(self.path + ".real")
            self.sockets += [near, far]
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=self.pump, args=(source, target), daemon=True).start()

    @staticmethod
    def pump(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    @staticmethod
    def end(sock):
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def cut(self):
        os.unlink(self.path)
        self.end(self.server)
        self.server.close()
        for sock in self.sockets:
            self.end(sock)
        self.sockets.clear()


def main():
    relay = Relay(sys.argv[1])
    print("ready", flush=True)
    for line in sys.stdin:
        word = line.strip()
        relay.cut() if word == "cut" else relay.listen()
        print(word, flush=True)


main()
