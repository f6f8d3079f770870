"""What another uid of this machine can do to us: sockets and clients of `nobody`. For root only.

The strangers here get past the modes of our directories, as they would with a descriptor that leaked to them: what is
tried is whether their uid is looked at.
"""

import os
import pwd
import subprocess
import sys

from . import wire
from .waiting import eventually

# "serve": binds as root, becomes the stranger, listens (the credentials of listen() are what a client sees) and answers
# everything with an empty list of identities. "ask": connects with the stranger's effective uid, but with root's eyes
# for the path; prints the answer in hex, or "closed".
_PROGRAM = r"""
import ctypes, os, socket, sys
what, path, uid, gid, words = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), bytes.fromhex(sys.argv[5])
s = socket.socket(socket.AF_UNIX)
if what == "serve":
    s.bind(path)
    os.chown(path, uid, gid)
    os.chmod(path, 0o777)
os.setgroups([])
os.setresgid(gid, gid, gid)
os.setresuid(0, uid, 0)
if what == "serve":
    s.listen(64)
    while True:
        c, _ = s.accept()
        data = b""
        while True:
            more = c.recv(65536)
            if not more:
                break
            data += more
            while len(data) >= 4 and len(data) >= 4 + int.from_bytes(data[:4], "big"):
                data = data[4 + int.from_bytes(data[:4], "big"):]
                c.sendall(bytes([0, 0, 0, 5, 12, 0, 0, 0, 0]))
ctypes.CDLL(None).setfsuid(0)
s.settimeout(5)
try:
    s.connect(path)
    s.sendall(words)
    print(s.recv(4096).hex() or "closed")
except (ConnectionResetError, BrokenPipeError):
    print("closed")
"""


def nobody():
    """The uid and gid of the stranger."""
    entry = pwd.getpwnam("nobody")
    return entry.pw_uid, entry.pw_gid


def give_away(path):
    """Makes the stranger the owner of a file, a directory or a symlink."""
    os.chown(path, *nobody(), follow_symlinks=False)


def _words(what, path, request=b""):
    return [sys.executable, "-c", _PROGRAM, what, path, *map(str, nobody()), request.hex()]


class StrangersAgent:
    """An agent of another uid on `path`. It answers everything."""

    def __init__(self, path):
        self.path = path
        self._process = subprocess.Popen(_words("serve", path), stdin=subprocess.DEVNULL, start_new_session=True)
        eventually(lambda: wire.accepts(path), 5, f"the stranger to listen on {path}")

    def close(self):
        """Ends the stranger; the socket is removed if it is still the stranger's."""
        self._process.kill()
        self._process.wait()
        if os.path.lexists(self.path) and os.lstat(self.path).st_uid == nobody()[0]:
            os.unlink(self.path)


def ask(path, request=wire.frame(wire.REQUEST_IDENTITIES)):
    """What a client of another uid gets from the socket at `path`: hex digits, or "closed"."""
    done = subprocess.run(_words("ask", path, request), capture_output=True, check=False, timeout=20)
    if done.returncode != 0:
        raise AssertionError(done.stderr.decode())
    return done.stdout.decode().strip()
