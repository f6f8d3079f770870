"""Start and stop: one supervisor at a time, in the foreground or behind, in a directory that it trusts."""

import fcntl
import os
import shlex
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from support import proc, wire
from support.case import main, root_only
from support.cases import DaemonCase
from support.sandbox import LIVESOCK, LIVESOCKD, remove
from support.stranger import give_away
from support.supervisor import Control, Supervisor
from support.waiting import eventually, Stopwatch

ENTRIES = {"agent.sock", "control.sock", "live", "lock", "log", "log.1"}


class OnlyOneTest(DaemonCase):
    """The lock and what a predecessor left."""

    def test_a_second_one_says_who_runs_and_ends(self):
        first = self.supervisor()
        before = os.lstat(first.agent_sock).st_ino
        for words in ([], ["--daemon"]):
            with self.subTest(words=words):
                second = self.livesockd(*words)
                self.assertEqual(second.status, 1, second)
                self.assertRegex(second.err, rf"already running, pid {first.pid}\b")
        self.assertTrue(first.answers())
        self.assertEqual(os.lstat(first.agent_sock).st_ino, before)

    def test_of_many_started_at_once_one_serves(self):
        crowd = [self.keep(Supervisor(self.sandbox, wait=False)) for _ in range(8)]
        eventually(lambda: sum(other.process.poll() is None for other in crowd) == 1, 10, "all but one to end")
        (winner,) = [other for other in crowd if other.process.poll() is None]
        winner.wait_until_serving()
        self.assertEqual(self.ask("ping")["pid"], winner.pid)
        self.assertEqual({other.process.returncode for other in crowd if other is not winner}, {1})

    def test_what_a_killed_one_left_is_replaced(self):
        agent = self.agent("alice", path=self.in_agents("one"))
        killed = self.supervisor(self.only_agents())
        killed.wait_for_live(agent.path)
        killed.kill()
        self.assertEqual(set(os.listdir(killed.directory)) - ENTRIES, set())
        self.assertEqual(killed.live, agent.path)  # the last report stands
        successor = self.supervisor(self.only_agents())
        successor.wait_for_live(agent.path)
        self.assertEqual(wire.comments(successor.agent_sock), ["alice"])
        self.assertEqual(successor.stop(), 0)

    def test_a_report_that_is_no_longer_true_is_corrected_at_the_start(self):
        fake = self.fake_agent("carol", path=self.in_agents("one"))
        killed = self.supervisor(self.only_agents())
        killed.wait_for_live(fake.path)
        killed.kill()
        fake.refuse()
        successor = self.supervisor(self.only_agents())
        self.assertIsNone(successor.live)

    def test_an_agent_sock_that_somebody_serves_is_never_replaced(self):
        self.sandbox.directory("run")
        path = os.path.join(self.sandbox.livesock_dir, "agent.sock")
        fake = self.fake_agent("carol", path=path)
        refused = self.livesockd()
        self.assertEqual(refused.status, 1, refused)
        self.assertIn(path, refused.err)
        self.assertEqual(wire.comments(path), ["carol"])
        fake.close()

    def test_the_lock_alone_keeps_a_second_one_out(self):
        self.sandbox.directory("run")
        with open(os.path.join(self.sandbox.livesock_dir, "lock"), "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            refused = self.livesockd()
            self.assertEqual(refused.status, 1, refused)
            self.assertIn("already running", refused.err)


class StopTest(DaemonCase):
    """The end, by signal or by request."""

    def check_ended(self, daemon):
        """Exit status 0, and nothing left in the directory but the lock and the log."""
        self.assertEqual(daemon.wait(), 0, daemon.log)
        self.assertEqual(set(os.listdir(daemon.directory)) - {"lock", "log"}, set())

    def test_either_signal_ends_it(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(number=number):
                agent = self.agent("alice", path=self.in_agents("one"))
                daemon = self.supervisor(self.only_agents())
                daemon.wait_for_live(agent.path)
                daemon.signal(number)
                self.check_ended(daemon)
                agent.close()

    def test_stop_is_answered_and_the_connection_ends_with_it(self):
        daemon = self.supervisor()
        with Control(daemon.control_sock) as control:
            self.assertEqual(control.ask("stop"), {"ok": True, "pid": daemon.pid})
            self.assertIsNone(control.recv())
        self.check_ended(daemon)

    def test_one_that_is_itself_stopped_ends_when_it_goes_on_and_stop_says_so(self):
        daemon = self.supervisor()
        daemon.signal(signal.SIGSTOP)
        stop = self.livesock("stop")
        self.assertEqual((stop.status, stop.out), (1, ""))
        self.assertIn(f"is stopped, by a signal or a debugger: 'kill -CONT {daemon.pid}' has it go on", stop.err)
        daemon.signal(signal.SIGCONT)
        self.check_ended(daemon)

    def test_a_hangup_and_a_broken_pipe_do_not_end_it(self):
        daemon = self.supervisor()
        for number in (signal.SIGHUP, signal.SIGPIPE, signal.SIGUSR1):
            if number == signal.SIGUSR1:
                continue
            daemon.signal(number)
        self.assertTrue(daemon.answers())

    def test_a_stop_in_the_middle_of_a_request_ends_at_once(self):
        fake = self.fake_agent("carol", path=self.in_agents("one"))
        daemon = self.supervisor(self.only_agents())
        daemon.wait_for_live(fake.path)
        fake.delay = 30
        client = self.keep(wire.Client(daemon.agent_sock))
        client.send(wire.frame(wire.REQUEST_IDENTITIES))
        eventually(lambda: fake.count(wire.REQUEST_IDENTITIES) > 1, 2, "the request to arrive")
        watch = Stopwatch()
        daemon.signal(signal.SIGTERM)
        self.check_ended(daemon)
        self.assertLess(watch.seconds, 1)

    def test_start_and_stop_a_hundred_times_leave_nothing(self):
        for _ in range(100):
            daemon = Supervisor(self.sandbox)
            self.assertEqual(daemon.stop(), 0)
        self.assertEqual(set(os.listdir(daemon.directory)) - {"lock"}, set())


class BackgroundTest(DaemonCase):
    """--daemon."""

    def test_it_returns_when_it_serves(self):
        started = self.daemonize()
        self.assertEqual((started.status, started.out), (0, ""), started)
        self.assertTrue(wire.accepts(os.path.join(self.sandbox.livesock_dir, "agent.sock")))
        self.assertTrue(self.ask("ping")["ok"])

    def test_it_holds_nothing_of_the_terminal(self):
        self.daemonize()
        pid = self.ask("ping")["pid"]
        self.assertEqual(os.getsid(pid) == os.getsid(0), False)
        self.assertEqual(os.readlink(f"/proc/{pid}/cwd"), "/")
        opened = proc.fds(pid)
        self.assertEqual(opened[0], "/dev/null")
        for number in (1, 2):
            self.assertIn(opened[number], ("/dev/null", os.path.join(self.sandbox.livesock_dir, "log")))

    def test_it_inherits_no_descriptor(self):
        reader, writer = os.pipe()
        child = self.sandbox.spawn(LIVESOCKD, "--daemon", log="daemon", pass_fds=(writer,))
        self.stop_at_the_end()
        self.assertEqual(child.wait(10), 0)
        os.close(writer)
        os.set_blocking(reader, False)
        try:
            self.assertEqual(os.read(reader, 1), b"", "somebody holds the pipe")
        except BlockingIOError:
            self.fail("the supervisor holds a pipe of its starter")
        finally:
            os.close(reader)

    def test_it_says_why_it_cannot_and_fails(self):
        self.configure("[probe]\ninterval = 3\n")
        failed = self.daemonize()
        self.assertEqual(failed.status, 1, failed)
        self.assertRegex(failed.err, r"livesock\.toml:2:\d+")

    def test_its_log_is_in_the_directory(self):
        self.daemonize()
        log = os.path.join(self.sandbox.livesock_dir, "log")
        self.assertEqual(self.ask("status")["log"], {"to": "file", "path": log})
        self.assertEqual(os.stat(log).st_mode & 0o077, 0)
        self.assertGreater(os.path.getsize(log), 0)

    def test_its_log_is_rotated_once_at_one_mebibyte(self):
        self.sandbox.directory("run")
        log = self.sandbox.file("run/log", ("x" * 127 + "\n") * 8192)
        self.sandbox.file("run/log.1", "older\n")
        self.daemonize("--log-level", "debug")
        for number in range(50):
            self.ask("register", path=f"/nowhere/{number}")
        eventually(lambda: os.path.getsize(log) < 1 << 20, 2, "the log to be rotated")
        with open(log + ".1", encoding="ascii", errors="replace") as file:
            self.assertTrue(file.read().startswith("xxx"))
        self.assertFalse(os.path.lexists(log + ".2"))


class DirectoryTest(DaemonCase):
    """The runtime directory."""

    def test_it_is_made_for_the_owner_only(self):
        directory = os.path.join(self.sandbox.path, "some", "where", "deep")
        daemon = self.supervisor(directory=directory)
        self.assertEqual(os.stat(daemon.directory).st_mode & 0o7777, 0o700)

    def test_the_usual_place_is_below_the_state_directory(self):
        node = os.uname().nodename
        for state, base in ((None, os.path.join(self.sandbox.home, ".local/state")),
                            (self.sandbox.path + "/state", self.sandbox.path + "/state")):
            with self.subTest(state=state):
                daemon = self.supervisor(directory=os.path.join(base, "livesock", node),
                                         LIVESOCK_DIR=None, XDG_STATE_HOME=state)
                self.assertEqual(daemon.status()["directory"], daemon.directory)
                self.assertEqual(daemon.stop(), 0)

    def test_one_that_others_can_enter_is_refused(self):
        for mode in (0o755, 0o770, 0o701, 0o777):
            with self.subTest(mode=oct(mode)):
                directory = self.sandbox.directory("run", mode=mode)
                refused = self.livesockd(within=5)
                self.assertEqual(refused.status, 1, refused)
                self.assertIn(directory, refused.err)
                self.assertRegex(refused.err, rf"0?{mode:o}")
                self.assertRegex(refused.err, r"0?700")
                self.assertEqual(os.listdir(directory), [])
                self.assertEqual(os.stat(directory).st_mode & 0o777, mode)

    def test_a_file_in_its_place_is_refused(self):
        path = self.sandbox.file("run", "mine")
        refused = self.livesockd(within=5)
        self.assertEqual(refused.status, 1, refused)
        self.assertIn(path, refused.err)

    @root_only
    def test_one_of_another_uid_is_refused(self):
        directory = self.sandbox.directory("run")
        give_away(directory)
        refused = self.livesockd(within=5)
        self.assertEqual(refused.status, 1, refused)
        self.assertIn(directory, refused.err)

    def test_where_the_path_is_too_long_another_is_taken_and_this_is_said(self):
        long = os.path.join(self.sandbox.path, "x" * 100)
        fallbacks = ((self.sandbox.runtime, os.path.join(self.sandbox.runtime, "livesock")),
                     (None, f"/tmp/livesock-{os.getuid()}"))
        for runtime, expected in fallbacks:
            with self.subTest(runtime=runtime):
                self.addCleanup(remove, expected)
                daemon = self.supervisor(directory=expected, LIVESOCK_DIR=None, XDG_STATE_HOME=long,
                                         XDG_RUNTIME_DIR=runtime)
                self.assertEqual(daemon.status()["directory"], expected)
                self.assertIn(expected, daemon.log)
                self.assertEqual(daemon.stop(), 0)

    def test_a_symlink_in_tmp_in_place_of_the_last_resort_is_refused(self):
        target, place = self.sandbox.directory("target"), f"/tmp/livesock-{os.getuid()}"
        os.symlink(target, place)
        self.addCleanup(remove, place)
        refused = self.livesockd(within=5, LIVESOCK_DIR=None, XDG_STATE_HOME=self.sandbox.path + "/" + "x" * 100,
                                 XDG_RUNTIME_DIR=None)
        self.assertEqual(refused.status, 1, refused)
        self.assertIn(place, refused.err)
        self.assertEqual(os.listdir(target), [])


class HardeningTest(DaemonCase):
    """What the process allows itself."""

    def test_core_dumps_and_new_privileges_are_off_and_nothing_is_open_that_need_not_be(self):
        daemon = self.supervisor()
        with open(f"/proc/{daemon.pid}/limits", encoding="ascii") as file:
            self.assertRegex(file.read(), r"Max core file size +0 +0 ")
        with open(f"/proc/{daemon.pid}/status", encoding="ascii") as file:
            status = file.read()
        self.assertRegex(status, r"NoNewPrivs:\t1")
        self.assertRegex(status, r"Threads:\t1\n")
        self.assertLess(daemon.fds, 20)

    def test_one_live_agent_costs_four_wakeups_a_minute_at_most(self):
        agent = self.agent("alice", path=self.in_agents("one"))
        daemon = self.supervisor(self.only_agents())
        daemon.wait_for_live(agent.path)
        for _ in range(3):  # it looks round once more soon after the agent has come
            before, watch = proc.wakeups(daemon.pid), Stopwatch()
            eventually(lambda: watch.seconds > 3, 4, "three quiet seconds")
            woken = proc.wakeups(daemon.pid) - before
            if woken <= 1:
                return
        self.fail(f"woken {woken} times in three quiet seconds")


class RoomTest(DaemonCase):
    """The limit of open files."""

    def test_with_too_few_files_it_does_not_start_and_says_what_to_do(self):
        for limit in (4, 12, 15, 31):
            for command in (f"{shlex.quote(LIVESOCKD)}", f"{shlex.quote(LIVESOCKD)} --daemon",
                            f"{shlex.quote(LIVESOCK)} start"):
                with self.subTest(limit=limit, command=command):
                    done = self.run_program("sh", "-c", f"ulimit -n {limit}; exec {command}")
                    self.assertIn(done.status, (1, 2), done)
                    self.assertIn(f"only {limit} files may be open, and ", done.err)
                    self.assertIn("the hard limit raised", done.err)


class WordsTest(DaemonCase):
    """livesockd's own command line."""

    def test_help_and_version_are_told(self):
        told = self.livesockd("--help")
        self.assertEqual(told.status, 0, told)
        for word in ("--config", "--directory", "--daemon", "--log-level", "--check-config", "--version", "--help"):
            self.assertIn(word, told.out)
        self.assertRegex(self.livesockd("--version").out, r"livesockd? \d+\.\d+\.\d+")

    def test_wrong_words_are_status_2(self):
        for words in (["--nonsense"], ["stray"], ["--config"], ["--log-level", "loud"]):
            with self.subTest(words=words):
                failed = self.livesockd(*words, within=5)
                self.assertEqual((failed.status, failed.out), (2, ""), failed)
                self.assertTrue(failed.err)

    def test_an_empty_word_is_no_default(self):
        for option, name in (("-c", "--config"), ("--directory", "--directory")):
            failed = self.livesockd("--check-config", option, "", within=5)
            self.assertEqual((failed.status, failed.text),
                             (2, f"livesockd: {name} is empty\nTry 'livesockd --help'.\n"))

    def test_a_full_disk_is_no_success(self):
        for option in ("--help", "--version"):
            done = self.run_program("sh", "-c", f"{shlex.quote(LIVESOCKD)} {option} >/dev/full")
            self.assertEqual((done.status, done.err),
                             (1, "livesockd: cannot write to standard output: No space left on device\n"))

    def test_the_directory_may_be_told_in_words(self):
        directory = os.path.join(self.sandbox.path, "told")
        daemon = self.supervisor(directory=directory, words=("--directory", directory), LIVESOCK_DIR=None)
        self.assertTrue(daemon.answers())


if __name__ == "__main__":
    main()
