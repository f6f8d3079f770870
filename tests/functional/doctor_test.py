"""livesock doctor close at hand: each finding is provoked, and its remedy, typed as it is printed, cures it."""

import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from support.case import main, root_only
from support.doctor import DoctorCase
from support.sandbox import HELPERS, SHIM
from support.stranger import give_away
from support.waiting import eventually, Stopwatch

GONE = "/tmp/ssh-XXXXgone/agent.4242"
# What these say depends on the machine that the test runs on, unless the test itself cares for it.
OF_THE_MACHINE = {"logout", "clean-up"}


class HealthTest(DoctorCase):
    """The report as a whole."""

    def test_where_all_is_well_nothing_is_found(self):
        self.started("alice")
        found = self.examine(SSH_AUTH_SOCK=self.agent_sock)
        bad = {check for check, findings in found.items() if findings[0]["verdict"] == "problem"}
        self.assertLessEqual(bad, OF_THE_MACHINE, found)
        self.assertEqual(list(found), ["supervisor", "directory", "config", "this shell", "tmux", "shim", "programs",
                                       "preloads", "sanitizers", "forwarding", "sleepers", "shared home", "logout", "clean-up",
                                       "other tools", "versions"])

    def test_people_get_a_line_a_check_and_the_command_below(self):
        done = self.check(1, "doctor", SSH_AUTH_SOCK=None)
        self.assertRegex(done.out, r"(?m)^\d+ things are wrong\. ")
        self.assertRegex(done.out, r"(?m)^BAD  supervisor   none is running\n     type:        livesock start$")
        self.assertRegex(done.out, r'(?m)^BAD  this shell   SSH_AUTH_SOCK is not set\n     type:        eval "\$\(livesock env\)"$')
        self.assertNotIn("\x1b", done.out)
        self.assertFalse(os.path.lexists(self.agent_sock), "the doctor starts nothing")


class PlaceTest(DoctorCase):
    """The supervisor, its directory, this shell."""

    def test_a_supervisor_that_does_not_run(self):
        self.check_cured("supervisor", "none is running")

    def test_a_supervisor_that_cannot_run_where_it_is_to(self):
        self.sandbox.directory("run", mode=0o755)
        self.check_cured("supervisor", "none can run: see the directory")

    def test_a_supervisor_that_is_stopped(self):
        self.started("alice")
        os.kill(self.pid(), signal.SIGSTOP)
        self.check_cured("supervisor", "is stopped")
        self.assertTrue(self.ask("ping")["ok"])

    def test_a_directory_that_others_may_enter(self):
        self.started("alice")
        os.chmod(self.sandbox.livesock_dir, 0o755)
        self.check_cured("directory", self.sandbox.livesock_dir)

    def test_something_else_in_place_of_the_directory(self):
        self.sandbox.file("run", "no directory")
        self.check_cured("directory", "run")

    def test_something_else_in_place_of_the_stable_socket(self):
        self.started("alice")
        os.unlink(self.agent_sock)
        os.mkdir(self.agent_sock)
        self.check_cured("directory", f"{self.agent_sock} is no socket")
        self.assertEqual(self.run_program("ssh-add", "-l", SSH_AUTH_SOCK=self.agent_sock).status, 0)

    def test_a_configuration_that_keeps_the_supervisor_from_starting(self):
        self.configure("# mine\npolicy = 'newest'\n")
        self.program("mend", "sed -i \"${1#+}d\" \"$2\"")
        mend = {"EDITOR": f"{self.sandbox.path}/bin/mend"}
        found = self.examine(**mend)
        self.assertIn("livesock.toml:2:10: policy is", found["config"][0]["text"])
        self.check_cured("supervisor", "see the configuration", **mend)
        self.assertEqual(self.examine()["config"][0]["verdict"], "ok")
        self.assertTrue(self.ask("ping")["ok"])

    def test_a_configuration_that_was_broken_since_it_was_read(self):
        self.started("alice")
        self.configure("[prox]\n")
        self.program("mend", "sed -i \"${1#+}d\" \"$2\"")
        self.check_cured("config", "livesock.toml:1:", EDITOR=f"{self.sandbox.path}/bin/mend")
        self.check(0, "reload")

    def test_a_configuration_that_is_not_read(self):
        config = os.path.join(self.sandbox.home, ".config/livesock/livesock.toml")
        self.configure("")
        os.chmod(config, 0o666)
        self.check_cured("config", "everybody may write to it")
        os.unlink(config)
        os.mkdir(config)
        self.check_cured("config", "not a regular file")
        self.check_cured("config", "No such file", LIVESOCK_CONFIG=f"{self.sandbox.path}/missing")
        self.assertEqual(self.examine()["config"][0]["verdict"], "none")

    def test_a_configuration_that_leads_nowhere_is_none(self):
        directory = self.sandbox.directory("home", ".config", "livesock")
        os.symlink("elsewhere.toml", os.path.join(directory, "livesock.toml"))
        self.assertEqual(self.examine()["config"][0]["verdict"], "none")
        self.check_cured("supervisor", "none is running")

    def test_a_configuration_is_checked_whatever_else_is_wrong(self):
        self.configure("[prox]\n")
        for more in ({"LD_PRELOAD": "/nonexistent.so"}, {"LIVESOCK_CONFIG": "home/.config/livesock/livesock.toml"}):
            with self.subTest(more=more):
                found = self.problem("config", before=f"cd {self.sandbox.path}", **more)
                self.assertIn("/home/.config/livesock/livesock.toml:1:", found["text"])
                self.assertIn("+1 ", found["remedy"])

    def test_a_configuration_that_was_deleted_since_it_was_read(self):
        config = os.path.join(self.sandbox.home, ".config/livesock/livesock.toml")
        self.started("alice")
        os.unlink(config)
        (finding,) = self.examine()["config"]
        self.assertEqual(finding["text"], f"{config} is gone; what was read there is in force")
        self.check(0, "reload")
        self.assertIn("there is none", self.examine()["config"][0]["text"])

    def test_a_directory_that_is_none_of_livesocks(self):
        other = self.sandbox.directory("other")
        self.sandbox.file("other/mine", "mine")
        long = os.path.join(self.sandbox.path, "x" * 100)
        for named, words in ((other, "holds something else"), ("relative", "absolute"), (long, "so long"),
                             (os.path.join(other, "mine", "below"), "cannot be made")):
            with self.subTest(named=named):
                self.assertIn(words, self.check_cured("directory", words, LIVESOCK_DIR=named)["text"])
        self.assertEqual(os.listdir(other), ["mine"])

    @root_only
    def test_a_directory_of_another_user(self):
        """As root has it who takes over somebody's variables."""
        home = self.sandbox.directory("ann")
        directory = self.sandbox.directory("ann", ".local", "state", "livesock", os.uname().nodename)
        os.chmod(directory, 0o700)
        for path in (home, directory):
            give_away(path)
        self.check_cured("directory", "another user's", LIVESOCK_DIR=directory)
        self.check_cured("directory", "HOME is another user's", LIVESOCK_DIR=None, HOME=home)
        self.assertTrue(os.path.isdir(directory))
        self.check_cured("supervisor", "see the directory", LIVESOCK_DIR=directory)
        self.check(0, "stop", LIVESOCK_DIR=None)

    def test_an_agent_of_the_users_own_that_livesock_does_not_know(self):
        self.configure(self.only_agents())
        self.check(0, "start")
        own = self.agent("bob")
        self.check_cured("forwarding", "does not know the agent that this shell uses", SSH_AUTH_SOCK=own.path,
                         SSH_CONNECTION=None)

    def test_a_shell_without_an_agent(self):
        self.started("alice")
        self.check_cured("this shell", "not set", SSH_AUTH_SOCK=None)

    def test_a_shell_with_the_path_of_a_login_that_ended(self):
        self.started("alice")
        self.check_cured("this shell", f"{GONE}, leads nowhere", SSH_AUTH_SOCK=GONE)

    def test_a_shell_with_the_path_of_a_client_that_sleeps(self):
        self.started("alice")
        sleeping = self.agent("bob")
        sleeping.signal(signal.SIGSTOP)
        self.check_cured("this shell", "does not answer", SSH_AUTH_SOCK=sleeping.path)

    def test_an_agent_of_the_users_own_choice_is_no_fault(self):
        self.started("alice")
        other = self.agent("bob")
        self.assertEqual(self.examine(SSH_AUTH_SOCK=other.path)["this shell"][0]["verdict"], "ok")


class TmuxTest(DoctorCase):
    """The environment of a real tmux server, and of its panes."""

    def setUp(self):
        super().setUp()
        self.started("alice")
        self.server = self.tmux()
        self.inside = {"TMUX": f"{self.server.path},1,0", "SSH_AUTH_SOCK": self.agent_sock}

    def start_tmux(self, path):
        """A tmux server that was started where SSH_AUTH_SOCK was `path`."""
        self.assertEqual(self.run_program("sh", "-c", self.server.new(), SSH_AUTH_SOCK=path).status, 0)

    def test_a_server_that_knows_the_stable_path_is_well(self):
        self.start_tmux(self.agent_sock)
        (finding,) = self.examine(**self.inside)["tmux"]
        self.assertEqual((finding["verdict"], finding["text"].split(",")[0]), ("ok", "1 pane"))

    def test_a_server_that_gives_a_dead_path_to_new_panes(self):
        self.start_tmux(GONE)
        found = [finding for finding in self.examine(**self.inside)["tmux"] if finding["verdict"] == "problem"]
        self.assertIn("new panes", found[0]["text"])
        self.assertEqual(self.run_program("sh", "-c", found[0]["remedy"]).status, 0)
        left = [finding["text"] for finding in self.examine(**self.inside)["tmux"]]
        self.assertNotIn("new panes", " ".join(left))
        result = self.run_program("sh", "-c", f"{self.server.words} new-window -d -t old 'env >{self.sandbox.path}/e'")
        self.assertEqual(result.status, 0, result)
        told = f"{self.sandbox.path}/e"
        eventually(lambda: os.path.exists(told) and "SSH_AUTH_SOCK=" in open(told, encoding="utf-8").read(), 5, told)
        with open(told, encoding="utf-8") as file:
            self.assertIn(f"SSH_AUTH_SOCK={self.agent_sock}\n", file.read())

    def test_a_session_with_a_dead_path_of_its_own(self):
        self.start_tmux(self.agent_sock)
        set_it = f"{self.server.words} set-environment -t old SSH_AUTH_SOCK {GONE}"
        self.assertEqual(self.run_program("sh", "-c", set_it).status, 0)
        self.check_cured("tmux", "new panes of session old", **self.inside)

    def test_a_server_with_a_dead_path_for_all_sessions(self):
        self.start_tmux(self.agent_sock)
        commands = f"set-environment -g SSH_AUTH_SOCK {GONE} ';' set-environment -u -t old SSH_AUTH_SOCK"
        self.assertEqual(self.run_program("sh", "-c", f"{self.server.words} {commands}").status, 0)
        self.check_cured("tmux", "new panes get an SSH_AUTH_SOCK that leads nowhere", **self.inside)

    def test_many_that_do_not_answer_are_not_waited_for_one_by_one(self):
        """In the panes' environments, and among the logins of a home directory."""
        self.start_tmux(self.agent_sock)
        home = self.sandbox.directory("home", ".ssh", "agent")
        for number in range(16):
            for path in (os.path.join(home, f"s.0123.sshd.{number}"), f"{self.sandbox.path}/silent{number}"):
                sock = self.keep(socket.socket(socket.AF_UNIX))
                sock.bind(path)
                self.addCleanup(os.unlink, path)
                sock.listen(8)
            words = f"new-window -d -t old 'exec env SSH_AUTH_SOCK={path} sleep 600'"
            self.assertEqual(self.run_program("sh", "-c", f"{self.server.words} {words}").status, 0)
        watch = Stopwatch()
        (finding,) = self.examine(**self.inside)["tmux"]
        self.assertLess(watch.seconds, 14)
        self.assertRegex(finding["text"], r"^\d+ panes have a path that leads nowhere: ")

    def test_a_pane_with_a_dead_path(self):
        self.start_tmux(GONE)
        set_it = f"{self.server.words} set-environment -t old SSH_AUTH_SOCK {shlex.quote(self.agent_sock)}"
        self.assertEqual(self.run_program("sh", "-c", set_it).status, 0)
        self.check_cured("tmux", "1 pane has a path that leads nowhere: %0 (sh)", **self.inside)
        self.assertEqual(self.server.pane().run("ssh-add -l").status, 0)


class PreloadTest(DoctorCase):
    """The shim, and what is loaded with it."""

    def test_a_shim_that_is_not_there(self):
        self.check_cured("shim", "is not there: every program complains", LD_PRELOAD="/nowhere/liblivesock.so")

    def test_a_shim_that_is_loaded_but_not_armed(self):
        """LIVESOCK_DIR is unset, so that this supervisor is in the usual place."""
        environment = {"LIVESOCK_DIR": None, "LD_PRELOAD": SHIM}
        self.addCleanup(self.livesock, "stop", LIVESOCK_DIR=None)
        self.check_cured("shim", "LIVESOCK_DIR is not set", **environment)

    def test_a_dead_path_without_a_shim(self):
        self.started("alice")
        problem = self.check_cured("shim", "not preloaded", SSH_AUTH_SOCK=GONE)
        self.assertEqual(problem["remedy"], 'eval "$(livesock env --preload)"')

    def test_a_static_program_with_a_dead_path(self):
        self.started("alice")
        path = self.program("gh", "exit 0")
        static = os.path.join(HELPERS, "static_client")
        if not os.path.exists(static):
            self.skipTest("no static program was built")
        shutil.copy(static, os.path.join(self.sandbox.path, "bin/gh"))
        problem = self.check_cured("programs", "the shim (static, setuid or setgid), and the path here is dead",
                                   SSH_AUTH_SOCK=GONE, PATH=path)
        self.assertRegex(problem["text"], r"\bgh\b")

    def test_a_setgid_program_with_a_dead_path(self):
        self.started("alice")
        path = self.program("jj", "exit 0")
        os.chmod(os.path.join(self.sandbox.path, "bin/jj"), 0o2755)
        problem = self.check_cured("programs", "ignore", SSH_AUTH_SOCK=GONE, PATH=path)
        self.assertRegex(problem["text"], r"\bjj\b.* the shim \(static, setuid or setgid\)")

    def test_a_shim_that_the_loader_cannot_load(self):
        self.check_cured("shim", "has not loaded it", LD_PRELOAD=self.sandbox.file("x/liblivesock.so", "no library"))

    def test_another_library_behind_the_shim(self):
        other = subprocess.run(["sh", "-c", "ldd /bin/sh | grep -o '/[^ ]*libc.so[^ ]*'"], check=True,
                               capture_output=True, text=True).stdout.strip()
        self.check_cured("preloads", f"{other} comes after liblivesock.so", LD_PRELOAD=f"{SHIM}:{other}",
                         ASAN_OPTIONS="verify_asan_link_order=0")

    def test_two_copies_of_the_shim(self):
        copy = shutil.copy(SHIM, self.sandbox.path)
        self.check_cured("preloads", "more than once", LD_PRELOAD=f"{copy}:{SHIM}")

    def test_programs_with_a_sanitizer(self):
        environment = {"LD_PRELOAD": SHIM, "ASAN_OPTIONS": "detect_leaks=0"}
        problem = self.check_cured("sanitizers", "-fsanitize=address refuse", **environment)
        program = os.path.join(HELPERS, "faulty")
        if not os.path.exists(program):
            self.skipTest("no program with AddressSanitizer was built")
        self.assertIn("runtime does not come first", self.run_program(program, "overflow", **environment).err)
        cured = self.run_program("sh", "-c", f"{problem['remedy']}\n{program} overflow", **environment)
        self.assertIn("heap-buffer-overflow", cured.err)


if __name__ == "__main__":
    main()
