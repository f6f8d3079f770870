"""[[broker.listen]], against guests that are written from the format alone."""

import hashlib
import json
import os
import socket
import stat
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from support import bus, wire
from support.broker import MIB, TOKEN, ListenCase
from support.case import main, root_only
from support.waiting import eventually


class PublishTest(ListenCase):
    """The format of POST /v1/publish"""

    def test_every_operation(self):
        self.listen()
        self.assertEqual(stat.S_IMODE(os.stat(self.socket_path).st_mode), 0o600)
        self.assertEqual(self.post({"operation": "ping"}), {"status": "ok"})
        self.assertEqual([key["comment"] for key in self.post({"operation": "list"})["keys"]], ["alice", "bob"])
        self.assertEqual(self.post({"operation": "status"}), {"connected": True, "mode": "agent-forward", "key_count": 2})
        self.check_signature(self.post(self.sign_request()))
        self.check_signature(self.post(self.sign_request(self.alice)))  # as an authorized_keys line
        self.assertEqual(self.post(self.sign_request(self.sandbox.public_key("carol")))["code"], "KEY_NOT_FOUND")
        self.assertEqual(self.post({"operation": "add"})["code"], "INTERNAL_ERROR")

    def test_a_token_is_made_for_a_listener_and_asked_for_before(self):
        tokens = self.sandbox.path + "/tokens"
        self.listen(f'token_file = "{tokens}"')
        self.host_daemon.wait_for_log("livesock signing token vm --listener vm")
        made = self.livesock("signing", "token", "vm", "--listener", "vm", LIVESOCK_DIR=self.host_daemon.directory)
        self.assertEqual(made.status, 0, made)
        with open(tokens, encoding="utf-8") as file:
            self.assertIn(f"\nvm {hashlib.sha256(made.out.strip().encode()).hexdigest()} ", file.read())

    def test_an_audit_that_cannot_be_kept_is_told_at_once(self):
        self.listen(broker='audit = "/dev/full"')
        self.host_daemon.wait_for_log("set broker.audit to a file in such a one")
        self.assertNotIn("chmod", self.host_daemon.log)

    def test_unknown_members_are_passed_over(self):
        self.listen()
        body = {"namespace": "ssh-agent", "type": "request", "id": 7, "more": [{}], "payload": {"operation": "ping", "x": None}}
        status, answer = self.post_raw(json.dumps(body), **{"X-More": "1"})
        self.assertEqual((status, answer["payload"]), (200, {"status": "ok"}))

    def test_the_largest_body_and_one_byte_more(self):
        self.listen()
        body = json.dumps({"namespace": "ssh-agent", "type": "request", "payload": {"operation": "ping"}, "x": ""})[:-2]
        largest = body + "x" * (MIB - len(body) - 2) + '"}'
        self.assertEqual(len(largest), MIB)
        self.assertEqual(self.post_raw(largest)[1]["payload"], {"status": "ok"})
        larger = (largest[:-2] + 'x"}').encode()
        for what, sent in (("its length is told", larger), ("in chunks", iter([larger]))):
            with self.subTest(what=what):
                status, answer = self.post_raw(sent)
                self.assertEqual((status, answer["error"]["code"]), (400, "INVALID_BODY"))

    def test_a_body_that_comes_byte_by_byte_and_one_that_is_cut(self):
        self.listen()
        body = json.dumps({"namespace": "ssh-agent", "type": "request", "payload": {"operation": "ping"}})
        request = f"POST {bus.PUBLISH} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
        with wire.connect(self.socket_path) as cut:
            cut.sendall(request[:-1])
        with wire.connect(self.socket_path) as slow:
            for i in range(len(request)):
                slow.sendall(request[i:i + 1])
            self.assertIn(b'"status":"ok"', slow.recv(65536))

    def test_a_socket_that_is_deleted_is_made_again(self):
        self.listen()
        for _ in range(2):
            os.unlink(self.socket_path)
            eventually(lambda: os.path.exists(self.socket_path), 5, "the socket")
            self.assertEqual(stat.S_IMODE(os.stat(self.socket_path).st_mode), 0o600)
            self.assertEqual(self.post({"operation": "ping"}), {"status": "ok"})
        self.host_daemon.wait_for_log("was deleted: it is made again")
        self.host_daemon.stop()
        self.assertFalse(os.path.lexists(self.socket_path))

    def test_wrong_bodies(self):
        self.listen()
        for body, code in ((b"{", "INVALID_BODY"), (b"[]", "INVALID_BODY"), (b"", "INVALID_BODY"), (b"\xff", "INVALID_BODY"),
                           (b'{"namespace":"ssh-agent","type":"request"}', "INVALID_BODY"),
                           (b'{"namespace":"ssh-agent","type":"request","payload":7}', "INVALID_BODY"),
                           (b'{"type":"request","payload":{}}', "MISSING_NAMESPACE"),
                           (b'{"namespace":"","type":"request","payload":{}}', "MISSING_NAMESPACE"),
                           (b'{"namespace":"ssh-agent","payload":{}}', "INVALID_TYPE"),
                           (b'{"namespace":"ssh-agent","type":"response","payload":{}}', "INVALID_TYPE"),
                           (b"[" * 500_000, "INVALID_BODY"),
                           (b'{"x":"' + b"x" * MIB + b'"}', "INVALID_BODY")):
            with self.subTest(body=body[:60]):
                status, answer = self.post_raw(body)
                self.assertEqual((status, answer["error"]["code"]), (400, code))
                self.assertTrue(answer["error"]["message"])
        self.assertEqual(self.post_raw(b'{"namespace":"ssh-agent","type":"event","payload":{}}')[0], 202)
        status, answer = self.post_raw(b'{"namespace":"other","type":"request","payload":{}}')
        self.assertEqual((status, answer["error"]["code"]), (503, "NO_CONNECTION"))
        self.assertEqual(self.post_raw(b"{}", path="/v1/other")[0], 404)
        self.assertEqual(self.post_raw(None, method="GET")[0], 405)
        self.assertEqual(self.post({"operation": "ping"}), {"status": "ok"})

    def test_bodies_that_do_not_end_keep_nobody_out_for_long(self):
        self.listen()
        head = f"POST {bus.PUBLISH} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {MIB}\r\n\r\n".encode()
        idle = [wire.connect(self.socket_path) for _ in range(33)]
        for sock in idle:
            self.keep(sock).sendall(head + b"x" * 1000)
        eventually(lambda: self.post_raw(b"{}")[0] == 503, 5, "the limit")
        self.assertEqual(self.post_raw(b"{}")[1]["error"]["code"], "NO_CONNECTION")
        for sock in idle:
            sock.close()
        eventually(lambda: self.post_raw(b"{}")[0] == 400, 5, "room again")
        self.assertEqual(self.post({"operation": "ping"}), {"status": "ok"})

    def test_a_web_page_gets_nothing(self):
        self.listen()
        for headers in ({"Origin": "http://example.org"}, {"Sec-Fetch-Site": "none"}):
            status, answer = self.post_raw(b"{}", **headers)
            self.assertEqual((status, answer["error"]["code"]), (403, "FORBIDDEN"))

    def test_a_guest_calls_the_socket_what_it_likes(self):
        self.listen()
        done = self.run_program("curl", "-sS", "--unix-socket", self.socket_path, f"http://127.0.0.1:498{bus.PUBLISH}", "-d",
                                '{"namespace":"ssh-agent","type":"request","payload":{"operation":"ping"}}')
        self.assertEqual(json.loads(done.out)["payload"], {"status": "ok"}, done)

    def test_a_guest_that_leaves_has_nothing_signed_behind_its_back(self):
        marker = self.sandbox.path + "/asked"
        command = self.sandbox.file("ask.sh", f"#!/bin/sh\necho $$ >{marker}.new; mv {marker}.new {marker}; exec sleep 100\n", 0o700)
        self.listen('approve = "always"', broker=f'approve_command = ["{command}"]')
        sock = wire.connect(self.socket_path)
        body = json.dumps({"namespace": "ssh-agent", "type": "request", "payload": self.sign_request()})
        sock.sendall(f"POST {bus.PUBLISH} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        eventually(lambda: os.path.exists(marker), 5, "the question")
        sock.close()
        with open(marker, encoding="ascii") as file:
            asking = int(file.read())
        eventually(lambda: not os.path.exists(f"/proc/{asking}/cmdline") or
                   open(f"/proc/{asking}/cmdline", "rb").read() == b"", 5, "the question to be withdrawn")
        self.assertEqual(self.wait_for_audit(operation="sign", result="error")["reason"], "the guest has not waited for the answer")


class TcpListenTest(ListenCase):
    """tcp: with a token, and without"""

    def listen_tcp(self, guest, token=False):
        """A host that listens at 127.0.0.1."""
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            self.port = sock.getsockname()[1]
        line = ""
        if token:
            hashed = hashlib.sha256(TOKEN.encode()).hexdigest()
            line = f'token_file = "{self.sandbox.file("tokens", f"vm {hashed} 2026-01-31{chr(10)}")}"\n'
        self.host(f'[[broker.listen]]\naddress = "tcp:127.0.0.1:{self.port}"\nname = "vm"\n{line}{guest}').wait_for_live(self.one.path)

    def sock(self):
        """A connection to it."""
        return socket.create_connection(("127.0.0.1", self.port), 5)

    def test_nothing_is_given_before_keys_are_named(self):
        self.listen_tcp("")
        self.host_daemon.wait_for_log("before its keys are named")
        host = f"127.0.0.1:{self.port}"
        self.assertIn("has not named the keys", self.post({"operation": "list"}, sock=self.sock(), Host=host)["error"])
        self.assertIn("code", self.post(self.sign_request(), sock=self.sock(), Host=host))

    def test_a_token_lets_in_and_a_wrong_one_does_not(self):
        self.listen_tcp(self.keys, token=True)
        host = f"127.0.0.1:{self.port}"
        good = self.post({"operation": "list"}, sock=self.sock(), Host=host, Authorization=f"Bearer {TOKEN}")
        self.assertEqual([key["comment"] for key in good["keys"]], ["alice"])
        status, answer = self.post_raw(b"{}", sock=self.sock(), Host=host, Authorization="Bearer lsk_" + "u" * 43)
        self.assertEqual((status, answer["error"]["code"]), (401, "UNAUTHORIZED"))

    def test_a_name_of_the_listener_is_ours_when_it_is_configured(self):
        for line, expected in (("", 403), ('hosts = ["10.0.2.2"]', 400)):
            with self.subTest(line=line):
                self.listen_tcp(f"{self.keys}\n{line}")
                self.assertEqual(self.post_raw(b"{}", sock=self.sock(), Host="evil.example")[0], 403)
                status, answer = self.post_raw(b"{}", sock=self.sock(), Host=f"10.0.2.2:{self.port}")
                self.assertEqual(status, expected, answer)
                self.host_daemon.stop()

    @root_only
    def test_another_user_of_this_machine_is_refused(self):
        self.listen_tcp(self.keys)
        done = subprocess.run([sys.executable, "-c", f"""
import http.client, os
"x".encode("idna")  # afterwards it may not be readable
os.setgroups([]); os.setgid(65534); os.setuid(65534)
connection = http.client.HTTPConnection("127.0.0.1", {self.port}, timeout=5)
connection.request("POST", "{bus.PUBLISH}", b'{{}}')
print(connection.getresponse().status)
"""], capture_output=True, text=True, timeout=20, check=False)
        self.assertEqual(done.stdout.strip(), "401", done)

    def test_what_others_can_reach_needs_a_token(self):
        for address in ("tcp:0.0.0.0:498", "tcp:[::]:498", "vsock:498"):
            path = self.sandbox.file("wrong.toml", f'[[broker.listen]]\naddress = "{address}"\nname = "vm"\n{self.keys}')
            done = self.run_program("livesockd", "--check-config", "--config", path)
            self.assertEqual(done.status, 1, done)
            self.assertIn("needs a token_file", done.text)


if __name__ == "__main__":
    main()
