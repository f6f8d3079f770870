"""The supervisor is killed in the middle of its work and started again, many times."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from support import wire
from support.case import main
from support.endurance import EnduranceCase
from support.load import CLOSED, GOOD, Load, REFUSED
from support.supervisor import Supervisor
from support.waiting import eventually

ENTRIES = {"agent.sock", "control.sock", "live", "lock"}
PATIENCE = 10  # seconds that a client waits; more than the default proxy.list_timeout and proxy.grace


class CrashTest(EnduranceCase):
    """SIGKILL under load, and a successor."""

    def setUp(self):
        super().setUp()
        self.config = self.only_agents()
        self.first = self.agent("alice", path=self.in_agents("first"))
        self.second = None
        self.addCleanup(lambda: self.second and self.second.close())

    def start(self):
        """A supervisor that serves, after any predecessor."""
        return self.keep(Supervisor(self.sandbox, self.config))

    def change_the_agents(self):
        """While nobody looks a newer agent comes, or that one ends or dies; returns the one that is to be used."""
        if self.second is None:
            self.second = self.agent("alice", path=self.in_agents("second"))
            os.utime(self.first.path, (1, 1))  # so that the other is newer, whatever the clock's resolution
            return self.second
        self.chance.choice([self.second.kill, self.second.close])()
        self.second.close()
        self.second = None
        return self.first

    @staticmethod
    def answered(daemon):
        """How many requests it has answered."""
        return daemon.status()["requests"]["answered"]

    def check_serves(self, daemon, agent, story):
        """`live` is right, and agent.sock answers at once."""
        daemon.wait_for_live(agent.path)
        self.assertEqual(wire.comments(daemon.agent_sock), ["alice"], story)
        self.assertEqual(set(os.listdir(daemon.directory)) - ENTRIES, set(), story)

    def test_each_successor_serves_and_clients_see_nothing_but_the_end_of_a_connection(self):
        daemon = self.start()
        agent = self.first
        daemon.wait_for_live(agent.path)
        with wire.Client(daemon.agent_sock) as client:
            ((key, _),) = client.list()
        load = self.keep(Load(self.sandbox, daemon.agent_sock, key, limit=PATIENCE))
        tmp = set(os.listdir("/tmp"))
        rounds = self.rounds(short=10)
        for number in range(rounds):
            story = f"after {number} rounds"
            target = self.chance.randrange(200)
            eventually(lambda: self.answered(daemon) >= target, PATIENCE, f"{target} requests to be answered")
            daemon.kill()
            if self.chance.random() < 0.5:
                agent = self.change_the_agents()
            daemon = self.start()
            self.check_serves(daemon, agent, story)
            self.tell(f"round {number}, {agent.path}")
        outcome = load.end()
        self.tell(str(outcome))
        self.assertEqual(outcome.other_than(GOOD, REFUSED, CLOSED), {}, outcome)
        self.assertGreater(outcome.least, 0)
        self.assertEqual(set(os.listdir("/tmp")), tmp)
        self.assertEqual(daemon.stop(), 0)
        self.assertEqual(set(os.listdir(daemon.directory)), {"lock"})


if __name__ == "__main__":
    main()
