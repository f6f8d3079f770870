"""What the agent sees of the clients, and clients of what the agent does."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from support import fake_agent, wire
from support.case import main
from support.cases import ServedCase
from support.waiting import eventually

LIST = wire.frame(wire.REQUEST_IDENTITIES)


class UpstreamTest(ServedCase):
    """What the agent sees of the clients."""

    def fds_at_rest(self, fake):
        """The supervisor's descriptors (a spare connection may be among them) when the agent is left with a sentinel
        and a spare, and no client is there."""
        eventually(lambda: fake.open_connections <= 2, 2, lambda: f"an end of {fake.open_connections - 2} connections")
        eventually(lambda: self.daemon.status()["clients"] == 0, 2, "an end of all clients")
        return self.daemon.fds

    def test_the_agent_sees_an_end_for_each_client(self):
        fake = self.with_fake()
        self.assertEqual(wire.comments(self.path), ["carol"])
        fds = self.fds_at_rest(fake)
        clients = [wire.Client(self.path) for _ in range(50)]
        for client in clients:
            self.assertEqual(client.comments(), ["carol"])
        self.assertGreaterEqual(fake.open_connections, 50)
        for client in clients:
            client.close()
        self.assertLessEqual(self.fds_at_rest(fake), fds + 1)

    def test_the_agent_sees_an_end_for_each_half_closed_client(self):
        fake = self.with_fake()
        self.assertEqual(wire.comments(self.path), ["carol"])
        fds = self.fds_at_rest(fake)
        for _ in range(50):
            client = self.client()  # stays open on our side
            client.send(LIST)
            client.half_close()
            self.assertEqual(client.recv()[0], wire.IDENTITIES_ANSWER)
            self.assertTrue(client.closed())
        self.assertLessEqual(self.fds_at_rest(fake), fds + 1)

    def test_two_clients_never_share_a_connection(self):
        fake = self.with_fake()
        with wire.Client(self.path) as one, wire.Client(self.path) as two:
            one.comments()
            two.comments()
            self.assertGreaterEqual(fake.open_connections, 3)  # and the sentinel

    def test_a_client_that_leaves_before_its_answer_leaves_nothing(self):
        fake = self.with_fake(delay=0.2)
        fds = self.fds_at_rest(fake)
        for _ in range(20):
            with wire.Client(self.path) as client:
                client.send(LIST)
        self.assertLessEqual(self.fds_at_rest(fake), fds + 1)

    def test_an_agent_that_hangs_up_in_a_request_is_a_failure_and_no_dropped_connection(self):
        fake = self.with_fake()
        with wire.Client(self.path) as client:
            self.assertEqual(client.comments(), ["carol"])
            fake.manner = fake_agent.CLOSE
            self.assertEqual(client.ask(LIST, within=10)[0], wire.FAILURE)
            fake.manner = fake_agent.ANSWER
            eventually(lambda: client.ask(LIST, within=10)[0] == wire.IDENTITIES_ANSWER, 5, "answers again")


if __name__ == "__main__":
    main()
