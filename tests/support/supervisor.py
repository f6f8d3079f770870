"""livesockd under test, and the control socket as a client sees it."""

import json
import os
import resource
import signal
import stat
import subprocess

from . import proc, wire
from .sandbox import LIVESOCKD
from .waiting import eventually


class Control:
    """A connection to control.sock: one JSON object a line, each way."""

    def __init__(self, path, within=5):
        self.sock = wire.connect(path, within)
        self._buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Closes the connection."""
        self.sock.close()

    def send(self, data):
        """Sends bytes as they are."""
        self.sock.sendall(data)

    def recv(self, within=5):
        """The next object; None at the end of the stream."""
        self.sock.settimeout(within)
        while b"\n" not in self._buffer:
            try:
                data = self.sock.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                return None
            self._buffer += data
        line, self._buffer = self._buffer.split(b"\n", 1)
        return json.loads(line)

    def ask(self, command, within=5, **members):
        """Sends a request and returns the answer."""
        self.send(json.dumps({"command": command, **members}).encode() + b"\n")
        return self.recv(within)


class Supervisor:
    """livesockd in the foreground on the sandbox's runtime directory; returns from the constructor when it serves.

    `config` is the text of its livesock.toml, `config_name` is where that lies in the
    sandbox; `words` are further arguments; `prepare` runs in the child before exec.
    """

    def __init__(self, sandbox, config="", words=(), directory=None, wait=True, prepare=None, program=LIVESOCKD,
                 pass_fds=(), config_name=None, **environment):
        self.sandbox = sandbox
        self.directory = directory or sandbox.livesock_dir
        self.agent_sock = os.path.join(self.directory, "agent.sock")
        self.control_sock = os.path.join(self.directory, "control.sock")
        self.live_link = os.path.join(self.directory, "live")
        self.log_name = os.path.basename(sandbox.fresh("livesockd"))
        self.config_path = os.path.join(sandbox.path, config_name or "home/.config/livesock/livesock.toml")
        if config_name:
            environment["LIVESOCK_CONFIG"] = self.config_path
        if config is not None:
            self.configure(config)
        self.process = sandbox.spawn(program, *words, log=self.log_name, prepare=prepare, pass_fds=pass_fds,
                                     **{"LIVESOCK_DIR": self.directory, **environment})
        self.pid = self.process.pid
        if wait:
            try:
                self.wait_until_serving()
            except AssertionError:
                self.close()
                raise

    def configure(self, text):
        """Writes the config file (read at start and at reload)."""
        self.sandbox.file(os.path.relpath(self.config_path, self.sandbox.path), text)

    def wait_until_serving(self, within=5):
        """Returns when control.sock answers, which says that agent.sock is there too."""
        eventually(lambda: self.answers() or self.process.poll() is not None, within,
                   lambda: "livesockd to serve:\n" + self.log)
        if self.process.poll() is not None:
            raise AssertionError(f"livesockd ended with {self.process.returncode}:\n{self.log}")

    def answers(self):
        """True if control.sock answers a ping."""
        try:
            return self.control("ping")["ok"]
        except (OSError, TypeError):
            return False

    @property
    def log(self):
        """Its log so far."""
        return self.sandbox.log(self.log_name)

    def wait_for_log(self, words, within=5):
        """Returns when the log holds `words`."""
        eventually(lambda: words in self.log, within, lambda: f"{words!r} in the log:\n{self.log}")

    def control(self, command, within=5, **members):
        """One request on a connection of its own."""
        with Control(self.control_sock, within) as control:
            return control.ask(command, within, **members)

    def status(self):
        """The answer to `status`."""
        return self.control("status")

    def agents(self):
        """What status says about the agents, by path."""
        return {entry["path"]: entry for entry in self.status()["agents"]}

    def state(self, path):
        """The state of the agent at `path`; None if it is not known."""
        return self.agents().get(path, {}).get("state")

    def wait_for_state(self, path, *states, within=5):
        """Returns when the agent at `path` is in one of the states (None: not known)."""
        eventually(lambda: self.state(path) in states, within,
                   lambda: f"{path} to be {' or '.join(map(str, states))}; status: "
                           f"{json.dumps(self.status(), indent=1)}")

    @property
    def live(self):
        """Where the `live` symlink leads; None while it is absent."""
        try:
            return os.readlink(self.live_link)
        except FileNotFoundError:
            return None

    def wait_for_live(self, path, within=5):
        """Returns when `live` leads to `path` (None: when it is absent)."""
        eventually(lambda: self.live == path, within,
                   lambda: f"live to be {path}, it is {self.live}; status: {json.dumps(self.status(), indent=1)}")

    def signal(self, number):
        """Sends it a signal."""
        os.kill(self.pid, number)

    def reload(self):
        """Asks for a reload; returns the answer, when it is done."""
        return self.control("reload")

    def stop(self, within=5):
        """SIGTERM; returns the exit status when it has ended."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.wait(within)

    def wait(self, within=5):
        """Returns the exit status when it has ended."""
        try:
            return self.process.wait(within)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"livesockd did not end within {within} s:\n{self.log}") from None

    def kill(self):
        """SIGKILL: it leaves what it leaves."""
        self.process.kill()
        self.process.wait()

    def close(self):
        """Ends it; whatever a kill has left of its sockets is removed."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.kill()
        if self.process.returncode == -signal.SIGKILL:
            remove_sockets(self.directory)

    # Figures.

    @property
    def fds(self):
        """How many descriptors it has open."""
        return len(proc.fds(self.pid))

    def limit_fds(self, count):
        """Sets its limit of open descriptors."""
        resource.prlimit(self.pid, resource.RLIMIT_NOFILE, (count, count))


def remove_sockets(directory):
    """Removes the sockets in a directory that nobody serves any more."""
    for name in os.listdir(directory) if os.path.isdir(directory) else ():
        path = os.path.join(directory, name)
        if stat.S_ISSOCK(os.lstat(path).st_mode):
            os.unlink(path)
