"""Which agents are found among what lies about in /tmp, and which are refused."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from support import stranger, wire
from support.case import main, root_only
from support.cases import TmpCase
from support.garbage import bound_socket, dead_socket, GARBAGE, plain_file
from support.sandbox import remove
from support.waiting import eventually, Stopwatch

NAMES = ("agent.1", "agent.", "agent.x y", "agent.\n<0>livesockd: forged", "agent." + "9" * 200, "agent.\x1b[31m", "x")


class GarbageTest(TmpCase):
    """What lies about in /tmp and ~/.ssh/agent is ignored without a word."""

    def plant(self):
        """Garbage of every kind under names that sshd might have made, and others."""
        for kind, make in GARBAGE.items():
            self.in_tmp(f"ssh-{kind}", make)
            directory = self.session_directory(f"ssh-in-{kind}")
            for name in NAMES:
                if kind != "datagram" or len(name) < 80:  # sun_path
                    make(os.path.join(directory, name))
            agents = os.path.join(self.sandbox.home, ".ssh/agent")
            os.makedirs(agents, mode=0o700, exist_ok=True)
            os.chmod(agents, 0o700)
            os.chmod(os.path.dirname(agents), 0o700)
            make(os.path.join(agents, f"s.0123.sshd.{kind}"))
            self.addCleanup(remove, os.path.join(agents, f"s.0123.sshd.{kind}"))
        self.session_directory("ssh-line\nbreak")
        self.session_directory("ssh-")
        self.session_directory("ssh-" + "y" * 240)
        deep = self.session_directory("ssh-deep")
        os.makedirs(os.path.join(deep, "agent.5", "agent.6"))
        unreadable = self.session_directory("ssh-closed", mode=0)
        self.addCleanup(os.chmod, unreadable, 0o700)

    def check_ignored(self):
        """Nothing of it is known, nothing was said, a new agent is found."""
        fake = self.check_a_new_agent_is_found()
        # A socket that was bound a moment ago and refuses may still be about to listen: it is not given up at once.
        eventually(lambda: self.known_agents() == {fake.path}, 5, lambda: f"only {fake.path} of {self.known_agents()}")
        self.quiet()

    def test_garbage_that_was_there_before_is_ignored(self):
        self.plant()
        self.daemon = self.supervisor()
        self.check_ignored()

    def test_garbage_that_comes_later_is_ignored(self):
        self.daemon = self.supervisor()
        self.plant()
        self.check_ignored()

    def test_ten_thousand_entries_are_ignored(self):
        def plant(prefix):
            for number in range(2500):
                self.in_tmp(f"{prefix}-{number}", plain_file)
                self.in_tmp(f"ssh-{prefix}{number}", os.mkdir)
        plant("before")
        self.daemon = self.supervisor()
        plant("after")
        self.check_ignored()

    def test_ten_thousand_names_in_one_session_directory_are_ignored(self):
        directory = self.session_directory()
        for number in range(10000):
            plain_file(os.path.join(directory, f"agent.{number}"))
        self.daemon = self.supervisor()
        self.check_ignored()

    def test_a_socket_with_a_control_character_in_its_name_never_reaches_the_log_raw(self):
        self.daemon = self.supervisor()
        path = os.path.join(self.session_directory(), "agent.7\n<0>forged")
        self.fake_agent("carol", path=path)
        fake = self.fake_agent("new", path=os.path.join(self.session_directory("ssh-other"), "agent.8"))
        self.daemon.wait_for_state(fake.path, "live")
        self.assertNotRegex(self.daemon.log, r"(?m)^<0>forged")

    def test_the_sockets_of_killed_sessions_are_not_live(self):
        for number in range(50):
            dead_socket(os.path.join(self.session_directory(f"ssh-dead{number}"), "agent.1"))
        self.keep(bound_socket(os.path.join(self.session_directory("ssh-bound"), "agent.1")))
        self.daemon = self.supervisor()
        fake = self.check_a_new_agent_is_found()
        live = [path for path, entry in self.daemon.agents().items() if entry["state"] == "live"]
        self.assertEqual(live, [fake.path])
        self.quiet()


class TrustTest(TmpCase):
    """Ownership and modes decide, not names."""

    def check_refused(self, path):
        """The agent at `path`, which answers, is not used; another one is."""
        self.assertTrue(wire.accepts(path))
        self.check_a_new_agent_is_found()
        self.assertNotEqual(self.daemon.state(path), "live")
        self.daemon.agents()

    def both_ways(self, plant):
        """Runs `plant(name)`, which returns a path, before the start and after it."""
        before = plant("ssh-before")
        self.daemon = self.supervisor()
        after = plant("ssh-after")
        self.check_a_new_agent_is_found()
        for path in (before, after):
            self.assertTrue(wire.accepts(path))
            self.assertNotIn(self.daemon.state(path), ("live", "new"))

    def test_a_socket_in_a_directory_that_others_can_write_to_is_refused(self):
        for mode in (0o770, 0o707, 0o777, 0o1777):
            with self.subTest(mode=oct(mode)):
                def plant(name, mode=mode):
                    directory = self.session_directory(f"{name}-{mode:o}", mode)
                    return self.fake_agent("carol", path=os.path.join(directory, "agent.1")).path
                before = plant("ssh-before")
                self.daemon = self.supervisor()
                after = plant("ssh-after")
                self.check_a_new_agent_is_found(f"ssh-new{mode:o}")
                for path in (before, after):
                    self.assertNotEqual(self.daemon.state(path), "live")
                self.assertEqual(self.daemon.stop(), 0)

    def test_a_symlink_in_place_of_a_session_directory_is_refused(self):
        real = self.sandbox.directory("real")
        fake = self.fake_agent("carol", path=os.path.join(real, "agent.1"))

        def plant(name):
            return os.path.join(self.in_tmp(name, lambda path: os.symlink(real, path)), "agent.1")
        self.both_ways(plant)
        self.assertNotIn(fake.path, self.known_agents())

    @root_only
    def test_a_socket_of_another_uid_is_refused(self):
        def plant(name):
            return self.keep(stranger.StrangersAgent(os.path.join(self.session_directory(name), "agent.1"))).path
        self.both_ways(plant)

    @root_only
    def test_a_directory_of_another_uid_is_refused(self):
        def plant(name):
            directory = self.session_directory(name, mode=0)  # nobody looks into it before it is given away
            os.chown(directory, *stranger.nobody())
            fake = self.fake_agent("carol", path=os.path.join(directory, "agent.1"))
            os.chmod(directory, 0o700)
            return fake.path
        self.both_ways(plant)

    @root_only
    def test_a_file_of_ours_behind_which_another_uid_listens_is_refused(self):
        def plant(name):
            path = os.path.join(self.session_directory(name), "agent.1")
            self.keep(stranger.StrangersAgent(path))
            os.chown(path, 0, 0)
            self.addCleanup(remove, path)
            return path
        self.both_ways(plant)


class FoundTest(TmpCase):
    """Where agents are looked for."""

    def test_a_session_that_was_there_before_is_found(self):
        fake = self.fake_agent("carol", path=os.path.join(self.session_directory(), "agent.1"))
        self.daemon = self.supervisor()
        self.daemon.wait_for_live(fake.path)
        self.assertEqual(self.daemon.agents()[fake.path]["origin"], "forwarded")

    def test_a_session_that_comes_later_is_found_soon(self):
        self.daemon = self.supervisor()
        watch = Stopwatch()
        self.check_a_new_agent_is_found()
        self.assertLess(watch.seconds, 0.5)

    def test_a_real_login_is_found_and_its_end_is_noticed(self):
        self.daemon = self.supervisor()
        login = self.login(self.sshd(), self.agent("alice"))
        self.daemon.wait_for_live(login.auth_sock)
        self.assertEqual(wire.comments(self.daemon.agent_sock), ["alice"])
        login.vanish()
        self.daemon.wait_for_live(None)
        self.daemon.wait_for_state(login.auth_sock, "dead", None)

    def test_agents_below_the_home_directory_are_found(self):
        agents = os.path.join(self.sandbox.home, ".ssh/agent")
        for when, name in (("before", "s.Zx9fQ.sshd.aaaa"), ("after", "s.Zx9fQ.sshd.bbbb")):
            with self.subTest(when=when):
                if when == "before":
                    os.makedirs(agents, mode=0o700)
                    os.chmod(os.path.dirname(agents), 0o700)
                else:
                    remove(os.path.dirname(agents))
                    self.daemon = self.supervisor()
                    os.mkdir(os.path.dirname(agents), mode=0o700)
                    os.mkdir(agents, mode=0o700)
                agent = self.agent("alice", path=os.path.join(agents, name))
                if when == "before":
                    self.daemon = self.supervisor()
                self.daemon.wait_for_live(agent.path)
                agent.close()
                self.assertEqual(self.daemon.stop(), 0)

    def test_a_session_directory_that_goes_and_comes_back_is_watched_again(self):
        self.daemon = self.supervisor()
        for _ in range(3):
            directory = self.session_directory()
            agent = self.agent("alice", path=os.path.join(directory, "agent.1"))
            self.daemon.wait_for_live(agent.path)
            agent.close()
            os.rmdir(directory)
            self.daemon.wait_for_live(None)

    def test_a_socket_that_comes_long_after_its_directory_is_found(self):
        directory = self.session_directory()
        self.daemon = self.supervisor()
        fake = self.fake_agent("carol", path=os.path.join(directory, "agent.1"))
        self.daemon.wait_for_live(fake.path)

    def test_an_agent_made_in_place_of_a_dead_one_is_found(self):
        path = os.path.join(self.session_directory(), "agent.1")
        dead_socket(path)
        self.daemon = self.supervisor()
        os.unlink(path)
        self.fake_agent("carol", path=path)
        self.daemon.wait_for_live(path)

    def test_an_agent_made_where_one_has_ended_is_found(self):
        path = os.path.join(self.session_directory(), "agent.1")
        # Where there is a socket when the directory is seen, it is not watched.
        agent = self.fake_agent("carol", path=path)
        self.daemon = self.supervisor()
        for _ in range(2):
            self.daemon.wait_for_live(path)
            agent.close()
            self.daemon.wait_for_state(path, None)
            agent = self.fake_agent("carol", path=path)
        self.daemon.wait_for_live(path)

    def test_globs_find_what_is_there_and_what_comes(self):
        here = self.agent("alice", path=self.in_agents("one"))
        self.daemon = self.supervisor(self.only_agents())
        self.daemon.wait_for_live(here.path)
        self.assertEqual(self.daemon.agents()[here.path]["origin"], "configured")
        later = self.agent("bob", path=self.in_agents("two"))
        self.daemon.wait_for_state(later.path, "live")

    def test_a_tilde_in_a_glob_is_the_home_directory(self):
        agent = self.agent("alice", path=os.path.join(self.sandbox.directory("home/my agents"), "a"))
        self.daemon = self.supervisor('[discovery]\nforwarded = false\nglobs = ["~/my agents/*"]\n')
        self.daemon.wait_for_live(agent.path)

    def test_nothing_is_looked_for_where_forwarded_is_false(self):
        fake = self.fake_agent("carol", path=os.path.join(self.session_directory(), "agent.1"))
        other = self.fake_agent("dave", path=self.in_agents("other"))
        self.daemon = self.supervisor(self.only_agents())
        self.daemon.wait_for_live(other.path)
        self.assertNotIn(fake.path, self.known_agents())


if __name__ == "__main__":
    main()
