"""The base of every functional test: a fresh sandbox before it, nothing left after it, logs when it fails."""

import os
import signal
import sys
import unittest

from . import isolation
from .agent import Agent
from .fake_agent import FakeAgent
from .sandbox import BUILD, LIVESOCK, ROOT, Sandbox
from .sshd import Login, Sshd
from .supervisor import Control, Supervisor
from .tmux import Tmux

_place = None


AT_ONCE = 0.1  # seconds in which a request is answered when all is well
ROUNDS = 3  # a machine that is busy with something else may spoil one, or two


class Case(unittest.TestCase):
    """A test with a sandbox. What `keep` is given is closed when the test ends, the latest first."""

    longMessage = True

    def run(self, result=None):
        """Runs the test in a new sandbox."""
        self.sandbox = Sandbox(_place)
        super().run(result)

    def setUp(self):
        self.addCleanup(self._check_that_nothing_is_left)

    def _check_that_nothing_is_left(self):
        left = self.sandbox.settle()
        self.sandbox.remove()
        self.assertEqual(left, [], "left behind")

    def check_at_once(self, seconds_of, times=1, limit=AT_ONCE):
        """`seconds_of()` tells no more than `limit` seconds, `times` times in a row."""
        for _ in range(ROUNDS):
            slowest = max(seconds_of() for _ in range(times))
            if slowest <= limit:
                return
        self.fail(f"in each of {ROUNDS} rounds one took longer than {limit} s, the last time {slowest:.3f} s")

    def keep(self, thing):
        """Takes care of closing `thing`, and returns it."""
        self.addCleanup(thing.close)
        return thing

    def agent(self, *keys, **options):
        """A real ssh-agent with these keys."""
        return self.keep(Agent(self.sandbox, *keys, **options))

    def sshd(self, *authorized, **options):
        """A real sshd."""
        return self.keep(Sshd(self.sandbox, *authorized, **options))

    def login(self, sshd, agent, **options):
        """A login with the agent forwarded."""
        return self.keep(Login(self.sandbox, sshd, agent.path, **options))

    def tmux(self, path=None):
        """A private tmux server (not yet started)."""
        return self.keep(Tmux(self.sandbox, path))

    def fake_agent(self, *comments, **options):
        """An agent that misbehaves on demand."""
        return self.keep(FakeAgent(self.sandbox, *comments, **options))

    def supervisor(self, config="", **options):
        """livesockd in the foreground, serving."""
        return self.keep(Supervisor(self.sandbox, config, **options))

    def in_agents(self, name):
        """A name in the directory whose sockets `only_agents()` makes known."""
        return os.path.join(self.sandbox.directory("agents"), name)

    def only_agents(self, more=""):
        """A config with one source of agents, the directory of `in_agents()`; `more` is further TOML."""
        return f'[discovery]\nforwarded = false\nglobs = ["{self.sandbox.directory("agents")}/*"]\n{more}'

    def configure(self, text):
        """Writes livesock.toml at the usual place, and returns its path."""
        return self.sandbox.file("home/.config/livesock/livesock.toml", text)

    @property
    def agent_sock(self):
        """The stable socket of the sandbox."""
        return os.path.join(self.sandbox.livesock_dir, "agent.sock")

    def ask(self, command, **members):
        """A control request to the sandbox's supervisor, whoever started it."""
        with Control(os.path.join(self.sandbox.livesock_dir, "control.sock")) as control:
            return control.ask(command, **members)

    def stop_at_the_end(self):
        """Cares for a supervisor that a command is going to start in the background."""
        self.addCleanup(self._stop_supervisor)

    def _stop_supervisor(self):
        try:
            with Control(os.path.join(self.sandbox.livesock_dir, "control.sock")) as control:
                control.ask("stop")
                control.recv()  # the end
        except OSError:
            pass

    def run_program(self, *argv, **options):
        """Runs a program in the sandbox's environment."""
        return self.sandbox.run(*argv, **options)

    def livesock(self, *words, **options):
        """Runs livesock with these words."""
        return self.sandbox.run(LIVESOCK, *words, **options)


def root_only(test):
    """Marks a test that needs a second uid to play the stranger."""
    return unittest.skipUnless(os.getuid() == 0, "needs root: an ordinary user has no second uid")(test)


class _Report(unittest.TextTestResult):
    """Shows the logs of a test that failed while they are still there."""

    def _show_logs(self, test):
        if isinstance(getattr(test, "sandbox", None), Sandbox) and os.path.isdir(test.sandbox.path):
            self.stream.writeln(f"\nlogs of {test}:\n{test.sandbox.report()}")

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._show_logs(test)

    def addError(self, test, err):
        super().addError(test, err)
        self._show_logs(test)


def main():
    """Runs the tests of the calling file, with the words on the command line as unittest understands them."""
    global _place
    kept = [ROOT, BUILD] + ([os.environ["TMPDIR"]] if "TMPDIR" in os.environ else [])
    # Whoever started us in the background, or by nohup, may have them ignored: that is inherited.
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    _place = isolation.enter(kept)
    os.umask(0o022)
    runner = unittest.TextTestRunner(resultclass=_Report, verbosity=2)
    unittest.main(module="__main__", testRunner=runner, argv=sys.argv)
