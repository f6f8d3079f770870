"""livesock env: evaluated by real shells, harmless when something is wrong."""

import os
import shlex
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from support import wire
from support.case import main, root_only
from support.cases import CommandCase
from support.sandbox import LIVESOCK, SHIM
from support.stranger import StrangersAgent
from support.waiting import eventually


class EnvTest(CommandCase):
    """env, evaluated by real shells."""

    SHELLS = {
        "sh": ("-s", 'eval "$({})"; printf "%s\\n" "$SSH_AUTH_SOCK" "$LIVESOCK_DIR" "$LD_PRELOAD"'),
        "bash": ("-s", 'eval "$({})"; printf "%s\\n" "$SSH_AUTH_SOCK" "$LIVESOCK_DIR" "$LD_PRELOAD"'),
        "zsh": ("-s", 'eval "$({})"; printf "%s\\n" "$SSH_AUTH_SOCK" "$LIVESOCK_DIR" "$LD_PRELOAD"'),
        "csh": ("-c", 'eval `{}`; printenv SSH_AUTH_SOCK; printenv LIVESOCK_DIR; printenv LD_PRELOAD'),
        "tcsh": ("-c", 'eval `{}`; printenv SSH_AUTH_SOCK; printenv LIVESOCK_DIR; printenv LD_PRELOAD'),
        "fish": ("--fish", '{} | source; printenv SSH_AUTH_SOCK; printenv LIVESOCK_DIR; printenv LD_PRELOAD'),
    }

    def evaluate(self, shell, words, directory=None):
        """The three variables as a program of the shell sees them; the missing ones are left out."""
        command = " ".join([shlex.quote(LIVESOCK), "env", *words])
        flags = ["-f", "-c"] if shell in ("csh", "tcsh", "zsh") else ["-c"]
        done = self.run_program(shell, *flags, self.SHELLS[shell][1].format(command), SSH_AUTH_SOCK=None,
                                LIVESOCK_DIR=directory or self.sandbox.livesock_dir,
                                SHELL=shutil.which(shell))
        self.assertEqual(done.err, "", done)
        return done.out.rstrip("\n").split("\n")

    def shells(self):
        """The shells that are there."""
        found = [shell for shell in self.SHELLS if shutil.which(shell)]
        self.assertIn("sh", found)
        return found

    def test_every_shell_gets_the_stable_socket_by_flag_and_by_detection(self):
        expected = [self.agent_sock, self.sandbox.livesock_dir]
        for shell in self.shells():
            for words in ([self.SHELLS[shell][0]], []):
                with self.subTest(shell=shell, words=words):
                    self.assertEqual([line for line in self.evaluate(shell, words) if line], expected)

    def test_every_shell_gets_the_shim_when_asked_for(self):
        expected = [self.agent_sock, self.sandbox.livesock_dir, SHIM]
        for shell in self.shells():
            with self.subTest(shell=shell):
                self.assertEqual(self.evaluate(shell, [self.SHELLS[shell][0], "--preload"]), expected)

    def test_a_directory_of_an_awkward_name_survives_every_shell(self):
        for shell in self.shells():
            for name in ("with space", "it's", "a$HOME;true", 'quo"te', "back\\slash", "bang!x", "st*r"):
                directory = os.path.join(self.sandbox.path, name)
                with self.subTest(shell=shell, name=name):
                    told = self.evaluate(shell, [self.SHELLS[shell][0]], directory)
                    self.assertEqual([line for line in told if line], [directory + "/agent.sock", directory])
                    self.check(0, "stop", LIVESOCK_DIR=directory)

    def test_it_starts_the_supervisor_and_registers_the_logins_socket(self):
        agent = self.agent("alice")
        done = self.check(0, "env", "-s", SSH_AUTH_SOCK=agent.path)
        self.assertEqual(done.err, "")
        self.check(0, "wait", "--timeout", "5s")
        self.assertEqual(wire.comments(self.agent_sock), ["alice"])

    def test_a_dead_login_is_no_agent_of_the_users_own_where_the_library_is_loaded(self):
        agent = self.started("alice")
        dead = os.path.join(self.sandbox.home, ".ssh/agent/s.0123456789abcdef.sshd.AbCdEf")
        told = self.check(0, "env", "-s", "--keep-own", SSH_AUTH_SOCK=dead, LD_PRELOAD=SHIM).out
        self.assertIn(f"SSH_AUTH_SOCK={self.agent_sock}", told.replace("'", ""))
        self.assertEqual(self.check(0, "env", "-s", "--keep-own", SSH_AUTH_SOCK=agent.path, LD_PRELOAD=SHIM).out, "")

    @root_only
    def test_a_strangers_socket_is_no_agent_of_the_users_own(self):
        """Who made a vanished login's name anew sees what is asked there."""
        self.started("alice")
        self.sandbox.directory("open", mode=0o755)
        path = os.path.join(self.sandbox.path, "open", "agent")
        self.keep(StrangersAgent(path))
        told = self.check(0, "env", "-s", "--keep-own", SSH_AUTH_SOCK=path).out
        self.assertIn(f"SSH_AUTH_SOCK={self.agent_sock}", told.replace("'", ""))
        self.assertIn("does not use it", self.check(0, "status", SSH_AUTH_SOCK=path).out)
        shown = self.livesock("doctor", SSH_AUTH_SOCK=path).out
        self.assertRegex(shown, r"BAD *this shell +SSH_AUTH_SOCK, .* leads to another\s+user")

    def test_in_a_real_login_the_variables_hold_and_the_next_login_takes_over(self):
        server = self.sshd()
        first = self.login(server, self.agent("alice"))
        first.run('eval "$(livesock env)"')
        self.assertEqual(first.run('echo "$SSH_AUTH_SOCK"').out.strip(), self.agent_sock)
        self.assertIn("alice", first.run("ssh-add -l").out)
        second = self.login(server, self.agent("bob"))
        second.run('eval "$(livesock env)"')
        eventually(lambda: "bob" in first.run("ssh-add -l").out, 5, "the first login to use the second one's agent")

    def test_when_something_is_wrong_it_is_silent_and_harmless(self):
        directory = self.sandbox.directory("run", mode=0o755)
        for words in ([], ["-s"], ["-c"], ["--fish"], ["--preload"]):
            with self.subTest(words=words):
                done = self.check(2, "env", *words)
                self.assertEqual(done.text, "")
        os.chmod(directory, 0o700)
        self.configure("wrong = 1\n")
        self.assertEqual(self.check(2, "env").text, "")

    def test_on_a_terminal_it_says_what_is_wrong(self):
        directory = self.sandbox.directory("run", mode=0o755)
        done = self.run_program("script", "-qec", f"{shlex.quote(LIVESOCK)} env", "/dev/null")
        self.assertEqual(done.status, 2, done)
        self.assertIn(directory, done.out)
        os.chmod(directory, 0o700)

    def test_an_unreachable_home_harms_no_login(self):
        done = self.livesock("env", "-s", HOME="/dev/null/nobody", LIVESOCK_DIR=None, XDG_STATE_HOME=None,
                             XDG_RUNTIME_DIR=None, within=10)
        if done.status != 0:
            self.assertEqual((done.status, done.text), (2, ""), done)
        else:
            self.livesock("stop", HOME="/dev/null/nobody", LIVESOCK_DIR=None, XDG_RUNTIME_DIR=None)
            shutil.rmtree(f"/tmp/livesock-{os.getuid()}", ignore_errors=True)


if __name__ == "__main__":
    main()
