"""Programs at a terminal: a shell with somebody who types, and one that draws."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time

from .waiting import eventually

PROMPT = "ready> "


class TypedShell:
    """An interactive shell: what is typed goes through its line editor, completion included."""

    def __init__(self, sandbox, *words, **environment):
        self._terminal, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
        self._process = sandbox.spawn(*words, log="terminal.log", stdin=inner,
                                      prepare=lambda: self._take_terminal(inner), PS1=PROMPT, **environment)
        os.close(inner)
        self.screen = ""

    @staticmethod
    def _take_terminal(inner):
        fcntl.ioctl(inner, termios.TIOCSCTTY, 0)
        os.dup2(inner, 1)
        os.dup2(inner, 2)

    def type(self, text):
        """Types a text."""
        os.write(self._terminal, text.encode())

    def wait_for(self, text, within=20):
        """Waits until this was shown since the last time, and forgets what was shown up to it."""
        deadline = time.monotonic() + within
        while text not in self.screen:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._terminal], [], [], left)[0]:
                raise AssertionError(f"{text!r} is not shown, but\n{self.screen!r}")
            try:
                shown = os.read(self._terminal, 65536).decode(errors="replace")
            except OSError:
                raise AssertionError(f"the shell has ended; it showed\n{self.screen!r}") from None
            self.screen += shown
        self.screen = self.screen.partition(text)[2]

    def close(self):
        """Ends the shell, if it has not ended."""
        self._process.kill()
        self._process.wait()
        if self._terminal is not None:
            os.close(self._terminal)
            self._terminal = None


class Terminal:
    """A program in a terminal of its own, and what it shows there."""

    def __init__(self, sandbox, *words, columns=80, rows=24, **environment):
        self.master, slave = pty.openpty()
        self.before = termios.tcgetattr(slave)
        self.resize(columns, rows)
        self.process = subprocess.Popen(words, stdin=slave, stdout=slave, stderr=slave, cwd=sandbox.path,
                                        env=sandbox.environment(**environment), preexec_fn=self._own)
        self.slave = slave
        os.set_blocking(self.master, False)
        self.bytes = b""

    @staticmethod
    def _own():
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def resize(self, columns, rows):
        """The window is drawn larger or smaller."""
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self):
        """Everything that was written so far."""
        try:
            while data := os.read(self.master, 65536):
                self.bytes += data
        except OSError:
            pass
        return self.bytes.decode(errors="replace")

    @property
    def painted_frame(self):
        """The lines of the last whole frame, with their colours."""
        frames = re.findall("\x1b\\[\\?2026h\x1b\\[H(.*?)\x1b\\[J\x1b\\[\\?2026l", self.read(), re.DOTALL)
        return re.split("\r+\n", frames[-1].replace("\x1b[K", "")) if frames else [""]

    @property
    def frame(self):
        """The same as a reader sees it who is blind to colours."""
        return [re.sub("\x1b\\[[0-9;]*m", "", line) for line in self.painted_frame]

    @property
    def text(self):
        """The last frame in one line."""
        return " ".join(" ".join(self.frame).split())

    def type(self, keys):
        """Keys are pressed."""
        os.write(self.master, keys.encode())

    def shows(self, words, within=5):
        """Returns when the last frame has `words`."""
        eventually(lambda: re.search(words, self.text), within, lambda: f"{words!r} in:\n" + "\n".join(self.frame))

    def settings(self):
        """The terminal's settings."""
        return termios.tcgetattr(self.slave)

    def close(self):
        """Ends it."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.slave)
        os.close(self.master)
