"""A copy of this system that packages can be installed into, and new users made in. For root only.

/etc, /usr and /var are covered by overlays whose changes are in memory, in the mount namespace of the test program: what
is written there nobody else sees, and it is gone with the overlays.
"""

import ctypes
import os
import pwd
import shutil
import subprocess
import unittest

from .sandbox import remove

COVERED = ("/etc", "/usr", "/var")
MNT_DETACH = 2

# While it is there, each installation has the index of all manual pages made anew.
MANUAL_INDEX = "/var/lib/man-db/auto-update"

_libc = ctypes.CDLL(None, use_errno=True)


class Machine:
    """The copy; skips the test, saying why, where there can be none."""

    def __init__(self, sandbox):
        self.sandbox = sandbox
        self._layers = os.path.join(sandbox.path, "layers")
        self._covered = []
        if os.getuid() != 0 or not sandbox.place.private:
            raise unittest.SkipTest("needs root, and a mount namespace")
        # sshd and the programs of other users go through here.
        os.chmod(sandbox.path, 0o711)
        try:
            for directory in COVERED:
                self._cover(directory)
        except OSError as error:
            self.close()
            raise unittest.SkipTest(f"no overlay can be mounted: {error}") from None
        remove(MANUAL_INDEX)

    def _cover(self, directory):
        upper, work = (os.path.join(self._layers, kind, directory[1:]) for kind in ("upper", "work"))
        os.makedirs(upper)
        os.makedirs(work)
        options = f"lowerdir={directory},upperdir={upper},workdir={work}"
        if _libc.mount(b"overlay", directory.encode(), b"overlay", 0, options.encode()) != 0:
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error))
        self._covered.append(directory)

    def user(self, name):
        """Makes a user account, its home directory as this system makes them; returns its entry in passwd."""
        people = self.sandbox.directory("people", mode=0o755)
        # '*' is no password, which is not the same to sshd as a locked account.
        subprocess.run(["useradd", "--create-home", "--base-dir", people, "--shell", "/bin/bash", "--password", "*", name],
                       stdin=subprocess.DEVNULL, check=True, capture_output=True)
        return pwd.getpwnam(name)

    def apt(self, *words, alone=False):
        """apt-get; with `alone` it sees no process but its own. Returns what it said, and fails if it did."""
        around = ("unshare", "--pid", "--fork", "--mount-proc") if alone else ()
        done = self.sandbox.run(*around, "apt-get", "--yes", "--quiet", *words, within=200, LIVESOCK_DIR=None, HOME="/root",
                                DEBIAN_FRONTEND="noninteractive", NEEDRESTART_SUSPEND="1", LC_ALL="C.UTF-8")
        if done.status != 0:
            raise AssertionError(done)
        return done.text

    def changed(self, directory):
        """What was written below a covered directory and is there, and is no directory: paths."""
        upper = os.path.join(self._layers, "upper", directory[1:])
        found = []
        for parent, _, names in os.walk(upper):
            for name in names:
                path = os.path.join(directory, os.path.relpath(os.path.join(parent, name), upper))
                if os.path.lexists(path):
                    found.append(path)
        return sorted(found)

    def close(self):
        """The end of all that was changed."""
        while self._covered:
            _libc.umount2(self._covered.pop().encode(), MNT_DETACH)
        shutil.rmtree(os.path.join(self.sandbox.path, "people"), ignore_errors=True)
        remove(self._layers)
