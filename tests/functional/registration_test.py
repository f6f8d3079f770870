"""Agents that are told to the supervisor."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from support import stranger, wire
from support.case import main, root_only
from support.cases import TmpCase
from support.garbage import GARBAGE
from support.sandbox import remove


class RegistrationTest(TmpCase):
    """Agents that are told to the supervisor."""

    def setUp(self):
        super().setUp()
        self.daemon = self.supervisor()

    def check_refused(self, path):
        """The path is refused with a reason that names it."""
        answer = self.daemon.control("register", path=path)
        self.assertEqual((answer["ok"], answer.get("code")), (False, "refused"), answer)
        self.assertTrue(answer["error"])
        self.assertNotIn(path, self.known_agents())
        return answer["error"]

    def test_a_registered_agent_is_used(self):
        agent = self.agent("alice")
        answer = self.daemon.control("register", path=agent.path)
        self.assertEqual((answer["ok"], answer["path"]), (True, agent.path), answer)
        self.daemon.wait_for_live(agent.path)
        self.assertEqual(self.daemon.agents()[agent.path]["origin"], "registered")

    def test_registering_twice_is_once(self):
        agent = self.agent("alice")
        for _ in range(2):
            self.assertTrue(self.daemon.control("register", path=agent.path)["ok"])
        self.daemon.wait_for_live(agent.path)
        self.assertEqual(len(self.daemon.status()["agents"]), 1)

    def test_what_is_no_agent_socket_is_refused(self):
        for name, make in GARBAGE.items():
            path = os.path.join(self.sandbox.path, name)
            make(path)
            with self.subTest(name=name):
                if name == "datagram":  # for a moment it looks like an agent that is about to listen
                    self.daemon.control("register", path=path)
                    self.daemon.wait_for_state(path, "dead", None)
                else:
                    self.check_refused(path)
        self.check_refused(os.path.join(self.sandbox.path, "nothing-here"))
        remove(os.path.join(self.sandbox.path, "datagram"))

    def test_words_that_are_no_path_are_errors(self):
        for path in ("", "relative/agent", "/" + "x" * 5000, "/tmp/with\0nul", 7, None, ["/tmp"]):
            with self.subTest(path=path):
                answer = self.daemon.control("register", path=path)
                self.assertFalse(answer["ok"], answer)
                self.assertTrue(answer["code"])
        self.assertFalse(self.daemon.control("register")["ok"])

    def test_the_proxys_own_socket_is_refused_by_every_name(self):
        agent = self.agent("alice")
        self.assertEqual(self.daemon.stop(), 0)
        self.daemon = self.supervisor()  # its socket is now newer than the agent's
        self.daemon.control("register", path=agent.path)
        self.daemon.wait_for_live(agent.path)
        alias = os.path.join(self.sandbox.path, "alias")
        os.symlink(self.daemon.agent_sock, alias)
        hard = os.path.join(self.sandbox.path, "hard")
        os.link(self.daemon.agent_sock, hard)
        self.addCleanup(remove, hard)
        crooked = os.path.join(self.sandbox.path, "home", "..", "run", "agent.sock")
        for path in (self.daemon.agent_sock, alias, hard, crooked):
            with self.subTest(path=path):
                self.assertFalse(self.daemon.control("register", path=path)["ok"])
                self.assertEqual(wire.comments(self.daemon.agent_sock), ["alice"])

    def test_a_socket_in_a_directory_that_others_can_write_to_is_refused(self):
        directory = self.sandbox.directory("open", mode=0o777)
        agent = self.agent("alice", path=os.path.join(directory, "a"))
        self.check_refused(agent.path)

    @root_only
    def test_a_socket_of_another_uid_is_refused(self):
        path = os.path.join(self.sandbox.path, "theirs")
        self.keep(stranger.StrangersAgent(path))
        self.check_refused(path)


if __name__ == "__main__":
    main()
