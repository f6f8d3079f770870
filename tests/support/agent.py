"""A real ssh-agent with a socket of its own."""

import os

from . import wire
from .waiting import eventually


class Agent:
    """`ssh-agent -D` on `path` (default: a fresh name in the sandbox), holding the keys of the names given.

    It holds them from the first moment that anybody can see it at `path`: it is born elsewhere and renamed.
    """

    def __init__(self, sandbox, *keys, path=None):
        self.sandbox = sandbox
        self.path = sandbox.fresh("agent")
        self._process = sandbox.spawn("ssh-agent", "-D", "-a", self.path, log="ssh-agent.log")
        self.pid = self._process.pid
        eventually(lambda: wire.accepts(self.path), 5, f"ssh-agent to listen on {self.path}")
        for key in keys:
            self.add(key)
        if path:
            os.rename(self.path, path)
            self.path = path

    def add(self, key):
        """Loads one more key of the sandbox."""
        result = self.sandbox.run("ssh-add", "-q", self.sandbox.key(key), SSH_AUTH_SOCK=self.path)
        if result.status != 0:
            raise AssertionError(result)

    def signal(self, number):
        """Sends the agent a signal: SIGSTOP makes it one that hangs."""
        os.kill(self.pid, number)

    def kill(self):
        """Ends it the hard way: its socket stays behind and refuses."""
        self._process.kill()
        self._process.wait()

    def close(self):
        """Ends it, and removes its socket if it could not."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        if os.path.lexists(self.path):
            os.unlink(self.path)
