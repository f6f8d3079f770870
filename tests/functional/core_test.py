"""A login's agent outlives the login: the story that users tell, with real programs."""

import os
import signal
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from support import wire
from support.case import Case, main
from support.sandbox import HELPERS, SHIM
from support.waiting import eventually

STATIC_CLIENT = os.path.join(HELPERS, "static_client")
QUICK_PROBE = '[probe]\ninterval = "50ms"\ntimeout = "100ms"\nhung_after = "200ms"\n'
QUICKLY = 3.0  # the default proxy.grace is 2 s


class OldPaneTest(Case):
    """A tmux pane that was made under `livesock run` in a login that has ended."""

    def setUp(self):
        super().setUp()
        self.server = self.sshd("alice")
        self.laptop = self.agent("alice")
        self.first = self.login(self.server, self.laptop)
        self.stop_at_the_end()
        terminal = self.tmux()
        started = self.first.run(f"livesock run -- {terminal.new()}")
        self.assertEqual(started.status, 0, started)
        self.pane = terminal.pane()

    def reconnect(self):
        """Logs out, and in again."""
        self.first.logout()
        second = self.login(self.server, self.laptop)
        live = os.path.join(self.sandbox.livesock_dir, "live")
        eventually(lambda: os.path.lexists(live) and os.readlink(live) == second.auth_sock, 5, "the new login")
        return second

    def git_repository(self):
        """A bare repository and a clone of it that misses the latest commit; returns the clone and that commit."""
        script = """
            set -e
            git init -q --bare -b main origin.git
            git clone -q origin.git work 2>/dev/null; cd work
            git config user.name t; git config user.email t@example.org
            git commit -q --allow-empty -m one; git push -q origin HEAD:main
            cd ..; git clone -q origin.git clone; git -C clone remote set-url origin "ssh://agent$PWD/origin.git"
            cd work; git commit -q --allow-empty -m two; git push -q origin HEAD:main; git rev-parse HEAD"""
        made = self.run_program("sh", "-c", script)
        self.assertEqual(made.status, 0, made)
        return os.path.join(self.sandbox.path, "clone"), made.out.strip()

    def check_everything_works(self, environment=""):
        """ssh-add, ssh and git fetch in the old pane, with these assignments in front."""
        listed = self.pane.run(f"{environment} ssh-add -L")
        self.assertEqual((listed.status, listed.out.strip()), (0, self.sandbox.public_key("alice")), listed)
        reached = self.pane.run(f"{environment} {self.server.ssh} agent echo there")
        self.assertEqual((reached.status, reached.out), (0, "there\n"), reached)
        clone, latest = self.git_repository()
        fetched = self.pane.run(f"{environment} GIT_SSH_COMMAND='{self.server.ssh}' git -C {clone} fetch")
        self.assertEqual(fetched.status, 0, fetched)
        self.assertEqual(self.pane.run(f"git -C {clone} rev-parse origin/main").out.strip(), latest)

    def test_the_pane_is_given_the_stable_socket_and_the_shim(self):
        told = self.pane.run('printf "%s\\n" "$SSH_AUTH_SOCK" "$LIVESOCK_DIR" "$LD_PRELOAD"')
        directory = self.sandbox.livesock_dir
        self.assertEqual(told.out.split("\n")[:3], [directory + "/agent.sock", directory, SHIM], told)

    def test_in_the_first_login_everything_works(self):
        self.check_everything_works()

    def test_after_the_logout_a_request_fails_quickly_and_clearly(self):
        self.first.logout()
        for how in ("", f"SSH_AUTH_SOCK={self.first.auth_sock}"):
            with self.subTest(how=how):
                failed = self.pane.run(f"{how} ssh-add -l")
                self.assertEqual(failed.status, 1, failed)  # 2 would say: no agent at all
                self.assertIn("agent refused operation", failed.text)
                self.assertLess(failed.seconds, QUICKLY, failed)

    def test_after_a_new_login_everything_works_through_the_stable_socket(self):
        self.reconnect()
        self.check_everything_works()

    def test_after_a_new_login_everything_works_through_the_first_logins_dead_path(self):
        self.reconnect()
        self.assertFalse(os.path.lexists(self.first.auth_sock))
        self.check_everything_works(f"SSH_AUTH_SOCK={self.first.auth_sock}")

    def test_without_the_shim_the_dead_path_fails(self):
        self.reconnect()
        failed = self.pane.run(f"env -u LD_PRELOAD SSH_AUTH_SOCK={self.first.auth_sock} ssh-add -l")
        self.assertEqual(failed.status, 2, failed)

    @unittest.skipUnless(os.path.exists(STATIC_CLIENT), "no static C library to build the client with")
    def test_a_static_binary_works_through_the_stable_socket(self):
        self.reconnect()
        listed = self.pane.run(STATIC_CLIENT)
        self.assertEqual((listed.status, listed.out), (0, "alice\n"), listed)

    def test_a_request_that_waits_is_answered_by_the_login_that_comes(self):
        self.first.logout()
        waiting = self.pane.start("ssh-add -L")
        self.login(self.server, self.laptop)
        listed = waiting.wait()
        self.assertEqual((listed.status, listed.out.strip()), (0, self.sandbox.public_key("alice")), listed)
        self.assertLess(listed.seconds, QUICKLY, listed)

    def test_a_vanished_client_and_three_reconnects_later_the_pane_still_works(self):
        self.first.vanish()
        for _ in range(3):
            login = self.login(self.server, self.laptop)
            listed = self.pane.run("ssh-add -L")
            self.assertEqual(listed.out.strip(), self.sandbox.public_key("alice"), listed)
            login.logout()


class FirstLoginTest(Case):
    """The login in which the supervisor is started."""

    def test_a_login_that_started_the_supervisor_can_end(self):
        server, laptop = self.sshd(), self.agent("alice")
        self.stop_at_the_end()
        for tty in (False, True):  # without a terminal sshd waits until nobody holds the session's pipes
            with self.subTest(tty=tty):
                login = self.login(server, laptop, tty=tty)
                self.assertEqual(login.run("livesock start").status, 0)
                login.logout(within=5)
                self.assertEqual(self.livesock("status", "--json").status, 1)
                self.assertEqual(self.livesock("stop").status, 0)

    def test_a_client_that_keeps_its_connection_does_not_hold_up_the_logout(self):
        server = self.sshd()
        supervisor = self.supervisor()
        login = self.login(server, self.agent("alice"))
        supervisor.wait_for_live(login.auth_sock)
        with wire.Client(supervisor.agent_sock) as client:
            self.assertEqual(client.comments(), ["alice"])
            login.logout(within=5)
            next_login = self.login(server, self.agent("bob"))
            supervisor.wait_for_live(next_login.auth_sock)
            self.assertEqual(client.comments(), ["bob"])

    def test_an_agent_that_hangs_at_home_does_not_hold_up_the_logout(self):
        server, laptop = self.sshd(), self.agent("alice")
        supervisor = self.supervisor(QUICK_PROBE)
        login = self.login(server, laptop)
        supervisor.wait_for_live(login.auth_sock)
        # While ssh opens a channel it waits for the agent, whoever asked for it; then nothing can be done.
        eventually(lambda: login.connections == 2, 5, "the sentinel and the spare connection")
        supervisor.status()  # asks behind the opening of the spare one: when it is answered, ssh is done with that
        laptop.signal(signal.SIGSTOP)
        supervisor.wait_for_state(login.auth_sock, "hung", within=5)
        login.logout(within=5)
        supervisor.wait_for_state(login.auth_sock, None)

    def test_two_logins_are_two_agents_and_the_newest_is_used(self):
        server = self.sshd()
        supervisor = self.supervisor()
        older = self.login(server, self.agent("alice"))
        supervisor.wait_for_live(older.auth_sock)
        newer = self.login(server, self.agent("bob"))
        supervisor.wait_for_live(newer.auth_sock)
        newer.logout()
        supervisor.wait_for_live(older.auth_sock)
        older.logout()
        supervisor.wait_for_live(None)

    def test_each_login_is_shown_with_where_it_comes_from(self):
        supervisor = self.supervisor()
        login = self.login(self.sshd(), self.agent("alice"))
        supervisor.wait_for_live(login.auth_sock)
        # sshd makes the socket before it starts what tells where the client is.
        eventually(lambda: supervisor.agents()[login.auth_sock]["client_address"], 5, "the client to be known")
        entry = supervisor.agents()[login.auth_sock]
        self.assertEqual((entry["state"], entry["origin"], entry["selected"]), ("live", "forwarded", True), entry)
        self.assertEqual((entry["client_address"], entry["client_port"]), ("127.0.0.1", login.client_port), entry)
        self.assertEqual(entry["tty"], login.tty.removeprefix("/dev/") or None, entry)
        self.assertEqual(entry["keys"], 1)
        self.assertEqual(entry["fingerprints"], [self.sandbox.fingerprint("alice")])
        self.assertGreater(entry["round_trip_ms"], 0)


if __name__ == "__main__":
    main()
