"""What the signing endpoint signs, with real agents and ssh-keygen as the judge."""

import base64
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from support.case import main
from support.key_agent import KeyAgent, Liar, SecurityKey
from support.signing import SigningCase

ROUNDS = int(os.environ.get("LIVESOCK_SIGN_ROUNDS", "12"))
SEED = int(os.environ.get("LIVESOCK_SEED", str(random.randrange(1 << 32))))
LARGEST = 16 * 1024 * 1024


class SignaturesTest(SigningCase):
    """What is signed."""

    def test_signatures_equal_those_of_ssh_keygen(self):
        """Ed25519 and RSA sign the same in the same way: byte for byte."""
        chance = random.Random(SEED)
        self.make_key("rivest", "rsa", "-b", "2048")
        self.with_keys("alice", "rivest", listener="rate = 1000000")
        for name in ("alice", "rivest"):
            key = self.sandbox.fingerprint(name)
            for turn in range(ROUNDS):
                size = (1, 65536, LARGEST)[turn] if turn < 3 else int(2 ** chance.uniform(0, 24))
                data = chance.randbytes(size)
                answer = self.endpoint.sign(data, f"?key={key}", within=60)
                self.assertEqual(answer.status, 200, (answer, SEED))
                self.assertEqual(answer.text, self.of_ssh_keygen(name, data), (size, SEED))
        self.assertEqual(answer.headers["Content-Type"], "application/x-ssh-signature")

    def test_ecdsa_keys_make_signatures_that_verify(self):
        names = [f"ecdsa{bits}" for bits in (256, 384, 521)]
        for name in names:
            self.make_key(name, "ecdsa", "-b", name[5:])
        self.with_keys(*names)
        for name in names:
            answer = self.endpoint.sign(b"message", SSH_Public_Key=self.sandbox.public_key(name))
            self.assertEqual(answer.status, 200, answer)
            self.check_signature(answer.text, b"message", self.sandbox.public_key(name))

    def test_certificates_make_signatures_that_verify(self):
        """ssh-add loads the certificate beside each key; asked for as a whole, it is the certificate that signs."""
        self.make_key("rivest", "rsa", "-b", "2048")
        self.make_key("ecdsa", "ecdsa")
        self.make_key("edwards", "ed25519")
        lines = {name: self.certify(name) for name in ("rivest", "ecdsa", "edwards")}
        self.with_keys(*lines)
        for name, line in lines.items():
            answer = self.endpoint.sign(b"message", SSH_Public_Key=line)
            self.assertEqual(answer.status, 200, answer)
            self.check_signature(answer.text, b"message", line)
            # Its fingerprint is that of the key, which is chosen then.
            answer = self.endpoint.sign(b"message", f"?key={self.sandbox.fingerprint(name)}")
            self.check_signature(answer.text, b"message", self.sandbox.public_key(name))

    def test_a_certificate_signs_as_it_does_with_ssh_keygen(self):
        self.make_key("edwards", "ed25519")
        line = self.certify("edwards")
        self.with_keys("edwards")
        path = self.sandbox.file("data", "message")
        public = self.sandbox.file("public/key-cert.pub", line + "\n")
        done = self.run_program("ssh-keygen", "-q", "-Y", "sign", "-n", "git", "-f", public, path,
                                SSH_AUTH_SOCK=self.real.path)
        self.assertEqual(done.status, 0, done)
        with open(path + ".sig", encoding="ascii") as file:
            self.assertEqual(self.endpoint.sign(b"message", SSH_Public_Key=line).text, file.read())

    def test_security_keys_make_signatures_that_verify(self):
        keys = [SecurityKey(self.sandbox, "ed25519"), SecurityKey(self.sandbox, "ecdsa")]
        self.keep(KeyAgent(self.sandbox, *keys, path=self.in_agents("sk")))
        self.serve_signing()
        self.wait_for_agent()
        for key in keys:
            for _ in range(2):  # the counter counts
                answer = self.endpoint.sign(b"message", SSH_Public_Key=key.line)
                self.assertEqual(answer.status, 200, answer)
                self.check_signature(answer.text, b"message", key.line)

    def test_a_namespace_is_one_of_those_allowed(self):
        self.with_keys("alice", listener='namespaces = ["git", "file"]')
        self.check_signature(self.endpoint.sign(b"m", "?namespace=file").text, b"m", self.sandbox.public_key("alice"),
                             namespace="file")
        self.check_signature(self.endpoint.sign(b"m").text, b"m", self.sandbox.public_key("alice"))
        for other in ("email", "", "GIT", "git%00"):
            self.assertEqual(self.endpoint.sign(b"m", f"?namespace={other}").status, 403, other)

    def test_the_key_that_is_asked_for_signs(self):
        self.with_keys("alice", "bob")
        for name in ("alice", "bob"):
            line = self.sandbox.public_key(name)
            for answer in (self.endpoint.sign(b"m", SSH_Public_Key=line),
                           self.endpoint.sign(b"m", f"?key={self.sandbox.fingerprint(name)}"),
                           self.endpoint.sign(b"m", "?key=" + line.replace(" ", "%20").replace("+", "%2B"))):
                self.check_signature(answer.text, b"m", line)
            answer = self.endpoint.get(f"/publickey?key={self.sandbox.fingerprint(name)}")
            self.assertEqual(answer.text.strip(), line)
        self.assertEqual(self.endpoint.get("/publickey").text.strip(), self.sandbox.public_key("alice"))

    def test_an_rsa_signature_of_another_algorithm_is_refused(self):
        """SHA-1, or what else an agent may answer with, never gets out."""
        self.make_key("rivest", "rsa", "-b", "2048")
        blob = base64.b64decode(self.sandbox.public_key("rivest").split()[1])
        for algorithm in (b"ssh-rsa", b"rsa-sha2-256", b"ssh-ed25519", b""):
            with self.subTest(algorithm=algorithm):
                liar = Liar(blob, algorithm)
                agent = self.keep(KeyAgent(self.sandbox, liar, path=self.in_agents("liar")))
                self.serve_signing()
                self.wait_for_agent()
                answer = self.endpoint.sign(b"m")
                self.assertEqual(answer.status, 502, answer)
                self.assertNotIn("BEGIN", answer.text)
                self.assertIn("thrown away", self.daemon.log)
                self.assertEqual(liar.flags_seen, [4])
                self.daemon.close()
                agent.close()

    def test_a_malformed_signature_is_refused(self):
        key = SecurityKey(self.sandbox, "ed25519")
        good = key.sign(b"m", 0)
        for answer in (b"", good[:-1], good + b"x", good[:10], b"\xff" * 40):
            with self.subTest(answer=answer):
                agent = self.keep(KeyAgent(self.sandbox, Liar(key.blob, answer=answer), path=self.in_agents("liar")))
                self.serve_signing()
                self.wait_for_agent()
                self.assertEqual(self.endpoint.sign(b"m").status, 502)
                self.daemon.close()
                agent.close()


if __name__ == "__main__":
    main()
