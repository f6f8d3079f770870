"""Clients that are cut off at any point of a conversation leave nothing behind, here and at the agent."""

import os
import select
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from support import wire
from support.case import main
from support.cases import ServedCase
from support.endurance import EnduranceCase
from support.waiting import eventually

LIST = wire.frame(wire.REQUEST_IDENTITIES)
AT_ONCE = 16  # connections that are open together
AT_REST = 2  # the sentinel, and the spare
BIG_KEYS = [f"key {number}" for number in range(40)]
BLOB_SIZE = 4096  # the list is longer than what a socket takes at once
TOLD_EVERY = 5000

# What a process does that is killed: it asks on many connections, and reads nothing.
ABANDONED = """
import socket, sys
kept = []
for number in range(16):
    kept.append(socket.socket(socket.AF_UNIX))
    kept[-1].connect(sys.argv[1])
    kept[-1].send(bytes.fromhex(sys.argv[2])[:number])
print("there", flush=True)
sys.stdin.read()
"""


class CutTest(EnduranceCase, ServedCase):
    """An agent that counts its connections, and clients that end badly."""

    def setUp(self):
        super().setUp()
        self.fake = self.with_fake(*BIG_KEYS, blob_size=BLOB_SIZE)
        self.open = []
        self.addCleanup(self.close_all)
        with self.client() as client:
            self.request = wire.sign_request(client.list()[0][0], b"x" * 100)

    def close_all(self):
        """Ends what is open."""
        while self.open:
            self.open.pop().close()

    # How a client ends. Each is given a new connection, which is closed some time afterwards.

    def says_a_part(self, client):
        """It sends some bytes of a request, perhaps all or none."""
        client.send(self.request[:self.chance.randrange(len(self.request) + 1)])

    def says_a_part_of_the_second(self, client):
        """It has its answer, and sends some bytes of the next request."""
        client.ask(self.request)
        self.says_a_part(client)

    def leaves_in_the_answer(self, client):
        """It reads some of a long answer: what it leaves unread is a reset for the other side."""
        client.send(LIST)
        client.sock.settimeout(5)
        client.sock.recv(self.chance.randrange(1, 50_000))

    def leaves_the_answer_unread(self, client):
        """It waits for the answer and reads nothing of it."""
        client.send(LIST)
        select.select([client.sock], [], [], 5)

    def asks_much_and_leaves(self, client):
        """It sends many requests and reads no answer."""
        client.send(self.chance.choice([LIST, self.request]) * self.chance.randrange(1, 20))

    def half_closes_in_a_request(self, client):
        """It says that no more will come, in the middle or at the end of a request."""
        self.says_a_part(client)
        client.half_close()

    def half_closes_and_reads(self, client):
        """As a script does: all that it asked is answered before the end."""
        count = self.chance.randrange(1, 4)
        client.send(self.request * count)
        client.half_close()
        for _ in range(count):
            self.assertEqual(client.recv()[0], wire.SIGN_RESPONSE)
        self.assertTrue(client.closed())

    def reads_no_more(self, client):
        """It shuts its reading half down: whoever answers has a broken pipe."""
        client.sock.shutdown(0)
        client.send(LIST)

    WAYS = (says_a_part, says_a_part_of_the_second, leaves_in_the_answer, leaves_the_answer_unread,
            asks_much_and_leaves, half_closes_in_a_request, half_closes_and_reads, reads_no_more)

    def cut(self):
        """One connection more; one of those that are open ends."""
        client = wire.Client(self.path)
        self.open.append(client)
        self.chance.choice(self.WAYS)(self, client)
        if len(self.open) >= AT_ONCE:
            self.open.pop(self.chance.randrange(AT_ONCE)).close()

    def kill_a_client(self):
        """A process with 16 connections is killed."""
        victim = subprocess.Popen([sys.executable, "-c", ABANDONED, self.path, self.request.hex()],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self.sandbox.environment())
        with victim:
            self.assertEqual(victim.stdout.readline(), b"there\n")
            victim.send_signal(signal.SIGKILL)

    def settled_figures(self):
        """When the agent is left with the sentinel and the spare, and no client is there."""
        eventually(lambda: self.daemon.status()["clients"] == 0, 5,
                   lambda: f"the end of {self.daemon.status()['clients']} clients")
        eventually(lambda: self.fake.open_connections <= AT_REST, 5,
                   lambda: f"the agent to see the end of {self.fake.open_connections - AT_REST} connections")
        return self.figures(self.daemon)

    def test_connections_that_are_cut_anywhere_leave_nothing(self):
        self.cut_many(400)
        self.kill_a_client()
        before = self.settled_figures()
        connects = self.fake.connects
        rounds = self.rounds(short=2000)
        for number in range(rounds):
            self.cut()
            if number % 500 == 250:
                self.kill_a_client()
            if number % TOLD_EVERY == 0:
                self.fake.requests.clear()
                self.tell(f"cut {number}, fds {self.daemon.fds}")
        self.close_all()
        self.assertGreater(self.fake.connects, connects + rounds // 2)  # the agent was really asked
        self.settled_figures()
        self.check_back_at(before, self.daemon)
        self.check_served_at_once(BIG_KEYS)
        self.tell(f"the agent saw {self.fake.connects} connections and {self.fake.ends} ends")

    def cut_many(self, count):
        """So that the supervisor has the memory that it needs."""
        for _ in range(count):
            self.cut()
        self.close_all()


if __name__ == "__main__":
    main()
