"""Programs that were running before, with the path of a login that is gone or sleeps, reach the live agent."""

import os
import random
import socket
import stat
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from support import fake_agent, proc, stranger, wire
from support.case import Case, main, root_only
from support.cases import TmpCase
from support.sandbox import HELPERS, is_socket
from support.shell import Shell
from support.waiting import eventually

QUICK = '[probe]\ninterval = "100ms"\ntimeout = "100ms"\nhung_after = "200ms"\n'
ROUNDS = int(os.environ.get("LIVESOCK_KILL_ROUNDS", "30"))
STATIC = os.path.join(HELPERS, "static_client")


def leave_stale(path):
    """A socket at which nobody listens any more."""
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(path)


class FifoShell(Shell):
    """A shell that a login leaves running."""

    def __init__(self, sandbox, login):
        fifo = sandbox.fresh("fifo")
        os.mkfifo(fifo)
        login.start(f"setsid sh <{fifo} >/dev/null 2>&1 &")
        self._writer = open(fifo, "w", encoding="utf-8", buffering=1)
        super().__init__(sandbox, self._writer.write)

    def close(self):
        """The shell reads the end of its input."""
        self._writer.close()


class StandInCase(TmpCase):
    """Processes that refer to a path."""

    def refer(self, path):
        """A process with `path` as its SSH_AUTH_SOCK, which is returned."""
        process = self.sandbox.spawn("sleep", "1000", log="sleep.log", SSH_AUTH_SOCK=path)
        self.addCleanup(lambda: (process.kill(), process.wait()))
        # execve(2) has descriptors closed, which is how we hear of it, before the environment can be read.
        eventually(lambda: proc.environment(process.pid).get("SSH_AUTH_SOCK") == path, 5, "the process to be begun")
        return process

    def forget(self, process):
        """Ends it."""
        process.kill()
        process.wait()

    def stand_ins(self):
        """What status says of them, by path."""
        return {entry["path"]: entry for entry in self.daemon.status()["stand_ins"]}

    def wait_for_stand_in(self, path, reason, within=5):
        """Returns when status shows that stand-in, which leads to our socket."""
        eventually(lambda: self.stand_ins().get(path, {}).get("reason") == reason, within,
                   lambda: f"a stand-in ({reason}) at {path}: {self.daemon.status()}\n{self.daemon.log}")
        self.assertEqual(os.readlink(path), self.daemon.agent_sock)

    def heal(self, *paths):
        """What heal did, by path."""
        answer = self.daemon.control("heal", **({"paths": list(paths)} if paths else {}))
        return {entry["path"]: entry for entry in answer["paths"]}

    def check_lists(self, path, comments):
        """A program without any preload that uses `path` gets these identities."""
        done = self.run_program(STATIC, SSH_AUTH_SOCK=path, LIVESOCK_DIR=None)
        self.assertEqual((done.status, done.out.split()), (0, comments), done)


class DeadTest(StandInCase):
    """The login has ended before the supervisor is there."""

    def setUp(self):
        super().setUp()
        self.server = self.sshd()
        self.old = self.login(self.server, self.agent("old"))
        self.path = self.old.auth_sock
        self.terminal = self.tmux()
        self.assertEqual(self.old.run(self.terminal.new()).status, 0)
        self.shell = self.keep(FifoShell(self.sandbox, self.old))
        self.assertEqual(self.shell.run("ssh-add -L | cut -d' ' -f3").out, "old\n")
        self.old.logout()
        self.assertFalse(os.path.lexists(self.path))

    def check_reaches(self, comments):
        for shell in (self.shell, self.terminal.pane()):
            for program in ("ssh-add -L | cut -d' ' -f3", STATIC):
                done = shell.run(f'test -z "$LD_PRELOAD" && test "$SSH_AUTH_SOCK" = {self.path} && {program}')
                self.assertEqual((done.status, done.out), (0, comments), done)

    def test_what_was_started_before_reaches_the_agent_of_a_new_login(self):
        new = self.login(self.server, self.agent("new"))
        self.stop_at_the_end()
        self.assertEqual(self.livesock("start").status, 0)
        self.assertEqual(self.livesock("wait", "--timeout", "10s").status, 0)
        eventually(lambda: os.path.islink(self.path), 5, "the stand-in")
        self.check_reaches("new\n")
        self.assertEqual(stat.S_IMODE(os.lstat(os.path.dirname(self.path)).st_mode), 0o700)
        self.assertEqual(os.readlink(os.path.join(self.sandbox.livesock_dir, "live")), new.auth_sock)
        shown = self.livesock("status").out
        self.assertRegex(shown, r"STAND-IN\s+USED BY")
        self.assertRegex(shown, r"dead .*(tmux|sh)[^\n]*\(\d+\)")
        self.assertEqual(self.livesock("stop").status, 0)
        self.assertFalse(os.path.lexists(os.path.dirname(self.path)))

    def test_a_stand_in_goes_with_the_last_who_refers_to_it(self):
        self.daemon = self.supervisor()
        self.wait_for_stand_in(self.path, "dead")
        self.terminal.close()
        self.assertEqual(self.heal(self.path)[self.path]["result"], "unchanged")
        self.shell.close()
        eventually(lambda: self.heal() == {} and not os.path.lexists(os.path.dirname(self.path)), 10,
                   "the stand-in and its directory to go")
        self.assertEqual(self.stand_ins(), {})

    def test_a_stand_in_is_nobodys_agent_and_live_never_leads_to_it(self):
        self.daemon = self.supervisor()
        self.wait_for_stand_in(self.path, "dead")
        self.assertEqual(self.daemon.agents(), {})
        self.assertIsNone(self.daemon.live)
        refused = self.livesock("register", self.path)
        self.assertEqual(refused.status, 1, refused)
        self.assertIn("livesock's own socket", refused.err)

    def test_a_restart_leaves_it_where_it_is(self):
        new = self.login(self.server, self.agent("new"))
        self.stop_at_the_end()
        self.assertEqual(self.livesock("start").status, 0)
        eventually(lambda: os.path.islink(self.path), 5, "the stand-in")
        self.assertEqual(self.livesock("wait", "--timeout", "10s").status, 0)
        inode = os.lstat(self.path).st_ino
        self.assertEqual(self.livesock("restart").status, 0)
        self.assertEqual(os.lstat(self.path).st_ino, inode)
        self.check_reaches("new\n")
        self.assertEqual([entry["path"] for entry in self.ask("status")["stand_ins"]], [self.path])
        self.assertEqual(self.ask("status")["live"], new.auth_sock)

    def test_off_makes_none_and_a_reload_to_off_removes_all(self):
        self.daemon = self.supervisor('stand_in = "off"\n')
        self.assertEqual(self.heal(self.path)[self.path]["result"], "unchanged")
        self.assertFalse(os.path.lexists(self.path))
        self.daemon.configure("")
        self.daemon.reload()
        self.wait_for_stand_in(self.path, "dead")
        self.daemon.configure('stand_in = "off"\n')
        self.daemon.reload()
        self.assertFalse(os.path.lexists(os.path.dirname(self.path)))


class LoggedOutTest(StandInCase):
    """The login ends while the supervisor runs."""

    def test_its_programs_go_on_with_another_login_at_once(self):
        server = self.sshd()
        old = self.login(server, self.agent("old"))
        terminal = self.tmux()
        self.assertEqual(old.run(terminal.new()).status, 0)
        self.daemon = self.supervisor()
        new = self.login(server, self.agent("new"))
        self.daemon.wait_for_live(new.auth_sock)
        old.logout()
        self.wait_for_stand_in(old.auth_sock, "dead")
        self.assertEqual(terminal.pane().run(STATIC).out, "new\n")


class HungTest(StandInCase):
    """The login sleeps."""

    def setUp(self):
        super().setUp()
        server = self.sshd()
        self.old = self.login(server, self.agent("old"))
        self.path = self.old.auth_sock
        self.aside = self.path + ".hung"
        self.inode = os.lstat(self.path).st_ino
        self.terminal = self.tmux()
        self.assertEqual(self.old.run(self.terminal.new()).status, 0)
        self.daemon = self.supervisor(QUICK)
        self.new = self.login(server, self.agent("new"))
        self.daemon.wait_for_live(self.new.auth_sock)
        self.old.sleep()
        self.wait_for_stand_in(self.path, "hung", within=10)

    def ask_in_pane(self):
        return self.terminal.pane().run(STATIC).out

    def test_its_programs_reach_another_until_it_wakes_and_then_its_socket_has_its_name_again(self):
        self.assertEqual(os.lstat(self.aside).st_ino, self.inode)
        self.assertEqual(self.ask_in_pane(), "new\n")
        self.assertEqual(self.daemon.state(self.path), "hung")
        self.assertNotIn(self.aside, self.daemon.agents())
        self.old.wake()
        self.daemon.wait_for_state(self.path, "live")
        eventually(lambda: is_socket(self.path), 2, "the socket at its name")
        self.assertEqual(os.lstat(self.path).st_ino, self.inode)
        self.assertEqual(os.listdir(os.path.dirname(self.path)), [os.path.basename(self.path)])
        self.assertEqual(self.stand_ins(), {})
        self.assertEqual(self.ask_in_pane(), "old\n")
        self.terminal.close()
        self.old.logout()
        eventually(lambda: not os.path.lexists(os.path.dirname(self.path)), 5, "nothing of the login")

    def test_a_restart_leaves_it_aside_and_goes_on_asking(self):
        self.stop_at_the_end()
        result = self.livesock("restart")
        self.assertEqual(result.status, 0, result)
        self.wait_for_stand_in(self.path, "hung")
        self.assertEqual(os.lstat(self.aside).st_ino, self.inode)
        self.assertEqual(self.ask_in_pane(), "new\n")
        self.old.wake()
        self.daemon.wait_for_state(self.path, "live")
        eventually(lambda: is_socket(self.path), 2, "the socket at its name")
        self.assertEqual(self.ask_in_pane(), "old\n")

    def test_where_it_is_all_there_is_live_leads_to_the_socket_when_it_wakes(self):
        self.new.logout()
        self.daemon.wait_for_live(None)
        self.old.wake()
        self.daemon.wait_for_live(self.path)
        self.assertTrue(is_socket(self.path))

    def test_when_it_dies_asleep_a_stand_in_for_a_dead_one_takes_its_place(self):
        self.old.vanish()
        self.wait_for_stand_in(self.path, "dead", within=10)
        self.assertEqual(os.listdir(os.path.dirname(self.path)), [os.path.basename(self.path)])
        self.assertEqual(self.ask_in_pane(), "new\n")
        self.terminal.close()
        eventually(lambda: self.heal() is not None and not os.path.lexists(os.path.dirname(self.path)), 10,
                   "nothing of the login")

    def test_a_stop_gives_the_sleeping_one_its_name_again(self):
        self.assertEqual(self.daemon.stop(), 0)
        self.assertEqual(os.lstat(self.path).st_ino, self.inode)
        self.assertEqual(os.listdir(os.path.dirname(self.path)), [os.path.basename(self.path)])

    def test_dead_in_the_configuration_leaves_the_sleeping_ones_alone(self):
        self.daemon.configure('stand_in = "dead"\n' + QUICK)
        self.daemon.reload()
        self.assertEqual(os.lstat(self.path).st_ino, self.inode)
        self.assertEqual(self.heal(self.path)[self.path]["result"], "unchanged")


class KilledTest(StandInCase):
    """SIGKILL at any moment; the next start puts everything right."""

    def setUp(self):
        super().setUp()
        self.dead = os.path.join(self.session_directory("ssh-deaddeaddead"), "agent.1")
        os.rmdir(os.path.dirname(self.dead))
        self.stale = os.path.join(self.session_directory("ssh-stalestale00"), "agent.2")
        leave_stale(self.stale)
        self.fake = self.fake_agent("sleeper", path=os.path.join(self.session_directory("ssh-sleepersleep"), "agent.3"))
        self.inode = os.lstat(self.fake.path).st_ino
        self.agent("awake", path=os.path.join(self.session_directory("ssh-awakeawake00"), "agent.4"))
        for path in (self.dead, self.stale, self.fake.path):
            self.refer(path)

    def check_no_worse(self):
        """Whatever is at a path: at worst nobody answers there, as before, and nothing of others is lost."""
        aside = self.fake.path + ".hung"
        self.assertEqual(len([path for path in (self.fake.path, aside) if is_socket(path)]), 1)
        self.assertTrue(os.path.lexists(self.fake.path))
        for path in (self.dead, self.stale):
            self.assertFalse(os.path.lexists(path) and not os.path.islink(path) and wire.accepts(path))

    def check_right(self):
        self.fake.manner = fake_agent.HANG
        for path, reason in ((self.dead, "dead"), (self.stale, "dead"), (self.fake.path, "hung")):
            self.wait_for_stand_in(path, reason)
            self.check_lists(path, ["awake"])

    def load(self):
        """Clients that come and go by the dead path, until the test ends."""
        ended = threading.Event()

        def ask():
            while not ended.wait(0.002):
                try:
                    wire.comments(self.dead, within=1)
                except (OSError, AssertionError):
                    pass  # nobody is there between a kill and the next start

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        self.addCleanup(lambda: (ended.set(), [thread.join() for thread in threads]))

    def test_at_random_moments(self):
        self.load()
        for number in range(ROUNDS):
            with self.subTest(round=number):
                self.daemon = self.supervisor(QUICK, wait=False)
                self.fake.manner = random.choice([fake_agent.HANG, fake_agent.ANSWER])
                time.sleep(random.uniform(0, 0.6))  # what is tried is the moment itself
                self.daemon.kill()
                self.check_no_worse()
        self.daemon = self.supervisor(QUICK)
        self.check_right()
        self.fake.manner = fake_agent.ANSWER
        eventually(lambda: is_socket(self.fake.path), 5, "the socket at its name")
        self.assertEqual(os.lstat(self.fake.path).st_ino, self.inode)
        self.assertEqual(self.daemon.stop(), 0)
        left = [name for name in os.listdir("/tmp") if name.startswith((".livesock", "ssh-dead", "ssh-stale"))]
        self.assertEqual(left, [])
        self.assertEqual(os.listdir(os.path.dirname(self.fake.path)), [os.path.basename(self.fake.path)])

    def test_while_stand_ins_are_there(self):
        self.daemon = self.supervisor(QUICK)
        self.check_right()
        self.daemon.kill()
        self.check_no_worse()
        self.daemon = self.supervisor(QUICK)
        self.check_right()


class NeighbourTest(StandInCase):
    """Names in /tmp that are taken: left alone, and told."""

    def setUp(self):
        super().setUp()
        self.daemon = self.supervisor()

    def check_refused(self, path, why):
        """heal refuses `path`, twice, and the log says so once."""
        for _ in range(2):
            outcome = self.heal(path)[path]
            self.assertEqual(outcome["result"], "refused", outcome)
            self.assertRegex(outcome["detail"], why)
        self.assertEqual(self.daemon.log.count("no stand-in: "), 1, self.daemon.log)
        self.assertEqual(self.stand_ins(), {})
        told = self.livesock("heal", path)
        self.assertEqual(told.status, 1, told)
        self.assertIn("refused", told.out)

    def test_a_directory_that_is_a_symlink(self):
        real = self.sandbox.directory("real")
        link = self.in_tmp("ssh-linklinklink", lambda path: os.symlink(real, path))
        path = os.path.join(link, "agent.1")
        self.refer(path)
        self.check_refused(path, "no real directory")
        self.assertEqual(os.listdir(real), [])

    def test_a_directory_that_others_may_look_into(self):
        directory = self.session_directory("ssh-openopenopen", mode=0o755)
        path = os.path.join(directory, "agent.1")
        self.refer(path)
        self.check_refused(path, "mode 0755")
        self.assertEqual(os.listdir(directory), [])

    @root_only
    def test_a_directory_of_another_user(self):
        directory = self.session_directory("ssh-theirstheirs")
        stranger.give_away(directory)
        path = os.path.join(directory, "agent.1")
        self.refer(path)
        self.check_refused(path, "belongs to uid")
        self.assertEqual(os.listdir(directory), [])

    @root_only
    def test_a_socket_at_which_another_user_listens(self):
        path = os.path.join(self.session_directory("ssh-squatsquat00"), "agent.1")
        self.keep(stranger.StrangersAgent(path))
        self.refer(path)
        inode = os.lstat(path).st_ino
        self.check_refused(path, "uid")
        self.assertEqual(os.lstat(path).st_ino, inode)

    def test_a_symlink_that_leads_elsewhere(self):
        target = self.sandbox.file("precious", "mine")
        path = os.path.join(self.session_directory("ssh-awayawayaway"), "agent.1")
        os.symlink(target, path)
        self.refer(path)
        self.check_refused(path, "symlink that leads elsewhere")
        self.assertEqual(os.readlink(path), target)

    def test_a_file(self):
        path = os.path.join(self.session_directory("ssh-filefilefile"), "agent.1")
        with open(path, "w", encoding="utf-8") as file:
            file.write("mine")
        self.refer(path)
        self.check_refused(path, "no socket")
        self.assertTrue(os.path.isfile(path))

    def test_another_shape(self):
        for path in ("/tmp/ssh-x/y/agent.1", "/nonexistent", os.path.join(self.sandbox.path, "agent.1")):
            self.refer(path)
            outcome = self.heal(path)[path]
            self.assertEqual(outcome["result"], "refused", outcome)
            self.assertFalse(os.path.lexists(path))
        self.assertEqual(self.stand_ins(), {})


class HealTest(StandInCase):
    """livesock heal."""

    def test_it_does_at_once_what_there_is_to_do_and_says_what(self):
        self.daemon = self.supervisor()
        agent = self.agent("one", path=os.path.join(self.session_directory("ssh-oneoneoneone"), "agent.1"))
        self.daemon.wait_for_live(agent.path)
        nothing = self.livesock("heal")
        self.assertEqual((nothing.status, nothing.out),
                         (0, "No running process refers to the path of a forwarded agent.\n"))
        dead = os.path.join("/tmp", "ssh-gonegonegone", "agent.1")
        self.refer(dead)
        self.refer(agent.path)
        done = self.livesock("heal")
        self.assertEqual(done.status, 0, done)
        self.assertIn(f"{dead}: a stand-in is there", done.out)
        self.assertIn(f"{agent.path}: its agent is live", done.out)
        self.check_lists(dead, ["one"])
        idle = self.livesock("heal", "/tmp/ssh-nobodynobody/agent.1")
        self.assertEqual(idle.status, 0, idle)
        self.assertIn("no running process", idle.out)

    def test_a_path_that_answers_is_never_changed(self):
        self.daemon = self.supervisor("[discovery]\nforwarded = false\n")
        agent = self.agent("one", path=os.path.join(self.session_directory("ssh-oneoneoneone"), "agent.1"))
        self.refer(agent.path)
        inode = os.lstat(agent.path).st_ino
        outcome = self.heal(agent.path)[agent.path]
        self.assertEqual((outcome["result"], outcome["detail"]), ("unchanged", "somebody listens there"))
        self.assertEqual(os.lstat(agent.path).st_ino, inode)

    def test_a_path_in_the_home_directory(self):
        directory = self.sandbox.directory("home/.ssh/agent")
        self.daemon = self.supervisor()
        path = os.path.join(directory, "s.abcdefghij.sshd.0123456789")
        process = self.refer(path)
        self.assertEqual(self.heal(path)[path]["detail"], "a stand-in is there: nobody listened")
        self.assertEqual(os.readlink(path), self.daemon.agent_sock)
        self.forget(process)
        eventually(lambda: self.heal() == {} and os.listdir(directory) == [], 5, "the stand-in to go")

    def test_words_that_are_wrong(self):
        self.daemon = self.supervisor()
        for paths in ("x", [1], {"a": 1}, None):
            answer = self.daemon.control("heal", paths=paths)
            self.assertEqual((answer["ok"], answer["code"]), (False, "refused"))
        self.daemon.stop()
        self.assertEqual(self.livesock("heal").status, 2)


if __name__ == "__main__":
    main()
