"""policy = "active-client": with several machines at one tmux session, requests go to the one that typed last."""

import os
import shlex
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from support.case import main, ROUNDS
from support.cases import CommandCase
from support.network import HOST_ADDRESS, missing, Star
from support.waiting import eventually

FOLLOW = '[selection]\npolicy = "active-client"\n'
LAPTOP, TOWER = "127.0.0.2", "127.0.0.3"


class FollowCase(CommandCase):
    """Machines that log in at a real sshd, and one tmux session."""

    def setUp(self):
        super().setUp()
        self.server = self.make_server()
        self.tmux_server = self.tmux()
        self.count = 0

    def make_server(self):
        """The sshd."""
        return self.sshd()

    def way_from(self, address):
        """What tells a login that it comes from there: loopback has many addresses."""
        return {"options": ("-o", f"BindAddress={address}")}

    def start(self, config=FOLLOW):
        """The supervisor, and the session whose pane has the stable socket."""
        self.configure(config)
        self.check(0, "start")
        started = self.run_program("sh", "-c", self.tmux_server.new(), SSH_AUTH_SOCK=self.agent_sock)
        self.assertEqual(started.status, 0, started)

    def attach(self, address, key):
        """A login from there that attaches to the session."""
        login = self.login(self.server, self.agent(key, "both"), **self.way_from(address))
        eventually(lambda: login.auth_sock in [agent["path"] for agent in self.ask("status")["agents"]
                                               if agent["state"] == "live"], 10, "the login's agent")
        clients = len(self.clients())
        login._write(f"exec env TERM=xterm {self.tmux_server.words} attach -t old\n")
        eventually(lambda: len(self.clients()) > clients, 10, "the client to be attached")
        return login

    def clients(self):
        """When each of tmux's clients was active last, in seconds."""
        listed = self.run_program("sh", "-c", f"{self.tmux_server.words} list-clients -F '#{{client_activity}}'")
        return [int(line) for line in listed.out.split()]

    def type(self, login, command):
        """Types a command into the pane from that machine; returns what it prints.

        tmux tells the time of a client's activity in whole seconds: the next second is waited for.
        """
        last = max(self.clients())
        eventually(lambda: time.time() >= last + 1, 3, "the next second")
        return self.type_now(login, command)

    def type_now(self, login, command):
        """The same, without waiting."""
        self.count += 1
        out = f"{self.sandbox.path}/typed.{self.count}"
        login._write(f"{command} >{out}.new 2>&1; mv {out}.new {out}\n")
        eventually(lambda: os.path.exists(out), 10, f"{command} to end")
        with open(out, encoding="utf-8") as file:
            return file.read()

    def check_typed(self, login, command, expected):
        """What is typed from that machine prints `expected`; a machine that is busy may spoil one try, or two: no
        request waits for tmux longer than 50 ms."""
        for _ in range(ROUNDS):
            shown = self.type(login, command)
            if expected in shown:
                return
        self.fail(f"{command}: {expected!r} is not in {shown!r}")

    def check_that_signatures_follow(self, laptop, tower):
        """Both type in turns: each signature is made by the agent of the machine that typed, by a key that the other
        one has as well."""
        command = f"ssh-add -T {shlex.quote(self.sandbox.key('both') + '.pub')} && echo signed"
        for login, name in ((laptop, "alice"), (tower, "bob"), (laptop, "alice"), (tower, "bob"), (laptop, "alice")):
            self.check_typed(login, "ssh-add -L", f" {name}\n")
            for _ in range(ROUNDS):
                self.ask("watch")
                self.assertIn("signed\n", self.type(login, command))
                signed = [done["agent"] for done in self.ask("watch")["done"] if done["request"] == "sign"][-1]
                if signed == login.auth_sock:
                    break
            self.assertEqual(signed, login.auth_sock, name)


class NamespacesTest(FollowCase):
    """The machines are network namespaces, from which one comes by a wire of its own."""

    def setUp(self):
        if reason := missing():
            self.skipTest(reason)
        super().setUp()

    def make_server(self):
        self.star = self.keep(Star(2))
        return self.sshd(address=HOST_ADDRESS, inside=self.star.host.words())

    def way_from(self, address):
        return {"inside": self.star.guests[address].words()}

    def test_each_signature_is_made_by_the_machine_that_typed(self):
        self.start()
        machines = [self.attach(address, name) for address, name in zip(self.star.guests, ("alice", "bob"))]
        self.assertEqual([login.connection.split()[0] for login in machines], list(self.star.guests))
        self.check_that_signatures_follow(*machines)


class FollowTest(FollowCase):
    """The machines are addresses of loopback."""

    def test_requests_go_to_the_machine_that_typed(self):
        self.start()
        self.check_that_signatures_follow(self.attach(LAPTOP, "alice"), self.attach(TOWER, "bob"))

    def test_with_the_hooks_of_setup_it_need_not_be_another_second(self):
        """Only what tmux has said before is believed for a moment: 200 ms."""
        self.check(0, "setup", "--yes", "tmux")
        self.tmux_server.words = self.tmux_server.words.replace("/dev/null", f"{self.sandbox.home}/.tmux.conf")
        self.start()
        laptop, tower = self.attach(LAPTOP, "alice"), self.attach(TOWER, "bob")
        self.type(laptop, "true")

        def right():
            count = 0
            for login, name in ((tower, "bob"), (laptop, "alice")) * 6:
                done = time.monotonic()
                eventually(lambda done=done: time.monotonic() > done + 0.25, 3, "what tmux has said to be old")
                count += f" {name}\n" in self.type_now(login, "ssh-add -L")
            return count
        self.assertTrue(any(right() > 10 for _ in range(ROUNDS)), "of 12; a machine that is busy may spoil one, and a round")

    def test_a_pin_beats_who_types(self):
        self.start()
        laptop, tower = self.attach(LAPTOP, "alice"), self.attach(TOWER, "bob")
        self.check(0, "use", TOWER)
        self.assertIn(" bob\n", self.type(laptop, "ssh-add -L"))
        self.check(0, "use", "auto")
        self.check_typed(laptop, "ssh-add -L", " alice\n")
        self.check_typed(tower, "ssh-add -L", " bob\n")

    def test_one_that_sleeps_after_it_typed_is_not_waited_for(self):
        self.start(FOLLOW + '[probe]\ninterval = "200ms"\ntimeout = "300ms"\n')
        laptop, tower = self.attach(LAPTOP, "alice"), self.attach(TOWER, "bob")
        self.check_typed(laptop, "ssh-add -L", " alice\n")
        laptop.sleep()
        self.addCleanup(laptop.wake)
        pane = self.tmux_server.pane()
        eventually(lambda: self.ask("status")["agents"][1]["state"] == "late", 10, "the laptop to be late")
        self.assertIn(" bob\n", pane.run("ssh-add -L").out)
        self.assertIsNotNone(tower)

    def test_a_tmux_that_hangs_holds_up_nobody(self):
        self.start()
        self.attach(LAPTOP, "alice")
        tower = self.attach(TOWER, "bob")
        server = int(self.run_program("sh", "-c", f"{self.tmux_server.words} display -p '#{{pid}}'").out)
        inside = {"TMUX": f"{self.tmux_server.path},{server},0", "TMUX_PANE": "%0", "SSH_AUTH_SOCK": self.agent_sock}
        os.kill(server, 19)
        try:
            for _ in range(3):
                done = self.run_program("ssh-add", "-L", **inside)
                self.assertIn(" bob\n", done.out)
                self.assertLess(done.seconds, 1)
        finally:
            os.kill(server, 18)
        self.assertIsNotNone(tower)

    def test_outside_of_tmux_a_login_has_its_own_agent(self):
        self.start()
        laptop = self.login(self.server, self.agent("alice"), options=("-o", f"BindAddress={LAPTOP}"))
        self.check(0, "wait", "--timeout", "5s")
        tower = self.login(self.server, self.agent("bob"), options=("-o", f"BindAddress={TOWER}"))
        eventually(lambda: self.ask("status")["live"] == tower.auth_sock, 10, "the newest")
        for login, name in ((laptop, "alice"), (tower, "bob")):
            self.assertIn(f" {name}\n", login.run(f"SSH_AUTH_SOCK={shlex.quote(self.agent_sock)} ssh-add -L").out)

    def test_elsewhere_the_newest_is_used(self):
        self.start()
        self.attach(LAPTOP, "alice")
        self.attach(TOWER, "bob")
        done = self.run_program("ssh-add", "-L", SSH_AUTH_SOCK=self.agent_sock)
        self.assertIn(" bob\n", done.out)

    def test_status_does_not_name_one_that_is_used_by_all(self):
        self.start()
        self.attach(LAPTOP, "alice")
        self.assertIn(f"ssh uses the agent of {LAPTOP} on ", self.check(0, "status").out)
        self.attach(TOWER, "bob")
        self.assertIn(f"ssh uses the agent of the machine that is typed on; where that is not known, the agent of "
                      f"{TOWER} on ", self.check(0, "status").out)

    def test_nobody_is_led_past_the_proxy(self):
        self.start()
        self.attach(LAPTOP, "alice")
        self.assertEqual(os.readlink(os.path.join(self.sandbox.livesock_dir, "live")), self.agent_sock)


if __name__ == "__main__":
    main()
