"""How clients share an agent: the sentinel, the spare connection, limits, and idle connections."""

import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from support import fake_agent, wire
from support.case import Case, main
from support.cases import ServedCase
from support.waiting import eventually

QUICK_PROBE = '[probe]\ninterval = "50ms"\ntimeout = "100ms"\nhung_after = "200ms"\n'
LIST = wire.frame(wire.REQUEST_IDENTITIES)
AT_REST = 2  # the sentinel, and the spare


class SpareTest(Case):
    """A login over ssh whose laptop counts the channels."""

    def setUp(self):
        super().setUp()
        self.laptop = self.fake_agent("carol")
        self.daemon = self.supervisor(QUICK_PROBE)
        self.first = self.login(self.sshd(), self.laptop)
        self.daemon.wait_for_live(self.first.auth_sock)
        self.settle()

    def settle(self):
        """Waits until there is the sentinel and the spare, and nothing else."""
        eventually(lambda: self.laptop.open_connections == AT_REST, 5,
                   lambda: f"two connections, there are {self.laptop.open_connections}")

    def test_the_sentinel_and_the_spare_stay_while_the_login_lasts_and_nobody_waits_for_their_end(self):
        opened = self.laptop.connects
        asked = len(self.laptop.requests)
        eventually(lambda: len(self.laptop.requests) > asked + 20, 10, "twenty questions")
        self.assertEqual(self.laptop.connects, opened)
        self.first.logout(within=5)

    def test_a_client_gets_the_spare_and_another_is_opened(self):
        for _ in range(20):
            opened = self.laptop.connects
            with wire.Client(self.daemon.agent_sock) as client:
                self.assertEqual(client.comments(), ["carol"])
                eventually(lambda: self.laptop.connects == opened + 1, 5, "the next spare")
                self.assertEqual(self.laptop.open_connections, AT_REST + 1)
            self.settle()

    def test_a_spare_that_the_agent_has_closed_costs_nobody_a_request(self):
        self.laptop.hang_up()
        self.assertEqual(wire.comments(self.daemon.agent_sock), ["carol"])
        self.settle()

    def test_a_sleeper_has_no_spare_and_gets_one_when_it_wakes(self):
        self.laptop.manner = fake_agent.HANG
        self.daemon.wait_for_state(self.first.auth_sock, "hung")
        eventually(lambda: self.laptop.open_connections == 1, 5, "the spare to be closed")
        self.laptop.manner = fake_agent.ANSWER
        self.daemon.wait_for_state(self.first.auth_sock, "live")
        self.settle()


class LimitTest(ServedCase):
    """An agent behind a forwarder that takes few connections."""

    def test_many_clients_are_served_by_few_connections(self):
        fake = self.with_fake(config="[proxy]\nmax_upstreams = 4\n", delay=0.002)
        most = []
        done = threading.Event()

        def watch():
            while not done.is_set():
                most.append(fake.open_connections)
        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            clients = [self.client() for _ in range(32)]
            for _ in range(3):
                for client in clients:
                    client.send(LIST)
                for client in clients:
                    self.assertEqual(wire.parse_identities(client.recv(within=10))[0][1], b"carol")
        finally:
            done.set()
            watcher.join()
        self.assertLessEqual(max(most), 4)

    def test_an_idle_connection_is_given_back(self):
        fake = self.with_fake(config='[proxy]\nupstream_idle = "100ms"\n')
        clients = [self.client() for _ in range(8)]
        for client in clients:
            self.assertEqual(client.comments(), ["carol"])
        eventually(lambda: fake.open_connections == 1, 5, "only the sentinel to be left")
        for client in clients:
            self.assertEqual(client.comments(), ["carol"])


if __name__ == "__main__":
    main()
