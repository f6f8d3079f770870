"""The runtime directory deleted, moved or replaced under a running supervisor."""

import fcntl
import os
import shutil
import signal
import stat
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from support import wire
from support.case import main
from support.cases import CommandCase
from support.sandbox import remove
from support.supervisor import Supervisor
from support.waiting import eventually, Stopwatch

NAMES = ("agent.sock", "control.sock", "live", "lock", "log")
SECOND = 1.0  # no more may pass until everything is there again


class DeletedTest(CommandCase):
    """What is deleted is made again, and users go on."""

    def setUp(self):
        super().setUp()
        # Two levels of its own: the parent can go, too.
        self.directory = os.path.join(self.sandbox.directory("parent"), "run")
        self.sandbox.livesock_dir = self.directory
        self.started("alice")
        self.pid_before = self.pid()
        self.client = self.keep(wire.Client(self.agent_sock))
        self.assertEqual(self.client.comments(), ["alice"])

    def path(self, name):
        """An entry of the runtime directory."""
        return os.path.join(self.directory, name)

    def check_made_again(self, before):
        """Within a second everything is there and works, and this was logged; `before` are former sockets' inodes."""
        watch = Stopwatch()

        def is_whole():
            return all(os.path.lexists(self.path(name)) for name in NAMES)
        eventually(is_whole, 5, lambda: f"the names to come back, there are {os.listdir(self.sandbox.path)}")
        self.assertLess(watch.seconds, SECOND)
        self.assertNotIn(os.stat(self.path("agent.sock")).st_ino, before)
        self.assertEqual(stat.S_IMODE(os.stat(self.directory).st_mode), 0o700)
        self.assertEqual(self.client.comments(), ["alice"], "a connected client goes on")
        self.assertEqual(wire.comments(self.agent_sock), ["alice"])
        self.assertEqual(wire.comments(self.path("live")), ["alice"])
        self.assertEqual(self.pid(), self.pid_before)
        with open(self.path("log"), encoding="utf-8") as log:
            self.assertRegex(log.read(), r"warning: .*is made again")
        with open(self.path("lock"), "rb") as lock:
            with self.assertRaises(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.check(0, "stop")
        self.assertEqual(set(os.listdir(self.directory)), {"lock", "log"})

    def inodes(self):
        """Of the sockets, held by a link so that no new one gets the number."""
        os.link(self.path("agent.sock"), os.path.join(self.sandbox.path, "held"))
        self.addCleanup(remove, os.path.join(self.sandbox.path, "held"))
        return [os.stat(self.path("agent.sock")).st_ino]

    def test_the_directory_removed(self):
        before = self.inodes()
        shutil.rmtree(self.directory)
        self.check_made_again(before)

    def test_the_directory_removed_by_rm(self):
        before = self.inodes()
        self.assertEqual(self.run_program("rm", "-rf", self.directory).status, 0)
        self.check_made_again(before)

    def test_the_directory_moved(self):
        before = self.inodes()
        os.rename(self.directory, self.directory + ".moved")
        self.addCleanup(remove, self.directory + ".moved")
        self.check_made_again(before)

    def test_the_parent_removed(self):
        before = self.inodes()
        shutil.rmtree(os.path.dirname(self.directory))
        self.check_made_again(before)

    def test_the_parent_moved(self):
        before = self.inodes()
        parent = os.path.dirname(self.directory)
        os.rename(parent, parent + ".moved")
        self.addCleanup(remove, parent + ".moved")
        self.check_made_again(before)

    def test_an_empty_directory_in_its_place(self):
        before = self.inodes()
        os.rename(self.directory, self.directory + ".moved")
        self.addCleanup(remove, self.directory + ".moved")
        os.mkdir(self.directory, 0o700)
        self.check_made_again(before)

    def test_again_and_again(self):
        for _ in range(3):
            shutil.rmtree(self.directory)
            eventually(lambda: wire.accepts(self.agent_sock), 5, "agent.sock")
        eventually(lambda: os.path.lexists(self.path("live")), 5, "live")
        self.assertEqual(self.client.comments(), ["alice"])
        self.check(0, "restart")
        self.assertEqual(self.client.comments(), ["alice"])
        shutil.rmtree(self.directory)
        eventually(lambda: wire.accepts(self.agent_sock), 5, "agent.sock after a restart")

    def test_each_name_alone(self):
        for name in NAMES:
            with self.subTest(name=name):
                watch = Stopwatch()
                os.unlink(self.path(name))
                eventually(lambda: os.path.lexists(self.path(name)), 5, f"{name} to come back")
                self.assertLess(watch.seconds, SECOND)
                self.assertEqual(self.client.comments(), ["alice"])
                self.assertEqual(wire.comments(self.agent_sock), ["alice"])
                eventually(lambda: os.path.lexists(self.path("control.sock")), 5, "control.sock")
                self.assertEqual(self.pid(), self.pid_before)

    def test_one_with_another_mode_is_left_alone_until_it_is_right(self):
        os.rename(self.directory, self.directory + ".moved")
        os.mkdir(self.directory, 0o755)
        os.chmod(self.directory, 0o755)
        log = os.path.join(self.directory + ".moved", "log")

        def told():
            with open(log, encoding="utf-8") as file:
                return "chmod 700" in file.read()
        eventually(told, 5, "the complaint")
        self.assertEqual(os.listdir(self.directory), [])
        os.chmod(self.directory, 0o700)
        eventually(lambda: wire.accepts(self.agent_sock), 10, "agent.sock")
        remove(self.directory + ".moved")

    def test_a_file_in_place_of_a_socket_is_left_alone(self):
        os.unlink(self.agent_sock)
        with open(self.agent_sock, "w", encoding="ascii") as file:
            file.write("mine")

        def told():
            with open(self.path("log"), encoding="utf-8") as log:
                return "is not our socket" in log.read()
        eventually(told, 5, "the complaint")
        with open(self.agent_sock, encoding="ascii") as file:
            self.assertEqual(file.read(), "mine")
        os.unlink(self.agent_sock)
        eventually(lambda: wire.accepts(self.agent_sock), 5, "agent.sock")


class ReplacedTest(CommandCase):
    """Somebody else is there already."""

    def test_it_steps_back_where_another_one_serves(self):
        self.agent("alice", path=self.in_agents("one"))
        first = self.supervisor(self.only_agents())
        first.signal(signal.SIGSTOP)  # the other one is there before it looks
        try:
            os.rename(first.directory, first.directory + ".moved")
            second = self.keep(Supervisor(self.sandbox, self.only_agents()))
            inode = os.stat(second.agent_sock).st_ino
        finally:
            first.signal(signal.SIGCONT)
        self.assertEqual(first.wait(), 0)
        self.assertIn("this one ends", first.log)
        self.assertEqual(os.stat(second.agent_sock).st_ino, inode)
        self.assertEqual(self.pid(), second.pid)
        second.wait_for_live(self.in_agents("one"))
        remove(first.directory + ".moved")


if __name__ == "__main__":
    main()
