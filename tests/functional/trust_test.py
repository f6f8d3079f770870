"""Nothing is believed by its name: other uids, planted and left sockets."""

import os
import signal
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from support import stranger, wire
from support.case import Case, main, root_only
from support.cases import ServedCase

LIST = wire.frame(wire.REQUEST_IDENTITIES)


class PlantedSocketTest(Case):
    """Somebody else's or a dead socket where ours should be never fools the commands that export it."""

    def check_not_fooled(self, command):
        """Either the command exports nothing and fails, or what it exports is served by this uid."""
        done = self.livesock(*command, within=10)
        if done.status != 0:
            self.assertEqual(done.out, "", done)
            return done
        path = os.path.join(self.sandbox.livesock_dir, "agent.sock")
        with wire.Client(path) as client:
            uid = struct.unpack("3i", client.sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[1]
            self.assertEqual(uid, os.getuid(), done)
            self.assertIn(client.ask(LIST)[0], (wire.FAILURE, wire.IDENTITIES_ANSWER))
        self.assertTrue(os.path.exists(os.path.join(self.sandbox.livesock_dir, "control.sock")))
        return done

    COMMANDS = (["start"], ["env", "-s"])

    @root_only
    def test_an_agent_sock_of_another_uid_is_never_exported(self):
        self.stop_at_the_end()
        for command in self.COMMANDS:
            with self.subTest(command=command):
                self.sandbox.directory("run")
                planted = stranger.StrangersAgent(os.path.join(self.sandbox.livesock_dir, "agent.sock"))
                try:
                    self.check_not_fooled(command)
                finally:
                    planted.close()
                    self.livesock("stop")

    @root_only
    def test_a_control_sock_of_another_uid_is_never_believed(self):
        self.stop_at_the_end()
        for command in self.COMMANDS:
            with self.subTest(command=command):
                self.sandbox.directory("run")
                planted = stranger.StrangersAgent(os.path.join(self.sandbox.livesock_dir, "control.sock"))
                try:
                    self.check_not_fooled(command)
                finally:
                    planted.close()
                    self.livesock("stop")

    @root_only
    def test_a_directory_of_another_uid_is_refused(self):
        directory = self.sandbox.directory("run")
        self.keep(stranger.StrangersAgent(os.path.join(directory, "agent.sock")))
        stranger.give_away(directory)
        for mode in (0o700, 0o755, 0o777):
            os.chmod(directory, mode)
            for command in self.COMMANDS:
                with self.subTest(mode=oct(mode), command=command):
                    done = self.livesock(*command)
                    self.assertNotEqual(done.status, 0, done)
                    self.assertEqual(done.out, "", done)
        self.assertIn(directory, self.livesock("start").err)

    @root_only
    def test_a_symlink_to_another_uids_directory_is_refused(self):
        real = self.sandbox.directory("theirs")
        stranger.give_away(real)
        os.symlink(real, self.sandbox.livesock_dir)
        for command in self.COMMANDS:
            done = self.livesock(*command)
            self.assertNotEqual(done.status, 0, done)
            self.assertEqual(done.out, "", done)

    def test_sockets_left_by_a_kill_are_replaced(self):
        self.stop_at_the_end()
        for command in self.COMMANDS:
            with self.subTest(command=command):
                killed = self.supervisor()
                killed.kill()
                self.assertTrue(wire.occupied(killed.agent_sock))
                self.assertFalse(wire.accepts(killed.agent_sock))
                done = self.check_not_fooled(command)
                self.assertEqual(done.status, 0, done)
                self.livesock("stop")

    def test_a_supervisor_that_hangs_makes_no_login_hang(self):
        stopped = self.supervisor()
        stopped.signal(signal.SIGSTOP)
        self.addCleanup(stopped.signal, signal.SIGCONT)
        done = self.livesock("env", "-s", within=10)
        self.assertEqual((done.status, done.out), (2, ""), done)

    def test_a_file_where_a_socket_should_be_is_never_exported(self):
        self.stop_at_the_end()
        self.sandbox.directory("run")
        for command in self.COMMANDS:
            for name in ("agent.sock", "control.sock"):
                with self.subTest(command=command, name=name):
                    path = self.sandbox.file(f"run/{name}", "mine\n")
                    self.check_not_fooled(command)
                    self.livesock("stop")
                    if os.path.lexists(path):
                        os.unlink(path)


class PeerTest(ServedCase):
    """Who connects."""

    @root_only
    def test_a_peer_of_another_uid_is_turned_away(self):
        fake = self.with_fake()
        rest = fake.count(wire.REQUEST_IDENTITIES)
        self.assertEqual(stranger.ask(self.daemon.agent_sock), "closed")
        self.assertEqual(stranger.ask(self.daemon.control_sock, b'{"command":"ping"}\n'), "closed")
        self.assertEqual(fake.count(wire.REQUEST_IDENTITIES), rest)
        self.check_served_at_once(["carol"])

    def test_the_sockets_and_the_directory_are_for_the_owner_only(self):
        self.with_real()
        self.assertEqual(os.stat(self.daemon.directory).st_mode & 0o777, 0o700)
        for path in (self.daemon.agent_sock, self.daemon.control_sock):
            self.assertEqual(os.stat(path).st_mode & 0o077, 0, path)


if __name__ == "__main__":
    main()
