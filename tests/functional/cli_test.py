"""livesock(1): start, stop, status, list, wait, register, use, log; help and wrong words."""

import json
import os
import re
import shlex
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from support import fake_agent, proc, wire
from support.case import main
from support.cases import CommandCase
from support.sandbox import LIVESOCK, SHIM
from support.waiting import eventually, Stopwatch

COMMANDS = ("run", "start", "stop", "restart", "reload", "env", "status", "list", "register", "use", "wait", "log",
            "why", "doctor", "watch")


class LifeTest(CommandCase):
    """start, stop, restart, reload."""

    def test_start_starts_once(self):
        self.check(0, "start")
        self.assertTrue(wire.accepts(self.agent_sock))
        pid = self.pid()
        self.check(0, "start")
        self.assertEqual(self.pid(), pid)

    def test_many_starts_at_once_all_succeed(self):
        children = [subprocess.Popen([LIVESOCK, "start"], env=self.sandbox.environment(), stdin=subprocess.DEVNULL,
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(8)]
        self.assertEqual([child.wait(20) for child in children], [0] * 8)
        self.assertTrue(self.ask("ping")["ok"])

    def test_stop_returns_when_it_has_ended(self):
        self.check(0, "start")
        pid = self.pid()
        self.check(0, "stop")
        self.assertFalse(proc.alive(pid))
        self.assertFalse(os.path.lexists(self.agent_sock))

    def test_stopping_twice_is_no_error(self):
        self.check(0, "start")
        self.check(0, "stop")
        self.check(0, "stop")

    def test_restart_replaces_the_running_one_and_starts_a_missing_one(self):
        self.check(0, "restart")
        first = self.pid()
        self.check(0, "restart")
        self.assertNotEqual(self.pid(), first)
        self.assertFalse(proc.alive(first))

    def test_reload_says_what_is_wrong_with_the_config(self):
        self.check(0, "start")
        self.check(0, "reload")
        self.configure("[proxy]\ngrase = \"1s\"\n")
        failed = self.check(1, "reload")
        self.assertRegex(failed.err, r"livesock\.toml:2:1.*grace")
        self.assertTrue(self.ask("ping")["ok"])

    def test_start_says_what_is_wrong_with_the_config(self):
        self.configure("[proxy]\ngrace = 1\n")
        failed = self.livesock("start")
        self.assertIn(failed.status, (1, 2), failed)
        self.assertRegex(failed.err, r"livesock\.toml:2:\d+")

    def test_start_says_what_is_wrong_with_the_directory(self):
        directory = self.sandbox.directory("run", mode=0o755)
        failed = self.livesock("start")
        self.assertIn(failed.status, (1, 2), failed)
        self.assertIn(directory, failed.err)
        os.chmod(directory, 0o700)

    def test_without_a_supervisor_questions_are_status_2_and_say_what_to_do(self):
        for words in (["status"], ["status", "--json"], ["list"], ["use", "auto"], ["reload"], ["register", "/tmp/x"],
                      ["wait", "--timeout", "1s"]):
            with self.subTest(words=words):
                failed = self.check(2, *words)
                self.assertIn("livesock start", failed.err)
                self.assertEqual(failed.out, "")


class StatusTest(CommandCase):
    """status, list and wait."""

    def test_the_table_shows_the_live_agent(self):
        agent = self.started("alice")
        shown = self.check(0, "status")
        self.assertIn("live", shown.out)
        self.assertIn(agent.path, shown.out)
        self.assertNotIn("\x1b", shown.out)

    def test_the_table_shows_where_a_login_comes_from(self):
        self.check(0, "start")
        login = self.login(self.sshd(), self.agent("alice"))
        self.check(0, "wait", "--timeout", "5s")
        shown = self.check(0, "status")
        self.assertIn("127.0.0.1", shown.out)
        self.assertIn(login.tty.removeprefix("/dev/"), shown.out)

    def test_a_shell_that_has_the_library_uses_it_only_by_a_path_that_is_dead(self):
        self.started("alice")
        own = self.agent("bob", path=os.path.join(self.sandbox.path, "own"))
        login = self.agent("carol", path=self.in_agents("vscode-ssh-auth-2")).path
        self.check(0, "use", login)
        for path, words in ((None, "does not use it"), (own.path, "of its own choice"), ("/nonexistent", "does not use it"),
                            (os.path.join(self.sandbox.path, "vscode-ssh-auth-1"), None), (login, None)):
            with self.subTest(path=path):
                shown = self.check(0, "status", SSH_AUTH_SOCK=path, LD_PRELOAD=SHIM).out
                if words:
                    self.assertIn(words, shown)
                else:
                    self.assertNotIn("This shell", shown)

    def test_json_is_one_object_as_the_control_socket_gives_it(self):
        agent = self.started("alice")
        shown = json.loads(self.check(0, "status", "--json").out)
        self.assertEqual((shown["live"], shown["agents"][0]["path"]), (agent.path, agent.path))
        self.assertTrue({"version", "pid", "directory", "agent_socket", "agents", "requests"} <= set(shown))

    def test_without_a_live_agent_the_status_is_1(self):
        self.check(0, "start")
        self.assertIn("no agent is live", self.check(1, "status").out.lower())
        self.assertIsNone(json.loads(self.check(1, "status", "--json").out)["live"])

    def test_colours_are_for_terminals_and_never_with_no_color(self):
        self.started("alice")
        command = f"{shlex.quote(LIVESOCK)} status"
        self.assertIn("\x1b[", self.run_program("script", "-qec", command, "/dev/null").out)
        self.assertNotIn("\x1b[", self.run_program("script", "-qec", command, "/dev/null", NO_COLOR="1").out)

    def test_colours_are_as_the_user_says(self):
        self.started("alice")
        for words in (("--color=always", "status"), ("status", "--color=always"), ("status", "--color")):
            self.assertIn("\x1b[", self.check(0, *words, NO_COLOR="1").out)
        self.assertIn("\x1b[", self.livesock("doctor", "--color").out)
        command = f"{shlex.quote(LIVESOCK)} status --color=never"
        self.assertNotIn("\x1b[", self.run_program("script", "-qec", command, "/dev/null").out)
        self.assertIn("auto, always or never, not 'pink'", self.check(2, "status", "--color=pink").err)

    def test_what_was_done_is_not_said_with_quiet(self):
        self.configure(self.only_agents())
        agent = self.agent("alice", path=self.in_agents("one"))
        for words in (["start"], ["wait"], ["reload"], ["use", agent.path], ["use", "auto"], ["register", agent.path],
                      ["heal"], ["restart"], ["stop"], ["stop"]):
            self.assertEqual(self.check(0, "--quiet", *words).text, "", words)
        self.check(0, "start", "-q")
        self.assertIn("alice", self.check(0, "list", "-q").out)
        self.assertIn("nobody", self.check(1, "use", "nobody", "-q").err)

    def test_names_from_outside_are_escaped(self):
        self.configure(self.only_agents())
        fake = self.fake_agent("evil\x1b[31m\nkey\u202e", path=self.in_agents("a"))
        self.check(0, "start")
        self.check(0, "wait", "--timeout", "5s")
        for words in (["status"], ["list"]):
            shown = self.check(0, *words)
            self.assertNotIn("\x1b", shown.text)
            self.assertNotIn("\nkey", shown.text)
        self.assertIn(r"evil\x1b[31m\nkey", self.check(0, "list").out)
        self.assertEqual(json.loads(self.check(0, "status", "--json").out)["live"], fake.path)

    def test_the_identities_are_listed_with_their_agent(self):
        agent = self.started("alice", "bob")
        shown = self.check(0, "list").out
        for name in ("alice", "bob"):
            self.assertRegex(shown, rf"(?m)^.*{re.escape(self.sandbox.fingerprint(name))}.*{name}")
        listed = json.loads(self.check(0, "list", "--json").out)
        self.assertEqual([entry["comment"] for entry in listed["identities"]], ["alice", "bob"])
        self.assertEqual(listed["agent"], agent.path)

    def test_a_list_without_a_live_agent_is_status_1(self):
        self.check(0, "start")
        self.check(1, "list")

    def test_wait_returns_when_an_agent_is_live(self):
        self.configure(self.only_agents())
        self.check(0, "start")
        waiting = subprocess.Popen([LIVESOCK, "wait"], env=self.sandbox.environment(), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL)
        try:
            self.agent("alice", path=self.in_agents("one"))
            self.assertEqual(waiting.wait(5), 0)
        finally:
            waiting.kill()
            waiting.wait()

    def test_wait_gives_up_with_status_1(self):
        self.check(0, "start")
        watch = Stopwatch()
        self.check(1, "wait", "--timeout", "300ms")
        self.assertTrue(0.3 <= watch.seconds < 2, watch.seconds)
        for wrong in ("soon", "", "5 s"):
            self.assertIn(f"'{wrong}' is no duration", self.check(2, "wait", "--timeout", wrong).err)
        self.assertIn("'9000h' is no duration up to 8760h", self.check(2, "wait", "--timeout", "9000h").err)
        self.assertEqual(self.check(1, "wait", "--timeout", "0").err, "livesock: no agent is live\n")


class ChoiceTest(CommandCase):
    """register and use."""

    def test_a_registered_path_is_used(self):
        agent = self.agent("alice")
        self.configure("[discovery]\nforwarded = false\n")
        self.check(0, "start")
        self.check(0, "register", agent.path)
        self.check(0, "wait", "--timeout", "5s")
        self.assertEqual(wire.comments(self.agent_sock), ["alice"])

    def test_without_a_path_the_environments_agent_is_registered(self):
        agent = self.agent("alice")
        self.check(0, "start")
        self.check(0, "register", SSH_AUTH_SOCK=agent.path)
        self.check(0, "wait", "--timeout", "5s")
        self.assertEqual(self.ask("status")["live"], agent.path)

    def test_a_processs_agent_is_registered_by_its_pid(self):
        agent = self.agent("alice")
        self.check(0, "start")
        holder = self.sandbox.spawn("sleep", "1000", log="holder", SSH_AUTH_SOCK=agent.path)
        try:
            self.check(0, "register", "--pid", str(holder.pid))
            self.check(0, "wait", "--timeout", "5s")
            self.assertEqual(self.ask("status")["live"], agent.path)
        finally:
            holder.kill()
            holder.wait()

    def test_what_cannot_be_registered_is_said(self):
        self.check(0, "start")
        plain = self.sandbox.file("plain", "text")
        self.assertIn(plain, self.check(1, "register", plain).err)
        self.check(1, "register", "/nowhere/at/all")
        self.check(1, "register", self.agent_sock)
        self.assertIn(self.livesock("register", "--pid", "4194303999").status, (1, 2))
        self.assertIn(self.livesock("register", "--pid", "soon").status, (1, 2))

    def test_use_pins_and_auto_releases(self):
        one = self.started("alice")
        two = self.agent("bob", path=self.in_agents("two"))
        eventually(lambda: self.ask("status")["live"] == two.path, 5, "the newer one")
        for name in (one.path, self.sandbox.fingerprint("alice")):
            self.check(0, "use", name)
            self.assertEqual(self.ask("status")["live"], one.path)
            self.assertRegex(self.check(0, "status").out.lower(), "pinned")
            self.check(0, "use", "auto")
            self.assertEqual(self.ask("status")["live"], two.path)

    def test_a_name_that_looks_like_an_option_follows_two_dashes(self):
        agent = self.agent("alice", path=self.in_agents("one"))
        self.configure(self.only_agents() + f'[labels]\n"{agent.path}" = "--json"\n')
        self.check(0, "start")
        self.check(0, "wait", "--timeout", "5s")
        self.check(0, "use", "--", "--json")
        self.assertRegex(self.check(0, "status").out.lower(), "pinned")
        self.check(0, "register", "--", agent.path)
        self.assertIn("'-q'", self.check(1, "use", "--", "-q").err)
        self.assertIn("unknown argument 'b'", self.check(2, "use", "a", "--", "b").err)

    def test_use_of_what_is_not_there_is_status_1(self):
        self.started("alice")
        failed = self.check(1, "use", "nobody-knows")
        self.assertIn("nobody-knows", failed.err)
        self.check(2, "use")
        self.check(2, "use", "")

    def test_what_was_typed_is_repeated_as_it_can_be_typed_again(self):
        self.started("alice")
        self.assertIn(r"'no\\body'", self.check(1, "use", r"no\body").err)
        self.assertIn(r"'/no\\where'", self.check(1, "register", r"/no\where").err)


class LogTest(CommandCase):
    """log."""

    def test_the_log_is_shown(self):
        self.started("alice")
        shown = self.check(0, "log")
        self.assertGreater(len(shown.out), 0)

    def test_the_log_is_followed(self):
        agent = self.started("alice")
        follower = subprocess.Popen([LIVESOCK, "log", "-f"], env=self.sandbox.environment(), stdin=subprocess.DEVNULL,
                                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        seen = b""
        os.set_blocking(follower.stdout.fileno(), False)

        def more():
            nonlocal seen
            seen += follower.stdout.read() or b""
            return seen
        try:
            eventually(more, 5, "what is there")
            before = len(seen)
            agent.kill()
            eventually(lambda: len(more()) > before, 5, "a new line")
        finally:
            follower.kill()
            follower.communicate()

    def test_a_log_that_went_elsewhere_is_said_to(self):
        self.supervisor()
        shown = self.livesock("log")
        self.assertNotEqual(shown.text.strip(), "")


    def test_the_log_of_a_directory_that_others_may_enter_is_not_shown(self):
        self.started("alice")
        self.check(0, "stop")
        os.chmod(self.sandbox.livesock_dir, 0o755)
        self.assertIn(f"chmod 700 '{self.sandbox.livesock_dir}'", self.check(1, "log").err)


class WordsTest(CommandCase):
    """Help, and wrong words."""

    def test_help_at_every_level_exits_0(self):
        told = self.check(0, "--help")
        for command in COMMANDS:
            self.assertRegex(told.out, rf"\b{command}\b")
            with self.subTest(command=command):
                self.assertIn(command, self.check(0, command, "--help").out)
        self.assertFalse(os.path.lexists(self.agent_sock), "help starts nothing")

    def test_version_is_told(self):
        self.assertRegex(self.check(0, "--version").out, r"livesock \d+\.\d+\.\d+")

    def test_other_tools_words_for_both_are_understood(self):
        self.assertEqual(self.check(0, "version").out, self.check(0, "--version").out)
        self.assertEqual(self.check(0, "help").out, self.check(0, "--help").out)
        self.assertEqual(self.check(0, "help", "wait").out, self.check(0, "wait", "--help").out)
        self.assertEqual(self.check(0, "help", "help").out, self.check(0, "--help").out)
        self.check(2, "help", "nothing")

    def test_of_an_option_that_is_given_twice_the_last_counts(self):
        self.check(0, "start")
        self.assertIn("no agent is live\n", self.check(1, "wait", "--timeout", "1h", "--timeout", "0").err)
        self.assertIn("no process 4194303", self.check(1, "register", "--pid", "1", "--pid", "4194303").err)

    def test_wrong_words_are_status_2_on_stderr(self):
        for words in ([], ["--nonsense"], ["status", "--nonsense"], ["status", "stray"], ["start", "stray"],
                      ["register", "--pid"], ["wait", "--timeout"], ["env", "-s", "-c"]):
            with self.subTest(words=words):
                failed = self.check(2, *words)
                self.assertTrue(failed.err)

    def test_wrong_words_are_answered_with_the_right_ones(self):
        """In the voice of all the other messages, whichever library has noticed."""
        for words, said in ((("use",), "name the agent: 'livesock use AGENT', or 'livesock use auto'"),
                            (("run",), "name the command: 'livesock run COMMAND'"),
                            (("wait", "--timeout"), "--timeout needs a value: see 'livesock wait --help'"),
                            (("register", ""), "the PATH is empty: see 'livesock register --help'"),
                            (("heal", "/x", ""), "the PATH is empty: see 'livesock heal --help'"),
                            (("use", ""), "name the agent: 'livesock use AGENT', or 'livesock use auto'"),
                            (("use", "-x"), "unknown option '-x': see 'livesock use --help'"),
                            (("use", "--"), "name the agent: 'livesock use AGENT', or 'livesock use auto'"),
                            (("version", "extra"), "unknown argument 'extra': see 'livesock version --help'"),
                            (("signing", "token", "x", "--listener", ""),
                             "--listener is empty: see 'livesock signing --help'"),
                            (("signing", "expose", ""), "the NAME is empty: see 'livesock signing --help'"),
                            (("ls",), "unknown command 'ls': see 'livesock --help'"),
                            (("register", "--pid", "x"), "--pid takes the number of a process"),
                            (("register", "--pid", "0"), "--pid takes the number of a process"),
                            (("register", "--pid", "9" * 30), "--pid takes the number of a process"),
                            (("signing", "token"), "name the token: 'livesock signing token NAME'"),
                            (("setup", "foo"), "unknown part 'foo': see 'livesock setup --help'")):
            with self.subTest(words=words):
                self.assertEqual(self.check(2, *words).text, f"livesock: {said}\n")

    def test_a_misspelt_command_is_answered_with_the_nearest(self):
        for wrong, right in (("statsu", "status"), ("regster", "register"), ("rn", "run"), ("stopp", "stop")):
            failed = self.check(2, wrong)
            self.assertIn(right, failed.err)

    def test_a_full_disk_is_no_success(self):
        self.started("alice")
        done = self.run_program("sh", "-c", f"{shlex.quote(LIVESOCK)} status >/dev/full")
        self.assertNotEqual(done.status, 0, done)

    def test_a_reader_that_leaves_is_no_noise(self):
        self.started("alice")
        done = self.run_program("sh", "-c", f"{shlex.quote(LIVESOCK)} status | true")
        self.assertEqual(done.err, "", done)

    def test_a_supervisor_that_hangs_is_waited_for_in_vain_and_not_for_ever(self):
        self.configure(self.only_agents())
        daemon = self.supervisor(self.only_agents())
        self.fake_agent("carol", path=self.in_agents("one"), manner=fake_agent.HANG)
        daemon.signal(19)
        self.addCleanup(daemon.signal, 18)
        for words in (["status"], ["list"], ["use", "auto"], ["env", "-s"]):
            with self.subTest(words=words):
                failed = self.livesock(*words, within=15)
                self.assertEqual((failed.status, failed.out), (2, ""), failed)


if __name__ == "__main__":
    main()
