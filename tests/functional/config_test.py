"""livesock.toml: at the start, by --check-config and at a reload."""

import os
import re
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from support import wire
from support.case import main
from support.cases import DaemonCase
from support.waiting import eventually


class ConfigTest(DaemonCase):
    """livesock.toml, at the start, by --check-config and at a reload."""

    BAD = (
        ("an unknown key", "[probe]\nintervall = \"3s\"\n", r":2:\d+.*interval\b"),
        ("an unknown table", "\n\n[prob]\ninterval = \"3s\"\n", r":3:\d+.*probe"),
        ("a wrong type", "[probe]\ninterval = 3\n", r":2:\d+"),
        ("a duration without unit", "[probe]\ninterval = \"3\"\n", r":2:\d+"),
        ("a duration of an unknown unit", "[probe]\ninterval = \"3 parsecs\"\n", r":2:\d+"),
        ("a negative duration", "[proxy]\ngrace = \"-1s\"\n", r":2:\d+"),
        ("a duration that is too long", "[proxy]\ngrace = \"99999999999999999999h\"\n", r":2:\d+"),
        ("an unknown policy", "[selection]\npolicy = \"oldest\"\n", r":2:\d+"),
        ("an unknown level", "[log]\nlevel = \"chatty\"\n", r":2:\d+"),
        ("globs that are no list", "[discovery]\nglobs = \"/tmp/x\"\n", r":2:\d+"),
        ("globs that are no texts", "[discovery]\nglobs = [1]\n", r":2:\d+"),
        ("a variable in a glob", "[discovery]\nglobs = [\"$HOME/agents/*\"]\n", r":2:\d+"),
        ("no clients at all", "[proxy]\nmax_clients = 0\n", r":2:\d+"),
        ("broken TOML", "[probe\n", r":1:\d+"),
        ("bytes that are no UTF-8", "[probe]\n# \udcff\n", r":2:\d+"),
    )

    def test_what_is_wrong_with_it_is_said_with_line_and_column(self):
        for name, text, expected in self.BAD:
            path = self.configure(text)
            for words in (["--check-config"], []):
                with self.subTest(name=name, words=words):
                    failed = self.livesockd(*words, within=5)
                    self.assertEqual(failed.status, 1, failed)
                    self.assertRegex(failed.err, re.escape(path) + expected)

    def test_a_good_one_passes_the_check_and_nothing_is_started(self):
        self.configure(self.only_agents('[probe]\ninterval = "250ms"\n[proxy]\ngrace = "1m"\nsign_timeout = "1h"\n'))
        done = self.livesockd("--check-config")
        self.assertEqual(done.status, 0, done)
        self.assertFalse(os.path.lexists(os.path.join(self.sandbox.livesock_dir, "agent.sock")))

    def test_a_file_that_was_named_must_be_there(self):
        failed = self.livesockd("--config", "/nowhere/livesock.toml", within=5)
        self.assertEqual(failed.status, 1, failed)
        self.assertIn("/nowhere/livesock.toml", failed.err)

    def test_the_words_beat_the_environment_and_that_beats_the_usual_place(self):
        self.configure("wrong = 1\n")
        good, bad = self.sandbox.file("good.toml", ""), self.sandbox.file("bad.toml", "bad = 1\n")
        self.assertEqual(self.livesockd("--check-config", LIVESOCK_CONFIG=good).status, 0)
        self.assertIn("bad.toml", self.livesockd("--check-config", LIVESOCK_CONFIG=bad).err)
        self.assertEqual(self.livesockd("--check-config", "--config", good, LIVESOCK_CONFIG=bad).status, 0)
        elsewhere = self.sandbox.directory("etc", "livesock")
        self.sandbox.file("etc/livesock/livesock.toml", "elsewhere = 1\n")
        self.assertIn(elsewhere, self.livesockd("--check-config", XDG_CONFIG_HOME=os.path.dirname(elsewhere)).err)

    def test_a_reload_takes_the_new_config(self):
        for how in ("signal", "control"):
            with self.subTest(how=how):
                agent = self.agent("alice", path=self.in_agents("one"))
                daemon = self.supervisor("[discovery]\nforwarded = false\n")
                self.assertEqual(daemon.status()["agents"], [])
                daemon.configure(self.only_agents())
                if how == "signal":
                    daemon.signal(signal.SIGHUP)
                else:
                    self.assertEqual(daemon.reload(), {"ok": True})
                daemon.wait_for_live(agent.path)
                self.assertEqual(daemon.stop(), 0)
                agent.close()

    def test_a_reload_forgets_the_agents_of_a_glob_that_was_taken_away(self):
        agent = self.agent("alice", path=self.in_agents("one"))
        daemon = self.supervisor(self.only_agents())
        daemon.wait_for_live(agent.path)
        daemon.configure("[discovery]\nforwarded = false\n")
        daemon.reload()
        daemon.wait_for_live(None)

    def test_a_reload_with_a_bad_config_keeps_the_one_that_runs(self):
        agent = self.agent("alice", path=self.in_agents("one"))
        daemon = self.supervisor(self.only_agents())
        daemon.wait_for_live(agent.path)
        daemon.configure("[discovery]\nforwarded = false\nglob = []\n")
        answer = daemon.reload()
        self.assertEqual((answer["ok"], answer["code"]), (False, "bad_config"), answer)
        self.assertRegex(answer["error"], re.escape(daemon.config_path) + r":3:1.*globs")
        before = len(daemon.log)
        daemon.signal(signal.SIGHUP)
        eventually(lambda: re.search(re.escape(daemon.config_path) + r":3:1.*globs", daemon.log[before:]), 2,
                   lambda: "the place of the error in the log:\n" + daemon.log)
        self.assertEqual(wire.comments(daemon.agent_sock), ["alice"])

    def test_a_reload_drops_no_connection(self):
        agent = self.agent("alice", path=self.in_agents("one"))
        daemon = self.supervisor(self.only_agents())
        daemon.wait_for_live(agent.path)
        with wire.Client(daemon.agent_sock) as client:
            self.assertEqual(client.comments(), ["alice"])
            self.assertTrue(daemon.reload()["ok"])
            self.assertEqual(client.comments(), ["alice"])

    def test_the_log_level_of_the_words_beats_the_file(self):
        quiet = self.supervisor('[log]\nlevel = "error"\n')
        quiet.control("register", path="/nowhere")
        self.assertEqual(quiet.log, "")
        self.assertEqual(quiet.stop(), 0)
        loud = self.supervisor('[log]\nlevel = "error"\n', words=("--log-level", "debug"))
        eventually(lambda: loud.log, 2, "something in the log")


if __name__ == "__main__":
    main()
