"""A TCP relay between ssh and sshd that makes the way long, or swallows everything: a network to go wrong."""

import collections
import selectors
import socket
import threading
import time


class Relay:
    """Listens on `port` of loopback and passes everything on to `target_port`, each way `delay` seconds later.

    While it is `unplugged` nothing passes and nothing is closed; what was sent meanwhile arrives afterwards, as TCP
    cares for with a real cable.
    """

    def __init__(self, target_port, delay=0.0):
        self.delay = delay
        self._unplugged = False
        self._held = []  # (socket, bytes) that came while unplugged
        self._target = ("127.0.0.1", target_port)
        self._peers = {}
        self._due = collections.deque()  # (time, socket, bytes; empty: an end)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._bell, self._rope = socket.socketpair()
        self._selector.register(self._bell, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def unplugged(self):
        """Whether the cable is out."""
        return self._unplugged

    @unplugged.setter
    def unplugged(self, unplugged):
        self._unplugged = unplugged
        self._rope.send(b"!")

    def close(self):
        """Cuts all connections."""
        self._rope.close()  # the other end sees it
        self._thread.join()

    def _serve(self):
        while True:
            wait = max(0.0, self._due[0][0] - time.monotonic()) if self._due else None
            for key, _ in self._selector.select(wait):
                if key.fileobj is self._bell:
                    if not self._bell.recv(64):
                        self._cut()
                        return
                    if not self._unplugged:
                        held, self._held = self._held, []
                        self._due.extend((time.monotonic(), *piece) for piece in held)
                    continue
                if key.fileobj is self._listener:
                    self._join()
                else:
                    self._take(key.fileobj)
            while self._due and self._due[0][0] <= time.monotonic():
                _, sock, data = self._due.popleft()
                self._give(sock, data)

    def _join(self):
        client, _ = self._listener.accept()
        server = socket.create_connection(self._target)
        for sock, peer in ((client, server), (server, client)):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._peers[sock] = peer
            self._selector.register(sock, selectors.EVENT_READ)

    def _take(self, sock):
        try:
            data = sock.recv(65536)
        except OSError:
            data = b""
        if not data:
            self._selector.unregister(sock)
        if self._unplugged:
            self._held.append((self._peers[sock], data))
        else:
            self._due.append((time.monotonic() + self.delay, self._peers[sock], data))

    @staticmethod
    def _give(sock, data):
        try:
            if data:
                sock.sendall(data)
            else:
                sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def _cut(self):
        for sock in (*self._peers, self._listener, self._bell):
            sock.close()
        self._selector.close()
