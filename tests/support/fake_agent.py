"""An agent that misbehaves on demand. One thread serves all its connections; what it saw can be asked afterwards."""

import os
import selectors
import socket
import struct
import threading
import time

from . import wire

ANSWER = "answer"  # like a good agent
HANG = "hang"  # takes everything, answers nothing
GARBAGE = "garbage"  # answers with bytes that are no message
HALF = "half"  # sends half of the answer, and no more
CLOSE = "close"  # closes the connection at the first request
CLOSE_ON_EXTENSION = "close on extension"  # some agents end the connection at a message that they do not know
OVERSIZED = "oversized"  # announces an answer of 1 GiB
MANNERS = (ANSWER, HANG, GARBAGE, HALF, CLOSE, CLOSE_ON_EXTENSION, OVERSIZED)


class FakeAgent:
    """Listens on `path` (default: a fresh name in the sandbox) and offers identities with the comments given.

    `manner` may be changed at any time; requests that came while it was HANG are answered when it is ANSWER again, as a
    laptop's agent does after its sleep. `delay` seconds pass before each answer.
    """

    def __init__(self, sandbox, *comments, path=None, manner=ANSWER, delay=0.0, blob_size=51, backlog=1024):
        self.path = path or sandbox.fresh("fake")
        self.keys = [(_blob(comment, blob_size), comment.encode()) for comment in comments]
        self.delay = delay
        self.connects = 0  # connections accepted so far
        self.ends = 0  # of them ended, by whomever
        self.requests = []  # whole messages without their length, in order
        self._manner = manner
        self._connections = {}
        self._due = []  # (time, connection, bytes)
        self._held = []  # (connection, message) that came while hanging
        self._lock = threading.Lock()
        self._selector = selectors.DefaultSelector()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(self.path)
        self._listener.listen(backlog)
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._bell, self._rope = socket.socketpair()
        self._selector.register(self._bell, selectors.EVENT_READ)
        self._stopping = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def manner(self):
        """How it answers now."""
        return self._manner

    @manner.setter
    def manner(self, manner):
        with self._lock:
            self._manner = manner
        self._rope.send(b"!")

    @property
    def open_connections(self):
        """Connections that nobody has ended."""
        return self.connects - self.ends

    def count(self, kind):
        """How many requests of a kind have come."""
        return sum(1 for request in list(self.requests) if request[:1] == bytes([kind]))

    def hang_up(self):
        """Closes all connections from this side, and goes on listening."""
        with self._lock:
            self._hang_up = True
        self._rope.send(b"!")

    _hang_up = False

    def refuse(self):
        """Stops listening and leaves the socket file: what a killed agent leaves."""
        self._stop()

    def close(self):
        """Ends the agent and removes its socket."""
        self._stop()
        if os.path.lexists(self.path):
            os.unlink(self.path)

    def _stop(self):
        if self._thread.is_alive():
            self._stopping = True
            self._rope.send(b"!")
            self._thread.join()
            self._listener.close()  # before the connections: whoever dials again at once is refused
            for connection in list(self._connections):
                self._end(connection)
            self._bell.close()
            self._rope.close()
            self._selector.close()

    def _serve(self):
        while not self._stopping:
            wait = max(0.0, self._due[0][0] - time.monotonic()) if self._due else None
            ready = self._selector.select(wait)
            ready.sort(key=lambda event: event[0].fileobj is self._listener)  # who has left is gone before others come
            for key, _ in ready:
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj is self._bell:
                    self._bell.recv(4096)
                else:
                    self._read(key.fileobj)
            with self._lock:
                if self._hang_up:
                    self._hang_up = False
                    for connection in list(self._connections):
                        self._end(connection)
                if self._manner != HANG:
                    held, self._held = self._held, []
                    for connection, message in held:
                        self._answer(connection, message)
            while self._due and self._due[0][0] <= time.monotonic():
                _, connection, data = self._due.pop(0)
                self._send(connection, data)

    def _accept(self):
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        connection.setblocking(True)  # answers are small, and a reader that never reads is the test's own choice
        self.connects += 1
        self._connections[connection] = b""
        self._selector.register(connection, selectors.EVENT_READ)

    def _end(self, connection):
        if connection in self._connections:
            del self._connections[connection]
            self._selector.unregister(connection)
            connection.close()
            self.ends += 1

    def _read(self, connection):
        try:
            data = connection.recv(1 << 20)
        except OSError:
            data = b""
        if not data:
            self._end(connection)
            return
        buffer = self._connections[connection] + data
        while len(buffer) >= 4:
            (length,) = struct.unpack_from(">I", buffer)
            if len(buffer) < 4 + length:
                break
            message, buffer = buffer[4:4 + length], buffer[4 + length:]
            self.requests.append(message)
            with self._lock:
                if self._manner == HANG:
                    self._held.append((connection, message))
                else:
                    self._answer(connection, message)
            if connection not in self._connections:
                return
        self._connections[connection] = buffer

    def _answer(self, connection, message):
        if self._manner == CLOSE or (self._manner == CLOSE_ON_EXTENSION and message[0] == wire.EXTENSION):
            self._end(connection)
            return
        answer = {
            GARBAGE: b"SSH-2.0-OpenSSH_9.2\r\n" * 4,
            OVERSIZED: struct.pack(">IB", 0x40000000, wire.IDENTITIES_ANSWER) + b"\0" * 64,
        }.get(self._manner) or self._proper_answer(message)
        if self._manner == HALF:
            answer = answer[:len(answer) // 2]
        if self.delay:
            self._due.append((time.monotonic() + self.delay, connection, answer))
        else:
            self._send(connection, answer)

    def _proper_answer(self, message):
        if message[0] == wire.REQUEST_IDENTITIES:
            return wire.identities_answer(self.keys)
        if message[0] == wire.SIGN_REQUEST:
            return wire.frame(wire.SIGN_RESPONSE, wire.string(wire.string(b"ssh-ed25519") + wire.string(b"s" * 64)))
        return wire.frame(wire.FAILURE)

    def _send(self, connection, data):
        if connection in self._connections:
            try:
                connection.sendall(data)
            except OSError:
                self._end(connection)


def _blob(comment, size):
    """A key blob that looks like ed25519's and differs by the comment."""
    head = wire.string(b"ssh-ed25519")
    body = comment.encode().ljust(32, b"\0")[:32]
    return head + wire.string(body.ljust(size - len(head) - 4, b"\0"))
