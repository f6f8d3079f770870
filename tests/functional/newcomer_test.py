"""From a new user account to a tmux that outlives logins, with two commands typed: from the package, and from the tarball."""

import glob
import os
import pathlib
import shutil
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from support import package, proc
from support.case import Case, main
from support.machine import Machine
from support.sandbox import remove
from support.terminal import TypedShell
from support.waiting import eventually

NAME = "newcomer"
PROMPT = "$"


class NewcomerCase(Case):
    """A machine with a new user, and a package of BUILD that is not yet installed."""

    kind = None

    @classmethod
    def setUpClass(cls):
        if os.getuid() != 0:
            raise unittest.SkipTest("needs root: a package is installed, and a user made")
        for program in ("apt-get", "useradd", "setpriv"):
            if not shutil.which(program):
                raise unittest.SkipTest(f"{program} is not installed")
        cls.made, _ = package.make(cls, cls.kind)

    def setUp(self):
        super().setUp()
        self.machine = self.keep(Machine(self.sandbox))
        self.user = self.machine.user(NAME)
        self.home = self.user.pw_dir
        self.addCleanup(remove, f"/tmp/tmux-{self.user.pw_uid}")
        self.addCleanup(self.end_supervisor)
        self.server = self.sshd(accounts=True)
        os.mkdir(self.home + "/.ssh", 0o700)
        self.give("keys", self.sandbox.public_key("login") + "\n", ".ssh/authorized_keys")

    def give(self, source, text, name):
        """Puts a file into the new user's home directory."""
        path = self.sandbox.file(os.path.join("people", NAME, name), text)
        for owned in (os.path.dirname(path), path):
            os.chown(owned, self.user.pw_uid, self.user.pw_gid)

    def as_user(self, *words, **options):
        """Runs a program as the new user, without a login."""
        options = {"HOME": self.home, "USER": NAME, "LOGNAME": NAME, "SHELL": "/bin/bash", "LIVESOCK_DIR": None,
                   "XDG_RUNTIME_DIR": None, "PATH": "/usr/local/bin:/usr/bin:/bin", **options}
        return self.run_program("setpriv", f"--reuid={self.user.pw_uid}", f"--regid={self.user.pw_gid}", "--clear-groups",
                                *words, cwd=self.home, **options)

    def directory(self):
        """The new user's runtime directory."""
        return os.path.join(self.home, ".local/state/livesock", os.uname().nodename)

    def processes_called(self, name):
        """Processes of the test with this name."""
        return [pid for pid in self.sandbox.place.processes() if proc.alive(pid) and proc.name(pid) == name]

    def end_supervisor(self):
        """Ends the new user's supervisor, as he would."""
        for pid in self.processes_called("livesockd"):
            os.kill(pid, 15)
            eventually(lambda: not proc.alive(pid), 10, "the supervisor to end")

    def log_in(self, agent):
        """ssh -A, to a terminal with the login shell at its prompt."""
        shell = self.keep(TypedShell(self.sandbox, "ssh", "-F", self.server.client_config, "-A", "-tt", "-l", NAME, "login",
                                     SSH_AUTH_SOCK=agent.path))
        shell.wait_for(PROMPT)
        return shell

    def answer(self, shell, command):
        """Types a command, and returns what it printed."""
        stem = self.sandbox.fresh("answer")
        name = os.path.basename(stem)
        shell.type(f"{{ {command}; }} >~/{name} 2>&1; mv ~/{name} ~/{name}.done\n")
        done = pathlib.Path(self.home, name + ".done")
        eventually(done.exists, 20, lambda: f"{command!r} to end; on the screen: {shell.screen!r}")
        return done.read_text("utf-8")

    def check_that_panes_outlive_logins(self):
        """A login, tmux, the end of the login, another login: the old pane has the new agent. Returns that login."""
        first = self.log_in(self.agent("alice"))
        first.type("tmux\n")
        first.wait_for(PROMPT)
        self.assertIn("alice", self.answer(first, "ssh-add -l"))
        socket = self.answer(first, "echo $SSH_AUTH_SOCK").strip()
        self.assertEqual(socket, self.directory() + "/agent.sock")
        first.close()
        eventually(lambda: not glob.glob("/tmp/ssh-*/agent.*"), 10, "sshd to end the login")
        second = self.log_in(self.agent("bob"))
        second.type("tmux attach\n")
        second.wait_for(PROMPT)
        self.assertIn("bob", self.answer(second, "ssh-add -l"))
        self.assertIn("liblivesock.so", self.answer(second, "cat /proc/self/maps"))
        return second

    def end_tmux(self, shell):
        """Types the end of tmux, and of the login."""
        shell.type("tmux kill-server\n")
        eventually(lambda: not self.processes_called("tmux: server"), 10, "tmux to end")
        shell.close()


class PackageTest(NewcomerCase):
    """The Debian package, installed as README says."""

    kind = "deb"

    def install(self):
        """The first command."""
        return self.machine.apt("install", self.made)

    def set_up(self):
        """The second command, typed at a first login."""
        shell = self.log_in(self.agent("setting-up"))
        said = self.answer(shell, "livesock setup --yes")
        shell.close()
        eventually(lambda: not glob.glob("/tmp/ssh-*/agent.*"), 10, "sshd to end the login")
        return said

    def shims(self):
        """The installed preload library, if it is."""
        return glob.glob("/usr/lib/*/livesock/liblivesock.so")

    def test_two_commands_make_panes_outlive_logins(self):
        self.install()
        self.assertIn(".profile", self.set_up())
        self.end_tmux(self.check_that_panes_outlive_logins())

    def test_an_upgrade_leaves_panes_and_the_supervisor_running(self):
        self.install()
        self.set_up()
        shell = self.check_that_panes_outlive_logins()
        shim, = self.shims()
        first = os.stat(shim).st_ino
        supervisors = self.processes_called("livesockd")
        shell.type("sleep 600 &\n")
        sleeper, = eventually(lambda: self.processes_called("sleep"), 10, "it to run")
        self.machine.apt("install", "--reinstall", self.made)
        self.assertNotEqual(os.stat(shim).st_ino, first, "written into")
        self.assertIn("(deleted)", pathlib.Path(f"/proc/{sleeper}/maps").read_text("utf-8"))
        self.assertEqual(self.processes_called("livesockd"), supervisors)
        self.assertIn("bob", self.answer(shell, "ssh-add -l"))
        self.assertIn("livesock restart", self.answer(shell, "livesock doctor"))
        self.assertEqual(self.answer(shell, "livesock restart; echo $?").splitlines()[-1], "0")
        self.assertIn("bob", self.answer(shell, "ssh-add -l"))
        os.kill(sleeper, 15)
        self.end_tmux(shell)

    def test_removed_it_leaves_shells_that_work_and_purged_it_leaves_nothing(self):
        self.install()
        self.set_up()
        shell = self.check_that_panes_outlive_logins()
        shim, = self.shims()
        self.assertIn(f"{shim} stays", self.machine.apt("remove", "livesock"))
        self.assertEqual(self.shims(), [shim])
        self.assertFalse(os.path.exists("/usr/bin/livesock"))
        self.assertEqual(self.answer(shell, "bash -c true"), "", "a line about a missing library")
        self.end_supervisor()
        third = self.log_in(self.agent("carol"))
        self.assertIn("carol", self.answer(third, "ssh-add -l"), "a login has its own agent")
        self.assertEqual(self.answer(third, "tmux new-window 'bash -c true 2>~/new-window; mv ~/new-window ~/told'"), "")
        told = pathlib.Path(self.home, "told")
        eventually(told.exists, 10, "a new window")
        self.assertEqual(told.read_text("utf-8"), "", "a line about a missing library")
        third.close()
        self.end_tmux(shell)
        self.assertNotIn("stays", self.machine.apt("purge", "livesock", alone=True))
        self.assertEqual([path for path in self.machine.changed("/usr") + self.machine.changed("/etc")
                          if "livesock" in path], [])
        self.assertFalse(os.path.exists(os.path.dirname(shim)))


class TarballTest(NewcomerCase):
    """The tarball; root does nothing."""

    kind = "tarball"

    def test_two_commands_make_panes_outlive_logins(self):
        name = os.path.basename(self.made)
        shutil.copy(self.made, self.home)
        os.chmod(os.path.join(self.home, name), 0o644)
        before = self.machine.changed("/usr") + self.machine.changed("/etc")
        shell = self.log_in(self.agent("setting-up"))
        self.assertIn("livesock setup", self.answer(shell, "tar -xzf livesock-*.tar.gz && livesock-*/install.sh"))
        self.assertIn(".profile", self.answer(shell, "~/.local/bin/livesock setup --yes"))
        shell.close()
        eventually(lambda: not glob.glob("/tmp/ssh-*/agent.*"), 10, "sshd to end the login")
        shell = self.check_that_panes_outlive_logins()
        self.assertEqual(self.answer(shell, "livesock --version >/dev/null; echo $?"), "0\n", "it is in PATH")
        self.end_tmux(shell)
        self.assertEqual(self.machine.changed("/usr") + self.machine.changed("/etc"), before)


if __name__ == "__main__":
    main()
