"""The rig itself: what the other tests stand on, tried without livesock."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from support import fake_agent, wire
from support.case import Case, main
from support.fake_agent import FakeAgent
from support.relay import Relay
from support.sandbox import BUILD, ROOT
from support.sshd import has_terminals
from support.waiting import eventually, Stopwatch


class LoginTest(Case):
    """Logins over the private sshd."""

    def test_a_login_forwards_its_agent_until_it_logs_out(self):
        sshd, agent = self.sshd("alice"), self.agent("alice")
        for tty in (True, False):
            with self.subTest(tty=tty):
                login = self.login(sshd, agent, tty=tty)
                self.assertEqual(bool(login.tty), tty and has_terminals())
                self.assertTrue(login.connection.startswith("127.0.0.1 "))
                listed = login.run("ssh-add -L")
                self.assertEqual(listed.out.strip(), self.sandbox.public_key("alice"), listed)
                inner = login.run(f"{sshd.ssh} agent echo there")
                self.assertEqual(inner.out, "there\n", inner)
                login.logout()
                self.assertFalse(os.path.lexists(login.auth_sock))

    def test_a_sleeping_client_is_accepted_for_and_never_answers(self):
        login = self.login(self.sshd(), self.agent("alice"))
        login.sleep()
        with wire.Client(login.auth_sock) as client:
            client.send(wire.frame(wire.REQUEST_IDENTITIES))
            self.assertTrue(client.silent(0.3))
            login.wake()
            self.assertEqual(wire.parse_identities(client.recv())[0][1], b"alice")

    def test_a_vanished_client_takes_its_socket_along(self):
        login = self.login(self.sshd(), self.agent())
        login.vanish()
        self.assertFalse(os.path.lexists(login.auth_sock))

    def test_over_a_long_way_a_first_answer_takes_two_round_trips(self):
        sshd = self.sshd()
        relay = self.keep(Relay(sshd.port, delay=0.025))
        login = self.login(sshd, self.agent("alice"), port=relay.port)
        for trips in (2, 1):  # the channel is opened, then the request travels
            with self.subTest(trips=trips):
                watch = Stopwatch()
                if trips == 2:
                    client = self.keep(wire.Client(login.auth_sock))
                self.assertEqual(client.comments(), ["alice"])
                self.assertTrue(trips * 0.05 <= watch.seconds < trips * 0.05 + 0.5, watch.seconds)
        relay.unplugged = True
        client.send(wire.frame(wire.REQUEST_IDENTITIES))
        self.assertTrue(client.silent(0.3))
        relay.unplugged = False
        self.assertEqual(wire.parse_identities(client.recv())[0][1], b"alice")

    def test_ssh_does_not_end_while_anybody_holds_a_connection_to_its_forwarded_agent(self):
        login = self.login(self.sshd(), self.agent("alice"))
        with wire.Client(login.auth_sock) as client:
            self.assertEqual(client.comments(), ["alice"])
            with self.assertRaisesRegex(AssertionError, "ssh did not end"):
                login.logout(within=1)
            self.assertTrue(os.path.lexists(login.auth_sock))
        login.logout()

    def test_the_old_pane_outlives_the_login(self):
        login, tmux = self.login(self.sshd(), self.agent("alice")), self.tmux()
        started = login.run(tmux.new())
        self.assertEqual(started.status, 0, started)
        pane = tmux.pane()
        self.assertIn("alice", pane.run("ssh-add -l").out)
        login.logout()
        failed = pane.run("ssh-add -l")
        self.assertEqual(failed.status, 2, failed)
        self.assertEqual(pane.run('printf "%s" "$SSH_AUTH_SOCK"').out, login.auth_sock)

    def test_a_pane_says_how_a_command_ended(self):
        tmux = self.tmux()
        self.run_program("sh", "-c", tmux.new())
        result = tmux.pane().run("echo one; echo two >&2; false")
        self.assertEqual((result.status, result.out, result.err), (1, "one\n", "two\n"))


class FakeAgentTest(Case):
    """Agents that misbehave."""

    def test_a_fake_agent_lists_and_signs(self):
        fake = self.fake_agent("carol")
        self.assertEqual(wire.comments(fake.path), ["carol"])
        self.assertIn("carol", self.run_program("ssh-add", "-l", SSH_AUTH_SOCK=fake.path).out)
        self.assertEqual(wire.answer_kind(fake.path, wire.sign_request(fake.keys[0][0], b"data")), wire.SIGN_RESPONSE)

    def test_a_fake_agent_answers_late_what_it_was_asked_while_it_hung(self):
        fake = self.fake_agent("carol", manner=fake_agent.HANG)
        with wire.Client(fake.path) as client:
            client.send(wire.frame(wire.REQUEST_IDENTITIES))
            self.assertTrue(client.silent(0.1))
            fake.manner = fake_agent.ANSWER
            self.assertEqual(wire.parse_identities(client.recv())[0][1], b"carol")

    def test_a_fake_agent_that_refuses_leaves_its_socket(self):
        fake = self.fake_agent()
        fake.refuse()
        self.assertTrue(os.path.lexists(fake.path))
        self.assertFalse(wire.accepts(fake.path))


class LeftoverTest(Case):
    """The check at the end of every test."""

    def test_a_process_left_behind_is_found_and_ended(self):
        self.run_program("sh", "-c", "setsid sleep 1000 & exit 0")
        eventually(lambda: "sleep 1000" in " ".join(self.sandbox.leftovers()), 5, "the process to be found")
        left = self.sandbox.settle(within=0.2)
        self.assertEqual(len(left), 1, left)

    def test_a_socket_left_behind_is_found(self):
        fake = FakeAgent(self.sandbox)
        fake.refuse()
        self.assertEqual(self.sandbox.settle(within=0.2), [fake.path])
        fake.close()

    def test_the_place_is_private(self):
        if not self.sandbox.place.private:
            self.skipTest("no private /tmp here")
        kept = [ROOT, BUILD, os.environ.get("TMPDIR", "/")]
        shown = [os.path.realpath(path).split("/") for path in kept]
        expected = {"t"} | {parts[2] for parts in shown if parts[1] == "tmp" and len(parts) > 2}
        self.assertEqual(set(os.listdir("/tmp")), expected)
        self.assertEqual(os.path.expanduser("~" + self.sandbox.user), self.sandbox.home)


if __name__ == "__main__":
    main()
