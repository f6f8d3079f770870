#!/usr/bin/env python3
"""The part of tools/try that lasts as long as the command.

Starts the supervisor, finds an agent or makes one, runs the command under `livesock run`, and ends
what it started. Python rather than sh because of the signals: a shell cannot both wait for a
foreground command and act on a signal.
"""

import fcntl
import json
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile

FAILED = 125
PRIVATE_PREFIX = "livesock-try."
THROWAWAY_COMMENT = "livesock try (throwaway)"

# Marks a supervisor as started by a try, where any other try can see it: in /proc/PID/environ.
MARK = "LIVESOCK_TRY"


def say(text):
    try:
        print(f"tools/try: {text}", file=sys.stderr, flush=True)
    except OSError:
        pass  # the terminal is gone: that must not keep us from cleaning up


class Failed(Exception):
    """It did not come to running the command; the text says why."""


class Livesock:
    """The command line, and the supervisor behind it."""

    def __init__(self, program):
        self.program = program
        self.users = None

    def call(self, *words, env=None, timeout=30):
        return subprocess.run([self.program, *words], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, env=env, timeout=timeout, check=False)

    def status(self):
        """The supervisor's report, or None while none runs."""
        answer = self.call("status", "--json")
        try:
            return json.loads(answer.stdout)
        except ValueError:
            return None

    def show_status(self):
        """As the command will see it, with our socket in SSH_AUTH_SOCK."""
        environment = os.environ | {"SSH_AUTH_SOCK": self.status()["agent_socket"]}
        subprocess.run([self.program, "status"], stdin=subprocess.DEVNULL, stdout=sys.stderr, env=environment,
                       check=False)

    def start(self):
        was_running = self.status() is not None
        answer = self.call("start", env=os.environ | {MARK: "1"})
        status = self.status()
        if answer.returncode != 0 or status is None:
            raise Failed(f"the supervisor did not start: {(answer.stderr or answer.stdout).strip()}")
        if was_running:
            say(f"a supervisor is running (pid {status['pid']}): using it")
        # Held shared while we use the supervisor; who gets it exclusively is the last one.
        self.users = os.open(status["directory"], os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(self.users, fcntl.LOCK_SH)

    def stop(self):
        """Ends the supervisor if a try started it and no other try uses it any more."""
        if self.users is None:
            return
        status = self.status()
        if status is None or not started_by_a_try(status["pid"]):
            return
        try:
            fcntl.flock(self.users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another tools/try uses the supervisor (pid {status['pid']}): it goes on")
            return
        answer = self.call("stop")
        if answer.returncode != 0:
            say(f"the supervisor (pid {status['pid']}) did not stop: {answer.stderr.strip()}")

    def live(self):
        """The live agent's path; None when there is none but what another try keeps for itself."""
        self.call("wait", "--timeout", "1s")
        path = (self.status() or {}).get("live")
        return None if path is None or f"/{PRIVATE_PREFIX}" in path else path


def started_by_a_try(pid):
    try:
        environment = pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False
    return f"{MARK}=1".encode() in environment


class EmbeddedAgent:
    """A private ssh-agent with the user's unencrypted keys, in a directory of its own."""

    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix=PRIVATE_PREFIX, dir=short_temporary_directory()))
        self.socket = self.directory / "agent.sock"
        self.agent_pid = None
        self.parent = None

    def start(self):
        # ssh-agent ends within seconds of the command that it runs. That command ends with the pipe:
        # so nothing is left behind even when we are killed. The name is what `livesock status` shows,
        # for it is this process that made the socket.
        script = 'echo livesock-try >/proc/$$/comm; echo "$SSH_AGENT_PID"; read -r _'
        command = ["ssh-agent", "-a", str(self.socket), "sh", "-c", script]
        self.parent = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, text=True, start_new_session=True)
        pid = self.parent.stdout.readline().strip()
        if not pid:
            raise Failed(f"ssh-agent did not start: {self.parent.stderr.read().strip()}")
        self.agent_pid = int(pid)
        say(f"no ssh agent found: started a private one (pid {self.agent_pid}), which ends with this")

    def load_keys(self):
        loaded = [key for key in private_keys(pathlib.Path.home() / ".ssh") if self.load(key)]
        if not loaded:
            self.add_throwaway()

    def load(self, key):
        # An empty passphrase on the command line: ssh-keygen then never asks for one.
        test = run_quietly(["ssh-keygen", "-y", "-P", "", "-f", str(key)])
        if test.returncode != 0:
            reason = "is encrypted" if "passphrase" in test.stderr else test.stderr.strip().splitlines()[-1:]
            say(f"skipped {key}: {reason if isinstance(reason, str) else ' '.join(reason)}")
            return False
        added = self.add(key)
        say(f"loaded {key}" if added.returncode == 0 else f"skipped {key}: {added.stderr.strip()}")
        return added.returncode == 0

    def add_throwaway(self):
        key = self.directory / "throwaway"
        run_quietly(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", THROWAWAY_COMMENT, "-f", str(key)])
        added = self.add(key)
        for path in (key, key.with_suffix(".pub")):
            path.unlink(missing_ok=True)
        if added.returncode != 0:
            raise Failed(f"no key could be added to the private agent: {added.stderr.strip()}")
        say("no unencrypted key in ~/.ssh: made a throwaway one, which only this agent has")

    def add(self, key):
        return run_quietly(["ssh-add", "-q", str(key)], SSH_AUTH_SOCK=str(self.socket))

    def stop(self):
        if self.agent_pid is not None and self.parent.poll() is None:
            # While its parent lives, the pid is the agent's and nobody else's.
            try:
                os.kill(self.agent_pid, signal.SIGTERM)
            except ProcessLookupError:
                pass
        if self.parent is not None:
            self.parent.stdin.close()
            self.parent.wait()
        shutil.rmtree(self.directory, ignore_errors=True)


def short_temporary_directory():
    """Where a socket's path fits into sun_path (108 bytes)."""
    directory = tempfile.gettempdir()
    return directory if len(os.fsencode(directory)) < 70 else "/tmp"


def run_quietly(command, **environment):
    """Runs without a terminal (a new session has none): whatever would ask, fails instead."""
    environment = os.environ | {"SSH_ASKPASS_REQUIRE": "never", "LC_ALL": "C"} | environment
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment,
                          start_new_session=True, timeout=30, check=False)


def private_keys(directory):
    """The files with a private key in them, ssh's default names first."""
    def is_private_key(path):
        try:
            with path.open("rb") as file:
                head = file.read(64)
        except OSError:
            return False
        return head.startswith(b"-----BEGIN ") and b"PRIVATE KEY-----" in head

    try:
        files = [path for path in directory.iterdir() if path.is_file()]
    except OSError:
        return []
    return sorted(filter(is_private_key, files), key=lambda path: (not path.name.startswith("id_"), path.name))


def answers(agent_socket):
    """Whether an ssh agent answers there; with no identities is an answer too."""
    try:
        answer = subprocess.run(["ssh-add", "-l"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                env=os.environ | {"SSH_AUTH_SOCK": agent_socket}, timeout=3, check=False)
    except subprocess.TimeoutExpired:
        return False
    return answer.returncode == 0 or "has no identities" in answer.stdout


def find_agent(livesock):
    """True when there is an agent already: the login's own, or one that the supervisor found."""
    present = os.environ.get("SSH_AUTH_SOCK")
    if present and f"/{PRIVATE_PREFIX}" not in present and answers(present):
        livesock.call("register", present)  # refused when it is our own agent.sock, which is fine
        return True
    return livesock.live() is not None


def users_shell():
    shell = os.environ.get("SHELL") or pwd.getpwuid(os.getuid()).pw_shell
    return shell if os.access(shell, os.X_OK) else "/bin/sh"


def in_terminals_foreground():
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except OSError:
        return False


def run(command, environment):
    """Runs the command in the foreground; its exit status, 128 + n when signal n ended it."""
    process = subprocess.Popen(command, env=environment)

    def pass_on(number, _frame):
        # What the terminal sends, it has sent to the command as well.
        if number not in (signal.SIGINT, signal.SIGQUIT) or not in_terminals_foreground():
            process.send_signal(number)
        if number in (signal.SIGTERM, signal.SIGHUP):
            # Interactive shells ignore SIGTERM.
            signal.signal(signal.SIGALRM, lambda *_: process.send_signal(signal.SIGHUP))
            signal.alarm(2)

    handle(pass_on, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP)
    status = process.wait()
    signal.alarm(0)
    return status if status >= 0 else 128 - status


def handle(handler, *numbers):
    for number in numbers:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup's choice stays
            signal.signal(number, handler)


def end(number, _frame):
    raise SystemExit(128 + number)


def main():
    livesock = Livesock(sys.argv[1])
    command = sys.argv[2:]
    # The programs just built, for whoever types `livesock` in there.
    environment = os.environ | {"PATH": f"{os.path.dirname(livesock.program)}:{os.environ.get('PATH', '')}"}
    handle(end, signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    agent = None
    try:
        livesock.start()
        if not find_agent(livesock):
            agent = EmbeddedAgent()
            agent.start()
            agent.load_keys()
            livesock.call("register", str(agent.socket))
            livesock.call("wait", "--timeout", "5s")
        livesock.show_status()
        if not command:
            say("a shell with livesock; `livesock` is on its PATH; leave it with `exit`")
        return run([livesock.program, "run", "--", *(command or [users_shell()])], environment)
    except (Failed, OSError, subprocess.TimeoutExpired) as error:
        say(error)
        return FAILED
    finally:
        handle(signal.SIG_IGN, signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        if agent is not None:
            agent.stop()
        livesock.stop()


if __name__ == "__main__":
    sys.exit(main())
