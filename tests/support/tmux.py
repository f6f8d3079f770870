"""A private tmux server whose panes can be given commands."""

import os
import shlex

from .shell import Shell
from .waiting import eventually


class Tmux:
    """The tmux server on a socket in the sandbox; `command` are the words that start it, for a login to run."""

    def __init__(self, sandbox, path=None):
        self.sandbox = sandbox
        self.path = path or os.path.join(sandbox.path, "tmux")
        self.words = f"tmux -S {shlex.quote(self.path)} -f /dev/null"

    def new(self, session="old", command="sh"):
        """The words that make a detached session."""
        return f"{self.words} new-session -d -s {session} -x 200 -y 50 {shlex.quote(command)}"

    def pane(self, session="old"):
        """The Shell in the session's only pane."""
        return Shell(self.sandbox, lambda text: self._send(session, text))

    def _send(self, session, text):
        for words in (["-l", text.rstrip("\n")], ["Enter"]):
            result = self.sandbox.run(*shlex.split(self.words), "send-keys", "-t", f"={session}:", *words)
            if result.status != 0:
                raise AssertionError(result)

    def close(self):
        """Ends the server with all its panes."""
        if os.path.lexists(self.path):
            self.sandbox.run(*shlex.split(self.words), "kill-server")
            eventually(lambda: self.sandbox.run(*shlex.split(self.words), "ls").status != 0, 5, "tmux to end")
            if os.path.lexists(self.path):
                os.unlink(self.path)
