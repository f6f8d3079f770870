"""Bases for tests that share a way of starting: by hand, by the commands, with one agent, with things in /tmp."""

import os

from . import wire
from .case import Case
from .sandbox import LIVESOCKD, remove
from .waiting import Stopwatch


class DaemonCase(Case):
    """Runs livesockd by hand."""

    def livesockd(self, *words, **options):
        """Runs livesockd to its end."""
        return self.run_program(LIVESOCKD, *words, **options)

    def daemonize(self, *words, **environment):
        """livesockd --daemon; it is ended when the test is."""
        self.stop_at_the_end()
        return self.livesockd("--daemon", *words, **environment)


class CommandCase(Case):
    """Uses the commands; the sandbox's supervisor is ended when the test is, whoever started it."""

    def setUp(self):
        super().setUp()
        self.stop_at_the_end()

    def check(self, status, *words, **options):
        """Runs livesock and expects this exit status."""
        done = self.livesock(*words, **options)
        self.assertEqual(done.status, status, done)
        return done

    def succeed(self, *words, **options):
        """Runs a program that has to succeed; returns what it prints."""
        done = self.run_program(*words, **options)
        self.assertEqual(done.status, 0, done)
        return done.out

    def alone(self, *words, **options):
        """The same for one that sees no other process; skips the test where that cannot be."""
        own = () if os.getuid() == 0 else ("--user", "--map-current-user")
        around = ("unshare", *own, "--pid", "--fork", "--mount-proc")
        possible = self.run_program(*around, "true")
        if possible.status != 0:
            self.skipTest(f"no pid namespace is to be had: {possible.err.strip()}")
        return self.succeed(*around, *words, **options)

    def pid(self):
        """The supervisor's pid."""
        return self.ask("ping")["pid"]

    def started(self, *keys, config=""):
        """A supervisor in the background with one live agent that holds these keys; returns the agent."""
        agent = self.agent(*keys, path=self.in_agents("one"))
        self.configure(self.only_agents(config))
        self.check(0, "start")
        self.check(0, "wait", "--timeout", "5s")
        return agent


class ServedCase(Case):
    """A supervisor (`daemon`, serving at `path`) with one agent, real or fake."""

    def serve(self, agent, config="", **options):
        """Starts the supervisor and waits until `agent` is live."""
        self.daemon = self.supervisor(self.only_agents(config), **options)
        self.daemon.wait_for_live(agent.path)
        self.path = self.daemon.agent_sock
        return self.daemon

    def with_fake(self, *comments, config="", **options):
        """A supervisor with one fake agent, which is returned."""
        fake = self.fake_agent(*(comments or ["carol"]), path=self.in_agents("fake"), **options)
        self.serve(fake, config)
        return fake

    def with_real(self):
        """A supervisor with one real ssh-agent, which is returned."""
        agent = self.agent("alice", path=self.in_agents("real"))
        self.serve(agent)
        return agent

    def client(self):
        """A client that is closed at the end."""
        return self.keep(wire.Client(self.path))

    def check_served_at_once(self, expected):
        """A further client gets its answer in no time."""
        def seconds():
            watch = Stopwatch()
            self.assertEqual(wire.comments(self.path), expected)
            return watch.seconds
        self.check_at_once(seconds)


class TmpCase(Case):
    """Puts things into /tmp and takes them away at the end."""

    def session_directory(self, name="ssh-XXXXabcdefgh", mode=0o700):
        """A directory as sshd makes it; it never has another mode."""
        def make(path):
            before = os.umask(0)
            try:
                os.mkdir(path, mode)
            finally:
                os.umask(before)
        return self.in_tmp(name, make)

    def in_tmp(self, name, make):
        """Calls `make(path)` for a name in /tmp, and returns the path."""
        path = os.path.join("/tmp", name)
        make(path)
        self.addCleanup(remove, path)
        return path

    def quiet(self):
        """Fails if the supervisor complained or chattered."""
        self.assertNotRegex(self.daemon.log.lower(), r"warning|error|refus|ignor")
        self.assertLess(self.daemon.log.count("\n"), 30, self.daemon.log)

    def known_agents(self):
        """Paths that status shows."""
        return set(self.daemon.agents())

    def check_a_new_agent_is_found(self, name="ssh-NEWnewNEWnew"):
        """A session made now becomes live."""
        fake = self.fake_agent("new", path=os.path.join(self.session_directory(name), "agent.4242"))
        self.daemon.wait_for_live(fake.path)
        return fake
