"""The supervisor as a unit of systemd: readiness, sockets handed over, lines for the journal."""

import fcntl
import os
import shutil
import socket
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from support import wire
from support.case import main
from support.cases import DaemonCase
from support.inotify import DirectoryEvents
from support.sandbox import LIVESOCKD, remove
from support.waiting import eventually


class ServiceManagerTest(DaemonCase):
    """As a unit of systemd."""

    def test_it_says_ready_when_it_serves(self):
        path = os.path.join(self.sandbox.path, "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(path)
            self.addCleanup(remove, path)
            notify.settimeout(5)
            daemon = self.supervisor(wait=False, NOTIFY_SOCKET=path)
            said = notify.recv(4096).decode()
            self.assertIn("READY=1", said.split("\n"))
            self.assertTrue(wire.accepts(daemon.agent_sock))
            self.assertTrue(daemon.answers())

    def test_it_says_ready_to_an_abstract_socket(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            name = f"livesock-test-{os.getpid()}"
            notify.bind("\0" + name)
            notify.settimeout(5)
            self.supervisor(wait=False, NOTIFY_SOCKET="@" + name)
            self.assertIn("READY=1", notify.recv(4096).decode())

    def activated(self, names=None, at="run", wait=True):
        """A supervisor that was handed a socket that listens in the directory `at`; returns it and the path."""
        path = os.path.join(self.sandbox.directory(at), "agent.sock")
        self.sandbox.directory("run")
        listener = self.keep(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        listener.bind(path)
        self.addCleanup(remove, path)
        os.chmod(path, 0o600)
        listener.listen(64)
        handed = listener.fileno()
        wrapper = ("import os,sys; os.dup2(int(sys.argv[1]), 3); os.environ['LISTEN_PID'] = str(os.getpid()); "
                   "os.execv(sys.argv[2], sys.argv[2:])")
        more = {"LISTEN_FDNAMES": names} if names else {}
        daemon = self.supervisor(program=sys.executable, words=("-c", wrapper, str(handed), LIVESOCKD),
                                 pass_fds=(handed,), LISTEN_FDS="1", config=self.only_agents(), wait=wait, **more)
        return daemon, path

    def test_a_socket_handed_over_is_served(self):
        for names in (None, "agent"):
            with self.subTest(names=names):
                agent = self.agent("alice", path=self.in_agents("one"))
                daemon, path = self.activated(names)
                daemon.wait_for_live(agent.path)
                self.assertEqual(wire.comments(path), ["alice"])
                self.assertEqual(daemon.stop(), 0)
                self.assertTrue(os.path.lexists(path), "the socket belongs to the service manager")
                remove(path)
                agent.close()

    def test_a_login_gets_the_supervisor_that_a_socket_unit_starts(self):
        if not shutil.which("systemd-socket-activate"):
            self.skipTest("systemd-socket-activate is not installed")
        path = os.path.join(self.sandbox.directory("run"), "agent.sock")
        self.addCleanup(remove, path)
        self.stop_at_the_end()
        variables = [f"--setenv={name}={value}" for name, value in self.sandbox.environment().items()]
        manager = self.sandbox.spawn("systemd-socket-activate", f"--listen={path}", "--fdname=agent", *variables, LIVESOCKD,
                                     log="manager.log", prepare=lambda: os.umask(0o177))
        self.addCleanup(manager.wait)
        self.addCleanup(manager.kill)
        eventually(lambda: "Listening on" in self.sandbox.log("manager.log"), 5, "systemd to listen")
        done = self.livesock("env", "-s")
        self.assertEqual(done.status, 0, done)
        self.assertIn(path, done.out)
        self.assertEqual(self.ask("ping")["pid"], manager.pid, "another one")
        self.livesock("stop")

    def test_it_waits_for_another_that_finds_the_socket_served(self):
        directory = self.sandbox.directory("run")
        with open(os.path.join(directory, "lock"), "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            events = self.keep(DirectoryEvents(directory))
            daemon, path = self.activated(wait=False)
            eventually(lambda: events.of("lock").count("opened") > 1, 5, "it to try the lock")
            self.assertFalse(daemon.answers())
        daemon.wait_until_serving()
        self.assertEqual(wire.answer_kind(path, wire.frame(wire.REQUEST_IDENTITIES)), wire.FAILURE)

    def test_a_socket_handed_over_is_no_agent_of_the_users_own(self):
        agent = self.agent("alice", path=self.in_agents("one"))
        daemon, path = self.activated()
        daemon.wait_for_live(agent.path)
        done = self.livesock("env", "-s", "--keep-own", SSH_AUTH_SOCK=path)
        self.assertIn(f"SSH_AUTH_SOCK={path}", done.out.replace("'", ""), done)

    def test_a_socket_handed_over_that_listens_elsewhere_is_refused(self):
        daemon, path = self.activated(at="systemd", wait=False)
        self.assertEqual(daemon.wait(), 1)
        self.assertIn(path, daemon.log)
        self.assertIn(daemon.agent_sock, daemon.log)

    def test_descriptors_meant_for_another_process_are_left_alone(self):
        daemon = self.supervisor(LISTEN_FDS="1", LISTEN_PID="1")
        self.assertTrue(wire.accepts(daemon.agent_sock))

    def test_lines_carry_a_priority_for_the_journal_and_for_nobody_else(self):
        plain = self.supervisor()
        self.assertNotRegex(plain.log, r"(?m)^<\d>")
        self.assertEqual(plain.stop(), 0)
        name = os.path.join(self.sandbox.logs, "journal")
        with open(name, "wb") as file:
            told = os.fstat(file.fileno())
            child = self.keep(_Ended(subprocess.Popen(
                [LIVESOCKD], stderr=file, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                env=self.sandbox.environment(JOURNAL_STREAM=f"{told.st_dev}:{told.st_ino}"))))
        eventually(lambda: self.sandbox.log("journal"), 5, "a line")
        child.close()
        for line in self.sandbox.log("journal").splitlines():
            self.assertRegex(line, r"^<[0-7]>")


class _Ended:
    """A process that is ended by SIGTERM."""

    def __init__(self, process):
        self._process = process

    def close(self):
        """Ends it."""
        self._process.terminate()
        self._process.wait(5)


if __name__ == "__main__":
    main()
