"""What agents and those who use them are called: in status, in use, across logins."""

import os
import shlex
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from support import wire
from support.case import main
from support.cases import CommandCase
from support.waiting import eventually

LAPTOP, TOWER = "127.0.0.2", "127.0.0.3"


class NamesTest(CommandCase):
    """Logins from two addresses, over a real sshd."""

    def setUp(self):
        super().setUp()
        self.server = self.sshd()

    def login_from(self, address, key):
        """A login with an agent that holds `key`; returns when it is used, or known to be live."""
        login = self.login(self.server, self.agent(key), options=("-o", f"BindAddress={address}"))
        eventually(lambda: self.entry(login)["state"] == "live", 10, "the login's agent to be live")
        return login

    def entry(self, login):
        """What status tells of the login's agent."""
        agents = {agent["path"]: agent for agent in self.ask("status")["agents"]}
        return agents.get(login.auth_sock, {"state": None})

    def live(self):
        """The path that is used."""
        return self.ask("status")["live"]

    def wait_for_live(self, login):
        """Returns when the login's agent is used."""
        eventually(lambda: self.live() == login.auth_sock, 10, lambda: f"{login.auth_sock}, not {self.live()}")

    def use(self, word):
        """What `livesock use` says, in one line."""
        return " ".join(self.check(0, "use", word).out.split())

    def start(self, config=""):
        """The supervisor."""
        self.configure(config)
        self.check(0, "start")

    def test_a_label_is_shown_with_the_address_and_taken_by_use(self):
        self.start(f'[labels]\n"{LAPTOP}" = "laptop"\n')
        laptop, tower = self.login_from(LAPTOP, "alice"), self.login_from(TOWER, "bob")
        label = f"laptop ({LAPTOP}) on {laptop.tty.removeprefix('/dev/')}"
        entry = self.entry(laptop)
        self.assertEqual((entry["label"], entry["client_name"], entry["client_address"]), (label, "laptop", LAPTOP))
        self.assertIsNone(self.entry(tower)["client_name"])
        self.assertIn(label, self.check(0, "status").out)
        self.assertEqual(self.use("laptop"), f"Now using '{label}', called so by its host.")
        self.assertEqual(wire.comments(self.agent_sock), ["alice"])

    def test_a_reload_gives_new_names(self):
        self.start()
        laptop = self.login_from(LAPTOP, "alice")
        self.assertTrue(self.entry(laptop)["label"].startswith(f"{LAPTOP} on "))
        self.configure(f'[labels]\n"{LAPTOP}" = "Zoë\'s"\n')
        self.check(0, "reload")
        self.assertTrue(self.entry(laptop)["label"].startswith(f"Zoë's ({LAPTOP}) on "))

    def test_every_name_is_taken(self):
        self.start(f'[labels]\n"{LAPTOP}" = "laptop"\n')
        laptop, tower = self.login_from(LAPTOP, "alice"), self.login_from(TOWER, "bob")
        for word in (laptop.auth_sock, self.entry(laptop)["label"], LAPTOP, "laptop", laptop.tty,
                     laptop.tty.removeprefix("/dev/"), self.sandbox.fingerprint("alice"), "alice"):
            with self.subTest(word=word):
                self.assertRegex(self.use(word), r"^Now using 'laptop .*', called so by its \w+\.$")
                self.assertEqual(self.live(), laptop.auth_sock)
                self.use("auto")
                self.assertEqual(self.live(), tower.auth_sock)

    def test_a_terminal_or_a_path_stays_with_its_client_after_the_next_login(self):
        self.start()
        for name in ("tty", "auth_sock"):
            with self.subTest(name=name):
                laptop, tower = self.login_from(LAPTOP, "alice"), self.login_from(TOWER, "bob")
                self.use(getattr(laptop, name))
                self.wait_for_live(laptop)
                laptop.logout()
                self.wait_for_live(tower)
                again = self.login_from(LAPTOP, "alice")
                self.wait_for_live(again)
                later = self.login_from(TOWER, "bob")
                self.assertEqual(self.live(), again.auth_sock)
                self.check(0, "restart")
                eventually(lambda: self.entry(later)["state"] == "live", 10, "the agents after a restart")
                self.wait_for_live(again)
                for login in (tower, again, later):
                    login.logout()
                self.use_nobody()

    def use_nobody(self):
        """Takes the preference back once no agent is live."""
        eventually(lambda: not self.live(), 10, "every login's agent to be gone")
        self.assertEqual(self.use("auto"), "No agent is live now; 'livesock status' says more.")

    def test_a_terminal_that_another_client_gets_next_is_not_followed(self):
        self.start()
        laptop = self.login_from(LAPTOP, "alice")
        third = self.login_from(LAPTOP, "carol")
        self.use(laptop.tty)
        tty = laptop.tty
        laptop.logout()
        self.wait_for_live(third)
        tower = self.login_from(TOWER, "bob")
        if tower.tty != tty:
            self.skipTest("the system has not given the terminal again")
        self.assertEqual(self.live(), third.auth_sock)

    def test_a_word_that_fits_several_says_which(self):
        self.start()
        one, two = self.login_from(LAPTOP, "alice"), self.login_from(TOWER, "alice")
        said = self.use("alice")
        labels = [self.entry(login)["label"] for login in (one, two)]
        self.assertRegex(said, f"Now using '{labels[1]}', called so by its key. 'alice' is one of 2: ")
        for label in labels:
            self.assertIn(f"'{label}'", said)

    def test_a_word_that_fits_nobody_is_answered_with_those_that_there_are(self):
        self.start()
        login = self.login_from(LAPTOP, "alice")
        failed = self.check(1, "use", "desk")
        self.assertIn(f"no agent is called 'desk'; there are '{self.entry(login)['label']}'", failed.err)

    def test_a_pinned_agent_that_sleeps_is_said_not_to_be_used(self):
        self.start('[probe]\ninterval = "200ms"\ntimeout = "300ms"\n')
        laptop, tower = self.login_from(LAPTOP, "alice"), self.login_from(TOWER, "bob")
        laptop.sleep()
        self.addCleanup(laptop.wake)
        eventually(lambda: self.entry(laptop)["state"] == "late", 10, "the laptop to be late")
        self.assertIn(f"'{LAPTOP}' is pinned, but not live: now '{self.entry(tower)['label']}' is used.",
                      self.use(LAPTOP))
        self.assertRegex(" ".join(self.livesock("status").out.split()), f"Pinned to '{LAPTOP}', which is not live: .* is used until it is")
        laptop.wake()
        self.wait_for_live(laptop)

    def test_status_shows_who_uses_an_agent_and_what_for(self):
        agent = self.started("alice", config='[probe]\ninterval = "1h"\n')
        tmux, work = self.tmux(), self.sandbox.directory("home", "src", "x")
        self.assertEqual(self.run_program("sh", "-c", tmux.new()).status, 0)
        agent.signal(signal.SIGSTOP)
        job = tmux.pane().start(f"cd {shlex.quote(work)} && SSH_AUTH_SOCK={shlex.quote(self.agent_sock)} ssh-add -l")
        try:
            users = eventually(lambda: self.ask("status")["agents"][0]["users"], 5, "a user")
            self.assertEqual((users[0]["command"], users[0]["directory"], users[0]["pane"], users[0]["request"]),
                             ("ssh-add", work, "%0", "list"))
            self.assertRegex(" ".join(self.livesock("status").out.split()),
                             r"used by ssh-add in ~/src/x, pane %0 \(waits for an answer, [\d.]+ m?s\)")
        finally:
            agent.signal(signal.SIGCONT)
        self.assertEqual(job.wait().status, 0)


if __name__ == "__main__":
    main()
