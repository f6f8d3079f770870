"""What may lie about where agent sockets are looked for."""

import os
import socket


def plain_file(path):
    """A file with text in it."""
    with open(path, "w", encoding="ascii") as file:
        file.write("not a socket\n")


def datagram(path):
    """A datagram socket, left behind."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(path)


def dead_socket(path):
    """A stream socket that nobody listens on any more."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.bind(path)


def bound_socket(path):
    """A stream socket that is bound and never listened on; returned open."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.bind(path)
    return sock


def loop(path):
    """A symlink to itself."""
    os.symlink(path, path)


# By kind, what makes one at a path. Each of them is removed by unlink or rmdir.
GARBAGE = {
    "file": plain_file,
    "directory": os.mkdir,
    "fifo": os.mkfifo,
    "loop": loop,
    "dangling": lambda path: os.symlink("/nowhere/at/all", path),
    "datagram": datagram,
    "device": lambda path: os.symlink("/dev/zero", path),
}
