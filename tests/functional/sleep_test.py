"""The laptop sleeps: sshd accepts for it, and nobody answers."""

import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from support import fake_agent, wire
from support.case import Case, main
from support.waiting import eventually, Stopwatch

ANSWERED = 3.0  # every request, while the state of the sleeping one is not yet known
LIST = wire.frame(wire.REQUEST_IDENTITIES)


def timed(ask):
    """The answer and the seconds it took."""
    watch = Stopwatch()
    answer = ask()
    return answer, watch.seconds


class TwoLoginsTest(Case):
    """The selected login sleeps while another is there."""

    def setUp(self):
        super().setUp()
        server = self.sshd()
        self.daemon = self.supervisor()
        self.other = self.login(server, self.agent("other"))
        self.daemon.wait_for_live(self.other.auth_sock)
        self.sleeper = self.login(server, self.agent("sleeper"))
        self.daemon.wait_for_live(self.sleeper.auth_sock)
        self.path = self.daemon.agent_sock

    def test_every_request_is_answered_within_three_seconds(self):
        self.sleeper.sleep()
        answers = []

        def ask():
            try:
                answers.append(timed(lambda: wire.answer_kind(self.path, LIST, within=20)))
            except Exception as error:  # to be seen by the test, not lost with the thread
                answers.append((repr(error), 0))

        threads = [threading.Thread(target=ask) for _ in range(32)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(answers), 32)
        for kind, seconds in answers:
            self.assertIn(kind, (wire.IDENTITIES_ANSWER, wire.FAILURE))
            self.assertLess(seconds, ANSWERED)

    def test_a_client_with_an_open_connection_is_answered_within_three_seconds(self):
        with wire.Client(self.path) as client:
            self.assertEqual(client.comments(), ["sleeper"])
            self.sleeper.sleep()
            answer, seconds = timed(lambda: client.ask(LIST, within=20))
        self.assertIn(answer[0], (wire.IDENTITIES_ANSWER, wire.FAILURE))
        self.assertLess(seconds, ANSWERED)

    def test_once_the_state_is_known_requests_are_answered_at_once_by_the_other(self):
        self.sleeper.sleep()
        wire.answer_kind(self.path, LIST, within=20)
        self.daemon.wait_for_live(self.other.auth_sock)
        self.assertEqual(wire.comments(self.path), ["other"])
        self.check_at_once(lambda: timed(lambda: wire.comments(self.path))[1], times=30)

    def test_ssh_add_in_an_old_pane_never_waits_longer(self):
        terminal = self.tmux()
        self.assertEqual(self.other.run(f"livesock run -- {terminal.new()}").status, 0)
        pane = terminal.pane()
        self.assertIn("sleeper", pane.run("ssh-add -l").out)
        self.sleeper.sleep()
        self.assertLess(pane.run("ssh-add -l").seconds, ANSWERED)
        self.assertIn("other", pane.run("ssh-add -l").out)
        self.check_at_once(lambda: pane.run("ssh-add -l").seconds, times=5)

    def test_a_sleeper_that_wakes_is_live_again(self):
        self.sleeper.sleep()
        wire.answer_kind(self.path, LIST, within=20)
        self.daemon.wait_for_state(self.sleeper.auth_sock, "late")
        self.sleeper.wake()
        self.daemon.wait_for_state(self.sleeper.auth_sock, "live", within=1)

    def test_a_sleeper_is_late_and_then_hung_and_has_its_own_socket_again_when_it_wakes(self):
        before = os.lstat(self.sleeper.auth_sock)
        self.sleeper.sleep()
        wire.answer_kind(self.path, LIST, within=20)
        self.daemon.wait_for_state(self.sleeper.auth_sock, "late")
        self.daemon.wait_for_state(self.sleeper.auth_sock, "hung", within=15)
        self.sleeper.wake()
        self.daemon.wait_for_state(self.sleeper.auth_sock, "live", within=1)
        self.assertEqual(os.lstat(self.sleeper.auth_sock).st_ino, before.st_ino)


class OneLoginTest(Case):
    """The only login sleeps."""

    def setUp(self):
        super().setUp()
        self.daemon = self.supervisor()
        self.sleeper = self.login(self.sshd(), self.agent("sleeper"))
        self.daemon.wait_for_live(self.sleeper.auth_sock)
        self.path = self.daemon.agent_sock

    def test_a_request_fails_in_bounded_time(self):
        self.sleeper.sleep()
        kind, seconds = timed(lambda: wire.answer_kind(self.path, LIST, within=20))
        self.assertEqual(kind, wire.FAILURE)
        self.assertLess(seconds, 7.5)  # proxy.list_timeout, and proxy.grace for another agent to come
        self.daemon.wait_for_live(None)
        self.daemon.wait_for_state(self.sleeper.auth_sock, "hung", within=15)
        kind, seconds = timed(lambda: wire.answer_kind(self.path, LIST, within=20))
        self.assertEqual(kind, wire.FAILURE)
        self.assertLess(seconds, ANSWERED)  # proxy.grace

    def test_ssh_add_fails_clearly_and_does_not_hang(self):
        self.sleeper.sleep()
        failed = self.run_program("ssh-add", "-l", SSH_AUTH_SOCK=self.path)
        self.assertEqual(failed.status, 1, failed)
        self.assertIn("agent refused operation", failed.err)

    def test_after_the_sleep_it_works_within_100_ms(self):
        def after_a_sleep():
            self.sleeper.sleep()
            wire.answer_kind(self.path, LIST, within=20)
            for state in ("late", "hung"):
                self.daemon.wait_for_state(self.sleeper.auth_sock, state, within=15)
            self.sleeper.wake()
            return self.list_again()
        self.check_at_once(after_a_sleep)

    def test_a_short_sleep_that_nobody_noticed_costs_nothing(self):
        def after_a_nap():
            self.sleeper.sleep()
            self.sleeper.wake()
            return self.list_again()
        self.check_at_once(after_a_nap)

    def test_a_request_that_waits_is_answered_when_the_sleeper_wakes(self):
        def of_one_that_waits():
            self.sleeper.sleep()
            wire.answer_kind(self.path, LIST, within=20)
            self.daemon.wait_for_live(None)
            with wire.Client(self.path) as client:
                client.send(LIST)
                self.assertTrue(client.silent(0.3))
                self.sleeper.wake()
                answer, seconds = timed(client.recv)
            self.assertEqual(wire.parse_identities(answer)[0][1], b"sleeper")
            return seconds
        self.check_at_once(of_one_that_waits)

    def list_again(self):
        """How long the sleeper's identities took."""
        comments, seconds = timed(lambda: wire.comments(self.path))
        self.assertEqual(comments, ["sleeper"])
        return seconds


class TellingTest(Case):
    """A login has fallen asleep, and nobody has asked yet."""

    def setUp(self):
        super().setUp()
        self.daemon = self.supervisor()
        self.sleeper = self.login(self.sshd(), self.agent("sleeper"))
        self.daemon.wait_for_live(self.sleeper.auth_sock)
        self.sleeper.sleep()

    def test_status_says_for_how_long_it_has_not_answered(self):
        first = self.livesock("status")
        self.assertRegex(first.out, r"^ssh uses the agent of .*, which was asked \d+ ms ago and has not answered yet\.")
        self.assertRegex(first.out, r"\n\* +live .* >\d+ ms ")
        self.daemon.wait_for_state(self.sleeper.auth_sock, "late", within=3)
        self.assertGreaterEqual(self.silence(), 2)  # of the one question, not of the last status
        late = self.livesock("status")
        self.assertEqual(late.status, 1)
        self.assertRegex(late.out, r"\n\* +late .* >\d\.\d s ")
        self.sleeper.wake()
        self.daemon.wait_for_live(self.sleeper.auth_sock, within=1)
        self.assertIsNone(self.silence())
        self.assertIn("livesock is working", self.livesock("status").out)

    def test_it_is_late_two_seconds_after_status_with_nobody_asking_again(self):
        self.livesock("status")
        self.daemon.wait_for_live(None, within=3)

    def test_list_says_that_its_list_is_an_old_one(self):
        listed = self.livesock("list")
        self.assertEqual(listed.status, 0)
        self.assertIn("sleeper", listed.out)
        self.assertEqual(listed.err, "livesock: the agent has not answered yet: this is what it has said before\n")

    def test_doctor_waits_until_it_is_known(self):
        self.assertRegex(self.livesock("doctor").out, r"\nBAD +sleepers +the agent of .* does not answer, and no other")

    def silence(self):
        """For how long the sleeper owes an answer."""
        return self.daemon.agents()[self.sleeper.auth_sock]["unanswered_seconds"]


class ProbeTest(Case):
    """How a sleeping agent is asked, seen from the agent."""

    QUICK = '[probe]\ninterval = "100ms"\ntimeout = "100ms"\nhung_after = "300ms"\n'

    def setUp(self):
        super().setUp()
        self.fake = self.fake_agent("carol", path=self.in_agents("fake"))
        self.daemon = self.supervisor(self.only_agents(self.QUICK))
        self.daemon.wait_for_live(self.fake.path)

    def test_an_agent_that_stops_answering_is_found_without_any_client(self):
        self.fake.manner = fake_agent.HANG
        self.daemon.wait_for_state(self.fake.path, "late", "hung", within=1)
        self.daemon.wait_for_state(self.fake.path, "hung", within=1)
        self.daemon.wait_for_live(None)
        self.fake.manner = fake_agent.ANSWER
        self.daemon.wait_for_live(self.fake.path, within=1)

    def test_no_further_connection_and_no_further_question_goes_to_an_agent_that_hangs(self):
        self.fake.manner = fake_agent.HANG
        self.daemon.wait_for_state(self.fake.path, "hung")
        connects, requests = self.fake.connects, len(self.fake.requests)
        watch = Stopwatch()
        eventually(lambda: watch.seconds > 1, 2, "ten intervals of the probe")
        self.assertEqual((self.fake.connects, len(self.fake.requests)), (connects, requests))

    def test_questions_to_a_live_agent_travel_on_one_connection(self):
        eventually(lambda: len(self.fake.requests) > 4, 2, "some probes")
        connects, requests = self.fake.connects, len(self.fake.requests)
        eventually(lambda: len(self.fake.requests) > requests + 5, 2, "more probes")
        self.assertEqual(self.fake.connects, connects)

    def test_an_agent_is_not_called_hung_while_it_waits_for_a_touch(self):
        with wire.Client(self.daemon.agent_sock) as client:
            blob = client.list()[0][0]
            self.fake.manner = fake_agent.HANG
            client.send(wire.sign_request(blob, b"data"))
            eventually(lambda: self.fake.count(wire.SIGN_REQUEST) == 1, 2, "the sign request to arrive")
            watch = Stopwatch()
            while watch.seconds < 1.2:  # four times hung_after
                self.assertNotEqual(self.daemon.state(self.fake.path), "hung")
                self.assertTrue(client.silent(0.05))
            self.fake.manner = fake_agent.ANSWER
            self.assertEqual(client.recv()[0], wire.SIGN_RESPONSE)
        self.daemon.wait_for_state(self.fake.path, "live", within=1)

    def test_the_end_of_an_agent_is_news_at_once(self):
        self.daemon.stop()
        os.utime(self.fake.path, (1, 1))  # a young socket that refuses may be about to listen
        self.daemon = self.supervisor(self.only_agents())
        other = self.fake_agent("dave", path=self.in_agents("other"))
        self.daemon.wait_for_state(self.fake.path, "live")
        self.daemon.wait_for_live(other.path)
        watch = Stopwatch()
        other.close()  # as sshd does at a logout: the name goes, too
        self.daemon.wait_for_live(self.fake.path, within=1)
        self.assertLess(watch.seconds, 0.1)
        watch = Stopwatch()
        self.fake.refuse()  # as one that was killed
        self.daemon.wait_for_live(None, within=1)
        self.assertLess(watch.seconds, 0.1)


if __name__ == "__main__":
    main()
