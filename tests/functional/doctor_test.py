"""livesock doctor as a whole, tmux and preloads: each finding is provoked, and its remedy, typed as it is printed, cures
it."""

import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from support.case import main
from support.doctor import DoctorCase
from support.sandbox import HELPERS, SHIM
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


class TmuxTest(DoctorCase):
    """The environment of a real tmux server, and of its panes."""

    def setUp(self):
        super().setUp()
        self.started("alice")
        self.server = self.tmux()
        # Not where the servers are of the person who runs the tests.
        self.outside = {"TMUX_TMPDIR": os.path.join(self.sandbox.path, "tmp"), "SSH_AUTH_SOCK": self.agent_sock}
        self.inside = {**self.outside, "TMUX": f"{self.server.path},1,0"}

    def start_tmux(self, path, server=None):
        """A tmux server that was started where SSH_AUTH_SOCK was `path`."""
        self.assertEqual(self.run_program("sh", "-c", (server or self.server).new(), SSH_AUTH_SOCK=path).status, 0)

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

    def test_a_session_whose_name_means_something_else_to_tmux(self):
        """The remedy is for that session alone, in every shell: zsh has a use of its own for a word that begins with '='."""
        self.start_tmux(self.agent_sock)
        names = ("%0", "~", "a b", "ol")
        for name in names:
            self.succeed(*shlex.split(self.server.words), "new-session", "-d", "-s", name, "sh",
                         SSH_AUTH_SOCK=self.agent_sock)
        for shell in ("sh", "zsh", "fish", "csh"):
            path = shutil.which(shell)
            for name in names if path else ():
                with self.subTest(shell=shell, name=name):
                    self.succeed(*shlex.split(self.server.words), "set-environment", "-t", f"={name}", "SSH_AUTH_SOCK", GONE)
                    here = {**self.inside, "SHELL": path}
                    problem = self.problem("tmux", **here)
                    self.assertIn(f"new panes of session {name} get", problem["text"])
                    self.succeed(path, "-c", problem["remedy"], **here)
                    self.assertEqual([finding["verdict"] for finding in self.examine(**here)["tmux"]], ["ok"])

    def test_a_server_with_a_dead_path_for_all_sessions(self):
        self.start_tmux(self.agent_sock)
        commands = f"set-environment -g SSH_AUTH_SOCK {GONE} ';' set-environment -u -t old SSH_AUTH_SOCK"
        self.assertEqual(self.run_program("sh", "-c", f"{self.server.words} {commands}").status, 0)
        self.check_cured("tmux", "new panes get an SSH_AUTH_SOCK that leads nowhere", **self.inside)

    def named_server(self, name):
        """The server that `tmux -L name` reaches."""
        directory = self.sandbox.directory("tmp", f"tmux-{os.getuid()}")
        return self.tmux(os.path.join(directory, name))

    def test_servers_that_this_terminal_is_not_in(self):
        """By a name, and by a path anywhere, which its process alone tells."""
        self.start_tmux(self.agent_sock)
        for server in (self.named_server("other"), self.tmux(os.path.join(self.sandbox.path, "a b"))):
            name = os.path.basename(server.path)
            self.start_tmux(f"/tmp/ssh-XXXX{name[0]}/agent.4242", server)
            for environment in (self.outside, self.inside):
                (first, lost) = [finding for finding in self.examine(**environment)["tmux"]
                                 if finding["verdict"] == "problem"]
                self.assertIn(f"of the server {name} get an SSH_AUTH_SOCK that leads nowhere", first["text"])
                self.assertIn(f"1 pane has a path that leads nowhere: %0 of the server {name} (sh)", lost["text"])
                self.assertTrue(first["remedy"].startswith(f"tmux -S {shlex.quote(server.path)} set-environment "))
            self.check_all_cured("tmux", **self.outside)
            server.close()

    def test_a_server_that_hangs_keeps_nobody_from_the_others(self):
        self.start_tmux(self.agent_sock)
        hung = self.named_server("hung")
        self.start_tmux(self.agent_sock, hung)
        pid = int(self.succeed(*shlex.split(hung.words), "display-message", "-p", "#{pid}"))
        os.kill(pid, signal.SIGSTOP)
        self.addCleanup(os.kill, pid, signal.SIGCONT)
        watch = Stopwatch()
        (silent,) = self.examine(**self.inside)["tmux"]
        self.assertLess(watch.seconds, 14)
        self.assertEqual((silent["verdict"], silent["text"].split(" was ")[0]), ("none", hung.path))

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
