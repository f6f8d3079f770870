"""The host's side of a message bus, against a bus that is written from the format alone."""

import json
import os
import queue
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from support import bus
from support.broker import MIB, HostCase, blob_of
from support.bus import GuestBus, HostBus
from support.case import main, root_only
from support.fake_agent import HANG
from support.key_agent import KeyAgent, Refuser
from support.stranger import nobody
from support.waiting import eventually


# Listens (its credentials at that moment are the socket's) and accepts as another user, and says what a bus says.
STRANGER = """
import os, socket, sys
fd, uid, gid = map(int, sys.argv[1:])
listener = socket.socket(fileno=fd)
address = listener.getsockname()
listener.close()
os.setgroups([]); os.setresgid(gid, gid, gid); os.setresuid(uid, uid, uid)
listener = socket.create_server(address)
kept = []
while True:
    kept.append(listener.accept()[0])
    os.write(1, kept[-1].recv(65536))
    kept[-1].sendall(b"HTTP/1.1 200 OK\\r\\nContent-Type: text/event-stream\\r\\n\\r\\n")
"""


class SubscriptionTest(HostCase):
    """[broker] server, against a bus of the test's."""

    def setUp(self):
        super().setUp()
        self.bus = self.keep(HostBus())
        self.one = self.agent("alice", "bob", path=self.in_agents("one"))

    def subscribe(self, more="", broker=""):
        """A host that is subscribed, with alice's key for its guests."""
        self.host(f'[broker]\nserver = "{self.bus.url}"\n{self.keys}\n{broker}', more).wait_for_live(self.one.path)
        eventually(lambda: self.bus.subscribed == 1, 5, "the subscription")

    def test_every_operation(self):
        self.subscribe()
        request = bus.envelope("request", {"operation": "list"}, shed={"name": "vm", "backend": "b", "server": "s"})
        self.bus.send(request)
        answer = self.bus.answer_to(request["id"])
        self.assertEqual({name: answer[name] for name in ("namespace", "type", "final", "shed")},
                         {"namespace": "ssh-agent", "type": "response", "final": True, "shed": request["shed"]})
        self.assertRegex(answer["id"], "^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
        self.assertRegex(answer["timestamp"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")
        self.assertEqual(answer["payload"], bus.listed((blob_of(self.alice), "alice")))
        self.assertEqual(self.bus.ask({"operation": "ping"}), {"status": "ok"})
        self.assertEqual(self.bus.ask({"operation": "status"}), {"connected": True, "mode": "agent-forward", "key_count": 1})
        self.check_signature(self.bus.ask(self.sign_request()))
        self.check_signature(self.bus.ask(self.sign_request(self.alice)))  # as an authorized_keys line
        self.assertNotIn("shed", self.bus.answer_to(self.send({"operation": "ping"})))

    def send(self, payload, **more):
        """Sends a request and returns its id."""
        request = bus.envelope("request", payload, **more)
        self.bus.send(request)
        return request["id"]

    def test_who_is_asked_about_when_we_restart_or_reload_gets_an_answer(self):
        asked, go = self.sandbox.path + "/asked", self.sandbox.path + "/go"
        script = self.sandbox.file("ask.sh", f'#!/bin/sh\n: >"{asked}"\nwhile ! [ -e "{go}" ]; do sleep 0.05; done\n',
                                   0o700)
        approve = f'approve = "always"\napprove_command = ["{script}"]'
        self.subscribe(broker=approve)
        request = self.send(self.sign_request())
        eventually(lambda: os.path.exists(asked), 5, "the question")
        self.assertTrue(self.host_daemon.control("restart", within=10)["ok"])
        self.addCleanup(lambda: self.host_daemon.control("stop"))
        self.sandbox.file("go", "")
        self.check_signature(self.bus.answer_to(request)["payload"])
        eventually(lambda: self.host_daemon.status()["listeners"][0]["reason"] is None, 10, "the subscription")
        os.unlink(go)
        os.unlink(asked)
        request = self.send(self.sign_request())
        eventually(lambda: os.path.exists(asked), 5, "the question")
        self.host_daemon.configure(self.only_agents(f'[broker]\nserver = "{self.bus.url}"\n{self.keys}\nrate = 7\n'
                                                    f'{approve}'))
        self.assertTrue(self.host_daemon.reload()["ok"])
        self.sandbox.file("go", "")
        self.assertIn("code", self.bus.answer_to(request)["payload"])

    def test_keys_that_are_not_named_are_not_there(self):
        self.subscribe()
        bob = self.bus.ask(self.sign_request(self.sandbox.public_key("bob")))
        none = self.bus.ask(self.sign_request(self.sandbox.public_key("carol")))
        self.assertEqual(bob, none)
        self.assertEqual(bob["code"], "KEY_NOT_FOUND")
        self.wait_for_audit(operation="sign", result="denied", key=self.sandbox.fingerprint("bob"))

    def test_nothing_is_given_before_keys_are_named(self):
        self.keys = ""
        self.subscribe()
        for payload in ({"operation": "list"}, {"operation": "status"}, self.sign_request()):
            self.assertIn("code", self.bus.ask(payload))
        self.assertEqual(self.bus.ask({"operation": "ping"}), {"status": "ok"})

    def test_guests_that_are_named_have_their_own_keys(self):
        self.subscribe(f'[[broker.guest]]\nname = "vm2"\nkeys = ["{self.sandbox.fingerprint("bob")}"]')
        other = self.bus.ask({"operation": "list"}, shed={"name": "vm2"})
        self.assertEqual([key["comment"] for key in other["keys"]], ["bob"])
        unnamed = self.bus.ask({"operation": "list"}, shed={"name": "vm3"})
        self.assertEqual([key["comment"] for key in unnamed["keys"]], ["alice"])

    def test_wrong_requests_get_an_error_and_others_go_on(self):
        self.subscribe()
        for what, payload in {"no operation": {}, "an unknown one": {"operation": "add"}, "a number": {"operation": 7},
                              "no key": {"operation": "sign", "data": ""}, "no data": {"operation": "sign", "public_key": self.alice},
                              "no base64": self.sign_request("!!!"), "another type": self.sign_request("ssh-rsa " + self.alice.split()[1]),
                              "flags that are none": {**self.sign_request(), "flags": -1},
                              "flags of text": {**self.sign_request(), "flags": "4"},
                              "flags of 33 bits": {**self.sign_request(), "flags": 1 << 32},
                              "data that is too large": self.sign_request(data=b"x" * 300_000)}.items():
            with self.subTest(what=what):
                self.assertEqual(self.bus.ask(payload)["code"], "INTERNAL_ERROR")
        for what, members in {"no timestamp": {"timestamp": None}, "in parts": {"final": False}, "no final": {"final": None},
                              "a payload that is text": {"payload": "x"}}.items():
            with self.subTest(what=what):
                request = bus.envelope("request", {"operation": "ping"}, **members) if "payload" not in members else \
                    {**bus.envelope("request", {}), **members}
                self.bus.send(request)
                self.assertEqual(self.bus.answer_to(request["id"])["payload"]["code"], "INTERNAL_ERROR")
        self.assertEqual(self.bus.ask({"operation": "ping"}), {"status": "ok"})

    def test_what_is_no_request_is_passed_over(self):
        self.subscribe()
        good = bus.envelope("request", {"operation": "ping"})
        for data in ("{", "", "[]", '"x"', json.dumps(bus.response({"status": "ok"})), json.dumps(bus.envelope("event", {})),
                     json.dumps({**good, "id": "7"}), json.dumps({**good, "namespace": "other"}), "\udcff\udcfe",
                     "[" * 100_000, '{"a":' * 5000, json.dumps({**good, "x": "x" * MIB})):
            self.bus.send(data)
        self.bus.send_raw(b": a comment\n\nid: 7\nretry: 1\nunknown: x\n\nevent: other\ndata: {}\n\n")
        self.assertEqual(self.bus.ask({"operation": "ping"}), {"status": "ok"})
        self.assertRaises(queue.Empty, self.bus.answers.get, timeout=0.2)

    def test_a_request_that_comes_twice_is_served_once(self):
        self.subscribe()
        request = bus.envelope("request", self.sign_request())
        self.bus.send(request)
        self.bus.send(request)
        self.bus.answer_to(request["id"])
        self.assertEqual(self.bus.ask({"operation": "ping"}), {"status": "ok"})
        self.assertRaises(queue.Empty, self.bus.answers.get, timeout=0.5)
        self.assertEqual(len([line for line in self.audit() if line["operation"] == "sign"]), 1)

    def test_a_stream_in_pieces(self):
        self.subscribe()
        request = bus.envelope("request", {"operation": "ping"})
        text = b"event: message\r\ndata: " + json.dumps(request).encode() + b"\r\n\r\n"
        for i in range(len(text)):
            self.bus.send_raw(text[i:i + 1])
        self.assertEqual(self.bus.answer_to(request["id"])["payload"], {"status": "ok"})

    def test_it_subscribes_again_whenever_the_stream_ends(self):
        self.subscribe()
        self.bus.end_streams()
        eventually(lambda: self.bus.subscribed == 2, 10, "the second subscription")
        self.assertEqual(self.bus.ask({"operation": "ping"}), {"status": "ok"})
        port = self.bus.port
        self.bus.close()
        self.host_daemon.wait_for_log("is the bus's server running?")
        listeners = self.host_daemon.status()["listeners"]
        self.assertEqual((listeners[0]["kind"], listeners[0]["name"]), ("bus", f"127.0.0.1:{port}"))
        self.assertTrue(listeners[0]["reason"])
        self.bus = self.keep(HostBus(port))
        eventually(lambda: self.bus.subscribed == 1, 15, "a new subscription")
        eventually(lambda: self.host_daemon.status()["listeners"][0]["reason"] is None, 5, "no complaint")

    def test_a_stream_that_is_cut_within_a_message(self):
        self.subscribe()
        request = bus.envelope("request", self.sign_request())
        text = f"data: {json.dumps(request)}\n\n".encode()
        self.bus.send_raw(text[:-2])
        self.bus.end_streams()
        eventually(lambda: self.bus.subscribed == 2, 10, "the second subscription")
        self.bus.send_raw(b"\n\n")
        self.assertEqual(self.bus.ask({"operation": "ping"}), {"status": "ok"})
        self.assertRaises(queue.Empty, self.bus.answers.get, timeout=0.2)

    def test_answers_that_the_bus_does_not_take(self):
        self.subscribe()
        self.bus.respond_status = 500
        self.bus.send(bus.envelope("request", {"operation": "ping"}))
        self.host_daemon.wait_for_log("an answer does not reach the bus")
        self.assertEqual(self.bus.posts, 1)  # what it has read it may have passed on
        self.bus.respond_status, self.bus.respond_silence = 204, 8
        self.bus.send(bus.envelope("request", {"operation": "ping"}))
        eventually(lambda: self.bus.posts == 2, 5, "the second answer")
        self.bus.respond_silence = 0
        self.assertEqual(self.bus.ask({"operation": "ping"}), {"status": "ok"})  # it does not wait for the one before
        self.host_daemon.wait_for_log("does not answer within 5", within=10)
        self.assertEqual(self.bus.posts, 3)

    def test_what_the_agent_does_not_do_is_an_error_of_that_request(self):
        self.one.kill()
        os.unlink(self.one.path)
        alice = blob_of(self.alice)
        slow = self.keep(KeyAgent(self.sandbox, Refuser(alice), path=self.in_agents("two")))
        self.host(f'[broker]\nserver = "{self.bus.url}"\nmode = "agent-forward"\n{self.keys}',
                  '[proxy]\ngrace = "100ms"\nlist_timeout = "500ms"\nsign_timeout = "500ms"').wait_for_live(slow.path)
        eventually(lambda: self.bus.subscribed == 1, 5, "the subscription")
        self.assertEqual(self.bus.ask(self.sign_request())["code"], "SIGN_FAILED")
        self.assertEqual(len(self.bus.ask({"operation": "list"})["keys"]), 1)
        for payload, code in ((self.sign_request(), "SIGN_FAILED"), ({"operation": "list"}, "INTERNAL_ERROR")):
            slow.manner = HANG
            request = bus.envelope("request", payload)
            self.bus.send(request)
            self.assertEqual(self.bus.ask({"operation": "ping"}), {"status": "ok"})  # meanwhile
            self.assertEqual(self.bus.answer_to(request["id"])["payload"]["code"], code)

    def test_what_an_rsa_key_signs_with_is_what_was_asked_for(self):
        path = self.sandbox.path + "/rsa"
        made = self.run_program("ssh-keygen", "-q", "-N", "", "-t", "rsa", "-b", "2048", "-f", path, within=60)
        self.assertEqual(made.status, 0, made)
        self.assertEqual(self.run_program("ssh-add", "-q", path, SSH_AUTH_SOCK=self.one.path).status, 0)
        line = self.run_program("ssh-keygen", "-lf", path + ".pub").out
        self.keys = f'keys = ["{line.split()[1]}"]'
        self.subscribe()
        with open(path + ".pub", encoding="utf-8") as file:
            key = file.read().strip()
        for flags, name in ((0, "ssh-rsa"), (2, "rsa-sha2-256"), (4, "rsa-sha2-512")):
            answer = self.bus.ask(self.sign_request(key, flags=flags))
            self.assertEqual(answer.get("format"), name, answer)

    def test_a_server_that_says_nothing(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(15)
            self.host(f'[broker]\nserver = "http://127.0.0.1:{listener.getsockname()[1]}"\n{self.keys}')
            with listener.accept()[0]:
                self.host_daemon.wait_for_log("does not answer within 5", within=10)
                self.assertIn("does not answer", self.host_daemon.status()["listeners"][0]["reason"])
                listener.accept()[0].close()

    def test_a_server_that_refuses_is_tried_again_after_ever_longer_pauses(self):
        times = []
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.settimeout(15)
            self.host(f'[broker]\nserver = "http://127.0.0.1:{listener.getsockname()[1]}"\n{self.keys}')
            for _ in range(4):
                listener.accept()[0].close()
                times.append(time.monotonic())
        pauses = [later - earlier for earlier, later in zip(times, times[1:])]
        for pause, least in zip(pauses, (0.9, 1.9, 3.9)):
            self.assertGreaterEqual(pause, least, pauses)

    def stranger(self):
        """A process of another user that listens on loopback: its port, and what tells what it has received."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            process = subprocess.Popen([sys.executable, "-c", STRANGER, str(listener.fileno()), *map(str, nobody())],
                                       pass_fds=[listener.fileno()], start_new_session=True, stdout=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)

        def received():
            process.kill()
            return process.stdout.read()
        return port, received

    @root_only
    def test_an_upstream_of_another_user_gets_nothing(self):
        for kind, remedy in (("tcp", "token_file"), ("bus", "upstream.server_uids")):
            with self.subTest(kind=kind):
                port, received = self.stranger()
                address = f"127.0.0.1:{port}" if kind == "tcp" else f"http://127.0.0.1:{port}/v1/publish"
                daemon = self.supervisor(f'[discovery]\nforwarded = false\n[[upstream]]\n{kind} = "{address}"\n'
                                         '[probe]\ninterval = "100ms"\n', directory=f"{self.sandbox.path}/{kind}",
                                         config_name=f"{kind}.toml")
                reason = lambda daemon=daemon: daemon.status()["agents"][0]["reason"] or ""
                eventually(lambda: f"is a process of uid {nobody()[0]}" in reason(), 10, reason)
                self.assertIn(remedy, reason())
                self.assertEqual(received(), b"")

    @root_only
    def test_a_server_of_another_user_is_not_subscribed_to(self):
        port, _ = self.stranger()
        server = f'[broker]\nserver = "http://127.0.0.1:{port}"\n{self.keys}\n'
        self.host(server)
        self.host_daemon.wait_for_log(f"is a process of uid {nobody()[0]}")
        self.assertIn("broker.server_uids", self.host_daemon.status()["listeners"][0]["reason"])
        self.host_daemon.configure(self.only_agents(f"{server}server_uids = [{nobody()[0]}]\n"))
        self.assertTrue(self.host_daemon.reload()["ok"])
        eventually(lambda: self.host_daemon.status()["listeners"][0]["reason"] is None, 10, "the subscription")

    def test_no_event_stream_is_told(self):
        other = self.keep(GuestBus(lambda payload: {}))
        self.host(f'[broker]\nserver = "http://127.0.0.1:{other.port}"\n{self.keys}')
        self.host_daemon.wait_for_log("no event stream")

    def test_without_a_live_agent_the_keys_of_this_machine(self):
        self.one.kill()
        os.unlink(self.one.path)
        self.sandbox.directory("home", ".ssh")
        for suffix in ("", ".pub"):
            with open(self.sandbox.key("alice") + suffix, encoding="utf-8") as file:
                self.sandbox.file("home/.ssh/id_ed25519" + suffix, file.read())
        self.host(f'[broker]\nserver = "{self.bus.url}"\n{self.keys}')
        eventually(lambda: self.bus.subscribed == 1, 5, "the subscription")
        self.check_signature(self.bus.ask(self.sign_request()))
        self.assertEqual(self.bus.ask({"operation": "status"}), {"connected": True, "mode": "local-keys", "key_count": 1})
        other = self.agent("bob", path=self.in_agents("two"))
        self.host_daemon.wait_for_live(other.path)
        self.assertEqual(self.bus.ask({"operation": "status"})["mode"], "agent-forward")
        self.host_daemon.configure(self.only_agents(f'[broker]\nserver = "{self.bus.url}"\n{self.keys}\nmode = "local-keys"'))
        self.assertTrue(self.host_daemon.reload()["ok"])
        self.assertEqual(self.bus.ask({"operation": "status"})["mode"], "local-keys")

    def test_without_any_agent_there_is_an_error(self):
        self.subscribe(broker='mode = "agent-forward"', more='[proxy]\ngrace = "100ms"')
        self.one.kill()
        self.host_daemon.wait_for_live(None)
        self.assertEqual(self.bus.ask({"operation": "list"})["code"], "INTERNAL_ERROR")
        self.assertEqual(self.bus.ask(self.sign_request())["code"], "SIGN_FAILED")


if __name__ == "__main__":
    main()
