"""Agents come, go, sleep and die without pause, and nobody who uses agent.sock notices."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from support import fake_agent, wire
from support.case import main
from support.cases import ServedCase
from support.endurance import EnduranceCase
from support.load import GOOD, Load
from support.mesh import Mesh
from support.waiting import eventually

TIMEOUT = 6  # seconds that an agent may take for an answer: the machine is busy with 32 clients and their agents
GRACE = 2
CONFIG = f"""\
[probe]
interval = "1s"
timeout = "1s"
hung_after = "3s"
[proxy]
grace = "{GRACE}s"
list_timeout = "{TIMEOUT}s"
sign_timeout = "{TIMEOUT}s"
"""
HANGS = 3 * TIMEOUT + GRACE + 2  # three agents, one after the other, and a machine that is busy
EVENTS_BETWEEN_COMMANDS = 10


class ChaosTest(EnduranceCase):
    """One login is always well; whatever else there is, is not."""

    def setUp(self):
        super().setUp()
        server, laptop = self.sshd(), self.agent("alice")
        self.daemon = self.supervisor(f'[discovery]\nglobs = ["{self.sandbox.directory("agents")}/*"]\n{CONFIG}')
        steady = self.login(server, laptop)
        self.daemon.wait_for_live(steady.auth_sock)
        self.steady = steady.auth_sock
        self.mesh = self.keep(Mesh(self.sandbox, server, laptop.path, "alice", self.in_agents, self.chance))

    def load(self):
        """32 clients, of which the supervisor has seen all that keep their connections."""
        with wire.Client(self.daemon.agent_sock) as client:
            ((key, _),) = client.list()
        load = self.keep(Load(self.sandbox, self.daemon.agent_sock, key, limit=HANGS))
        eventually(lambda: self.daemon.status()["clients"] >= 16, HANGS, "the clients to connect")
        return load

    def settled_figures(self):
        """Figures of a supervisor without clients, with one agent."""
        self.daemon.wait_for_live(self.steady)
        eventually(lambda: self.daemon.status()["clients"] == 0, 5, "the clients to leave")
        eventually(lambda: list(self.daemon.agents()) == [self.steady], 5, "the other agents to be forgotten")
        return self.figures(self.daemon)

    def why(self):
        """What the supervisor knows of the requests that failed."""
        return json.dumps(self.daemon.control("failures"), indent=1)

    def check_commands(self, story):
        """What users type: a list, and a signature that is verified."""
        for words in (["-l"], ["-T", self.sandbox.key("alice") + ".pub"]):
            done = self.run_program("ssh-add", *words, within=HANGS, SSH_AUTH_SOCK=self.daemon.agent_sock)
            self.assertEqual(done.status, 0, f"{done}\nafter {story}")

    def test_no_request_fails_or_hangs_while_agents_come_and_go(self):
        warm_up = self.load()
        self.check_commands("nothing")
        self.assertEqual(warm_up.end().other_than(GOOD), {})
        before = self.settled_figures()
        load = self.load()
        story = []
        for event in range(self.rounds(short=40)):
            story.append(self.mesh.happen())
            if event % EVENTS_BETWEEN_COMMANDS == 0:
                self.check_commands(story[-20:])
                self.tell(f"event {event}: {story[-1]}")
        outcome = load.end()
        self.mesh.close()
        self.tell(str(outcome))
        self.assertEqual(outcome.other_than(GOOD), {}, f"{outcome}\nafter {story[-50:]}\n{self.why()}")
        self.assertLess(outcome.slowest, HANGS)
        self.assertGreater(outcome.least, 0)
        self.settled_figures()
        self.check_back_at(before, self.daemon)


class KeyTest(ServedCase):
    """Agents that do not all hold the same keys."""

    def test_a_signature_is_asked_of_another_agent_only_where_the_key_is_offered(self):
        agents = []
        for age, comment in ((3, "alice"), (2, "bob"), (1, "alice")):
            agents.append(self.fake_agent(comment, path=self.in_agents(f"aged-{age}")))
            os.utime(agents[-1].path, (1000 - age, 1000 - age))
        oldest, other, newest = agents
        self.serve(newest)
        for agent in agents:
            self.daemon.wait_for_state(agent.path, "live")
        newest.manner = fake_agent.CLOSE
        self.assertEqual(wire.answer_kind(self.path, wire.sign_request(newest.keys[0][0], b"data")), wire.SIGN_RESPONSE)
        self.assertGreater(newest.count(wire.SIGN_REQUEST), 0)
        self.assertEqual((oldest.count(wire.SIGN_REQUEST), other.count(wire.SIGN_REQUEST)), (1, 0))


if __name__ == "__main__":
    main()
