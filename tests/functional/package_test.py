"""tools/package: the Debian package and the tarball, made of what is built here, installed, used and removed."""

import glob
import os
import pathlib
import shlex
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from support import package
from support.case import main, root_only
from support.cases import CommandCase
from support.dotfiles import BASHRC, PROFILE, furnish, snapshot
from support.waiting import eventually


class PackageCase(CommandCase):
    """Makes a package of BUILD."""

    kind = None

    @classmethod
    def setUpClass(cls):
        cls.made, cls.report = package.make(cls, cls.kind)

    def holder(self, shim):
        """A process that has the shim in its environment."""
        process = self.sandbox.spawn("sleep", "600", log="holder.log", LD_PRELOAD=shim)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        eventually(lambda: shim in pathlib.Path(f"/proc/{process.pid}/maps").read_text("utf-8"), 5, "it to be loaded")
        return process

    def check_first_use(self, livesock):
        """`livesock setup --yes`, a login, tmux, the end of the login, another login: the pane has the new agent."""
        self.succeed(livesock, "setup", "--yes", SHELL="/bin/bash", LIVESOCK_DIR=None)
        directory = os.path.join(self.sandbox.home, ".local/state/livesock", os.uname().nodename)
        self.addCleanup(lambda: os.path.exists(livesock) and self.run_program(livesock, "stop", LIVESOCK_DIR=directory))
        server = self.sshd()
        tmux = self.tmux()
        tmux.words = tmux.words.replace("/dev/null", shlex.quote(os.path.join(self.sandbox.home, ".tmux.conf")))
        first = self.login(server, self.agent("alice"))
        started = first.run(f"unset LIVESOCK_DIR; . ~/.profile; {tmux.new()}")
        self.assertEqual(started.status, 0, started)
        pane = tmux.pane()
        self.assertIn("alice", pane.run("ssh-add -l").out)
        self.assertEqual(pane.run("echo $SSH_AUTH_SOCK").out.strip(), directory + "/agent.sock")
        first.close()
        second = self.login(server, self.agent("bob"))
        second.run("unset LIVESOCK_DIR; . ~/.profile")
        eventually(lambda: "bob" in pane.run("ssh-add -l").out, 10, "the old pane to have the new agent")
        self.assertIn("liblivesock", pane.run("cat /proc/self/maps").out)
        second.close()
        tmux.close()
        self.succeed(livesock, "stop", LIVESOCK_DIR=directory)
        self.succeed(livesock, "setup", "--undo", "--yes", LIVESOCK_DIR=directory)
        shutil.rmtree(os.path.join(self.sandbox.home, ".local/state"))


class TarballTest(PackageCase):
    """The tarball, in a home directory."""

    kind = "tarball"

    def setUp(self):
        super().setUp()
        furnish(self.sandbox.home, {".profile": PROFILE, ".bashrc": BASHRC})
        self.succeed("tar", "-C", self.sandbox.directory("unpacked"), "-xzf", self.made)
        self.unpacked, = glob.glob(self.sandbox.path + "/unpacked/*")
        self.prefix = os.path.join(self.sandbox.home, ".local")
        self.before = snapshot(self.sandbox.home)

    def install(self, *words, status=0):
        """install.sh of the tarball."""
        done = self.run_program(os.path.join(self.unpacked, "install.sh"), *words)
        self.assertEqual(done.status, status, done)
        return done.text

    def uninstall(self, run=None):
        """The one that is installed; by default it sees what other tests run, which may be a tmux."""
        return (run or self.succeed)(self.prefix + "/share/livesock/install.sh", "--uninstall")

    def shim(self):
        """The installed one."""
        found, = glob.glob(self.prefix + "/lib/*/livesock/liblivesock.so")
        return found

    def test_it_works_with_two_commands_and_goes_without_a_trace(self):
        self.assertIn("livesock setup", self.install())
        self.check_first_use(self.prefix + "/bin/livesock")
        shutil.rmtree(os.path.join(self.sandbox.home, ".local/state"), ignore_errors=True)
        self.uninstall(self.alone)
        left = {name: what for name, what in snapshot(self.sandbox.home).items() if not name.startswith(".ssh")}
        self.assertEqual(left, self.before)

    def test_the_library_is_replaced_by_rename_and_stays_while_a_process_names_it(self):
        self.install()
        shim = self.shim()
        first = os.stat(shim).st_ino
        holder = self.holder(shim)
        self.install()
        self.assertNotEqual(os.stat(shim).st_ino, first)
        self.assertIn("stays for now", self.uninstall())
        self.assertEqual(self.run_program("true", LD_PRELOAD=shim).text, "", "a line about a missing library")
        self.assertFalse(os.path.exists(self.prefix + "/bin"))
        holder.kill()
        holder.wait()
        self.uninstall(self.alone)
        self.assertEqual(snapshot(self.sandbox.home), self.before)

    def test_sections_that_are_left_are_told_and_shells_go_on(self):
        self.install()
        self.succeed(self.prefix + "/bin/livesock", "setup", "--yes", "bash")
        self.assertIn("livesock setup --undo", self.uninstall())
        done = self.run_program("bash", "-l", "-c", "echo $SSH_AUTH_SOCK", SSH_AUTH_SOCK="/its/own")
        self.assertEqual((done.status, done.text), (0, "/its/own\n"), done)

    def test_the_library_stays_while_screen_would_preload_it(self):
        furnish(self.sandbox.home, {".screenrc": b"startup_message off\n"})
        before = snapshot(self.sandbox.home)
        self.install()
        shim = self.shim()
        self.succeed(self.prefix + "/bin/livesock", "setup", "--yes", "screen")
        self.assertIn("that for screen goes on to preload", self.uninstall(self.alone))
        for _ in range(2):
            self.assertIn(f"{shim} stays for now, and does nothing: ~/.screenrc", self.uninstall(self.alone))
            self.assertEqual(self.run_program("true", LD_PRELOAD=shim).text, "", "a line about a missing library")
        self.install()
        self.succeed(self.prefix + "/bin/livesock", "setup", "--undo", "--yes")
        self.uninstall(self.alone)
        self.assertEqual(snapshot(self.sandbox.home), before)

    def test_places_that_it_cannot_be_in_are_refused(self):
        for place in ("/tmp/a b", "/tmp/a:b"):
            self.assertIn("install.sh --prefix", self.install("--prefix", place, status=1))
        self.assertIn("nothing was installed", self.install("--uninstall", status=1))
        self.install("--wrong", status=2)
        self.assertEqual(snapshot(self.sandbox.home), self.before)


class DebTest(PackageCase):
    """The Debian package."""

    kind = "deb"

    def test_what_is_in_it(self):
        lines = [line.split() for line in self.succeed("dpkg-deb", "-c", self.made).splitlines()]
        self.assertEqual({line[1] for line in lines}, {"root/root"})
        files = {line[5].removeprefix("./usr/") for line in lines if not line[0].startswith("d")}
        shim, = (name for name in files if name.endswith("liblivesock.so"))
        self.assertRegex(shim, r"^lib/[\w-]+/livesock/liblivesock\.so$")
        self.assertEqual(files - {shim}, {
            "bin/livesock", "bin/livesock-sign", "bin/livesockd", "lib/systemd/user/livesockd.service", "lib/systemd/user/livesockd.socket",
            "share/bash-completion/completions/livesock", "share/zsh/site-functions/_livesock",
            "share/fish/vendor_completions.d/livesock.fish", "share/doc/livesock/changelog.gz",
            "share/doc/livesock/changelog.Debian.gz", "share/doc/livesock/copyright", "share/man/man1/livesock.1.gz",
            "share/man/man1/livesock-sign.1.gz", "share/man/man7/livesock-signing.7.gz",
            "share/man/man5/livesock.toml.5.gz", "share/man/man7/liblivesock.7.gz",
            "share/man/man7/livesock-protocol.7.gz", "share/man/man8/livesockd.8.gz"})
        depends = self.succeed("dpkg-deb", "-f", self.made, "Depends")
        for library in ("libc6 (>= ", "libevent-core-2.1-7", "libsodium23"):
            self.assertIn(library, depends)
        self.assertNotRegex(self.report, r"(?m)^E: ")
        tree = self.sandbox.directory("tree")
        self.succeed("dpkg-deb", "-x", self.made, tree)
        self.assertIn("\nExecStart=/usr/bin/livesockd\n",
                      pathlib.Path(tree, "usr/lib/systemd/user/livesockd.service").read_text("utf-8"))

    def dpkg(self, *words, run=None):
        """dpkg, for a system below the sandbox whose scripts run here (DPKG_ROOT)."""
        tree = os.path.join(self.sandbox.path, "system")
        if not os.path.exists(tree):
            self.sandbox.directory("system/var/lib/dpkg/updates", mode=0o755)
            self.sandbox.directory("system/var/lib/dpkg/info", mode=0o755)
            self.sandbox.file("system/var/lib/dpkg/status", "")
        self.tree = tree
        return (run or self.succeed)("dpkg", f"--root={tree}", "--force-script-chrootless", "--force-depends",
                                     "--log=/dev/null", *words, within=60)

    @root_only
    def test_installed_it_works_with_two_commands(self):
        self.dpkg("--install", self.made)
        furnish(self.sandbox.home, {".profile": PROFILE, ".bashrc": BASHRC})
        self.check_first_use(self.tree + "/usr/bin/livesock")

    @root_only
    def test_the_library_stays_while_a_process_names_it(self):
        self.dpkg("--install", self.made)
        shim, = glob.glob(self.tree + "/usr/lib/*/livesock/liblivesock.so")
        holder = self.holder(shim)
        first = os.stat(shim).st_ino
        self.dpkg("--install", self.made)
        self.assertNotEqual(os.stat(shim).st_ino, first, "written into")
        told = self.dpkg("--remove", "livesock")
        self.assertIn(f"{shim} stays", told)
        self.assertIn("~/.screenrc", told)
        self.assertIn("livesock setup --undo", told)
        self.assertEqual(self.run_program("true", LD_PRELOAD=shim).text, "", "a line about a missing library")
        self.assertEqual(os.listdir(os.path.dirname(shim)), ["liblivesock.so"])
        self.assertFalse(os.path.exists(self.tree + "/usr/bin/livesock"))
        holder.kill()
        holder.wait()
        self.dpkg("--install", self.made)
        self.assertNotIn("stays", self.dpkg("--purge", "livesock", run=self.alone))
        self.assertFalse(os.path.exists(os.path.dirname(shim)))


if __name__ == "__main__":
    main()
