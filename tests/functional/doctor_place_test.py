"""livesock doctor close at hand, and what the supervisor says where it cannot start: each finding is provoked, and its
remedy, typed as it is printed, cures it.
"""

import os
import shutil
import signal
import socket
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from support import isolation, wire
from support.case import main, root_only
from support.doctor import DoctorCase
from support.sandbox import remove, SHIM
from support.stranger import give_away, nobody
from support.waiting import eventually

GONE = "/tmp/ssh-XXXXgone/agent.4242"


class PlaceTest(DoctorCase):
    """The supervisor, its directory, its configuration."""

    def test_a_supervisor_that_does_not_run(self):
        self.check_cured("supervisor", "none is running")

    def test_a_supervisor_that_cannot_run_where_it_is_to(self):
        self.sandbox.directory("run", mode=0o755)
        self.check_cured("directory", "has mode 0755", "supervisor")

    def test_a_supervisor_that_is_stopped(self):
        self.started("alice")
        os.kill(self.pid(), signal.SIGSTOP)
        self.check_cured("supervisor", "is stopped")
        self.assertTrue(self.ask("ping")["ok"])

    def test_a_supervisor_that_is_stopped_and_has_no_room_for_another_question(self):
        self.started("alice")
        os.kill(self.pid(), signal.SIGSTOP)
        connections = []
        while len(connections) < 10000:
            connection = self.keep(socket.socket(socket.AF_UNIX))
            connection.setblocking(False)
            try:
                connection.connect(os.path.join(self.sandbox.livesock_dir, "control.sock"))
            except BlockingIOError:
                break
            connections.append(connection)
        problem = self.problem("supervisor")
        self.assertIn("is stopped", problem["text"])
        self.succeed("sh", "-c", problem["remedy"])
        for connection in connections:
            connection.close()
        self.assertTrue(self.ask("ping")["ok"])

    def test_a_directory_that_others_may_enter(self):
        self.started("alice")
        os.chmod(self.sandbox.livesock_dir, 0o755)
        self.check_cured("directory", self.sandbox.livesock_dir)

    def in_place_of_the_directory(self, text):
        """A file where a supervisor of this user begins that nobody has told its directory; returns its path."""
        self.addCleanup(self.check, 0, "stop", LIVESOCK_DIR=None)
        place = os.path.join(self.sandbox.directory("home", ".local", "state", "livesock"), os.uname().nodename)
        remove(place)
        with open(place, "w", encoding="ascii") as file:
            file.write(text)
        return place

    def test_something_else_in_place_of_the_directory(self):
        place = self.in_place_of_the_directory("no directory")
        self.check_cured("directory", "is not a directory", "supervisor", LIVESOCK_DIR=None)
        with open(f"{place}.old", encoding="ascii") as file:
            self.assertEqual(file.read(), "no directory")

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
        self.check_cured("config", "livesock.toml:2:10: policy is", "supervisor", **mend)
        self.assertEqual(self.examine()["config"][0]["verdict"], "ok")
        self.assertTrue(self.ask("ping")["ok"])

    def test_remedies_are_in_the_words_of_the_shell(self):
        self.program("mend", "sed -i \"${1#+}d\" \"$2\"")
        for shell in ("zsh", "fish", "csh"):
            path = shutil.which(shell)
            if not path:
                continue
            with self.subTest(shell=shell):
                self.configure("[prox]\n")
                here = {"SHELL": path, "EDITOR": f"env {self.sandbox.path}/bin/mend"}
                self.succeed(path, "-c", self.problem("config", **here)["remedy"], **here)
                self.assertTrue(self.ask("ping")["ok"])
                self.check(0, "stop")
                named = {**here, "LIVESOCK_DIR": "relative"}
                self.addCleanup(self.livesock, "stop", LIVESOCK_DIR=None)
                self.succeed(path, "-c", self.problem("directory", **named)["remedy"], **named)
                self.check(0, "stop", LIVESOCK_DIR=None)

    def test_a_configuration_that_was_broken_since_it_was_read(self):
        self.started("alice")
        self.configure("[prox]\n")
        self.program("mend", "sed -i \"${1#+}d\" \"$2\"")
        self.check_cured("config", "livesock.toml:1:", EDITOR=f"{self.sandbox.path}/bin/mend")
        self.check(0, "reload")

    def test_a_configuration_that_was_broken_under_a_supervisor_that_is_stopped(self):
        self.started("alice")
        pid = self.pid()
        self.configure("[prox]\n")
        self.program("mend", "sed -i \"${1#+}d\" \"$2\"")
        os.kill(pid, signal.SIGSTOP)
        self.check_all_cured("supervisor", "config", EDITOR=f"{self.sandbox.path}/bin/mend")
        self.assertEqual(self.pid(), pid)

    def test_a_configuration_that_was_changed_since_it_was_read(self):
        self.check(0, "start")
        for text, words in (("", "was made after livesockd had looked for it"),
                            ('[selection]\npolicy = "active-client"\n', "has changed since it was read")):
            self.configure(text)
            self.check_cured("config", f"livesock.toml is right, but {words}")
        self.assertEqual(self.ask("status")["policy"], "active-client")

    def test_a_configuration_that_is_not_read(self):
        config = os.path.join(self.sandbox.home, ".config/livesock/livesock.toml")
        self.configure("")
        os.chmod(config, 0o666)
        self.check_cured("config", "everybody may write to it")
        os.unlink(config)
        os.mkdir(config)
        self.check_cured("config", "not a regular file")
        self.check(0, "stop")
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
        self.check_cured("config", f"{config} is gone; what was read there is in force")
        self.assertIn("there is none", self.examine()["config"][0]["text"])

    def test_a_directory_that_is_none_of_livesocks(self):
        other = self.sandbox.directory("other")
        self.sandbox.file("other/mine", "mine")
        long = os.path.join(self.sandbox.path, "x" * 100)
        link = os.path.join(self.sandbox.path, "link")
        os.symlink("nowhere", link)
        for named, words in ((other, "holds something else"), (os.path.join(other, "mine"), "it is not a directory"),
                             (link, "it is a symbolic link"), ("relative", "absolute"), (long, "so long"),
                             (os.path.join(other, "mine", "below"), "cannot be made")):
            with self.subTest(named=named):
                self.check_cured("directory", words, "supervisor", LIVESOCK_DIR=named)
                self.check(0, "stop", LIVESOCK_DIR=None)
        self.assertEqual(os.listdir(other), ["mine"])
        self.assertEqual(os.readlink(link), "nowhere")

    @root_only
    def test_a_directory_of_another_user(self):
        """As root has it who takes over somebody's variables."""
        home = self.sandbox.directory("ann")
        directory = self.sandbox.directory("ann", ".local", "state", "livesock", os.uname().nodename)
        os.chmod(directory, 0o700)
        for path in (home, directory):
            give_away(path)
        self.addCleanup(self.check, 0, "stop", LIVESOCK_DIR=None)
        self.check_cured("directory", "it is another user's", "supervisor", LIVESOCK_DIR=directory)
        self.check_cured("directory", f"HOME is '{home}', which is another user's", LIVESOCK_DIR=None, HOME=home)
        self.assertTrue(os.path.isdir(directory))

    def test_an_agent_of_the_users_own_that_livesock_does_not_know(self):
        self.configure(self.only_agents())
        self.check(0, "start")
        own = self.agent("bob")
        self.check_cured("forwarding", "does not know the agent that this shell uses", SSH_AUTH_SOCK=own.path,
                         SSH_CONNECTION=None)

    def test_several_things_in_the_way_at_once(self):
        self.in_place_of_the_directory("no directory")
        self.configure("[prox]\n")
        self.program("mend", "sed -i \"${1#+}d\" \"$2\"")
        self.check_all_cured("supervisor", "directory", "config", EDITOR=f"{self.sandbox.path}/bin/mend",
                             LIVESOCK_DIR=None)

    def test_something_that_was_moved_away_before(self):
        for text in ("one", "two"):
            self.check(0, "stop", LIVESOCK_DIR=None)
            place = self.in_place_of_the_directory(text)
            self.check_cured("directory", "is not a directory", LIVESOCK_DIR=None)
        for ending, text in ((".old", "one"), (".old.2", "two")):
            with open(place + ending, encoding="ascii") as file:
                self.assertEqual(file.read(), text)

    def in_the_way(self, name):
        """Puts a directory, and then a symlink, in place of a name in the runtime directory, and says of each what the
        supervisor is to be told to do about it."""
        path = os.path.join(self.sandbox.directory("run"), name)
        for make in (os.mkdir, lambda path: os.symlink("/nonexistent", path)):
            remove(path)
            make(path)
            yield path
            self.check(0, "stop")

    def test_something_else_in_place_of_a_name_of_the_directory(self):
        for name, kind in (("agent.sock", "socket"), ("control.sock", "socket"), ("lock", "file"), ("log", "file")):
            for path in self.in_the_way(name):
                with self.subTest(name=name):
                    refused = self.check(2, "start")
                    self.assertRegex(refused.err, f"'{path}' is not our .*: remove it")
                    self.check_cured("directory", f"{path} is no {kind} of yours", "supervisor")
                    self.assertTrue(self.ask("ping")["ok"])

    def test_something_else_in_place_of_a_name_under_a_running_supervisor(self):
        self.started("alice")
        pid = self.pid()
        for name in ("agent.sock", "control.sock", "live", "lock", "log"):
            with self.subTest(name=name):
                path = os.path.join(self.sandbox.livesock_dir, name)
                os.unlink(path)
                os.mkdir(path)
                self.check_cured("directory", f"{path} is no ", "supervisor")
                self.assertEqual(wire.comments(self.agent_sock), ["alice"])
        self.assertNotEqual(self.pid(), pid, "it was restarted")

    def test_something_else_in_place_of_the_link_to_the_live_agent(self):
        os.mkdir(os.path.join(self.sandbox.directory("run"), "live"))
        agent = self.started("alice")
        link = os.path.join(self.sandbox.livesock_dir, "live")
        self.assertIn(f"'{link}' lead to the live agent: Is a directory; programs under the shim go through the proxy until",
                      self.check(0, "log").out)
        self.assertFalse(os.path.lexists(link + ".new"))
        self.check_cured("directory", f"{link} is no symlink of yours")
        eventually(lambda: os.path.islink(link), 5, "the link")
        self.assertEqual(os.readlink(link), agent.path)

    def test_a_directory_on_a_read_only_file_system(self):
        """The one that LIVESOCK_DIR names is given up; for the usual one there are others."""
        home = self.sandbox.directory("home")
        self.mount(home)
        usual = os.path.join(home, ".local/state/livesock", os.uname().nodename)
        named = os.path.join(home, "run")
        for path in (usual, named):
            os.makedirs(path)
            os.chmod(path, 0o700)
        isolation.make_read_only(home)
        refused = self.check(2, "start", LIVESOCK_DIR=named)
        self.assertRegex(refused.err, f"'{named}/lock': Read-only file system: set LIVESOCK_DIR to a directory of your own")
        self.addCleanup(self.check, 0, "stop", LIVESOCK_DIR=None)
        self.check_cured("directory", "it is on a read-only file system", "supervisor", LIVESOCK_DIR=named)
        found = self.examine(LIVESOCK_DIR=None)
        self.assertEqual(found["directory"][0]["text"],
                         f"{self.sandbox.runtime}/livesock, because no socket can be in {usual}")

    def test_a_supervisor_that_was_started_with_another_home(self):
        self.addCleanup(self.check, 0, "stop", LIVESOCK_DIR=None)
        self.check(0, "start", LIVESOCK_DIR=None, HOME="/proc/nowhere")
        (finding,) = self.examine(LIVESOCK_DIR=None)["directory"]
        self.assertEqual((finding["verdict"], finding["text"]),
                         ("ok", f"{self.sandbox.runtime}/livesock, where its supervisor was started, and not "
                                f"{self.sandbox.home}/.local/state/livesock/{os.uname().nodename}"))

    def as_nobody(self, script, **environment):
        """What a shell of an ordinary user without a home says, which is to end well."""
        words = ("setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", "sh", "-c")
        cwd = {"cwd": "/", "XDG_RUNTIME_DIR": None, "HOME": "/nonexistent", **environment}
        if self.run_program(*words, "livesock --version", **cwd).status != 0:
            self.skipTest("the programs are not open to others")
        done = self.run_program(*words, script, **cwd)
        self.assertEqual(done.status, 0, done)
        return done

    def home_of_nobody(self):
        """The environment of an ordinary user with a home, and that home."""
        home = self.sandbox.directory("zoe")
        state = self.sandbox.directory("zoe", "state")
        os.chmod(self.sandbox.path, 0o755)
        for path in (home, state):
            os.chmod(path, 0o700)
            give_away(path)
        return home, {"HOME": home, "LIVESOCK_DIR": state}

    @root_only
    def test_a_configuration_in_a_directory_that_is_closed(self):
        home, here = self.home_of_nobody()
        closed = f"{home}/.config/livesock"
        examine = "livesock doctor --json || true"
        done = self.as_nobody(f"mkdir -p {closed}; echo >{closed}/livesock.toml; chmod 0 {closed}; {examine}", **here)
        problem = self.problem_of(done, "config")
        self.assertIn("Permission denied", problem["text"])
        self.assertEqual(problem["remedy"], f"chmod u+rwx {closed} && livesock start")
        cured = self.as_nobody(f"set -e\n{problem['remedy']} >&2\n{examine}\nlivesock stop >&2", **here)
        found = self.by_check(cured)
        self.assertEqual([found[check][0]["verdict"] for check in ("supervisor", "config")], ["ok", "ok"], found)

    @root_only
    def test_a_configuration_that_is_another_users(self):
        self.addCleanup(self.check, 0, "stop")
        other = self.sandbox.file("ann.toml", "")
        give_away(other)
        problem = self.check_cured("config", "ann.toml", "supervisor", LIVESOCK_CONFIG=other)
        self.assertEqual(problem["remedy"], "unset LIVESOCK_CONFIG && livesock start")
        self.assertTrue(os.path.exists(other))

    @root_only
    def test_names_of_the_directory_that_are_closed(self):
        _, here = self.home_of_nobody()
        examine = "livesock doctor --json || true"
        for name in ("lock", "log"):
            with self.subTest(name=name):
                path = f"{here['LIVESOCK_DIR']}/{name}"
                done = self.as_nobody(f"touch {path}; chmod 0 {path}; {examine}", **here)
                problem = self.problem_of(done, "directory")
                self.assertEqual(problem["text"], f"{path} is closed to you")
                cured = self.as_nobody(f"set -e\n{problem['remedy']} >&2\n{examine}\nlivesock stop >&2", **here)
                found = self.by_check(cured)
                self.assertEqual([found[check][0]["verdict"] for check in ("supervisor", "directory")], ["ok", "ok"])

    @root_only
    def test_a_stranger_has_the_directory_in_tmp(self):
        if not self.sandbox.place.private:
            self.skipTest("/tmp is not ours alone")
        uid, _ = nobody()
        place = f"/tmp/livesock-{uid}"
        os.mkdir(place, 0o700)
        self.addCleanup(remove, place)
        self.addCleanup(remove, place + ".2")
        examine = "livesock doctor --json || true"
        refused = self.as_nobody("! livesock start", LIVESOCK_DIR=None)
        self.assertIn(f"'{place}' belongs to uid 0, not to you: remove it or set LIVESOCK_DIR", refused.err)
        problem = self.problem_of(self.as_nobody(examine, LIVESOCK_DIR=None), "directory")
        self.assertIn(f"'{place}' belongs to uid 0, not to you", problem["text"])
        self.assertIn("belongs into what your login shell reads", problem["text"])
        cured = self.as_nobody(f"set -e\n{problem['remedy']} >/dev/null\n{examine}\nlivesock stop >&2", LIVESOCK_DIR=None)
        found = self.by_check(cured)
        self.assertEqual([found[check][0]["verdict"] for check in ("supervisor", "directory")], ["ok", "ok"], found)

    @root_only
    def test_a_directory_that_may_not_be_entered(self):
        closed = os.path.join(self.sandbox.path, "closed")
        self.sandbox.directory("closed", "below")
        done = self.as_nobody("livesock start; livesock doctor --json || true", LIVESOCK_DIR=f"{closed}/below")
        self.assertIn("set LIVESOCK_DIR to a directory of your own", done.err)
        self.assertEqual(self.problem_of(done, "directory")["text"],
                         f"LIVESOCK_DIR is '{closed}/below': you may not enter it")


class ShellTest(DoctorCase):
    """SSH_AUTH_SOCK in this shell."""

    def test_a_shell_without_an_agent(self):
        self.started("alice")
        self.check_cured("this shell", "not set", SSH_AUTH_SOCK=None)

    def test_a_shell_with_the_path_of_a_login_that_ended(self):
        self.started("alice")
        self.check_cured("this shell", f"{GONE}, leads nowhere", SSH_AUTH_SOCK=GONE)

    def test_a_shell_with_a_path_that_a_stand_in_has(self):
        self.started("alice")
        path = os.path.join(self.sandbox.path, "old")
        os.symlink(self.agent_sock, path)
        self.assertEqual(self.examine(SSH_AUTH_SOCK=path)["this shell"][0]["text"], "SSH_AUTH_SOCK leads to livesock")
        self.assertNotIn("This shell", self.check(0, "status", SSH_AUTH_SOCK=path).out)

    def test_a_shell_with_the_path_of_a_client_that_sleeps(self):
        self.started("alice")
        sleeping = self.agent("bob")
        sleeping.signal(signal.SIGSTOP)
        self.check_cured("this shell", "does not answer", SSH_AUTH_SOCK=sleeping.path)

    def test_an_agent_of_the_users_own_choice_is_no_fault(self):
        """Also one that ssh-agent has given a name as sshd does."""
        self.started("alice")
        directory = tempfile.mkdtemp(prefix="ssh-XXXX", dir="/tmp")
        self.addCleanup(os.rmdir, directory)
        for path in (None, f"{directory}/agent.4242"):
            other = self.agent("bob", path=path).path
            self.assertEqual(self.examine(SSH_AUTH_SOCK=other)["this shell"][0]["verdict"], "ok")
            self.assertIn("of its own choice", self.check(0, "status", SSH_AUTH_SOCK=other).out)

    def test_another_supervisor_is_the_users_own_choice(self):
        self.started("alice")
        other = {"LIVESOCK_DIR": self.sandbox.directory("second")}
        os.chmod(other["LIVESOCK_DIR"], 0o700)
        self.addCleanup(self.check, 0, "stop", **other)
        self.check(0, "start", **other)
        path = os.path.join(other["LIVESOCK_DIR"], "agent.sock")
        (finding,) = self.examine(SSH_AUTH_SOCK=path)["this shell"]
        self.assertEqual((finding["verdict"], finding["text"]),
                         ("ok", f"SSH_AUTH_SOCK, {path}, is an agent of your own choice, and answers"))

    def test_the_agent_of_a_login_is_told_from_one_that_lasts(self):
        """The doctor and the status agree, with the library and without."""
        self.check(0, "start")
        login = self.login(self.sshd(), self.agent("alice"))
        self.check(0, "wait", "--timeout", "10s")
        path = login.auth_sock
        self.assertIn('does not use it: eval "$(livesock env)"', self.check(0, "status", SSH_AUTH_SOCK=path).out)
        armed = {"SSH_AUTH_SOCK": path, "LD_PRELOAD": SHIM}
        self.assertEqual(self.examine(**armed)["this shell"][0]["verdict"], "ok")
        self.assertNotIn("This shell", self.check(0, "status", **armed).out)
        self.check(0, "register", self.agent("bob").path)
        self.check(0, "use", self.sandbox.fingerprint("bob"))
        self.assertEqual(self.examine(**armed)["this shell"][0]["verdict"], "ok")
        self.assertIn("the agent of its own login until that ends", self.check(0, "status", **armed).out)
        problem = self.check_cured("this shell", f"{path}, answers, but ends with its login", SSH_AUTH_SOCK=path)
        self.assertEqual(problem["remedy"], 'eval "$(livesock env)"')
        after = self.run_program("sh", "-c", f"{problem['remedy']}\nlivesock status", SSH_AUTH_SOCK=path)
        self.assertNotIn("This shell", after.out)


if __name__ == "__main__":
    main()
