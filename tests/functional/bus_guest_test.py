"""The guest's side of a message bus, against a bus that is written from the format alone."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from support import bus, wire
from support.broker import MIB, TOKEN, BrokerCase, blob_of
from support.bus import GuestBus, Outcome
from support.case import main
from support.waiting import Stopwatch, eventually


class GuestTest(BrokerCase):
    """The guest role, against a bus of the test's."""

    def setUp(self):
        super().setUp()
        self.blob = blob_of(self.sandbox.public_key("alice"))
        self.answers = {"ping": {"status": "ok"}, "list": bus.listed((self.blob, "alice @ hóst")),
                        "sign": {"format": "ssh-ed25519", "blob": bus.b64(b"s" * 64), "rest": ""}}
        self.bus = self.keep(GuestBus(lambda payload: self.answers[payload["operation"]]))

    def with_live(self, more=""):
        """A guest whose bus is live."""
        self.guest(self.bus.url, more)
        self.wait_until("live")

    def sign(self, within=5):
        """The kind of the answer to a sign request."""
        with wire.Client(self.path) as client:
            return client.ask(wire.sign_request(self.blob, b"data", 4), within)[0]

    def test_the_bus_is_one_more_agent(self):
        self.with_live()
        self.assertEqual((self.upstream["origin"], self.upstream["label"]),
                         ("upstream", f"bus 127.0.0.1:{self.bus.port}"))
        with wire.Client(self.path) as client:
            self.assertEqual(client.list(), [(self.blob, "alice @ hóst".encode())])
            answer = client.ask(wire.sign_request(self.blob, b"data", 4))
        self.assertEqual(answer, wire.frame(wire.SIGN_RESPONSE, wire.string(
            wire.string(b"ssh-ed25519") + wire.string(b"s" * 64)))[4:])
        request = [request for request in self.bus.requests if request["payload"]["operation"] == "sign"][0]
        self.assertEqual(request, {"namespace": "ssh-agent", "type": "request", "payload": {
            "operation": "sign", "public_key": bus.b64(self.blob), "data": bus.b64(b"data"), "flags": 4}})
        self.assertEqual(self.bus.requests[0]["payload"], {"operation": "ping"})

    def test_flags_and_counter_of_security_keys_come_behind_the_signature(self):
        self.answers["sign"] = {"format": "sk-ssh-ed25519@openssh.com", "blob": bus.b64(b"s" * 64),
                                "rest": bus.b64(b"\x01\0\0\0\x2a")}
        self.with_live()
        with wire.Client(self.path) as client:
            answer = client.ask(wire.sign_request(self.blob, b"data"))
        self.assertEqual(answer[5:], wire.string(b"sk-ssh-ed25519@openssh.com") + wire.string(b"s" * 64) +
                         b"\x01\0\0\0\x2a")

    def test_what_the_bus_cannot_carry_is_a_failure_and_does_not_reach_it(self):
        self.with_live()
        count = len(self.bus.requests)
        with wire.Client(self.path) as client:
            for message in (wire.frame(wire.REMOVE_ALL_IDENTITIES), wire.frame(wire.LOCK, wire.string(b"x")),
                            wire.frame(17, b"key"), wire.frame(wire.EXTENSION, wire.string(b"other@example.org")),
                            wire.frame(wire.SIGN_REQUEST, b"malformed")):
                self.assertEqual(client.ask(message)[0], wire.FAILURE)
        self.assertEqual(len(self.bus.requests), count)

    def test_unknown_members_are_passed_over(self):
        self.answers["list"] = Outcome(200, bus.response({**bus.listed((self.blob, "a")), "more": [1, {"x": None}]},
                                                         extra={"deep": [[]]}, shed={"name": "vm", "new": 1}))
        self.with_live()
        self.assertEqual(wire.comments(self.path), ["a"])

    def test_each_error_of_the_bus_is_told_with_what_to_do(self):
        self.with_live('[probe]\ninterval = "100ms"\n')
        for status, code, words in ((400, "INVALID_BODY", "INVALID_BODY"), (400, "MISSING_NAMESPACE", "MISSING_NAMESPACE"),
                                    (400, "INVALID_TYPE", "INVALID_TYPE"), (500, "SEND_FAILED", "SEND_FAILED"),
                                    (502, "INVALID_RESPONSE", "INVALID_RESPONSE"),
                                    (503, "NO_CONNECTION", "the host agent may not be running"),
                                    (503, "CONNECTION_LOST", "the host agent may not be running"),
                                    (503, "SHUTTING_DOWN", "the host agent may not be running"),
                                    (504, "TIMEOUT", "the host agent may not be running")):
            with self.subTest(code=code):
                good = dict(self.answers)
                error = Outcome(status, {"error": {"code": code, "message": "some\nthing"}})
                self.answers.update(ping=error, list=error)
                self.wait_until("dead", code)
                self.assertIn(words, self.upstream["reason"])
                self.assertNotIn("\n", self.upstream["reason"])
                self.answers.update(good)
                self.wait_until("live")

    def test_a_host_that_refuses_a_signature_fails_that_request_alone(self):
        self.with_live()
        for code in ("KEY_NOT_FOUND", "SIGN_FAILED", "INTERNAL_ERROR", "ANOTHER"):
            self.answers["sign"] = {"error": "no\x1b[31m", "code": code}
            self.assertEqual(self.sign(), wire.FAILURE)
            self.assertEqual(self.upstream["state"], "live")
        self.answers["sign"] = {"format": "ssh-ed25519", "blob": bus.b64(b"s" * 64)}
        self.assertEqual(self.sign(), wire.SIGN_RESPONSE)
        self.assertNotIn("\x1b", self.guest_daemon.log)

    def test_broken_responses_fail_that_request_alone(self):
        self.with_live()
        good = self.answers["sign"]
        text = json.dumps(bus.response(good)).encode()
        broken = {
            "no JSON": b"{", "no object": b"[]", "two objects": text + text, "invalid UTF-8": text.replace(b"ed25519", b"\xff\xfe"),
            "no id": bus.response(good, id=None), "an id that is none": bus.response(good, id="7"),
            "no in_reply_to": bus.response(good, in_reply_to=None), "an in_reply_to that is none": bus.response(good, in_reply_to="x"),
            "a reply to itself": (lambda id: bus.response(good, id=id, in_reply_to=id))(bus.uuid7()),
            "another namespace": bus.response(good, namespace="other"), "no namespace": bus.response(good, namespace=None),
            "a request": bus.response(good, type="request"), "an event": bus.response(good, type="event"),
            "an unknown type": bus.response(good, type="answer"), "a part": bus.response(good, final=False),
            "no final": bus.response(good, final=None), "a final that is text": bus.response(good, final="true"),
            "no timestamp": bus.response(good, timestamp=None), "a time that is none": bus.response(good, timestamp="now"),
            "no payload": bus.response(None), "a payload that is text": bus.response("x"),
            "no blob": bus.response({"format": "ssh-ed25519"}), "no base64": bus.response({**good, "blob": "!"}),
            "unpadded base64": bus.response({**good, "blob": "YQ"}), "a number": bus.response({**good, "format": 7}),
            "too deep": b'{"a":' * 2000 + b"1" + b"}" * 2000,
            "1 MiB and 1": json.dumps(bus.response({**good, "x": ""})).encode().replace(b'"x": ""', b'"x": "' + b"x" * (MIB + 1) + b'"'),
        }
        for what, body in broken.items():
            with self.subTest(what=what):
                self.answers["sign"] = Outcome(200, body)
                self.assertEqual(self.sign(), wire.FAILURE)
                self.assertEqual(self.upstream["state"], "live")
        self.answers["sign"] = good
        self.assertEqual(self.sign(), wire.SIGN_RESPONSE)

    def test_broken_lists_make_the_bus_dead_until_it_is_right_again(self):
        self.with_live('[probe]\ninterval = "100ms"\n')
        good = self.answers["list"]
        for what, body in {"no keys": {}, "keys that are none": {"keys": 7}, "a key that is none": {"keys": [7]},
                           "a blob that is none": {"keys": [{"blob": "YQ=="}]},
                           "another format": {"keys": [{"format": "ssh-rsa", "blob": bus.b64(self.blob)}]},
                           "too many": {"keys": [{"blob": bus.b64(self.blob)}] * 2049}}.items():
            with self.subTest(what=what):
                self.answers["list"] = body
                self.bus.script = lambda payload: (Outcome(500) if payload["operation"] == "ping"
                                                   else self.answers[payload["operation"]])
                self.wait_until("dead")
                self.bus.script = lambda payload: self.answers[payload["operation"]]
                self.wait_until("dead", "malformed")
                self.answers["list"] = good
                self.wait_until("live")

    def test_slow_and_cut_responses(self):
        self.with_live()
        good = json.dumps(bus.response(self.answers["sign"])).encode()
        self.answers["sign"] = Outcome(200, good, cut=40)
        self.assertEqual(self.sign(), wire.FAILURE)
        self.answers["sign"] = Outcome(200, good, silence=4)  # longer than others wait: somebody touches the key
        self.assertEqual(self.sign(10), wire.SIGN_RESPONSE)
        self.assertEqual(self.upstream["state"], "live")

    def test_each_error_of_the_bus_fails_the_signature_alone(self):
        self.with_live()
        good = self.answers["sign"]
        for status, code in ((400, "INVALID_BODY"), (400, "MISSING_NAMESPACE"), (400, "INVALID_TYPE"), (500, "SEND_FAILED"),
                             (502, "INVALID_RESPONSE"), (503, "NO_CONNECTION"), (503, "CONNECTION_LOST"),
                             (503, "SHUTTING_DOWN"), (504, "TIMEOUT"), (202, ""), (204, ""), (302, ""), (401, "")):
            with self.subTest(code=code):
                self.answers["sign"] = Outcome(status, {"error": {"code": code, "message": "m"}} if status != 204 else b"")
                self.assertEqual(self.sign(), wire.FAILURE)
                self.assertEqual(self.upstream["state"], "live")
                self.guest_daemon.wait_for_log(f"answers {status} {code}".strip())
        self.answers["sign"] = good
        self.assertEqual(self.sign(), wire.SIGN_RESPONSE)

    def test_what_is_no_whole_response_of_http_fails_that_request_alone(self):
        self.with_live()
        good = self.answers["sign"]
        body = json.dumps(bus.response(good)).encode()
        head = b"HTTP/1.1 200 OK\r\n"
        chunked = head + b"Transfer-Encoding: chunked\r\n\r\n"
        length = b"Content-Length: %d\r\n\r\n" % len(body)
        for what, raw in {
                "nothing": b"", "no HTTP": b"SSH-2.0-OpenSSH\r\n", "half a head": head, "no status": b"HTTP/1.1 OK\r\n\r\n" + body,
                "a head without end": head + b"X: " + b"x" * 100_000, "a length that is none": head + b"Content-Length: -1\r\n\r\n" + body,
                "a longer length": head + b"Content-Length: 9999\r\n\r\n" + body,
                "a shorter length": head + b"Content-Length: 10\r\n\r\n" + body,
                "no chunk": chunked + b"zz\r\n" + body, "half of the chunks": chunked + b"%x\r\n" % len(body) + body,
                "a chunk beyond all sizes": chunked + b"ffffffffffffffffff\r\n" + body}.items():
            with self.subTest(what=what):
                self.answers["sign"] = Outcome(raw=raw)
                self.assertEqual(self.sign(), wire.FAILURE)
                self.assertEqual(self.upstream["state"], "live")
        for what, raw in {
                "by its end": head + b"\r\n" + body, "in chunks": chunked + b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n",
                "behind an interim one": b"HTTP/1.1 100 Continue\r\n\r\n" + head + length + body,
                "twice": (head + length + body) * 2}.items():
            with self.subTest(what=what):
                self.answers["sign"] = Outcome(raw=raw)
                self.assertEqual(self.sign(), wire.SIGN_RESPONSE)

    def test_responses_that_come_byte_by_byte(self):
        self.with_live('[probe]\ninterval = "100ms"\n')
        good = json.dumps(bus.response(self.answers["sign"])).encode()
        self.answers["sign"] = Outcome(200, good, drip=0.002)
        self.assertEqual(self.sign(), wire.SIGN_RESPONSE)
        listed = self.answers["list"]
        self.answers.update(ping=Outcome(500), list=Outcome(500))
        self.wait_until("dead")
        self.answers.update(ping={"status": "ok"}, list=Outcome(200, bus.response(listed), drip=0.1))
        self.wait_until("dead", "does not answer within 3")
        self.answers.update(list=listed)
        self.wait_until("live", within=20)

    def test_a_sign_request_is_not_put_before_a_person_twice(self):
        self.with_live('[proxy]\nsign_timeout = "1s"\n')
        self.answers["sign"] = Outcome(200, b"", silence=3)
        self.assertEqual(self.sign(10), wire.FAILURE)
        self.assertEqual(self.bus.count("sign"), 1)

    def test_no_bus_at_the_start_and_one_later(self):
        port, url = self.bus.port, self.bus.url
        self.bus.close()
        self.guest(url)
        self.wait_until("dead", "Connection refused")
        self.guest_daemon.wait_for_log("is the guest's side of the bus running?")
        self.bus = GuestBus(lambda payload: self.answers[payload["operation"]], port)
        self.addCleanup(self.bus.close)
        self.wait_until("live")

    def test_a_host_that_does_not_answer_the_first_ping(self):
        self.answers["ping"] = Outcome(504, {"error": {"code": "TIMEOUT", "message": "no answer"}}, silence=3)
        watch = Stopwatch()
        self.guest(self.bus.url)
        self.wait_until("dead", "does not answer within 2")
        self.assertLess(watch.seconds, 6)
        self.guest_daemon.wait_for_log("is dead")
        self.answers["ping"] = {"status": "ok"}
        self.wait_until("live")

    def test_the_status_file_says_whether_the_host_is_there(self):
        path = self.sandbox.path + "/bus-status"
        self.guest(self.bus.url, f'status_file = "{path}"\n[probe]\ninterval = "100ms"\n')
        text = lambda: open(path, encoding="ascii").read() if os.path.exists(path) else ""
        eventually(lambda: text() == "connected\n", 5, text)
        good, self.answers["list"] = self.answers["list"], Outcome(503, b"{}")
        eventually(lambda: text() == "not connected\n", 5, text)
        self.answers["list"] = good
        eventually(lambda: text() == "connected\n", 10, text)
        self.guest_daemon.stop()
        self.assertEqual(text(), "not connected\n")

    def test_a_token_is_shown_to_the_bus(self):
        self.guest(self.bus.url, token=self.sandbox.file("token", TOKEN + "\n"))
        self.wait_until("live")
        self.assertEqual(self.bus.headers[0]["Authorization"], f"Bearer {TOKEN}")


if __name__ == "__main__":
    main()
