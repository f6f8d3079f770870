"""What passes at the proxy, and several agents as one, with real agents."""

import base64
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from support import wire
from support.case import Case, main
from support.waiting import eventually


class PolicyTest(Case):
    """One real agent with two keys behind a policy."""

    def guard(self, policy):
        """Starts the supervisor with the lines of [policy]."""
        self.real = self.agent("alice", "bob", path=self.in_agents("real"))
        self.daemon = self.supervisor(self.only_agents(f"[policy]\n{policy}\n"))
        eventually(lambda: self.daemon.live, 5, "an agent to be live")
        self.path = self.daemon.agent_sock

    def ssh_add(self, *words):
        """ssh-add through the proxy."""
        return self.run_program("ssh-add", *words, SSH_AUTH_SOCK=self.path)

    def sign(self, key):
        """Has the agent sign with a key of the sandbox; returns the Result of ssh-keygen.

        There is no private key beside the public one: nothing but the agent can sign.
        """
        data = self.sandbox.file("data." + key, "to be signed")
        public = self.sandbox.file(f"public/{key}.pub", self.sandbox.public_key(key) + "\n")
        return self.run_program("ssh-keygen", "-Y", "sign", "-n", "test", "-f", public, data, SSH_AUTH_SOCK=self.path)

    def test_read_only_refuses_what_changes_the_agent_and_says_so(self):
        self.guard("read_only = true")
        for words in (["-q", self.sandbox.key("carol")], ["-D"], ["-d", self.sandbox.key("alice")]):
            with self.subTest(words=words):
                self.assertNotEqual(self.ssh_add(*words).status, 0)
        self.assertEqual(self.sign("alice").status, 0)
        self.assertEqual(len(wire.comments(self.real.path)), 2)
        self.assertIn("a request of another kind from 'ssh-add' (pid", self.daemon.log)
        self.assertIn("is refused: policy.read_only", self.daemon.log)
        self.assertEqual(self.daemon.control("failures")["failures"][0]["cause"], "it is refused by policy.read_only")

    def test_other_keys_are_neither_listed_nor_sign(self):
        self.guard('keys = ["bob"]')
        self.assertEqual(wire.comments(self.path), ["bob"])
        self.assertEqual(self.sign("bob").status, 0)
        self.assertNotEqual(self.sign("alice").status, 0)  # ssh-keygen does not even find it
        blob = base64.b64decode(self.sandbox.public_key("alice").split()[1])
        with wire.Client(self.path) as client:
            self.assertEqual(client.ask(wire.sign_request(blob, b"data"))[0], wire.FAILURE)
        self.assertIn("is refused: policy.keys", self.daemon.log)

    def test_on_wait_is_told_which_key_waits_and_for_whom(self):
        note = self.sandbox.file("waits", "")
        fake = self.fake_agent("carol", path=self.in_agents("slow"))
        self.daemon = self.supervisor(self.only_agents(
            f"""[policy]\non_wait = 'echo "$LIVESOCK_COMMENT $LIVESOCK_PROGRAM $LIVESOCK_KEY" >> {note}'\n"""
            """on_wait_after = "100ms"\n"""))
        eventually(lambda: self.daemon.live, 5, "an agent to be live")
        fake.delay = 1
        with wire.Client(self.daemon.agent_sock) as client:
            client.send(wire.sign_request(fake.keys[0][0], b"data"))
            eventually(lambda: os.path.getsize(note) > 0, 5, "the command to be run")
            self.assertEqual(client.recv(5)[0], wire.SIGN_RESPONSE)
        with open(note, encoding="utf-8") as file:
            self.assertRegex(file.read(), r"\Acarol python3\S* SHA256:\S{43}\n\Z")

    def test_while_something_is_refused_nobody_is_led_past_the_proxy(self):
        self.guard("read_only = true")
        self.assertEqual(self.daemon.live, self.path)
        self.daemon.configure(self.only_agents())
        self.assertTrue(self.daemon.reload()["ok"])
        self.daemon.wait_for_live(self.real.path)
        self.daemon.configure(self.only_agents("[policy]\nread_only = true\n"))
        self.assertTrue(self.daemon.reload()["ok"])
        self.daemon.wait_for_live(self.path)
        self.real.kill()
        self.daemon.wait_for_live(None)

    def test_a_background_request_is_refused_and_the_same_from_a_terminal_is_not(self):
        self.guard('deny_comm = ["ssh-add"]')
        self.assertNotEqual(self.ssh_add("-l").status, 0)  # in a session of its own, without a terminal
        self.assertIn("is refused: policy.deny_comm", self.daemon.log)
        terminal = self.tmux()
        started = self.run_program("sh", "-c", terminal.new(), SSH_AUTH_SOCK=self.path)
        self.assertEqual(started.status, 0, started)
        self.assertEqual(terminal.pane().run("ssh-add -l").status, 0)


class MergeTest(Case):
    """Several agents as one."""

    MERGE = '[selection]\nmode = "merge"\n'

    def login_with(self, key):
        """ssh to the sandbox's sshd by this key of the merged agents alone."""
        return self.run_program("sh", "-c", f"{self.server.ssh} -o IdentitiesOnly=yes "
                                f"-i {self.sandbox.key(key)}.pub agent true", SSH_AUTH_SOCK=self.daemon.agent_sock)

    def test_the_keys_of_two_logins_and_of_a_local_agent_all_sign(self):
        self.server = self.sshd("alice", "bob", "carol")
        local = self.agent("carol", path=self.in_agents("local"))
        self.daemon = self.supervisor(f'[discovery]\nglobs = ["{os.path.dirname(local.path)}/*"]\n{self.MERGE}')
        first = self.login(self.server, self.agent("alice"))
        second = self.login(self.server, self.agent("bob", "alice"))
        for path in (local.path, first.auth_sock, second.auth_sock):
            self.daemon.wait_for_state(path, "live")
        self.assertEqual(wire.comments(self.daemon.agent_sock), ["bob", "alice", "carol"])
        for key in ("alice", "bob", "carol"):
            with self.subTest(key=key):
                done = self.login_with(key)
                self.assertEqual(done.status, 0, done)
        second.logout()
        self.daemon.wait_for_state(second.auth_sock, None)
        self.assertEqual(sorted(wire.comments(self.daemon.agent_sock)), ["alice", "carol"])
        self.assertEqual(self.login_with("alice").status, 0)

    def end_gpg_agent(self, home, path):
        """Ends it, and waits until it has."""
        self.run_program("gpgconf", "--homedir", home, "--kill", "gpg-agent")
        eventually(lambda: not os.path.lexists(path), 10, "gpg-agent to end")

    def test_gpg_agent_is_one_of_them(self):
        if not any(os.access(os.path.join(path, "gpg-agent"), os.X_OK) for path in os.environ["PATH"].split(":")):
            self.skipTest("gpg-agent is not installed")
        home = self.sandbox.directory("gnupg")
        os.chmod(home, 0o700)
        path = os.path.join(home, "S.gpg-agent.ssh")
        started = self.run_program("gpg-agent", "--homedir", home, "--enable-ssh-support", "--daemon")
        self.addCleanup(self.end_gpg_agent, home, path)
        self.assertEqual(started.status, 0, started)
        real = self.agent("alice", path=self.in_agents("real"))
        self.daemon = self.supervisor(f'[discovery]\nforwarded = false\nglobs = ["{path}", '
                                      f'"{os.path.dirname(real.path)}/*"]\n{self.MERGE}')
        self.daemon.wait_for_state(path, "live")
        self.daemon.wait_for_state(real.path, "live")
        self.assertEqual(wire.comments(self.daemon.agent_sock), ["alice"])


if __name__ == "__main__":
    main()
