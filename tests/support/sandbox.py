"""The private directory of one test: home, keys, logs, jobs; and the environment that leads programs there."""

import glob
import os
import pwd
import shutil
import signal
import stat
import subprocess
import time

from . import proc
from .waiting import eventually

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("LIVESOCK_BUILD", os.path.join(ROOT, "build")))
LIVESOCK = os.path.join(BUILD, "livesock")
LIVESOCKD = os.path.join(BUILD, "livesockd")
SHIM = os.path.join(BUILD, "preload", "liblivesock.so")
HELPERS = os.environ.get("LIVESOCK_TEST_PROGRAMS", os.path.join(BUILD, "tests", "functional"))

_PASSED_ON = ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS")


class Result:
    """How a command ended: `status` as a shell has it, `out`, `err` and the `seconds` it took."""

    def __init__(self, command, status, out, err, seconds):
        self.command, self.status, self.out, self.err, self.seconds = command, status, out, err, seconds

    @property
    def text(self):
        """Both outputs, for claims about messages."""
        return self.out + self.err

    def __repr__(self):
        return f"{self.command!r}: status {self.status} after {self.seconds:.3f} s\nout: {self.out}\nerr: {self.err}"


class Sandbox:
    """Made before a test, removed after it. Whatever the test starts is told to stay inside."""

    def __init__(self, place):
        self.place = place
        self.path = place.sandbox
        if os.path.lexists(self.path):
            shutil.rmtree(self.path)
        os.mkdir(self.path, 0o700)
        self.home = self.directory("home")
        self.runtime = self.directory("xdg")  # $XDG_RUNTIME_DIR
        self.logs = self.directory("logs")
        self.livesock_dir = os.path.join(self.path, "run")
        self.user = pwd.getpwuid(os.getuid()).pw_name
        self._counter = 0
        self._tmp_before = set(os.listdir("/tmp"))

    def directory(self, *names, mode=0o700):
        """Makes a directory below the sandbox, and returns its path."""
        path = os.path.join(self.path, *names)
        os.makedirs(path, exist_ok=True)
        os.chmod(path, mode)
        return path

    def file(self, name, text, mode=0o600):
        """Writes a file below the sandbox, complete from its first moment, and returns its path."""
        path = os.path.join(self.path, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path + ".new", "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
        os.chmod(path + ".new", mode)
        os.rename(path + ".new", path)
        return path

    def fresh(self, stem):
        """A name below the sandbox that nobody has had."""
        self._counter += 1
        return os.path.join(self.path, f"{stem}.{self._counter}")

    def environment(self, **more):
        """The environment for a program of the test; None takes a variable away."""
        values = {
            "PATH": f"{BUILD}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "HOME": self.home,
            "USER": self.user,
            "LOGNAME": self.user,
            "SHELL": "/bin/sh",
            "TERM": "xterm",
            "LC_ALL": "C.UTF-8",
            "XDG_RUNTIME_DIR": self.runtime,
            "LIVESOCK_DIR": self.livesock_dir,
            "GIT_CONFIG_NOSYSTEM": "1",
        }
        values.update({name: os.environ[name] for name in _PASSED_ON if name in os.environ})
        values.update(more)
        return {name: value for name, value in values.items() if value is not None}

    def run(self, *argv, within=20, stdin=b"", cwd=None, **environment):
        """Runs a program to its end and returns its Result; fails where that takes more than `within` seconds.

        Output goes to files: a program that leaves a child holding its stdout is not waited for.
        """
        stem = self.fresh("run")
        start = time.monotonic()
        with open(stem + ".out", "wb") as out, open(stem + ".err", "wb") as err:
            child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=out, stderr=err, cwd=cwd or self.path,
                                     env=self.environment(**environment), start_new_session=True)
        try:
            child.communicate(stdin, timeout=within)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            raise AssertionError(f"{' '.join(argv)} did not end within {within} s\n"
                                 f"{_text(stem + '.out')}{_text(stem + '.err')}") from None
        seconds = time.monotonic() - start
        status = child.returncode if child.returncode >= 0 else 128 - child.returncode
        return Result(" ".join(argv), status, _text(stem + ".out"), _text(stem + ".err"), seconds)

    def spawn(self, *argv, log, stdin=subprocess.DEVNULL, cwd=None, prepare=None, pass_fds=(), **environment):
        """Starts a program of the rig, its output appended to logs/`log`; `prepare` runs in the child before exec."""
        with open(os.path.join(self.logs, log), "ab") as file:
            return subprocess.Popen(argv, stdin=stdin, stdout=file, stderr=file, cwd=cwd or self.path,
                                    env=self.environment(**environment), start_new_session=True,
                                    preexec_fn=prepare, pass_fds=pass_fds)

    def log(self, name):
        """The text of a log so far."""
        return _text(os.path.join(self.logs, name))

    def key(self, name):
        """The path of an ed25519 key of that name and comment, made at its first use."""
        path = os.path.join(self.directory("keys"), name)
        if not os.path.exists(path):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", path], check=True,
                           stdin=subprocess.DEVNULL, env=self.environment())
        return path

    def public_key(self, name):
        """The line of the key's .pub file."""
        return _text(self.key(name) + ".pub").strip()

    def fingerprint(self, name):
        """SHA256:... of a key."""
        return self.run("ssh-keygen", "-lf", self.key(name) + ".pub").out.split()[1]

    def report(self):
        """All logs, for a test that failed."""
        paths = sorted(glob.glob(os.path.join(self.logs, "*")))
        paths += sorted(glob.glob(os.path.join(self.livesock_dir, "log*")))
        return "".join(f"--- {os.path.basename(path)}\n{_text(path)[-6000:]}\n" for path in paths)

    # What is left at the end.

    def leftovers(self):
        """Processes, sockets and entries of /tmp that the test should have ended or removed, in words."""
        found = [f"process {pid}: {proc.command(pid)}" for pid in self.place.processes() if proc.alive(pid)]
        for name in sorted(set(os.listdir("/tmp")) - self._tmp_before - {os.path.basename(self.path)}):
            path = os.path.join("/tmp", name)
            if self.place.private or (name.startswith("ssh-") and _own(path)):
                found.append(path)
        for directory, _, names in os.walk(self.path):
            found += [path for path in (os.path.join(directory, name) for name in names) if is_socket(path)]
        return found

    def settle(self, within=5):
        """Waits until nothing is left; returns what still is when the time is up, having removed that too."""
        try:
            eventually(lambda: not self.leftovers(), within, "an empty sandbox")
            return []
        except AssertionError:
            left = self.leftovers()
        for pid in self.place.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        eventually(lambda: not [p for p in self.place.processes() if proc.alive(p)], 5, "killed processes to end")
        for entry in left:
            if entry.startswith("/tmp/") and not entry.startswith(self.path):
                remove(entry)
        return left

    def remove(self):
        """The end of the directory."""
        remove(self.path)


def remove(path):
    """Removes whatever is at `path`, if anything is."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


def _text(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def _own(path):
    try:
        return os.lstat(path).st_uid == os.getuid()
    except FileNotFoundError:
        return False


def is_socket(path):
    """Whether there is a socket at `path`, and not a stand-in or nothing."""
    try:
        return stat.S_ISSOCK(os.lstat(path).st_mode)
    except FileNotFoundError:
        return False
