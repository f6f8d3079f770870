"""Which agent `live` leads to: states, order, pins."""

import os
import stat
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from support import fake_agent, proc, wire
from support.case import main
from support.cases import TmpCase
from support.inotify import DirectoryEvents
from support.waiting import eventually, Stopwatch

QUICK_PROBE = '[probe]\ninterval = "100ms"\ntimeout = "100ms"\nhung_after = "300ms"\n'


class SelectionTest(TmpCase):
    """The link `live`, states and pins."""

    def setUp(self):
        super().setUp()
        self.config = self.only_agents(QUICK_PROBE)

    def fakes(self, *names, **options):
        """Fake agents of these names, known to the supervisor one after the other."""
        found = []
        for name in names:
            found.append(self.fake_agent(name, path=self.in_agents(name), **options))
            self.daemon.wait_for_state(found[-1].path, "live")
        return found

    def test_live_is_absent_while_there_is_none(self):
        self.daemon = self.supervisor(self.config)
        self.assertFalse(os.path.lexists(self.daemon.live_link))
        (fake,) = self.fakes("carol")
        self.daemon.wait_for_live(fake.path)
        self.assertTrue(stat.S_ISLNK(os.lstat(self.daemon.live_link).st_mode))
        fake.refuse()
        self.daemon.wait_for_live(None)
        self.assertFalse(os.path.lexists(self.daemon.live_link))

    def test_live_is_replaced_without_a_moment_of_absence(self):
        self.daemon = self.supervisor(self.config)
        one, two = self.fakes("one", "two")
        self.daemon.wait_for_live(two.path)
        events = self.keep(DirectoryEvents(self.daemon.directory))
        for number in range(20):
            chosen = (one, two)[number % 2]
            self.assertTrue(self.daemon.control("use", agent=chosen.path)["ok"])
            self.daemon.wait_for_live(chosen.path, within=1)
        self.assertEqual(events.of("live"), ["moved to"] * 20)
        self.assertEqual(sorted(os.listdir(self.daemon.directory)), ["agent.sock", "control.sock", "live", "lock"])

    def test_the_newest_is_used_and_those_with_keys_before_those_without(self):
        self.daemon = self.supervisor(self.config)
        one, two = self.fakes("one", "two")
        self.daemon.wait_for_live(two.path)
        empty = self.fake_agent(path=self.in_agents("empty"))
        self.daemon.wait_for_state(empty.path, "live")
        self.assertEqual(self.daemon.agents()[empty.path]["keys"], 0)
        self.assertEqual(self.daemon.live, two.path)
        two.refuse()
        self.daemon.wait_for_live(one.path)
        one.refuse()
        self.daemon.wait_for_live(empty.path)

    def test_states_are_told_with_a_reason(self):
        self.daemon = self.supervisor(self.config)
        (fake,) = self.fakes("carol")
        self.assertIsNone(self.daemon.agents()[fake.path]["reason"])
        fake.manner = fake_agent.HANG
        self.daemon.wait_for_state(fake.path, "late", "hung")
        self.daemon.wait_for_state(fake.path, "hung")
        self.assertTrue(self.daemon.agents()[fake.path]["reason"])
        fake.manner = fake_agent.ANSWER
        self.daemon.wait_for_state(fake.path, "live")
        fake.refuse()
        self.daemon.wait_for_state(fake.path, "dead", None)

    def test_an_agent_that_has_never_answered_is_not_live(self):
        self.daemon = self.supervisor(self.config)
        bad = [self.fake_agent(manner, path=self.in_agents(manner.replace(" ", "-")), manner=manner)
               for manner in (fake_agent.HANG, fake_agent.GARBAGE, fake_agent.HALF, fake_agent.CLOSE,
                              fake_agent.OVERSIZED)]
        (good,) = self.fakes("good")
        self.daemon.wait_for_live(good.path)
        for fake in bad:
            eventually(lambda fake=fake: fake.connects > 0, 2, f"{fake.path} to be asked")
            self.daemon.wait_for_state(fake.path, "late", "hung", "dead", None)
        self.assertEqual(self.daemon.live, good.path)

    def test_an_agent_that_fails_every_question_is_not_asked_without_end(self):
        self.daemon = self.supervisor(self.config)
        for manner in (fake_agent.GARBAGE, fake_agent.CLOSE):
            fake = self.fake_agent(manner, path=self.in_agents(manner), manner=manner)
            eventually(lambda fake=fake: fake.connects > 0, 2, "a first question")
            cpu, watch = proc.cpu_seconds(self.daemon.pid), Stopwatch()
            eventually(lambda: watch.seconds > 1, 2, "a second to pass")
            self.assertLessEqual(fake.connects, 15)
            self.assertLess(proc.cpu_seconds(self.daemon.pid) - cpu, 0.1)
        self.assertLess(self.daemon.log.count("\n"), 30, self.daemon.log)

    def test_a_pin_by_path_label_or_fingerprint_holds_until_auto(self):
        one = self.agent("alice", path=self.in_agents("one"))
        self.daemon = self.supervisor(self.config)
        self.daemon.wait_for_live(one.path)
        two = self.agent("bob", path=self.in_agents("two"))
        self.daemon.wait_for_live(two.path)
        label = self.daemon.agents()[one.path]["label"]
        for name in (one.path, label, self.sandbox.fingerprint("alice")):
            with self.subTest(name=name):
                answer = self.daemon.control("use", agent=name)
                self.assertEqual((answer["ok"], answer["chosen"]), (True, one.path), answer)
                self.daemon.wait_for_live(one.path, within=1)
                self.assertTrue(self.daemon.status()["pinned"])
                self.assertEqual(wire.comments(self.daemon.agent_sock), ["alice"])
                answer = self.daemon.control("use", agent="auto")
                self.assertEqual((answer["ok"], answer["pinned"]), (True, None), answer)
                self.daemon.wait_for_live(two.path, within=1)

    def test_a_pin_by_client_address_finds_the_login(self):
        self.daemon = self.supervisor()
        login = self.login(self.sshd(), self.agent("alice"))
        self.daemon.wait_for_live(login.auth_sock)
        other = self.agent("bob")
        self.daemon.control("register", path=other.path)
        self.daemon.wait_for_live(other.path)
        answer = self.daemon.control("use", agent="127.0.0.1")
        self.assertEqual((answer["ok"], answer["chosen"]), (True, login.auth_sock), answer)
        self.daemon.wait_for_live(login.auth_sock, within=1)

    def test_a_pin_that_fits_two_means_the_newest_of_them(self):
        # As with two logins from one laptop, which forward one and the same agent.
        one = self.agent("alice", path=self.in_agents("one"))
        self.daemon = self.supervisor(self.config)
        self.daemon.wait_for_live(one.path)
        two = self.agent("alice", path=self.in_agents("two"))
        self.daemon.wait_for_live(two.path)
        three = self.agent("bob", path=self.in_agents("three"))
        self.daemon.wait_for_live(three.path)
        answer = self.daemon.control("use", agent=self.sandbox.fingerprint("alice"))
        self.assertEqual((answer["ok"], answer["chosen"]), (True, two.path), answer)

    def test_a_pin_that_fits_none_changes_nothing(self):
        one = self.agent("alice", path=self.in_agents("one"))
        self.daemon = self.supervisor(self.config)
        self.daemon.wait_for_live(one.path)
        for name in ("nobody knows", ""):
            answer = self.daemon.control("use", agent=name)
            self.assertEqual((answer["ok"], answer.get("code")), (False, "not_found"), answer)
            self.assertEqual((self.daemon.live, self.daemon.status()["pinned"]), (one.path, None))

    def test_while_the_pinned_one_is_gone_another_serves(self):
        self.daemon = self.supervisor(self.config)
        one, two = self.fakes("one", "two")
        self.daemon.control("use", agent=one.path)
        self.daemon.wait_for_live(one.path)
        one.manner = fake_agent.HANG
        self.daemon.wait_for_live(two.path)
        one.manner = fake_agent.ANSWER
        self.daemon.wait_for_live(one.path)

    def test_status_shows_the_selected_one_first_then_the_newest(self):
        self.daemon = self.supervisor(self.config)
        one, two, three = self.fakes("one", "two", "three")
        self.daemon.wait_for_live(three.path)
        self.daemon.control("use", agent=one.path)
        two_then = [entry["path"] for entry in self.daemon.status()["agents"]]
        self.assertEqual(two_then, [one.path, three.path, two.path])
        self.assertEqual([entry["selected"] for entry in self.daemon.status()["agents"]], [True, False, False])

    def test_a_key_that_is_added_later_is_seen(self):
        agent = self.agent("alice", path=self.in_agents("one"))
        self.daemon = self.supervisor(self.config)
        self.daemon.wait_for_live(agent.path)
        agent.add("bob")
        eventually(lambda: self.daemon.agents()[agent.path]["keys"] == 2, 2, "the second key")
        self.assertEqual(self.daemon.agents()[agent.path]["fingerprints"],
                         [self.sandbox.fingerprint(name) for name in ("alice", "bob")])

    def test_an_agent_that_is_given_its_first_key_later_is_preferred_soon(self):
        with_key = self.agent("alice", path=self.in_agents("one"))
        self.daemon = self.supervisor(self.config)
        self.daemon.wait_for_live(with_key.path)
        newer = self.agent(path=self.in_agents("two"))
        self.daemon.wait_for_state(newer.path, "live")
        newer.add("bob")
        self.daemon.wait_for_live(newer.path)  # without anybody asking for the status


class LoopTest(TmpCase):
    """A login to this host whose agent is our own socket."""

    def test_an_agent_that_leads_back_is_not_used_and_told(self):
        server = self.sshd()
        first = self.login(server, self.agent("alice"))
        self.daemon = self.supervisor()
        self.daemon.wait_for_live(first.auth_sock)
        for _ in range(3):
            back = self.login(server, Here(self.daemon.agent_sock))
            self.daemon.wait_for_state(back.auth_sock, "dead")
            self.assertIn("leads back", self.daemon.agents()[back.auth_sock]["reason"])
            self.assertEqual(self.daemon.live, first.auth_sock)
            self.assertEqual(wire.comments(self.daemon.agent_sock), ["alice"])
            # Who asks there by himself still gets an answer: it comes round once.
            self.assertEqual(wire.comments(back.auth_sock), ["alice"])
        self.assertIn("leads back to livesock", self.daemon.log)
        second = self.login(server, self.agent("bob"))
        self.daemon.wait_for_live(second.auth_sock)

    def test_a_stand_in_leads_back_as_well(self):
        server = self.sshd()
        gone = self.login(server, self.agent("old"))
        path = gone.auth_sock
        terminal = self.tmux()
        self.assertEqual(gone.run(terminal.new()).status, 0)
        gone.logout()
        first = self.login(server, self.agent("alice"))
        self.daemon = self.supervisor()
        self.daemon.wait_for_live(first.auth_sock)
        eventually(lambda: os.path.islink(path), 5, "the stand-in")
        back = self.login(server, Here(path))
        self.daemon.wait_for_state(back.auth_sock, "dead")
        self.assertEqual(self.daemon.live, first.auth_sock)
        terminal.close()


class Here:
    """What login() takes for an agent: a path."""

    def __init__(self, path):
        self.path = path


if __name__ == "__main__":
    main()
