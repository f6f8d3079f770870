"""The signing endpoint when agents and listeners come and go, when agents hang, and under abuse."""

import os
import random
import socket
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from support.case import main
from support.fake_agent import HANG
from support.http import Endpoint, drain, free_port
from support.signing import SigningCase
from support.waiting import Stopwatch, eventually

SEED = int(os.environ.get("LIVESOCK_SEED", str(random.randrange(1 << 32))))


class LifeTest(SigningCase):
    """Reload, restart, reconnect, and listeners that cannot be opened."""

    def test_a_reload_opens_and_closes_listeners_and_leaves_others_alone(self):
        self.real = self.agent("alice", path=self.in_agents("real"))
        self.serve_signing("", "unix")
        self.wait_for_agent()
        kept, closed = self.endpoints
        opened = Endpoint(f"127.0.0.1:{free_port()}")
        with kept.connect() as sock:
            self.daemon.configure(self.only_agents(f'[[signing]]\nlisten = "{kept.address}"\nrate = 1\n'
                                                   f'[[signing]]\nlisten = "{opened.address}"\n'))
            self.assertEqual(self.livesock("reload").status, 0)
            sock.sendall(f"GET /healthz HTTP/1.1\r\nHost: {kept.address}\r\nConnection: close\r\n\r\n".encode())
            self.assertTrue(drain(sock).startswith(b"HTTP/1.1 200 "))
        self.assertEqual(opened.sign(b"m").status, 200)
        self.assertEqual([kept.sign(b"m").status, kept.sign(b"m").status], [200, 429])
        self.assertFalse(os.path.lexists(closed.address[5:]))
        self.assertEqual([entry["listen"] for entry in self.daemon.status()["signing"]], [kept.address, opened.address])

    def test_a_stop_removes_the_socket(self):
        self.with_keys("alice", listener="unix")
        self.assertEqual(self.livesock("stop").status, 0)
        self.assertFalse(os.path.lexists(self.endpoint.address[5:]))

    def test_a_restart_drops_no_request(self):
        self.real = self.agent("alice", path=self.in_agents("real"))
        self.serve_signing("rate = 1000000", "unix\nrate = 1000000")
        self.wait_for_agent()
        self.stop_at_the_end()
        stop, statuses, problems = threading.Event(), [], []

        def ask(endpoint):
            while not stop.is_set():
                try:
                    statuses.append(endpoint.sign(b"m").status)
                except OSError as error:
                    problems.append((endpoint.address, error))

        threads = [threading.Thread(target=ask, args=(endpoint,)) for endpoint in self.endpoints * 2]
        for thread in threads:
            thread.start()
        try:
            for _ in range(3):
                done = self.livesock("restart")
                self.assertEqual(done.status, 0, done)
                before = len(statuses)
                eventually(lambda: len(statuses) > before + 8, 10, "requests after the restart")
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertEqual(problems, [])
        self.assertEqual(set(statuses), {200})

    def test_an_upload_that_outlasts_the_agents_limits_survives_a_restart(self):
        self.real = self.agent("alice", path=self.in_agents("real"))
        self.serve_signing(more='[proxy]\nsign_timeout = "100ms"\nlist_timeout = "100ms"\n')
        self.wait_for_agent()
        self.stop_at_the_end()
        with self.endpoint.connect() as sock:
            sock.sendall(f"POST /sign HTTP/1.1\r\nHost: {self.endpoint.address}\r\nConnection: close\r\n"
                         "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n".encode())
            self.assertTrue(sock.recv(100).startswith(b"HTTP/1.1 100 "))
            self.assertEqual(self.livesock("restart").status, 0)
            watch = Stopwatch()
            # Longer than one of the proxy's clients could keep the old supervisor.
            eventually(lambda: watch.seconds > 1.5, 10, "some time to pass")
            sock.sendall(b"mm")
            self.assertTrue(drain(sock).startswith(b"HTTP/1.1 200 "))

    def test_an_address_in_use_is_told_and_tried_again(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            self.agent("alice", path=self.in_agents("real"))
            self.daemon = self.supervisor(self.only_agents(f'[[signing]]\nlisten = "{address}"\n'))
            self.daemon.wait_for_log(f"cannot listen at {address}: ")
            self.assertIn("in use", self.daemon.status()["signing"][0]["problem"])
            exposed = self.livesock("signing", "expose")
            self.assertEqual((exposed.status, exposed.out), (1, ""), exposed)
            self.assertIn("in use", exposed.err)
        eventually(lambda: self.daemon.status()["signing"][0]["problem"] is None, 10, "the listener to be opened")
        self.wait_for_agent()
        self.assertEqual(Endpoint(address).sign(b"m").status, 200)

    def test_signing_follows_the_agent(self):
        """Agents come and go; the endpoint stays."""
        first = self.agent("alice", path=self.in_agents("one"))
        self.serve_signing()
        self.wait_for_agent()
        self.check_signature(self.endpoint.sign(b"m").text, b"m", self.sandbox.public_key("alice"))
        first.kill()
        self.agent("bob", path=self.in_agents("two"))
        eventually(lambda: self.endpoint.get("/publickey").text.strip() == self.sandbox.public_key("bob"), 10,
                   "the new agent's key")
        self.check_signature(self.endpoint.sign(b"m").text, b"m", self.sandbox.public_key("bob"))

    def test_status_shows_the_listeners(self):
        self.with_keys("alice", listener='name = "box"')
        self.endpoint.sign(b"m")
        shown = self.livesock("status")
        self.assertIn("box", shown.out)
        self.assertIn(self.endpoint.address, shown.out)
        self.assertEqual(self.daemon.status()["signing"][0]["signatures"], 1)


class HungTest(SigningCase):
    """With an agent that does not answer."""

    def test_others_proceed_while_one_waits(self):
        fake = self.fake_agent("carol", path=self.in_agents("fake"))
        self.serve_signing('timeout = "4s"')
        self.wait_for_agent()
        fake.manner = HANG
        waiting = self.endpoint.connect()
        self.addCleanup(waiting.close)
        waiting.sendall(f"POST /sign HTTP/1.1\r\nHost: {self.endpoint.address}\r\nContent-Length: 1\r\n\r\nx".encode())
        eventually(lambda: 'in_progress{' in self.endpoint.get("/metrics").text and
                   f"in_progress{{listener=\"{self.endpoint.address}\"}} 1" in self.endpoint.get("/metrics").text, 5,
                   "the request to wait for the agent")

        def seconds():
            watch = Stopwatch()
            self.assertEqual(self.endpoint.get("/healthz").status, 200)
            return watch.seconds
        self.check_at_once(seconds, times=20, limit=0.05)
        self.assertEqual(self.endpoint.sign(b"m", "?namespace=other").status, 403)
        waiting.settimeout(8)
        self.assertTrue(waiting.recv(65536).startswith(b"HTTP/1.1 504 "))

    def test_a_client_that_leaves_takes_its_request_along(self):
        fake = self.fake_agent("carol", path=self.in_agents("fake"))
        self.serve_signing()
        self.wait_for_agent()
        fake.manner = HANG
        before = self.daemon.status()["clients"]
        sock = self.endpoint.connect()
        sock.sendall(f"POST /sign HTTP/1.1\r\nHost: {self.endpoint.address}\r\nContent-Length: 1\r\n\r\nx".encode())
        eventually(lambda: self.daemon.status()["clients"] > before, 5, "the request to be with the proxy")
        sock.close()
        eventually(lambda: self.daemon.status()["clients"] == before, 5, "the request to be forgotten")


class AbuseTest(SigningCase):
    """Slow, huge, endless and broken requests, and what they cost."""

    def rss(self):
        """What the supervisor has resident, in MiB."""
        with open(f"/proc/{self.daemon.pid}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) / 1024

    def test_a_thousand_slow_clients_keep_nobody_out(self):
        self.with_keys("alice", listener="rate = 1000000")
        before = self.rss()
        slow = []
        self.addCleanup(lambda: [sock.close() for sock in slow])
        head = f"POST /sign HTTP/1.1\r\nHost: {self.endpoint.address}\r\nX-Padding: ".encode()
        for number in range(1000):
            slow.append(self.endpoint.connect())
            slow[-1].sendall(head[:number % len(head) + 1] + (b"x" * 15_000 if number % 2 else b""))
        data = os.urandom(100)
        expected = self.of_ssh_keygen("alice", data)

        def seconds():
            for sock in slow[::7]:
                try:
                    sock.send(b"x")
                except OSError:
                    pass
            watch = Stopwatch()
            self.assertEqual(self.endpoint.sign(data).text, expected)
            return watch.seconds
        self.check_at_once(seconds, times=20, limit=0.5)
        # 512 connections of one listener, each with a head of at most 16 KiB.
        self.assertLess(self.rss() - before, 40)

    def test_a_hundred_bodies_at_once_cost_no_memory(self):
        """Of a body nothing is kept: 100 of 16 MiB would be 1.6 GiB."""
        self.with_keys("alice", listener="rate = 1000000")
        body = os.urandom(1 << 20)
        before = self.rss()
        head = (f"POST /sign HTTP/1.1\r\nHost: {self.endpoint.address}\r\nContent-Length: {16 << 20}\r\n"
                "Connection: close\r\n\r\n").encode()
        statuses, most = [], []

        def upload():
            with self.endpoint.connect(60) as sock:
                sock.sendall(head)
                for _ in range(16):
                    sock.sendall(body)
                statuses.append(drain(sock)[:12])

        threads = [threading.Thread(target=upload) for _ in range(100)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            most.append(self.rss())
            watch = Stopwatch()
            self.assertEqual(self.endpoint.get("/healthz", within=20).status, 200)
            most.append(self.rss())
            self.assertLess(watch.seconds, 10)
        for thread in threads:
            thread.join()
        self.assertEqual(statuses, [b"HTTP/1.1 200"] * 100)
        self.assertLess(max(most) - before, 20)

    def test_broken_and_endless_requests_harm_nobody(self):
        self.with_keys("alice", listener="rate = 1000000")
        address = self.endpoint.address.encode()
        chance = random.Random(SEED)
        for _ in range(100):
            data = bytearray(b"POST /sign?key=x HTTP/1.1\r\nHost: " + address + b"\r\nContent-Length: 3\r\n\r\nabc")
            for _ in range(chance.randrange(4)):
                data[chance.randrange(len(data))] = chance.randrange(256)
            with self.endpoint.connect() as sock:
                sock.sendall(bytes(data[:chance.randrange(1, len(data) + 1)]))
                sock.shutdown(socket.SHUT_WR)
                drain(sock)
        self.assertTrue(self.endpoint.raw(b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 100_000).startswith(b"HTTP/1.1 400 "))
        self.assertTrue(self.endpoint.raw(b"A" * 1_000_000).startswith(b"HTTP/1.1 400 "))
        self.assertEqual(self.endpoint.sign(b"m").status, 200, SEED)

    def test_pipelined_requests_are_answered_in_order(self):
        self.with_keys("alice", listener="rate = 1000000")
        one = f"POST /sign HTTP/1.1\r\nHost: {self.endpoint.address}\r\nContent-Length: 1\r\n\r\n".encode()
        last = f"GET /healthz HTTP/1.1\r\nHost: {self.endpoint.address}\r\nConnection: close\r\n\r\n".encode()
        answer = self.endpoint.raw(one + b"a" + one + b"b" + last).decode()
        self.assertEqual(answer.count("HTTP/1.1 200 OK"), 3)
        first, second = self.of_ssh_keygen("alice", b"a"), self.of_ssh_keygen("alice", b"b")
        self.assertLess(answer.index(first), answer.index(second))
        self.assertTrue(answer.endswith("ok\n"))


if __name__ == "__main__":
    main()
