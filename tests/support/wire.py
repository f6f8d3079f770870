"""The agent protocol (RFC 9987) on bare sockets: messages as bytes, and a client that can misbehave."""

import os
import select
import socket
import struct
import time

FAILURE = 5
SUCCESS = 6
REQUEST_IDENTITIES = 11
IDENTITIES_ANSWER = 12
SIGN_REQUEST = 13
SIGN_RESPONSE = 14
REMOVE_ALL_IDENTITIES = 19
LOCK = 22
EXTENSION = 27
EXTENSION_FAILURE = 28
EXTENSION_RESPONSE = 29

MESSAGE_LIMIT = 256 * 1024


def string(data):
    """An SSH string: length and bytes."""
    return struct.pack(">I", len(data)) + data


def frame(kind, body=b""):
    """A whole message as it travels."""
    return string(bytes([kind]) + body)


def sign_request(blob, data, flags=0):
    """A sign request for the key `blob`."""
    return frame(SIGN_REQUEST, string(blob) + string(data) + struct.pack(">I", flags))


def identities_answer(keys):
    """The answer that lists `keys`: pairs of blob and comment (bytes)."""
    return frame(IDENTITIES_ANSWER,
                 struct.pack(">I", len(keys)) + b"".join(string(blob) + string(comment) for blob, comment in keys))


def parse_identities(message):
    """The pairs of blob and comment in an identities answer (without its length)."""
    if message[0] != IDENTITIES_ANSWER:
        raise AssertionError(f"no list of identities but message {message[0]}")
    (count,) = struct.unpack_from(">I", message, 1)
    strings, offset = [], 5
    for _ in range(2 * count):
        (length,) = struct.unpack_from(">I", message, offset)
        strings.append(message[offset + 4:offset + 4 + length])
        offset += 4 + length
    if offset != len(message):
        raise AssertionError("bytes after the last identity")
    return list(zip(strings[::2], strings[1::2]))


def connect(path, within=5):
    """A stream socket connected to `path`."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(within)
    try:
        sock.connect(path)
    except BaseException:
        sock.close()
        raise
    return sock


def accepts(path):
    """True if somebody listens on `path` (which says nothing about answers)."""
    try:
        connect(path, 1).close()
        return True
    except OSError:
        return False


class Closed(AssertionError):
    """The other side closed the connection."""


class Client:
    """A connection to an agent. Every wait has a deadline; `recv` gives messages without their length."""

    def __init__(self, path, within=5):
        self.sock = connect(path, within)
        self._buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Closes the connection."""
        self.sock.close()

    def send(self, data, within=5):
        """Sends all of `data`, as it is."""
        self.sock.settimeout(within)
        self.sock.sendall(data)

    def half_close(self):
        """Says that nothing more will be sent."""
        self.sock.shutdown(socket.SHUT_WR)

    def recv(self, within=5):
        """The next message; raises Closed at the end of the stream, TimeoutError when nothing came."""
        deadline = time.monotonic() + within
        while True:
            if len(self._buffer) >= 4:
                (length,) = struct.unpack_from(">I", self._buffer)
                if len(self._buffer) >= 4 + length:
                    message = self._buffer[4:4 + length]
                    self._buffer = self._buffer[4 + length:]
                    return message
            self.sock.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                data = self.sock.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                raise Closed(f"closed after {len(self._buffer)} bytes of a message")
            self._buffer += data

    def ask(self, message, within=5):
        """Sends a message and returns the answer."""
        self.send(message, within)
        return self.recv(within)

    def list(self, within=5):
        """The identities: pairs of blob and comment."""
        return parse_identities(self.ask(frame(REQUEST_IDENTITIES), within))

    def comments(self, within=5):
        """The comments of the identities, as text: the shortest way to see which agent answered."""
        return [comment.decode() for _, comment in self.list(within)]

    def closed(self, within=5):
        """True if the other side closes the connection within that time without sending anything more."""
        self.sock.settimeout(within)
        try:
            return self.sock.recv(1) == b""
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False

    def silent(self, seconds):
        """True if nothing at all, not even an end, comes for so long."""
        return not select.select([self.sock], [], [], seconds)[0]


def comments(path, within=5):
    """What a new client of the agent at `path` is offered."""
    with Client(path, within) as client:
        return client.comments(within)


def answer_kind(path, message, within=5):
    """The kind of the answer that a new client gets; Closed.__name__ where the connection ends instead."""
    with Client(path, within) as client:
        try:
            return client.ask(message, within)[0]
        except (Closed, BrokenPipeError):
            return Closed.__name__


def occupied(path):
    """True if something is at that name, whatever it is."""
    return os.path.lexists(path)
