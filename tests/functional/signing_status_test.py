"""Every status of the signing endpoint, and that it says why."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from support.case import main
from support.fake_agent import HANG
from support.key_agent import KeyAgent, Refuser, SecurityKey
from support.signing import SigningCase
from support.waiting import Stopwatch


class StatusTest(SigningCase):
    """Each status, and that its reason is one line of text."""

    def check(self, status, answer):
        """The answer has this status and a reason."""
        self.assertEqual(answer.status, status, answer)
        self.assertEqual(answer.body.count(b"\n"), 1, answer)
        self.assertTrue(answer.headers["Content-Type"].startswith("text/plain"))
        return answer

    def test_400_empty_or_malformed(self):
        self.with_keys("alice")
        self.check(400, self.endpoint.sign(b""))
        self.check(400, self.endpoint.sign(None))
        self.check(400, self.endpoint.sign(b"m", "?key=nonsense"))
        self.check(400, self.endpoint.sign(b"m", "?key=SHA256:short"))
        self.check(400, self.endpoint.sign(b"m", "?key=%zz"))
        self.check(400, self.endpoint.sign(b"m", "?namespace=git&namespace=git"))
        self.check(400, self.endpoint.sign(b"m", SSH_Public_Key="ssh-ed25519 nonsense"))
        self.check(400, self.endpoint.sign(b"m", f"?key={self.sandbox.fingerprint('alice')}",
                                           SSH_Public_Key=self.sandbox.public_key("alice")))
        chunked = (f"POST /sign HTTP/1.1\r\nHost: {self.endpoint.address}\r\nTransfer-Encoding: chunked\r\n"
                   "Connection: close\r\n\r\n0\r\n\r\n").encode()
        self.assertTrue(self.endpoint.raw(chunked).startswith(b"HTTP/1.1 400 "))
        for bad in (b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"):
            self.assertTrue(self.endpoint.raw(bad).startswith(b"HTTP/1.1 400 "), bad)

    def test_a_body_may_come_in_chunks(self):
        self.with_keys("alice")
        request = (f"POST /sign HTTP/1.1\r\nHost: {self.endpoint.address}\r\nTransfer-Encoding: chunked\r\n"
                   "Connection: close\r\n\r\n3\r\nmes\r\n4;x=y\r\nsage\r\n0\r\n\r\n").encode()
        answer = self.endpoint.raw(request).decode()
        self.assertEqual(answer.split("\r\n\r\n", 1)[1], self.of_ssh_keygen("alice", b"message"))

    def test_401_no_or_wrong_token(self):
        tokens = os.path.join(self.sandbox.path, "tokens")
        self.with_keys("alice", listener=f'token_file = "{tokens}"\nrequire_token = true')
        self.check(401, self.endpoint.sign(b"m"))
        self.check(401, self.endpoint.sign(b"m", Authorization="Bearer nonsense"))
        token = self.token("one")
        self.endpoint.token = token
        self.assertEqual(self.endpoint.sign(b"m").status, 200)
        answer = self.check(401, self.endpoint.sign(b"m", Authorization=f"Bearer {token}x"))
        self.assertEqual(answer.headers["WWW-Authenticate"], "Bearer")
        for target in ("/publickey", "/metrics", "/nothing"):
            self.check(401, self.endpoint.get(target, Authorization=None))
        self.assertEqual(self.endpoint.get("/healthz", Authorization=None).status, 200)

    def test_403_key_not_allowed(self):
        self.sandbox.key("alice")
        self.with_keys("alice", "bob", listener=f'keys = ["{self.sandbox.fingerprint("bob")}"]')
        self.check(403, self.endpoint.sign(b"m", SSH_Public_Key=self.sandbox.public_key("alice")))
        self.check(403, self.endpoint.sign(b"m", f"?key={self.sandbox.fingerprint('alice')}"))
        self.check(403, self.endpoint.get(f"/publickey?key={self.sandbox.fingerprint('alice')}"))
        self.check_signature(self.endpoint.sign(b"m").text, b"m", self.sandbox.public_key("bob"))
        self.assertEqual(self.endpoint.get("/publickey").text.strip(), self.sandbox.public_key("bob"))

    def test_403_of_a_web_page(self):
        """Whatever a page of a browser can send: an Origin, a name of its own for this address (DNS rebinding)."""
        self.with_keys("alice", listener='hosts = ["sign.example"]')
        port = self.endpoint.address.rsplit(":", 1)[1]
        for target in ("/sign", "/publickey", "/healthz", "/metrics"):
            method = "POST" if target == "/sign" else "GET"
            body = b"m" if target == "/sign" else None
            for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"},
                            {"Origin": f"http://{self.endpoint.address}"}, {"Sec_Fetch_Site": "cross-site"},
                            {"host": "evil.example"}, {"host": f"evil.example:{port}"}, {"host": f"127.0.0.2:{port}"},
                            {"host": "127.0.0.1"}, {"host": f"127.0.0.1.evil.example:{port}"}):
                self.check(403, self.endpoint.ask(method, target, body, **headers))
            for host in (f"localhost:{port}", f"127.0.0.1:{port}", f"sign.example:{port}"):
                self.assertEqual(self.endpoint.ask(method, target, body, host=host).status, 200)
        preflight = self.endpoint.ask("OPTIONS", "/sign", Origin="https://evil.example",
                                      Access_Control_Request_Method="POST")
        self.check(403, preflight)
        self.assertFalse([name for name in preflight.headers if name.lower().startswith("access-control")])

    def test_404_and_405(self):
        self.with_keys("alice")
        for target in ("/", "/sign/", "/Sign", "/signature", "//sign", "/healthz/x"):
            self.check(404, self.endpoint.get(target))
        answer = self.check(405, self.endpoint.get("/sign"))
        self.assertEqual(answer.headers["Allow"], "POST")
        for target in ("/publickey", "/healthz", "/metrics"):
            answer = self.check(405, self.endpoint.ask("POST", target, b"m"))
            self.assertEqual(answer.headers["Allow"], "GET, HEAD")
        self.assertEqual(self.endpoint.ask("HEAD", "/publickey").body, b"")

    def test_413_over_max_body(self):
        self.with_keys("alice", listener="max_body = 1000")
        self.assertEqual(self.endpoint.sign(b"x" * 1000).status, 200)
        self.check(413, self.endpoint.sign(b"x" * 1001))
        self.check(413, self.endpoint.sign(b"x" * 5_000_000))
        head = (f"POST /sign HTTP/1.1\r\nHost: {self.endpoint.address}\r\nTransfer-Encoding: chunked\r\n\r\n"
                "fff\r\n").encode()
        self.assertTrue(self.endpoint.raw(head + b"x" * 0xfff + b"\r\n").startswith(b"HTTP/1.1 413 "))

    def test_429_over_the_rate(self):
        self.with_keys("alice", listener="rate = 3")
        for _ in range(3):
            self.assertEqual(self.endpoint.sign(b"m").status, 200)
        answer = self.check(429, self.endpoint.sign(b"m"))
        self.assertIn(int(answer.headers["Retry-After"]), range(1, 21))
        self.assertEqual(self.endpoint.get("/healthz").status, 200)

    def test_503_no_agent(self):
        self.serve_signing(more="[proxy]\ngrace = \"50ms\"\n")
        for answer in (self.endpoint.sign(b"m"), self.endpoint.get("/publickey")):
            self.check(503, answer)
            self.assertGreater(int(answer.headers["Retry-After"]), 0)

    def test_503_no_such_key(self):
        self.with_keys("alice")
        for answer in (self.endpoint.sign(b"m", SSH_Public_Key=self.sandbox.public_key("bob")),
                       self.endpoint.sign(b"m", f"?key={self.sandbox.fingerprint('bob')}"),
                       self.endpoint.get(f"/publickey?key={self.sandbox.fingerprint('bob')}")):
            self.check(503, answer)
            self.assertIn(self.sandbox.fingerprint("bob"), answer.text)
            self.assertIn("Retry-After", answer.headers)

    def test_503_while_the_agent_is_locked(self):
        """It offers no key then."""
        self.with_keys("alice")
        askpass = self.sandbox.file("askpass", "#!/bin/sh\necho secret\n", 0o700)
        lock = self.run_program("ssh-add", "-x", SSH_AUTH_SOCK=self.real.path, SSH_ASKPASS=askpass,
                                SSH_ASKPASS_REQUIRE="force")
        self.assertEqual(lock.status, 0, lock)
        self.check(503, self.endpoint.sign(b"m", SSH_Public_Key=self.sandbox.public_key("alice")))

    def test_502_where_the_agent_refuses_to_sign(self):
        key = SecurityKey(self.sandbox, "ed25519")
        self.keep(KeyAgent(self.sandbox, Refuser(key.blob), path=self.in_agents("refuser")))
        self.serve_signing()
        self.wait_for_agent()
        self.assertIn("refuses", self.check(502, self.endpoint.sign(b"m")).text)
        self.check(502, self.endpoint.sign(b"m", SSH_Public_Key=key.line))

    def test_504_where_the_agent_does_not_answer(self):
        fake = self.fake_agent("carol", path=self.in_agents("fake"))
        self.serve_signing('timeout = "300ms"')
        self.wait_for_agent()
        fake.manner = HANG
        watch = Stopwatch()
        self.check(504, self.endpoint.sign(b"m"))
        self.check(504, self.endpoint.get("/publickey"))
        self.assertLess(watch.seconds, 3)

    def test_metrics_count_what_was_answered(self):
        self.with_keys("alice", listener='name = "box"')
        self.endpoint.sign(b"m")
        self.endpoint.sign(b"m", "?namespace=other")
        self.endpoint.get("/nothing")
        text = self.endpoint.get("/metrics").text
        self.assertIn('livesock_signing_requests_total{listener="box",code="200"} 1\n', text)
        self.assertIn('livesock_signing_requests_total{listener="box",code="403"} 1\n', text)
        self.assertIn('livesock_signing_requests_total{listener="box",code="404"} 1\n', text)
        self.assertIn('livesock_signing_duration_seconds_count{listener="box"} 1\n', text)
        self.assertIn('livesock_agents{state="live"} 1\n', text)


if __name__ == "__main__":
    main()
