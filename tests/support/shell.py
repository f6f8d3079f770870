"""Commands in a shell that lives elsewhere: in a login over ssh, in a pane of tmux."""

import os
import shlex

from .sandbox import Result
from .waiting import eventually


class Shell:
    """A running POSIX shell that reads its commands from `feed(text)`.

    A command is handed over as a file to source, so that its words never pass through a terminal; its end is a file
    that appears by rename.
    """

    def __init__(self, sandbox, feed):
        self.sandbox = sandbox
        self._feed = feed

    def start(self, command, within=20):
        """Starts a command in the shell, which may change the shell's own variables; returns the Job."""
        stem = self.sandbox.fresh("job")
        script = (f"job_start=$(date +%s%N)\n"
                  f"{{ {command}\n}} </dev/null >{stem}.out 2>{stem}.err\n"
                  f"job_status=$?\n"
                  f'echo "$job_status $job_start $(date +%s%N)" >{stem}.tmp; mv {stem}.tmp {stem}.done\n')
        self.sandbox.file(os.path.basename(stem), script)
        self._feed(f". {shlex.quote(stem)}\n")
        return Job(command, stem, within)

    def run(self, command, within=20):
        """Runs a command to its end and returns its Result."""
        return self.start(command, within).wait()


class Job:
    """A command that was started in a Shell."""

    def __init__(self, command, stem, within):
        self.command, self._stem, self._within = command, stem, within

    @property
    def done(self):
        """True when the command has ended."""
        return os.path.exists(self._stem + ".done")

    def wait(self):
        """The Result, when the command has ended; fails after the time it was given."""
        eventually(lambda: self.done, self._within,
                   lambda: f"{self.command!r} to end; so far:\n{self._read('.out')}{self._read('.err')}")
        status, start, end = self._read(".done").split()
        return Result(self.command, int(status), self._read(".out"), self._read(".err"),
                      (int(end) - int(start)) / 1e9)

    def _read(self, suffix):
        try:
            with open(self._stem + suffix, encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""
