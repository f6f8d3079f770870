"""What guests may have: approval, allow-lists, rates, the audit, and guests that try to get round them."""

import os
import stat
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from support.broker import ListenCase, blob_of
from support.bus import HostBus
from support.case import main
from support.key_agent import KeyAgent
from support.waiting import eventually


class RulesTest(ListenCase):
    """Approval, allow lists, rate, audit"""

    def asking(self, body="exit 0"):
        """approve_command with a script that writes its words down."""
        self.words = self.sandbox.path + "/words"
        script = self.sandbox.file("approve.sh", f'#!/bin/sh\nprintf "%s\\n" "$#" "$@" >>{self.words}\n{body}\n', 0o700)
        return f'approve_command = ["{script}", "--ask"]'

    def questions(self):
        """The words of each call."""
        try:
            with open(self.words, encoding="utf-8") as file:
                return file.read().split()
        except FileNotFoundError:
            return []

    def test_always(self):
        self.listen(f'approve = "always"\n{self.keys}', self.asking())
        for _ in range(2):
            self.check_signature(self.post(self.sign_request()))
        self.assertEqual(self.questions(), ["3", "--ask", "vm", self.fingerprint] * 2)
        self.wait_for_audit(operation="sign", result="ok", guest="vm", key=self.fingerprint, approval="asked")

    def test_session(self):
        self.listen('approve = "session"', self.asking())
        for _ in range(3):
            self.check_signature(self.post(self.sign_request()))
        self.assertEqual(len(self.questions()), 4)
        self.wait_for_audit(operation="sign", result="ok", approval="remembered")
        self.check_signature(self.post(self.sign_request(self.sandbox.public_key("bob"))), "bob")
        self.assertEqual(len(self.questions()), 8)
        self.host_daemon.reload()
        self.check_signature(self.post(self.sign_request()))
        self.assertEqual(len(self.questions()), 12)

    def test_no(self):
        self.listen('approve = "session"', self.asking("exit 1"))
        for _ in range(2):
            self.assertEqual(self.post(self.sign_request())["code"], "SIGN_FAILED")
        self.assertEqual(len(self.questions()), 8)  # a no is not remembered
        line = self.wait_for_audit(operation="sign", result="denied", approval="refused")
        self.assertEqual(line["reason"], "approve_command ended with status 1")

    def test_no_answer_is_no(self):
        self.listen('approve = "always"', self.asking("exec sleep 100") + '\napprove_timeout = "300ms"')
        self.assertEqual(self.post(self.sign_request())["code"], "SIGN_FAILED")
        self.assertIn("nobody has answered", self.wait_for_audit(operation="sign", approval="refused")["reason"])

    def test_no_command_is_no(self):
        self.listen('approve = "always"', 'approve_command = ["/nonexistent/ask"]')
        self.assertEqual(self.post(self.sign_request())["code"], "SIGN_FAILED")

    def test_a_list_asks_nobody(self):
        self.listen('approve = "always"', self.asking("exit 1"))
        self.assertEqual(len(self.post({"operation": "list"})["keys"]), 2)
        self.assertEqual(self.questions(), [])

    def test_a_key_that_is_not_there_asks_nobody(self):
        self.listen(f'approve = "always"\n{self.keys}', self.asking())
        for name in ("bob", "carol"):
            self.assertEqual(self.post(self.sign_request(self.sandbox.public_key(name)))["code"], "KEY_NOT_FOUND")
        self.assertEqual(self.questions(), [])

    def test_the_rate(self):
        self.listen("rate = 5")
        answers = [self.post({"operation": "ping"}) for _ in range(8)]
        self.assertEqual([answer.get("status") for answer in answers[:5]], ["ok"] * 5)
        self.assertIn("more than 5 requests a minute", answers[-1]["error"])
        self.wait_for_audit(operation="ping", result="denied")

    def test_the_audit_is_for_this_user_alone(self):
        self.listen()
        self.post(self.sign_request())
        path = self.host_daemon.directory + "/audit.jsonl"
        self.wait_for_audit(operation="sign", result="ok")
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(os.stat(self.host_daemon.directory).st_mode), 0o700)
        line = self.audit()[0]
        self.assertEqual(sorted(line), ["approval", "guest", "key", "operation", "result", "ts"])

    def test_without_the_audit_there_is_no_signature(self):
        directory = self.sandbox.directory("open", mode=0o755)
        self.listen(broker=f'audit = "{directory}/audit"')
        self.assertEqual(self.post(self.sign_request())["code"], "SIGN_FAILED")
        self.host_daemon.wait_for_log("guests get no answer until that is mended")
        os.chmod(directory, 0o700)
        self.check_signature(self.post(self.sign_request()))
        self.assertEqual(stat.S_IMODE(os.stat(directory + "/audit").st_mode), 0o600)

    def test_what_a_guest_says_is_no_word_of_a_command_and_no_line_of_a_log(self):
        evil = '$(touch pwned); `touch pwned` "\n{"ts":"x","result":"ok"}\n\x1b[2J\u202e'
        self.bus = self.keep(HostBus())
        command = self.asking()
        self.host(f'[broker]\nserver = "{self.bus.url}"\n{self.keys}\napprove = "always"\n{command}').wait_for_live(self.one.path)
        eventually(lambda: self.bus.subscribed == 1, 5, "the subscription")
        self.check_signature(self.bus.ask(self.sign_request(), shed={"name": evil[:100], "backend": evil, "server": evil}))
        self.check_signature(self.bus.ask(self.sign_request(self.alice.rsplit(" ", 1)[0] + " " + evil)))
        self.assertEqual(self.questions(), ["3", "--ask", "bus", self.fingerprint] * 2)
        for payload in ({"operation": evil}, {"operation": "sign", "public_key": evil, "data": evil}):
            self.assertEqual(self.bus.ask(payload)["code"], "INTERNAL_ERROR")
        self.assertEqual(self.bus.ask(self.sign_request("../../etc/passwd"))["code"], "INTERNAL_ERROR")
        self.assertEqual({line["guest"] for line in self.audit()}, {"bus"})
        self.assertTrue(all(line["result"] == "ok" for line in self.audit()), self.audit())
        self.assertNotIn("pwned", self.host_daemon.log + "".join(os.listdir(self.sandbox.path)))
        self.assertNotIn("\x1b", self.host_daemon.log)

    def test_a_key_whose_comment_is_an_attack(self):
        comment = '$(touch pwned)\n\x1b[31m"]}'
        self.listen('approve = "always"', self.asking())
        fake = self.keep(KeyAgent(self.sandbox))
        fake.keys = [(blob_of(self.alice), comment.encode() + b"\xff")]
        os.rename(fake.path, self.in_agents("zzz"))  # not before it has its keys
        fake.path = self.in_agents("zzz")
        self.host_daemon.wait_for_live(fake.path)
        (key,) = self.post({"operation": "list"})["keys"]
        self.assertEqual(key["comment"], comment + "\ufffd")
        self.assertNotIn("\x1b", self.host_daemon.log)


if __name__ == "__main__":
    main()
