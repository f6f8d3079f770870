"""Keys that may be used for some destinations only (ssh-add -h): what the agent allows directly, and no more."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from support import wire
from support.case import Case, main
from support.session_bind import Host

SESSION = b"s" * 32
HOSTS = ("here", "near", "far")
# From the laptop to `here`, from there to `near`, from there to `far`; no way is left out, and none leads back.
WAYS = ("-h", "here", "-h", "here>near", "-h", "near>far")
ALLOWED = {
    "the next host": ("near true", True),
    "a host behind the next": ("far true", False),
    "back to this host": ("here true", False),
    "over two hops": ("-A near {ssh} far true", True),
    "over two hops, back": ("-A near {ssh} here true", False),
    "over two hops, not forwarded": ("-a near {ssh} far true", False),
}


class ConstrainedCase(Case):
    """Three hosts, whose names and keys `ssh` knows, and a key that leads from one to the next."""

    def setUp(self):
        super().setUp()
        self.servers = {name: self.sshd("alice", host_key=name) for name in HOSTS}
        self.known_hosts = self.sandbox.file("known_hosts", "".join(
            f"{name} {' '.join(self.sandbox.public_key(name).split()[:2])}\n" for name in HOSTS))
        hosts = "".join(f"Host {name}\n  HostKeyAlias {name}\n  Port {server.port}\n"
                        for name, server in self.servers.items())
        config = self.sandbox.file("ssh_config", f"""{hosts}\
Host *
  HostName 127.0.0.1
  User {self.sandbox.user}
  IdentityFile none
  UserKnownHostsFile {self.known_hosts}
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  BatchMode yes
  LogLevel ERROR
""")
        self.ssh = f"ssh -F {config}"
        self.daemon = self.supervisor("[discovery]\nforwarded = false\n")  # what is forwarded on is not for us

    def constrained_agent(self):
        """An agent with the key, as it is on the laptop."""
        agent = self.agent()
        added = self.run_program("ssh-add", "-q", "-H", self.known_hosts, *WAYS, self.sandbox.key("alice"),
                                 SSH_AUTH_SOCK=agent.path)
        self.assertEqual(added.status, 0, added)
        return agent

    def use(self, path):
        """Makes the agent at `path` the live one."""
        self.assertTrue(self.daemon.control("register", path=path)["ok"])
        self.daemon.wait_for_live(path)


class RealTest(ConstrainedCase):
    """ssh itself, in a login to `here`."""

    def new_login(self):
        """A login with a laptop of its own, which is the live agent."""
        login = self.login(self.servers["here"], self.constrained_agent())
        self.use(login.auth_sock)
        return login

    def status(self, login, words, socket):
        """How ssh with these words ends in the login, with that socket."""
        return login.run(f"SSH_AUTH_SOCK={socket} {self.ssh} {words.format(ssh=self.ssh)}").status

    def check_ways(self, login):
        """Through agent.sock ssh gets where it gets directly, and nowhere else."""
        for where, (words, is_allowed) in ALLOWED.items():
            with self.subTest(where=where):
                directly = self.status(login, words, login.auth_sock)
                self.assertEqual(directly == 0, is_allowed, "directly")
                self.assertEqual(self.status(login, words, self.daemon.agent_sock), directly, "through agent.sock")

    def check_list(self, login):
        """The same keys are offered."""
        directly = login.run(f"SSH_AUTH_SOCK={login.auth_sock} ssh-add -L")
        through = login.run(f"SSH_AUTH_SOCK={self.daemon.agent_sock} ssh-add -L")
        self.assertEqual((directly.status, directly.out.strip()), (0, self.sandbox.public_key("alice")), directly)
        self.assertEqual((through.status, through.out), (directly.status, directly.out), through)

    def test_ssh_gets_where_it_gets_directly_and_nowhere_else(self):
        login = self.new_login()
        self.check_list(login)
        self.check_ways(login)

    def test_and_so_it_does_with_the_agent_of_the_next_login(self):
        first, second = self.new_login(), self.new_login()
        self.assertEqual(self.status(second, "near true", self.daemon.agent_sock), 0)
        second.logout()
        self.daemon.wait_for_live(first.auth_sock)
        self.check_list(first)
        self.check_ways(first)


class BoundTest(ConstrainedCase):
    """A client whose agent ends in the middle: the next one is told what its predecessor was told."""

    def setUp(self):
        super().setUp()
        notary = self.agent(*HOSTS)
        self.here, self.near, self.far = (Host(notary.path, name) for name in HOSTS)

    def client(self, *bindings):
        """A client of agent.sock that has told this of its session."""
        client = self.keep(wire.Client(self.daemon.agent_sock))
        for binding in bindings:
            self.assertEqual(client.ask(binding)[0], wire.SUCCESS)
        return client

    def login_kind(self, client, host, key):
        """The kind of the answer to the sign request of a login to `host`."""
        return client.ask(host.login(SESSION, self.sandbox.user, key))[0]

    def check_both(self, allowed, refused, end, before=()):
        """Before and after `end()` one client may log in where the key leads, another not where it does not; both are
        bound to what is `before` on the way."""
        with wire.Client(self.daemon.agent_sock) as client:
            ((key, _),) = client.list()
        good = self.client(*before, allowed.bind(SESSION))
        bad = self.client(*before, refused.bind(SESSION))
        for agent in ("the first", "the next"):
            with self.subTest(agent=agent):
                self.assertEqual((good.comments(), bad.comments()), (["alice"], []))
                self.assertEqual(self.login_kind(good, allowed, key), wire.SIGN_RESPONSE)
                self.assertEqual(self.login_kind(bad, refused, key), wire.FAILURE)
                if agent == "the first":
                    end()

    def test_local_agents_are_told_of_the_session_that_the_first_was_told_of(self):
        following, first = self.constrained_agent(), self.constrained_agent()
        self.use(following.path)
        self.use(first.path)
        self.check_both(self.here, self.near, first.kill)
        self.daemon.wait_for_live(following.path)

    def two_logins(self):
        """A login that is used, and one that is used when it has ended."""
        logins = []
        for _ in range(2):
            logins.append(self.login(self.servers["here"], self.constrained_agent()))
            self.use(logins[-1].auth_sock)
        return reversed(logins)

    def test_agents_of_logins_are_told_of_the_session_that_the_first_was_told_of(self):
        first, following = self.two_logins()
        self.check_both(self.near, self.far, first.vanish)
        self.daemon.wait_for_live(following.auth_sock)

    def test_a_session_that_is_forwarded_on_stays_so(self):
        first, following = self.two_logins()
        on_the_way = self.near.bind(b"w" * 32, forwarding=True)
        self.check_both(self.far, self.here, first.vanish, before=[on_the_way])
        self.daemon.wait_for_live(following.auth_sock)


if __name__ == "__main__":
    main()
