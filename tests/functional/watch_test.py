"""livesock watch: the live view in a terminal, and the lines where there is none; wait, which shows what it waits for."""

import os
import re
import signal
import subprocess
import sys
import termios

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from support import wire
from support.case import main
from support.cases import CommandCase
from support.sandbox import LIVESOCK
from support.terminal import Terminal
from support.waiting import eventually


class LiveViewTest(CommandCase):
    """In a terminal."""

    def watch(self, **options):
        """The view."""
        return self.keep(Terminal(self.sandbox, LIVESOCK, "watch", **options))

    def check_given_back(self, terminal):
        """The terminal is as it was."""
        written = terminal.read()
        self.assertTrue(written.endswith("\x1b[?25h\x1b[?1049l"), repr(written[-80:]))
        self.assertEqual(terminal.settings(), terminal.before)

    def test_agents_and_requests_are_shown_as_they_come(self):
        agent = self.started("alice", config='[probe]\ninterval = "100ms"\n')
        terminal = self.watch()
        terminal.shows(r"livesock is working: ssh uses .* \(1 key, ")
        terminal.shows(r"\* live \S")
        terminal.shows("[▁▂▃▄▅▆▇█]{8}")
        self.assertEqual(self.run_program("ssh-add", "-l", SSH_AUTH_SOCK=self.agent_sock).status, 0)
        terminal.shows(r"\d\d:\d\d:\d\d ssh-add in[ .]\S+ keys ssh-\S+ \S+\) [\d.]+ [mu]s")
        other = self.agent("bob", path=self.in_agents("two"))
        terminal.shows(rf"ssh-agent \(pid {other.pid}\)")
        agent.kill()
        eventually(lambda: f"ssh-agent (pid {agent.pid})" not in terminal.text, 5, lambda: terminal.text)

    def test_one_that_waits_is_shown_while_it_waits(self):
        agent = self.started("alice", config='[probe]\ninterval = "1h"\n')
        terminal = self.watch()
        terminal.shows("livesock is working")
        agent.signal(signal.SIGSTOP)
        client = self.keep(wire.Client(self.agent_sock))
        client.send(wire.frame(wire.REQUEST_IDENTITIES))
        terminal.shows(r"used by \S.* \(waits for an answer, ")
        agent.signal(signal.SIGCONT)
        terminal.shows(r"\d\d:\d\d:\d\d \S.* keys ")

    def test_q_ends_it_and_the_terminal_is_as_before(self):
        self.started("alice")
        terminal = self.watch()
        terminal.shows("livesock is working")
        self.assertFalse(terminal.settings()[3] & (termios.ECHO | termios.ICANON))
        terminal.type("q")
        self.assertEqual(terminal.process.wait(5), 0)
        self.check_given_back(terminal)

    def test_signals_end_it_and_the_terminal_is_as_before(self):
        self.started("alice")
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            with self.subTest(number=number):
                terminal = self.watch()
                terminal.shows("livesock is working")
                terminal.process.send_signal(number)
                self.assertEqual(terminal.process.wait(5), -number)
                self.check_given_back(terminal)
        terminal = self.watch()
        terminal.shows("livesock is working")
        terminal.type("\x03")
        self.assertEqual(terminal.process.wait(5), -signal.SIGINT)

    def test_stopped_it_gives_the_terminal_back_and_takes_it_again(self):
        self.started("alice")
        terminal = self.watch()
        terminal.shows("livesock is working")
        terminal.type("\x1a")
        eventually(lambda: os.waitid(os.P_PID, terminal.process.pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT), 5, "stop")
        self.check_given_back(terminal)
        terminal.process.send_signal(signal.SIGCONT)
        eventually(lambda: terminal.read().count("\x1b[?1049h") == 2, 5, "the screen again")
        terminal.type("q")
        self.assertEqual(terminal.process.wait(5), 0)
        self.check_given_back(terminal)

    def test_nothing_is_wider_or_higher_than_the_terminal_also_after_a_resize(self):
        self.started("alice")
        for number in range(12):
            self.agent("bob", path=self.in_agents(f"a-rather-long-name-{number}"))
        terminal = self.watch()
        for columns, rows in ((80, 24), (140, 40), (30, 6), (100, 10)):
            terminal.resize(columns, rows)
            terminal.process.send_signal(signal.SIGWINCH)
            seen = len(terminal.read())
            eventually(lambda seen=seen: len(terminal.read()) > seen + 100, 5, "a new frame")
            eventually(lambda c=columns, r=rows: max(map(len, terminal.frame)) <= c and len(terminal.frame) <= r, 5,
                       lambda: "\n".join(terminal.frame))

    def test_nothing_is_cleared_before_it_is_drawn(self):
        self.started("alice", config='[probe]\ninterval = "50ms"\n')
        terminal = self.watch()
        eventually(lambda: terminal.read().count("\x1b[?2026h") > 10, 15, "ten frames")
        self.assertNotIn("\x1b[2J", terminal.read())

    def test_a_restart_is_outlived_and_a_stop_is_told(self):
        self.started("alice")
        terminal = self.watch()
        terminal.shows("livesock is working")
        self.check(0, "restart")
        eventually(lambda: self.run_program("ssh-add", "-l", SSH_AUTH_SOCK=self.agent_sock).status == 0 and
                   re.search("ssh-add in", terminal.text), 10, lambda: terminal.text)
        self.check(0, "stop")
        terminal.shows("no supervisor is running: start it with 'livesock start'")
        self.check(0, "start")
        eventually(lambda: "no supervisor" not in terminal.text, 5, lambda: terminal.text)

    def test_a_supervisor_that_does_not_answer_is_told_of_with_what_to_do(self):
        self.started("alice")
        pid = self.pid()
        os.kill(pid, signal.SIGSTOP)
        try:
            terminal = self.watch(columns=60)
            terminal.shows(rf"\(pid {pid}\)\s+in '\S+'\s+is\s+stopped,\s[^:]+:\s+'kill\s+-CONT\s+{pid}'\s+has\s+it\s+go\s+on", 15)
            self.assertLessEqual(max(map(len, terminal.frame)), 60)
        finally:
            os.kill(pid, signal.SIGCONT)
        terminal.shows("livesock is working")
        self.assertNotIn("is stopped", terminal.text)

    def test_without_a_supervisor_the_status_is_2(self):
        terminal = self.watch()
        self.assertEqual(terminal.process.wait(5), 2)
        self.assertIn("no supervisor is running", terminal.read())


class LinesTest(CommandCase):
    """Where standard output is no terminal."""

    def follow(self):
        """The lines so far, by a call."""
        process = subprocess.Popen([LIVESOCK, "watch"], env=self.sandbox.environment(), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        os.set_blocking(process.stdout.fileno(), False)
        seen = []

        def lines():
            seen.append(process.stdout.read() or b"")
            return b"".join(seen).decode()
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process, lines

    def test_what_happens_is_a_line_each(self):
        agent = self.started("alice")
        _, lines = self.follow()
        eventually(lambda: "requests go to the agent" in lines(), 5, lines)
        self.assertEqual(self.run_program("ssh-add", "-l", SSH_AUTH_SOCK=self.agent_sock).status, 0)
        eventually(lambda: re.search(r"(?m)^\d\d:\d\d:\d\d  ssh-add in \S+: keys, [\d.]+ [mu]s of ssh-agent ", lines()),
                   5, lines)
        agent.kill()
        eventually(lambda: re.search(r"(?m)^\d\d:\d\d:\d\d  no agent is live$", lines()), 5, lines)
        self.assertNotIn("\x1b", lines())

    def test_a_terminal_that_cannot_draw_gets_lines(self):
        self.started("alice")
        terminal = self.keep(Terminal(self.sandbox, LIVESOCK, "watch", TERM="dumb"))
        eventually(lambda: "requests go to the agent" in terminal.read(), 5, terminal.read)
        self.assertNotIn("\x1b", terminal.read())
        self.assertEqual(terminal.settings(), terminal.before)

    def test_it_ends_with_its_reader(self):
        self.started("alice")
        process, lines = self.follow()
        eventually(lines, 5, "a line")
        process.stdout.close()
        process.stdout = None
        self.agent("bob", path=self.in_agents("two"))
        eventually(lambda: process.poll() is not None, 10, "the end")


class WaitTest(CommandCase):
    """wait, with somebody to look on."""

    def test_in_a_terminal_it_says_what_it_waits_for(self):
        self.configure(self.only_agents())
        self.check(0, "start")
        terminal = self.keep(Terminal(self.sandbox, LIVESOCK, "wait"))
        eventually(lambda: "Waiting. No agent is live: none has been found" in terminal.read(), 5, terminal.read)
        self.agent("alice", path=self.in_agents("one"))
        self.assertEqual(terminal.process.wait(5), 0)
        self.assertIn("livesock is working", terminal.read())

    def test_elsewhere_it_says_nothing(self):
        self.started("alice")
        done = self.check(0, "wait")
        self.assertEqual(done.text, "")

    def test_in_a_terminal_it_gives_up_too(self):
        self.configure(self.only_agents())
        self.check(0, "start")
        terminal = self.keep(Terminal(self.sandbox, LIVESOCK, "wait", "--timeout", "300ms"))
        self.assertEqual(terminal.process.wait(5), 1)
        self.assertIn("no agent became live within 300 ms", terminal.read())


if __name__ == "__main__":
    main()
