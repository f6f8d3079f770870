"""The control socket: every command, and clients that misbehave."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from support import proc, wire
from support.case import main
from support.cases import DaemonCase
from support.supervisor import Control
from support.waiting import eventually, Stopwatch


class ControlTest(DaemonCase):
    """The control socket."""

    def test_ping_says_who_answers(self):
        daemon = self.supervisor()
        answer = daemon.control("ping")
        self.assertEqual((answer["ok"], answer["protocol"], answer["pid"]), (True, 1, daemon.pid))
        self.assertRegex(answer["version"], r"^\d+\.\d+\.\d+$")

    def test_status_has_every_member_that_is_promised(self):
        daemon = self.supervisor(self.only_agents())
        agent = self.agent("alice", path=self.in_agents("one"))
        daemon.wait_for_live(agent.path)
        wire.comments(daemon.agent_sock)
        status = daemon.status()
        self.assertEqual(set(status) - {"ok"}, {
            "protocol", "version", "pid", "uptime_seconds", "directory", "agent_socket", "config", "config_changed", "log",
            "live",
            "pinned", "policy", "clients", "requests", "agents", "stand_ins", "signing", "listeners"})
        self.assertEqual((status["directory"], status["agent_socket"], status["config"], status["live"]),
                         (daemon.directory, daemon.agent_sock, daemon.config_path, agent.path))
        self.assertEqual(status["log"], {"to": "stderr", "path": None})
        self.assertGreaterEqual(status["requests"]["answered"], 1)
        (entry,) = status["agents"]
        self.assertEqual(set(entry), {
            "path", "state", "selected", "pinned", "origin", "label", "client_address", "client_name", "client_port", "tty",
            "pid", "since", "round_trip_ms", "round_trips_ms", "unanswered_seconds", "keys", "fingerprints",
            "last_answer_seconds", "reason", "users", "user_count"})

    def test_clients_are_counted(self):
        daemon = self.supervisor()
        clients = [wire.Client(daemon.agent_sock) for _ in range(3)]
        eventually(lambda: daemon.status()["clients"] == 3, 2, "three clients")
        for client in clients:
            client.close()
        eventually(lambda: daemon.status()["clients"] == 0, 2, "no clients")

    def test_the_identities_of_the_live_agent_are_listed(self):
        agent = self.agent("alice", "bob", path=self.in_agents("one"))
        daemon = self.supervisor(self.only_agents())
        daemon.wait_for_live(agent.path)
        answer = daemon.control("list")
        self.assertEqual(answer["agent"], agent.path)
        found = [(entry["comment"], entry["fingerprint"], entry["agent"]) for entry in answer["identities"]]
        self.assertEqual(found, [(name, self.sandbox.fingerprint(name), agent.path) for name in ("alice", "bob")])
        self.assertIn("ed25519", answer["identities"][0]["type"].lower())

    def test_wait_is_answered_when_an_agent_is_live(self):
        daemon = self.supervisor(self.only_agents())
        with Control(daemon.control_sock) as control:
            control.send(b'{"command":"wait","timeout_ms":null}\n')
            agent = self.agent("alice", path=self.in_agents("one"))
            self.assertEqual(control.recv()["live"], agent.path)
            self.assertEqual(control.ask("wait", timeout_ms=0)["live"], agent.path)

    def test_wait_ends_when_its_time_is_up(self):
        daemon = self.supervisor(self.only_agents())
        watch = Stopwatch()
        answer = daemon.control("wait", timeout_ms=200)
        self.assertEqual((answer["ok"], answer["code"]), (False, "timeout"))
        self.assertTrue(0.15 < watch.seconds < 1)

    def test_unknown_commands_and_members_do_no_harm(self):
        daemon = self.supervisor()
        with Control(daemon.control_sock) as control:
            answer = control.ask("make_coffee")
            self.assertEqual((answer["ok"], answer["code"]), (False, "unknown_command"))
            self.assertTrue(control.ask("ping", sugar=2)["ok"])

    def test_what_is_no_object_is_answered_and_ends_the_connection(self):
        daemon = self.supervisor()
        for line in (b"hello\n", b"[]\n", b"7\n", b"null\n", b'{"command":\n', b"\xff\xfe{}\n", b"\n",
                     b"[" * 20000 + b"\n", b'{"a":' * 10000 + b"\n"):
            with self.subTest(line=line[:20]), Control(daemon.control_sock) as control:
                control.send(line)
                answer = control.recv()
                self.assertEqual((answer["ok"], answer["code"]), (False, "malformed"))
                self.assertIsNone(control.recv())
        for value in (7, None, {}, []):
            with self.subTest(command=value), Control(daemon.control_sock) as control:
                self.assertFalse(control.ask(value)["ok"])
        self.assertTrue(daemon.answers())

    def test_a_line_without_end_is_cut_off(self):
        daemon = self.supervisor()
        before = proc.peak_kib(daemon.pid)
        with Control(daemon.control_sock) as control:
            try:
                for _ in range(100):
                    control.send(b"x" * 65536)
            except (BrokenPipeError, ConnectionResetError):
                pass
            else:
                self.assertEqual(control.recv()["code"], "malformed")
        self.assertLess(proc.peak_kib(daemon.pid) - before, 2048)
        self.assertTrue(daemon.answers())

    def test_requests_in_one_breath_are_answered_in_order(self):
        daemon = self.supervisor()
        with Control(daemon.control_sock) as control:
            control.send(b'{"command":"ping"}\n{"command":"status"}\n{"command":"list"}\n')
            self.assertIn("pid", control.recv())
            self.assertIn("agents", control.recv())
            self.assertIn("identities", control.recv())

    def test_clients_that_say_nothing_or_never_read_delay_nobody(self):
        daemon = self.supervisor()
        for number in range(60):
            control = self.keep(Control(daemon.control_sock))
            if number % 2:
                control.sock.setblocking(False)
                try:
                    while True:
                        control.sock.send(b'{"command":"status"}\n')
                except BlockingIOError:
                    pass
        watch = Stopwatch()
        self.assertTrue(daemon.control("ping")["ok"])
        self.assertLess(watch.seconds, 5)
        self.assertEqual(daemon.stop(), 0)

    def test_any_number_of_forgotten_connections_leaves_room_for_one_more(self):
        daemon = self.supervisor()
        fds = daemon.fds
        for _ in range(300):
            self.keep(Control(daemon.control_sock))
        self.assertTrue(daemon.control("ping")["ok"])
        self.assertLess(daemon.fds, fds + 100)


if __name__ == "__main__":
    main()
