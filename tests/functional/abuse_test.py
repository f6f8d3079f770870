"""Clients that misbehave harm themselves and nobody else."""

import os
import resource
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from support import fake_agent, proc, wire
from support.case import main
from support.cases import ServedCase
from support.waiting import eventually, Stopwatch

CROWD = 256
LIST = wire.frame(wire.REQUEST_IDENTITIES)


def fill(sock):
    """Sends requests for identities until the socket takes no more, and never reads; returns the bytes sent."""
    sock.setblocking(False)
    sent = 0
    try:
        while True:
            sent += sock.send(LIST)
    except BlockingIOError:
        return sent


class CrowdTest(ServedCase):
    """Many clients that say nothing, half of something, or never read."""

    def silent(self):
        """Connects."""
        return self.client()

    def halfway(self):
        """Sends half a message."""
        client = self.client()
        client.send(wire.frame(wire.SIGN_REQUEST, b"x" * 100)[:50])
        return client

    def never_reading(self):
        """Sends requests until nothing more fits."""
        client = self.client()
        fill(client.sock)
        return client

    def check_crowd(self, *kinds):
        """256 of each kind: others are served, and a stop ends at once."""
        self.with_real()
        for _ in range(CROWD):
            for kind in kinds:
                kind()
        self.check_served_at_once(["alice"])
        watch = Stopwatch()
        self.assertEqual(self.daemon.stop(), 0)
        self.assertLess(watch.seconds, 1)

    def test_silent_clients_delay_nobody_and_no_stop(self):
        self.check_crowd(self.silent)

    def test_clients_with_half_a_message_delay_nobody_and_no_stop(self):
        self.check_crowd(self.halfway)

    def test_clients_that_never_read_delay_nobody_and_no_stop(self):
        self.check_crowd(self.never_reading)

    def test_all_of_them_together_delay_nobody_and_no_stop(self):
        self.check_crowd(self.silent, self.halfway, self.never_reading)

    def test_one_of_each_harms_nobody_and_leaves_nothing(self):
        self.with_real()
        before = self.daemon.fds
        for kind in (self.silent, self.halfway, self.never_reading):
            client = kind()
            self.check_served_at_once(["alice"])
            client.close()
        eventually(lambda: self.daemon.fds <= before, 2, lambda: f"{before} fds, not {self.daemon.fds}")

    def test_a_client_that_never_reads_is_held_back_and_gets_every_answer_when_it_reads(self):
        fake = self.with_fake(*(f"key {number}" for number in range(300)), blob_size=400)
        client = self.client()
        asked = fill(client.sock) // len(LIST)
        before = proc.peak_kib(self.daemon.pid)
        self.check_served_at_once([comment.decode() for _, comment in fake.keys])
        self.assertLess(proc.peak_kib(self.daemon.pid) - before, 4096)
        for _ in range(asked):
            self.assertEqual(client.recv()[0], wire.IDENTITIES_ANSWER)

    def test_an_idle_client_may_come_back_after_any_crowd(self):
        self.with_real()
        client = self.client()
        self.assertEqual(client.comments(), ["alice"])
        crowd = [self.silent() for _ in range(CROWD)]
        for other in crowd:
            other.close()
        self.assertEqual(client.comments(), ["alice"])


class MessageTest(ServedCase):
    """Single messages that are wrong, large, split or many."""

    def test_a_huge_length_costs_no_memory_and_closes_that_client_only(self):
        self.with_real()
        bystander = self.client()
        self.assertEqual(bystander.comments(), ["alice"])
        before = proc.peak_kib(self.daemon.pid)
        for length in (0x40000000, 0xFFFFFFFF, wire.MESSAGE_LIMIT + 1):
            for rest in (b"", b"\x0b", b"x" * 65536):
                with self.subTest(length=hex(length), rest=len(rest)):
                    client = self.client()
                    try:
                        client.send(struct.pack(">I", length) + rest)
                    except (BrokenPipeError, ConnectionResetError):
                        pass
                    self.assertTrue(client.closed())
        self.assertLess(proc.peak_kib(self.daemon.pid) - before, 1024)
        self.assertEqual(bystander.comments(), ["alice"])

    def test_an_empty_message_closes_that_client_only(self):
        self.with_real()
        bystander = self.client()
        client = self.client()
        client.send(struct.pack(">I", 0))
        self.assertTrue(client.closed())
        self.assertEqual(bystander.comments(), ["alice"])

    def test_the_largest_message_passes_both_ways_unchanged(self):
        fake = self.with_fake(*(f"key {number}" for number in range(2)), blob_size=(wire.MESSAGE_LIMIT - 40) // 2)
        body = os.urandom(wire.MESSAGE_LIMIT - 1)
        client = self.client()
        self.assertEqual(client.ask(wire.frame(200, body))[0], wire.FAILURE)
        self.assertEqual([request[1:] for request in fake.requests if request[0] == 200], [body])
        self.assertEqual(client.list(), fake.keys)

    def test_an_oversized_answer_of_the_agent_does_no_harm(self):
        fake = self.with_fake()
        before = proc.peak_kib(self.daemon.pid)
        fake.manner = fake_agent.OVERSIZED
        self.assertEqual(wire.answer_kind(self.path, LIST, within=10), wire.FAILURE)
        self.assertLess(proc.peak_kib(self.daemon.pid) - before, 1024)
        self.assertTrue(self.daemon.answers())

    def test_a_message_in_single_bytes_is_understood(self):
        self.with_real()
        client = self.client()
        for byte in LIST:
            client.send(bytes([byte]))
        self.assertEqual(wire.parse_identities(client.recv())[0][1], b"alice")

    def test_requests_in_one_breath_are_answered_in_order(self):
        fake = self.with_fake()
        client = self.client()
        blob = fake.keys[0][0]
        requests = [LIST, wire.sign_request(blob, b"one"), wire.frame(250), LIST, wire.sign_request(blob, b"two")] * 40
        client.send(b"".join(requests))
        expected = [wire.IDENTITIES_ANSWER, wire.SIGN_RESPONSE, wire.FAILURE, wire.IDENTITIES_ANSWER,
                    wire.SIGN_RESPONSE] * 40
        self.assertEqual([client.recv()[0] for _ in requests], expected)

    def test_a_client_that_has_said_all_still_gets_its_answers(self):
        fake = self.with_fake(delay=0.2)
        with wire.Client(self.path) as client:
            client.send(LIST * 3)
            client.half_close()
            for _ in range(3):
                self.assertEqual(client.recv()[0], wire.IDENTITIES_ANSWER)
            self.assertTrue(client.closed())
        self.assertEqual(fake.count(wire.SIGN_REQUEST), 0)

    def test_half_a_message_and_an_end_is_the_end_of_that_client(self):
        self.with_real()
        client = self.client()
        client.send(LIST[:3])
        client.half_close()
        self.assertTrue(client.closed())

    def test_a_lock_reaches_the_agent_and_so_does_the_unlock(self):
        self.with_real()
        with wire.Client(self.path) as client:
            self.assertEqual(client.ask(wire.frame(wire.LOCK, wire.string(b"pw")))[0], wire.SUCCESS)
            self.assertEqual(client.comments(), [])
            self.assertEqual(client.ask(wire.frame(wire.LOCK + 1, wire.string(b"pw")))[0], wire.SUCCESS)
            self.assertEqual(client.comments(), ["alice"])

    def test_keys_can_be_added_and_removed_through_the_proxy(self):
        self.with_real()
        for words in (["-q", self.sandbox.key("bob")], ["-q", "-d", self.sandbox.key("alice")]):
            done = self.run_program("ssh-add", *words, SSH_AUTH_SOCK=self.path)
            self.assertEqual(done.status, 0, done)
        self.assertEqual(wire.comments(self.path), ["bob"])


class DescriptorTest(ServedCase):
    """The limit of open descriptors is reached."""

    def check_holds_out(self, limit):
        """Far more clients than descriptors: nothing ends, spins or floods; and all is well again when they leave."""
        log, cpu = len(self.daemon.log), proc.cpu_seconds(self.daemon.pid)
        crowd = [wire.Client(self.path) for _ in range(2 * limit)]
        for client in crowd:
            client.send(LIST)
        watch = Stopwatch()
        while watch.seconds < 1:
            self.assertTrue(crowd[-1].silent(0.1))
            self.assertTrue(proc.alive(self.daemon.pid))
        self.assertLess(proc.cpu_seconds(self.daemon.pid) - cpu, 0.3)
        self.assertLess(self.daemon.log[log:].count("\n"), 4, self.daemon.log)
        for client in crowd:
            client.close()
        eventually(lambda: wire.accepts(self.path), 2, "room")
        watch = Stopwatch()
        self.assertEqual(wire.comments(self.path), ["alice"])
        self.assertLess(watch.seconds, 1)
        self.assertLess(self.daemon.log[log:].count("\n"), 6, self.daemon.log)

    def test_a_low_limit_from_the_start_is_survived(self):
        limit = 64
        agent = self.agent("alice", path=self.in_agents("real"))
        self.serve(agent, prepare=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)))
        self.check_holds_out(limit)

    def test_a_limit_that_is_lowered_later_is_survived(self):
        self.with_real()
        limit = self.daemon.fds + 12
        self.daemon.limit_fds(limit)
        self.check_holds_out(limit)

    def test_the_limit_is_raised_as_far_as_allowed(self):
        agent = self.agent("alice", path=self.in_agents("real"))
        self.serve(agent, prepare=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 4096)))
        self.assertEqual(resource.prlimit(self.daemon.pid, resource.RLIMIT_NOFILE), (4096, 4096))
        crowd = [self.client() for _ in range(200)]
        for client in crowd:
            self.assertEqual(client.comments(), ["alice"])

    def test_more_clients_than_configured_wait_for_their_turn(self):
        agent = self.agent("alice", path=self.in_agents("real"))
        self.serve(agent, config="[proxy]\nmax_clients = 8\n")
        crowd = [self.client() for _ in range(8)]
        for client in crowd:
            self.assertEqual(client.comments(), ["alice"])
        late = self.client()
        late.send(LIST)
        self.assertTrue(late.silent(0.2))
        crowd[0].close()
        self.assertEqual(wire.parse_identities(late.recv(1))[0][1], b"alice")


if __name__ == "__main__":
    main()
