"""Agents over other transports: [[upstream]] and [[listen]], between two supervisors."""

import hashlib
import hmac
import os
import shutil
import socket
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from constrained_test import ALLOWED, ConstrainedCase
from support import wire
from support.case import Case, main, root_only
from support.sandbox import LIVESOCKD
from support.vsock import no_vsock
from support.waiting import eventually

TOKEN = "t" * 40
MAGIC = b"livesock-token-1"


def free_port():
    """A TCP port that nobody has just now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def recv_exactly(sock, size):
    """So many bytes, or fewer at the end."""
    data = b""
    while len(data) < size:
        more = sock.recv(size - len(data))
        if not more:
            break
        data += more
    return data


def shake_hands(sock, token=TOKEN):
    """The connector's part, from the manual; False where the listener closes."""
    hello = recv_exactly(sock, 48)
    assert hello[:16] == MAGIC, hello
    nonces = hello[16:] + os.urandom(32)
    key = token.encode()
    sock.sendall(nonces[32:] + hmac.new(key, MAGIC + b"C" + nonces, hashlib.sha256).digest())
    return recv_exactly(sock, 32) == hmac.new(key, MAGIC + b"L" + nonces, hashlib.sha256).digest()


class TransportCase(Case):
    """A host, which has the agents, and a guest, which has an upstream."""

    def setUp(self):
        super().setUp()
        self.port = free_port()

    def token_file(self, text=TOKEN, name="token"):
        """A file with a token."""
        return self.sandbox.file(name, text + "\n")

    def host(self, listen, *more):
        """The supervisor that listens, with the agents in in_agents()."""
        self.host_daemon = self.supervisor(self.only_agents(f"[[listen]]\n{listen}\n" + "\n".join(more)),
                                           directory=self.sandbox.path + "/host", config_name="host.toml")
        return self.host_daemon

    def guest(self, upstream, *more):
        """The supervisor that uses it."""
        config = f"[discovery]\nforwarded = false\n[[upstream]]\n{upstream}\n" + "\n".join(more)
        self.guest_daemon = self.supervisor(config, directory=self.sandbox.path + "/guest", config_name="guest.toml")
        self.path = self.guest_daemon.agent_sock
        return self.guest_daemon

    @property
    def tcp(self):
        """The key of both tables."""
        return f'tcp = "127.0.0.1:{self.port}"'

    @property
    def upstream(self):
        """What status says of the guest's first agent."""
        return self.guest_daemon.status()["agents"][0]

    def wait_for_keys(self, *comments, within=10):
        """Returns when a client in the guest is offered these keys."""
        eventually(lambda: wire.comments(self.path) == list(comments), within,
                   lambda: f"{comments}; guest:\n{self.guest_daemon.log}\nhost:\n{self.host_daemon.log}")

    def wait_for_reason(self, words, within=10):
        """Returns when the guest says this of its upstream."""
        eventually(lambda: words in (self.upstream["reason"] or ""), within,
                   lambda: f"{words!r} in {self.upstream}; guest:\n{self.guest_daemon.log}")


class TcpTest(TransportCase):
    """Over TCP"""

    def test_the_guest_uses_the_hosts_agent(self):
        agent = self.agent("alice", path=self.in_agents("one"))
        self.host(self.tcp).wait_for_live(agent.path)
        self.guest(self.tcp)
        self.wait_for_keys("alice")
        upstream = self.upstream
        self.assertEqual((upstream["origin"], upstream["state"], upstream["label"], upstream["path"]),
                         ("upstream", "live", f"tcp 127.0.0.1:{self.port}", f"tcp:127.0.0.1:{self.port}"))
        self.assertIsNone(self.guest_daemon.live)
        signed = self.run_program("ssh-keygen", "-Y", "sign", "-n", "file", "-f", self.sandbox.key("alice") + ".pub",
                                  stdin=b"text", SSH_AUTH_SOCK=self.path)
        self.assertIn("BEGIN SSH SIGNATURE", signed.out, signed)

    def test_with_a_token(self):
        token = f'token_file = "{self.token_file()}"'
        agent = self.agent("alice", path=self.in_agents("one"))
        self.host(f"{self.tcp}\n{token}").wait_for_live(agent.path)
        self.guest(f"{self.tcp}\n{token}")
        self.wait_for_keys("alice")
        self.assertNotIn("not encrypted", self.host_daemon.log)

    def test_with_the_wrong_token_or_none(self):
        agent = self.agent("alice", path=self.in_agents("one"))
        self.host(f'{self.tcp}\ntoken_file = "{self.token_file()}"').wait_for_live(agent.path)
        self.guest(f'{self.tcp}\ntoken_file = "{self.token_file("u" * 40, "other")}"')
        self.wait_for_reason("compare token_file")
        self.assertEqual(self.upstream["state"], "dead")
        self.host_daemon.wait_for_log("does not know the token")
        self.guest_daemon.configure(f"[discovery]\nforwarded = false\n[[upstream]]\n{self.tcp}\n")
        self.guest_daemon.reload()
        self.wait_for_reason("does it want a token_file?")
        self.guest_daemon.configure(f'[discovery]\nforwarded = false\n[[upstream]]\n{self.tcp}\n'
                                    f'token_file = "{self.token_file()}"\n')
        self.guest_daemon.reload()
        self.wait_for_keys("alice")

    def test_a_host_that_comes_later_and_goes_and_comes_again(self):
        agent = self.agent("alice", path=self.in_agents("one"))
        self.guest(self.tcp)
        self.wait_for_reason("Connection refused")
        self.wait_for_reason("[[listen]]")
        self.assertEqual(self.guest_daemon.log.count("is dead"), 1, self.guest_daemon.log)
        self.host(self.tcp).wait_for_live(agent.path)
        self.wait_for_keys("alice")
        self.host_daemon.stop()
        eventually(lambda: self.upstream["state"] == "dead", 5, "the upstream to be dead")
        self.host(self.tcp).wait_for_live(agent.path)
        self.wait_for_keys("alice")

    def test_a_restart_of_the_host_drops_nobody(self):
        agent = self.agent("alice", path=self.in_agents("one"))
        token = f'token_file = "{self.token_file()}"'
        self.host(f"{self.tcp}\n{token}").wait_for_live(agent.path)
        self.guest(f"{self.tcp}\n{token}")
        self.wait_for_keys("alice")
        with wire.Client(self.path) as client:
            self.assertEqual(client.comments(), ["alice"])
            for _ in range(3):
                self.assertTrue(self.host_daemon.control("restart", within=10)["ok"])
                self.assertEqual(client.comments(), ["alice"])
                self.assertEqual(wire.comments(self.path), ["alice"])
        self.addCleanup(lambda: self.host_daemon.control("stop"))
        self.assertEqual(self.guest_daemon.log.count("is live"), 1, self.guest_daemon.log)

    def test_the_agent_of_the_host_is_replaced(self):
        first = self.agent("alice", path=self.in_agents("one"))
        self.host(self.tcp).wait_for_live(first.path)
        self.guest(self.tcp)
        self.wait_for_keys("alice")
        with wire.Client(self.path) as client:
            self.assertEqual(client.comments(), ["alice"])
            second = self.agent("bob", path=self.in_agents("two"))
            first.kill()
            self.host_daemon.wait_for_live(second.path)
            eventually(lambda: client.comments() == ["bob"], 5, "bob")
        eventually(lambda: len(self.upstream["fingerprints"]) == 1, 5, "the new key in status")

    def test_newer_than_a_forwarded_agent_is_what_comes_to_life_later(self):
        host_agent = self.agent("alice", path=self.in_agents("one"))
        self.guest(self.tcp)
        login = self.agent("laptop")
        self.assertTrue(self.guest_daemon.control("register", path=login.path)["ok"])
        self.host_daemon = self.guest_daemon
        self.wait_for_keys("laptop")
        self.host(self.tcp).wait_for_live(host_agent.path)
        self.wait_for_keys("alice")
        second = self.agent("desk")
        self.assertTrue(self.guest_daemon.control("register", path=second.path)["ok"])
        self.wait_for_keys("desk")
        self.assertEqual(self.guest_daemon.control("use", agent=f"tcp 127.0.0.1:{self.port}")["ok"], True)
        self.wait_for_keys("alice")

    def test_a_host_that_sleeps_is_left_for_another_and_used_again(self):
        agent = self.agent("alice", path=self.in_agents("one"))
        self.host(self.tcp).wait_for_live(agent.path)
        other = self.agent("local")
        self.guest(self.tcp, f'[[fallback]]\nsocket = "{other.path}"', '[probe]\ninterval = "200ms"\ntimeout = "300ms"')
        self.wait_for_keys("alice")
        self.host_daemon.signal(19)
        self.wait_for_keys("local")
        self.host_daemon.signal(18)
        self.wait_for_keys("alice")


class ListenTest(TransportCase):
    """[[listen]], with peers written from the manual"""

    def connect(self):
        """A connection to the listener."""
        sock = socket.create_connection(("127.0.0.1", self.port), 5)
        self.keep(sock)
        return sock

    def with_token(self, *more):
        """A host with an agent and a token."""
        self.one = self.agent("alice", path=self.in_agents("one"))
        self.host(f'{self.tcp}\ntoken_file = "{self.token_file()}"', *more).wait_for_live(self.one.path)

    def check_served(self):
        """One who knows the token has its answer."""
        sock = self.connect()
        self.assertTrue(shake_hands(sock))
        self.assertEqual(self.ask(sock), ["alice"])

    def ask(self, sock):
        """The comments of the keys that are offered."""
        sock.sendall(wire.frame(wire.REQUEST_IDENTITIES))
        (length,) = struct.unpack(">I", recv_exactly(sock, 4))
        return [comment.decode() for _, comment in wire.parse_identities(recv_exactly(sock, length))]

    def closed(self, sock, within=8):
        """True if the listener closes without a word."""
        sock.settimeout(within)
        try:
            return recv_exactly(sock, 1) == b""
        except ConnectionResetError:
            return True

    def test_a_peer_that_knows_the_token_is_served(self):
        self.with_token()
        self.check_served()

    def test_a_request_behind_the_handshake_is_not_lost(self):
        self.with_token()
        sock = self.connect()
        hello = recv_exactly(sock, 48)
        nonces = hello[16:] + os.urandom(32)
        proof = hmac.new(TOKEN.encode(), MAGIC + b"C" + nonces, hashlib.sha256).digest()
        sock.sendall(nonces[32:] + proof + wire.frame(wire.REQUEST_IDENTITIES))
        recv_exactly(sock, 32)
        self.assertGreater(len(recv_exactly(sock, 5)), 4)

    def test_who_does_not_know_it_is_closed_without_a_word(self):
        self.with_token()
        for wrong in (os.urandom(64), b"\0" * 64, wire.frame(wire.REQUEST_IDENTITIES) * 20):
            sock = self.connect()
            self.assertEqual(len(recv_exactly(sock, 48)), 48)
            sock.sendall(wrong)
            self.assertTrue(self.closed(sock))
        self.assertFalse(shake_hands(self.connect(), "x" * 40))
        self.check_served()

    def test_a_reply_of_another_connection_is_refused(self):
        self.with_token()
        one, two = self.connect(), self.connect()
        nonces = recv_exactly(one, 48)[16:] + os.urandom(32)
        reply = nonces[32:] + hmac.new(TOKEN.encode(), MAGIC + b"C" + nonces, hashlib.sha256).digest()
        recv_exactly(two, 48)
        two.sendall(reply)
        self.assertTrue(self.closed(two))
        one.sendall(reply)
        self.assertEqual(len(recv_exactly(one, 32)), 32)

    def test_peers_that_say_nothing_are_closed_and_keep_nobody_out(self):
        self.with_token()
        idle = [self.connect() for _ in range(200)]
        self.check_served()
        for sock in idle[-3:]:
            self.assertEqual(len(recv_exactly(sock, 48)), 48)
            self.assertTrue(self.closed(sock))
        eventually(lambda: "refused" in self.host_daemon.log, 5, "a line in the log")
        self.assertLess(self.host_daemon.log.count("is refused"), 50)

    def test_garbage_closes_that_connection_only(self):
        self.with_token()
        sock = self.connect()
        self.assertTrue(shake_hands(sock))
        sock.sendall(b"\xff" * 64)
        self.assertTrue(self.closed(sock))
        self.check_served()

    def test_a_path_is_a_further_socket(self):
        one = self.agent("alice", path=self.in_agents("one"))
        path = self.sandbox.path + "/further.sock"
        self.host(f'path = "{path}"').wait_for_live(one.path)
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        self.assertEqual(wire.comments(path), ["alice"])
        self.host_daemon.configure(self.only_agents())
        self.host_daemon.reload()
        self.assertFalse(os.path.lexists(path))

    def test_a_path_that_is_deleted_is_made_again(self):
        one = self.agent("alice", path=self.in_agents("one"))
        directory = self.sandbox.directory("further")
        path = directory + "/s"
        self.host(f'path = "{path}"').wait_for_live(one.path)
        with wire.Client(path) as client:
            self.assertEqual(client.comments(), ["alice"])
            os.unlink(path)
            eventually(lambda: os.path.exists(path), 5, "the socket")
            self.assertEqual(wire.comments(path), ["alice"])
            self.assertEqual(client.comments(), ["alice"])  # who was connected stays
        self.assertTrue(self.host_daemon.control("restart", within=10)["ok"])
        self.addCleanup(lambda: self.host_daemon.control("stop") if self.host_daemon.answers() else None)
        shutil.rmtree(directory)
        eventually(lambda: "cannot listen at" in self.host_daemon.log, 5, lambda: self.host_daemon.log)
        os.mkdir(directory, 0o700)
        eventually(lambda: os.path.exists(path), 15, "the socket in a new directory")
        self.assertEqual(wire.comments(path), ["alice"])

    def test_an_address_that_is_taken_is_told_and_taken_when_it_is_free(self):
        with socket.create_server(("127.0.0.1", self.port)):
            one = self.agent("alice", path=self.in_agents("one"))
            self.host(self.tcp).wait_for_live(one.path)
            self.host_daemon.wait_for_log("Address already in use")
            self.assertEqual(wire.comments(self.host_daemon.agent_sock), ["alice"])
        eventually(lambda: "are served at" in self.host_daemon.log, 15, "the listener")
        self.assertEqual(self.ask(self.connect()), ["alice"])

    def test_a_token_that_others_can_read_is_not_used(self):
        path = self.token_file()
        os.chmod(path, 0o644)
        self.agent("alice", path=self.in_agents("one"))
        self.host(f'{self.tcp}\ntoken_file = "{path}"')
        self.host_daemon.wait_for_log("chmod 600")
        with self.assertRaises(ConnectionRefusedError):
            self.connect()

    @root_only
    def test_a_process_of_another_user_is_refused_on_loopback(self):
        one = self.agent("alice", path=self.in_agents("one"))
        self.host(self.tcp).wait_for_live(one.path)
        self.assertEqual(self.ask(self.connect()), ["alice"])
        done = subprocess.run([sys.executable, "-c", f"""
import os, socket
"x".encode("idna")  # afterwards it may not be readable
os.setgroups([]); os.setgid(65534); os.setuid(65534)
sock = socket.create_connection(("127.0.0.1", {self.port}), 5)
sock.sendall({wire.frame(wire.REQUEST_IDENTITIES)!r})
try:
    print(len(sock.recv(100)))
except ConnectionResetError:
    print(0)
"""], capture_output=True, text=True, timeout=20, check=False)
        self.assertEqual(done.stdout.strip(), "0", done)
        self.host_daemon.wait_for_log("it is a process of uid 65534")


class ConfigTest(TransportCase):
    """What is refused before anything listens"""

    def refused(self, text, words):
        """The configuration is wrong, for a reason with these words."""
        path = self.sandbox.file("wrong.toml", text)
        done = self.run_program(LIVESOCKD, "--check-config", "--config", path)
        self.assertEqual(done.status, 1, done)
        self.assertIn(words, done.text)

    def test_what_others_can_reach_needs_a_token(self):
        self.refused('[[listen]]\ntcp = "0.0.0.0:7222"\n', "needs a token_file")
        self.refused('[[listen]]\ntcp = "[::]:7222"\n', "needs a token_file")
        self.refused('[[listen]]\nvsock = "any:7222"\n', "needs a token_file, or the cids")
        self.refused('[[upstream]]\ntcp = "10.0.0.9:7222"\n', "needs a token_file")

    def test_names_are_not_looked_up(self):
        self.refused('[[upstream]]\ntcp = "example.org:7222"\n', "names are not looked up")
        self.refused('[[upstream]]\nbus = "http://example.org/v1/publish"\n', "names are not looked up")

    def test_a_circle_is_refused(self):
        self.refused('[[upstream]]\ntcp = "127.0.0.1:7222"\n[[listen]]\ntcp = "127.0.0.1:7222"\n', "circle")

    def test_each_table_has_one_way(self):
        self.refused("[[upstream]]\n", "expected exactly one")
        self.refused('[[upstream]]\ntcp = "127.0.0.1:1"\nvsock = "2:1"\n', "expected exactly one")
        self.refused('[[listen]]\npath = "/tmp/x"\ntoken_file = "/tmp/t"\n', "open to this user alone")
        self.refused('[[listen]]\ntcp = "127.0.0.1:1"\ncids = [3]\n', "listen.cids is for vsock")


class CommandTest(TransportCase):
    """[[upstream]] command"""

    def test_a_command_is_an_agent_among_the_others(self):
        one = self.agent("alice")
        relay = self.sandbox.file("relay.py", """\
import os, socket, sys, threading
sock = socket.socket(socket.AF_UNIX)
sock.connect(sys.argv[1])
def back():
    while data := sock.recv(65536):
        os.write(1, data)
    os._exit(0)
threading.Thread(target=back, daemon=True).start()
while data := os.read(0, 65536):
    sock.sendall(data)
""")
        self.guest(f'command = ["{sys.executable}", "{relay}", "{one.path}"]')
        self.host_daemon = self.guest_daemon
        self.wait_for_keys("alice")
        self.assertEqual(self.upstream["origin"], "upstream")
        self.assertTrue(self.upstream["label"].startswith("command "), self.upstream)


class ConstrainedChainTest(ConstrainedCase):
    """Keys that may be used for some destinations only, over two supervisors"""

    def test_ssh_gets_where_it_gets_directly_and_nowhere_else(self):
        port = free_port()
        token = f'token_file = "{self.sandbox.file("token", TOKEN)}"\n'
        host = self.supervisor(f'[discovery]\nforwarded = false\n[[listen]]\ntcp = "127.0.0.1:{port}"\n{token}',
                               directory=self.sandbox.path + "/host", config_name="host.toml")
        guest = self.supervisor(f'[discovery]\nforwarded = false\n[[upstream]]\ntcp = "127.0.0.1:{port}"\n{token}',
                                directory=self.sandbox.path + "/guest", config_name="guest.toml")
        login = self.login(self.servers["here"], self.constrained_agent())
        self.assertTrue(host.control("register", path=login.auth_sock)["ok"])
        host.wait_for_live(login.auth_sock)
        eventually(lambda: guest.agents()[f"tcp:127.0.0.1:{port}"]["keys"] == 1, 10, lambda: str(guest.agents()))
        for where, (words, is_allowed) in ALLOWED.items():
            with self.subTest(where=where):
                words = f"{self.ssh} {words.format(ssh=self.ssh)}"
                directly = login.run(f"SSH_AUTH_SOCK={login.auth_sock} {words}").status
                self.assertEqual(directly == 0, is_allowed, "directly")
                through = login.run(f"SSH_AUTH_SOCK={guest.agent_sock} {words}")
                self.assertEqual(through.status, directly, through)


class VsockTest(TransportCase):
    """Over vsock, within this machine"""

    def setUp(self):
        super().setUp()
        if reason := no_vsock():
            self.skipTest(reason)

    def test_the_guest_uses_the_hosts_agent(self):
        one = self.agent("alice", path=self.in_agents("one"))
        self.host(f'vsock = "any:{self.port}"\ncids = [1]').wait_for_live(one.path)
        self.guest(f'vsock = "local:{self.port}"')
        self.wait_for_keys("alice")

    def test_a_machine_that_is_not_named_is_refused(self):
        self.agent("alice", path=self.in_agents("one"))
        self.host(f'vsock = "any:{self.port}"\ncids = [3]')
        self.guest(f'vsock = "local:{self.port}"')
        self.wait_for_reason("without an answer")
        self.host_daemon.wait_for_log("not among listen.cids")

    def test_with_a_token(self):
        one = self.agent("alice", path=self.in_agents("one"))
        token = f'token_file = "{self.token_file()}"'
        self.host(f'vsock = "any:{self.port}"\n{token}').wait_for_live(one.path)
        self.guest(f'vsock = "local:{self.port}"\n{token}')
        self.wait_for_keys("alice")


if __name__ == "__main__":
    main()
