"""Supervisors in the roles of guest and host, and what the host writes down."""

import base64
import http.client
import json
import os

from . import bus, wire
from .case import Case
from .waiting import eventually

TOKEN = "lsk_" + "t" * 43
MIB = 1024 * 1024


def blob_of(line):
    """The key blob of an authorized_keys line."""
    return base64.b64decode(line.split()[1])


class BrokerCase(Case):
    """Both roles."""

    def guest(self, url, more="", token=None):
        """A supervisor whose only agent is the bus."""
        token = f'token_file = "{token}"\n' if token else ""
        self.guest_daemon = self.supervisor(
            f'[discovery]\nforwarded = false\n[[upstream]]\nbus = "{url}"\n{token}{more}',
            directory=self.sandbox.path + "/guest", config_name="guest.toml")
        self.path = self.guest_daemon.agent_sock
        return self.guest_daemon

    @property
    def upstream(self):
        """What status says of the bus."""
        return self.guest_daemon.status()["agents"][0]

    def wait_until(self, state, words="", within=15):
        """Returns when the bus is in that state, for a reason with these words."""
        eventually(lambda: self.upstream["state"] == state and words in (self.upstream["reason"] or ""), within,
                   lambda: f"{state}, {words!r}: {self.upstream}\n{self.guest_daemon.log}")

    def host(self, broker, more="", **options):
        """A supervisor that serves guests, with the agents of in_agents()."""
        self.host_daemon = self.supervisor(self.only_agents(f"{broker}\n{more}"), directory=self.sandbox.path + "/host",
                                           config_name="host.toml", **options)
        return self.host_daemon

    def audit(self):
        """The lines of the audit."""
        with open(self.host_daemon.directory + "/audit.jsonl", encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    def wait_for_audit(self, *wanted, **members):
        """Returns the first line with these members."""
        found = []

        def is_there():
            try:
                found[:] = [line for line in self.audit() if members.items() <= line.items()]
            except FileNotFoundError:
                pass
            return bool(found)
        eventually(is_there, 5, lambda: f"{members} in the audit; log:\n{self.host_daemon.log}")
        return found[0]


class HostCase(BrokerCase):
    """The host role."""

    def setUp(self):
        super().setUp()
        self.alice = self.sandbox.public_key("alice")
        self.fingerprint = self.sandbox.fingerprint("alice")
        self.keys = f'keys = ["{self.fingerprint}"]'

    def sign_request(self, key=None, data=b"data", flags=0):
        """The payload of a sign request."""
        return {"operation": "sign", "public_key": key or bus.b64(blob_of(self.alice)), "data": bus.b64(data),
                "flags": flags}

    def check_signature(self, payload, name="alice"):
        """It is one of that Ed25519 key, of the data b"data"."""
        self.assertEqual((payload.get("format"), payload.get("rest")), ("ssh-ed25519", ""), payload)
        key = blob_of(self.sandbox.public_key(name))[-32:]
        der = bytes.fromhex("302a300506032b6570032100") + key
        for path, content in (("pub.der", der), ("sig", base64.b64decode(payload["blob"])), ("data", b"data")):
            with open(os.path.join(self.sandbox.path, path), "wb") as file:
                file.write(content)
        done = self.run_program("openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", "pub.der",
                                "-rawin", "-in", "data", "-sigfile", "sig")
        self.assertEqual(done.status, 0, done)


class ListenCase(HostCase):
    """[[broker.listen]]"""

    def setUp(self):
        super().setUp()
        self.one = self.agent("alice", "bob", path=self.in_agents("one"))
        self.socket_path = self.sandbox.path + "/guest.sock"

    def listen(self, guest="", broker="", more=""):
        """A host that listens at a path."""
        self.host(f'[broker]\n{broker}\n[[broker.listen]]\naddress = "unix:{self.socket_path}"\nname = "vm"\n{guest}',
                  more).wait_for_live(self.one.path)

    def post_raw(self, body, path=bus.PUBLISH, method="POST", within=20, sock=None, **headers):
        """(status, parsed body) of a request."""
        connection = http.client.HTTPConnection("localhost", timeout=within)
        connection.sock = sock or wire.connect(self.socket_path, within)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        finally:
            connection.close()

    def post(self, payload, **more):
        """The payload of the response."""
        status, answer = self.post_raw(json.dumps({"namespace": "ssh-agent", "type": "request", "payload": payload}), **more)
        self.assertEqual((status, answer["type"], answer["final"], answer["namespace"]), (200, "response", True, "ssh-agent"))
        self.assertNotEqual(answer["id"], answer["in_reply_to"])
        return answer["payload"]
