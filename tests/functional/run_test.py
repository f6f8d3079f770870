"""livesock run: what the program gets, and what it is spared."""

import os
import re
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from support import wire
from support.case import main
from support.cases import CommandCase
from support.sandbox import HELPERS, LIVESOCK, SHIM

FAULTY = os.path.join(HELPERS, "faulty")


class RunTest(CommandCase):
    """run."""

    def environment_under_run(self, *words, **environment):
        """The environment that a program is given by `livesock run`."""
        done = self.check(0, "run", *words, "env", "-0", **environment)
        return dict(entry.split("=", 1) for entry in done.out.split("\0") if entry)

    def test_the_program_gets_the_stable_socket_the_directory_and_the_shim(self):
        told = self.environment_under_run()
        self.assertEqual(told["SSH_AUTH_SOCK"], self.agent_sock)
        self.assertEqual(told["LIVESOCK_DIR"], self.sandbox.livesock_dir)
        self.assertEqual(told["LD_PRELOAD"], SHIM)
        self.assertEqual(told["ASAN_OPTIONS"].split(":")[-1], "verify_asan_link_order=0")
        self.assertTrue(wire.accepts(self.agent_sock))

    def test_the_default_directory_is_told_too(self):
        told = self.environment_under_run(LIVESOCK_DIR=None)
        expected = os.path.join(self.sandbox.home, ".local/state/livesock", os.uname().nodename)
        self.assertEqual(told["LIVESOCK_DIR"], expected)
        self.check(0, "stop", LIVESOCK_DIR=None)

    def test_a_preload_that_is_there_is_kept_and_comes_first(self):
        other = os.path.realpath(self.run_program("sh", "-c", "ldconfig -p | sed -n 's/.*libutil.so.1 .* => //p'")
                                 .out.split("\n")[0])
        if not os.path.isfile(other):
            self.skipTest("no library to preload")
        told = self.environment_under_run(LD_PRELOAD=other)
        self.assertEqual(told["LD_PRELOAD"], f"{other}:{SHIM}")

    def test_run_in_run_preloads_once(self):
        told = self.environment_under_run("--", LIVESOCK, "run", "--")
        self.assertEqual(told["LD_PRELOAD"], SHIM)
        self.assertEqual(told["ASAN_OPTIONS"].count("verify_asan_link_order"), 1)
        self.assertEqual(told["SSH_AUTH_SOCK"], self.agent_sock)

    def test_asan_options_that_are_there_are_kept(self):
        told = self.environment_under_run(ASAN_OPTIONS="detect_leaks=0")
        self.assertEqual(told["ASAN_OPTIONS"], "detect_leaks=0:verify_asan_link_order=0")
        told = self.environment_under_run(ASAN_OPTIONS="verify_asan_link_order=1")
        self.assertEqual(told["ASAN_OPTIONS"], "verify_asan_link_order=1")

    def test_the_program_keeps_its_words_its_streams_and_its_status(self):
        script = 'printf "%s|" "$@"; cat; exit 42'
        done = self.check(42, "run", "--", "sh", "-c", script, "sh", "--help", "a b", "", "-x", stdin=b"in")
        self.assertEqual(done.out, "--help|a b||-x|in")

    def test_the_words_after_the_program_are_its_own_even_without_dashes(self):
        done = self.check(0, "run", "echo", "--json", "-v")
        self.assertEqual(done.out, "--json -v\n")

    def test_the_program_takes_the_place_of_livesock(self):
        done = self.check(0, "run", "sh", "-c", 'readlink /proc/$$/exe; ps -o ppid= -p $$ 2>/dev/null || true')
        self.assertNotIn("livesock", done.out.split("\n")[0])

    def test_a_program_that_ends_by_a_signal_is_seen_to(self):
        self.check(128 + 15, "run", "sh", "-c", "kill $$")

    def test_a_program_that_is_not_there_is_127_and_one_that_cannot_run_126(self):
        self.assertIn("no-such-program", self.check(127, "run", "no-such-program").err)
        plain = self.sandbox.file("plain", "text")
        self.assertIn(plain, self.check(126, "run", plain).err)

    def test_run_without_words_is_wrong(self):
        self.check(2, "run")

    def test_the_present_agent_is_registered(self):
        agent = self.agent("alice")
        done = self.check(0, "run", "--", "ssh-add", "-L", SSH_AUTH_SOCK=agent.path)
        self.assertEqual(done.out.strip(), self.sandbox.public_key("alice"))
        self.assertEqual(self.ask("status")["agents"][0]["path"], agent.path)

    def test_the_stable_socket_itself_and_a_dead_path_are_not_registered(self):
        for path in (self.agent_sock, "/nonexistent/agent", ""):
            with self.subTest(path=path):
                self.check(0, "run", "true", SSH_AUTH_SOCK=path)
                self.assertEqual(self.ask("status")["agents"], [])

    def test_a_running_supervisor_is_used(self):
        self.check(0, "start")
        pid = self.pid()
        self.check(0, "run", "true")
        self.assertEqual(self.pid(), pid)

    def test_signals_descriptors_and_limits_are_as_they_were(self):
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        self.addCleanup(os.close, writer)
        for words in (["ls", "-l", "/proc/self/fd/"], ["grep", "-E", "^Sig(Blk|Ign|Cgt)|^Umask|NoNewPrivs",
                                                       "/proc/self/status"], ["cat", "/proc/self/limits"]):
            told = []
            for before in ([LIVESOCK, "run", "--"], []):
                done = subprocess.run([*before, *words], pass_fds=(writer,), stdin=subprocess.DEVNULL, check=True,
                                      capture_output=True, env=self.sandbox.environment(), text=True)
                told.append(re.sub(r"(?m)^.*? (\d+ -> [a-z/]*).*$", r"\1", done.stdout))
            with self.subTest(words=words):
                self.assertEqual(told[0], told[1])


@unittest.skipUnless(os.path.exists(FAULTY), "no AddressSanitizer here")
class SanitizerTest(CommandCase):
    """A program built with AddressSanitizer runs under the shim, and still reports."""

    def test_without_the_option_it_would_not_start(self):
        done = self.run_program(FAULTY, LD_PRELOAD=SHIM)
        self.assertNotEqual(done.status, 0, done)
        self.assertIn("ASan runtime does not come first", done.err)

    def test_it_runs_when_nothing_is_wrong(self):
        self.assertEqual(self.check(0, "run", FAULTY).out, "done\n")

    def test_its_reports_of_overflows_and_leaks_still_come(self):
        for fault, report in (("overflow", "heap-buffer-overflow"), ("leak", "detected memory leaks")):
            with self.subTest(fault=fault):
                done = self.livesock("run", FAULTY, fault)
                self.assertNotEqual(done.status, 0, done)
                self.assertIn(report, done.err)


if __name__ == "__main__":
    main()
