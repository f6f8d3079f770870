"""Guest and host, in two network namespaces: real programs, and whatever becomes of either side."""

import base64
import collections
import hashlib
import os
import signal
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from support import bus, proc, wire
from support.broker import TOKEN, BrokerCase, blob_of
from support.cable import THERE, Network
from support.case import main
from support.key_agent import KeyAgent, SecurityKey
from support.vsock import no_vsock
from support.waiting import eventually

FETCH_EVERY = 3  # seconds, in a life that is lived through faster


def fingerprint_of(line):
    """As ssh-keygen -l shows it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob_of(line)).digest()).decode().rstrip("=")


class VsockTest(BrokerCase):
    """The bus's format over vsock, within this machine"""

    def test_the_guest_uses_the_hosts_agent(self):
        if reason := no_vsock():
            self.skipTest(reason)
        hashed = hashlib.sha256(TOKEN.encode()).hexdigest()
        tokens = self.sandbox.file("tokens", f"vm {hashed} 2026-01-31\n")
        agent = self.agent("alice", path=self.in_agents("one"))
        self.host(f'[[broker.listen]]\naddress = "vsock:4981"\nname = "vm"\ntoken_file = "{tokens}"\n'
                  f'keys = ["{self.sandbox.fingerprint("alice")}"]\n').wait_for_live(agent.path)
        self.guest(f"vsock://local:4981{bus.PUBLISH}", token=self.sandbox.file("token", TOKEN + "\n"))
        self.wait_until("live")
        self.assertEqual(wire.comments(self.path), ["alice"])


class ChainTest(BrokerCase):
    """Guest and host are two supervisors in two network namespaces, with the bus's format over TCP between them."""

    def setUp(self):
        super().setUp()
        try:
            self.network = self.keep(Network(self.sandbox))
        except OSError as error:
            self.skipTest(f"no network namespaces here: {error}")
        self.port = 4980
        hashed = hashlib.sha256(TOKEN.encode()).hexdigest()
        self.tokens = self.sandbox.file("tokens", f"vm {hashed} 2026-01-31\n")

    def chain(self, agent, *fingerprints, more=""):
        """Both, until the guest's agent is live."""
        self.host_on(fingerprints).wait_for_live(agent.path)
        self.guest(f"http://{THERE}:{self.port}{bus.PUBLISH}", more, token=self.sandbox.file("token", TOKEN + "\n"))
        self.wait_until("live")

    def host_on(self, fingerprints):
        """The host's supervisor."""
        keys = ", ".join(f'"{fingerprint}"' for fingerprint in fingerprints)
        return self.host(f'[[broker.listen]]\naddress = "tcp:{THERE}:{self.port}"\nname = "vm"\nkeys = [{keys}]\n'
                         f'token_file = "{self.tokens}"\nrate = 100000\n', prepare=self.network.enter)

    def test_ssh_git_and_signed_commits(self):
        agent = self.agent("alice", path=self.in_agents("one"))
        self.chain(agent, self.sandbox.fingerprint("alice"))
        self.host_daemon.wait_for_log("is not encrypted")
        listed = self.run_program("ssh-add", "-l", SSH_AUTH_SOCK=self.path)
        self.assertIn(self.sandbox.fingerprint("alice"), listed.out, listed)
        server = self.sshd("alice")
        done = self.run_program("sh", "-c", f"{server.ssh} agent echo reached", SSH_AUTH_SOCK=self.path)
        self.assertEqual(done.out.strip(), "reached", done)
        script = f"""
            set -e
            git init -q --bare -b main origin.git
            git init -q -b main work; cd work
            git config user.name t; git config user.email t@example.org
            git config gpg.format ssh; git config user.signingkey "{self.sandbox.key('alice')}.pub"
            echo "t@example.org {self.sandbox.public_key('alice')}" >../allowed
            git config gpg.ssh.allowedSignersFile ../allowed
            git commit -q -S --allow-empty -m one
            git verify-commit HEAD
            git push -q ../origin.git HEAD:main
            cd ..; git clone -q origin.git clone; git -C clone remote set-url origin "ssh://agent$PWD/origin.git"
            git -C clone fetch"""
        made = self.run_program("sh", "-c", script, SSH_AUTH_SOCK=self.path, GIT_SSH_COMMAND=server.ssh)
        self.assertEqual(made.status, 0, made)
        self.assertIn('Good "git" signature', made.text)

    def sign_with(self, public, name="data"):
        """`ssh-keygen -Y sign` in the guest, verified."""
        key = self.sandbox.file(name + ".pub", public + "\n")
        data = self.sandbox.file(name + ".txt", "some text\n")
        signed = self.run_program("ssh-keygen", "-Y", "sign", "-n", "file", "-f", key, data, SSH_AUTH_SOCK=self.path)
        self.assertEqual(signed.status, 0, signed)
        with open(data, "rb") as file:
            verified = self.run_program("ssh-keygen", "-Y", "check-novalidate", "-n", "file", "-s", data + ".sig", stdin=file.read())
        self.assertEqual(verified.status, 0, verified)
        return verified.out

    def test_security_keys_verify(self):
        for kind in ("ed25519", "ecdsa"):
            with self.subTest(kind=kind):
                key = SecurityKey(self.sandbox, kind)
                agent = self.keep(KeyAgent(self.sandbox, key, path=self.in_agents(f"sk-{kind}")))
                line = self.run_program("ssh-keygen", "-lf", self.sandbox.file("sk.pub", key.line + "\n")).out
                self.chain(agent, line.split()[1])
                self.sign_with(key.line, f"sk-{kind}")
                self.guest_daemon.stop()
                self.host_daemon.stop()

    def test_rsa_flags_and_certificates_verify(self):
        keys = self.sandbox.directory("keys")
        for words in (("-t", "rsa", "-b", "2048", "-f", f"{keys}/rsa"), ("-t", "ed25519", "-f", f"{keys}/ca")):
            self.assertEqual(self.run_program("ssh-keygen", "-q", "-N", "", "-C", "c", *words, within=60).status, 0)
        made = self.run_program("ssh-keygen", "-q", "-s", f"{keys}/ca", "-I", "id", "-n", "t", f"{keys}/rsa.pub")
        self.assertEqual(made.status, 0, made)
        agent = self.agent(path=self.in_agents("rsa"))
        added = self.run_program("ssh-add", "-q", f"{keys}/rsa", SSH_AUTH_SOCK=agent.path)
        self.assertEqual(added.status, 0, added)
        with wire.Client(agent.path) as client:
            blobs = [blob for blob, _ in client.list()]
        self.assertEqual(len(blobs), 2)
        prints = ["SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=") for blob in blobs]
        self.chain(agent, *prints)
        with wire.Client(self.path) as client:
            self.assertEqual([blob for blob, _ in client.list()], blobs)
            for flags, name in ((2, b"rsa-sha2-256"), (4, b"rsa-sha2-512")):
                answer = client.ask(wire.sign_request(blobs[0], b"data", flags))
                (length,) = struct.unpack_from(">I", answer, 5)
                self.assertEqual(answer[9:9 + length], name)
        for path in ("rsa.pub", "rsa-cert.pub"):
            with open(f"{keys}/{path}", encoding="utf-8") as file:
                self.sign_with(file.read().strip(), path[:-4])

    def test_security_keys_rsa_and_certificates_log_in(self):
        """What a real sshd says of the signatures."""
        keys = self.sandbox.directory("keys")
        for words in (("-t", "rsa", "-b", "2048", "-f", f"{keys}/rsa"), ("-t", "ed25519", "-f", f"{keys}/ca")):
            self.assertEqual(self.run_program("ssh-keygen", "-q", "-N", "", "-C", "c", *words, within=60).status, 0)
        made = self.run_program("ssh-keygen", "-q", "-s", f"{keys}/ca", "-I", "id", "-n", self.sandbox.user, f"{keys}/rsa.pub")
        self.assertEqual(made.status, 0, made)
        lines = {}
        for name in ("rsa", "rsa-cert", "ca"):
            with open(f"{keys}/{name}.pub", encoding="utf-8") as file:
                lines[name] = file.read().strip()
        real = self.agent(path=self.in_agents("rsa"))
        self.assertEqual(self.run_program("ssh-add", "-q", f"{keys}/rsa", SSH_AUTH_SOCK=real.path).status, 0)
        os.unlink(f"{keys}/rsa")  # from now on the agent alone has it
        server = self.sshd()
        cases = [("rsa", lines["rsa"], "rsa-sha2-256"), ("rsa", lines["rsa"], "rsa-sha2-512"),
                 ("rsa", "cert-authority " + lines["ca"], "rsa-sha2-256-cert-v01@openssh.com"),
                 ("rsa", "cert-authority " + lines["ca"], "rsa-sha2-512-cert-v01@openssh.com")]
        self.chain(real, *map(fingerprint_of, (lines["rsa"], lines["rsa-cert"])))
        for name, allowed, algorithm in cases:
            with self.subTest(algorithm=algorithm):
                self.log_in(server, f"{keys}/{name}", allowed, algorithm)
        self.guest_daemon.stop()
        self.host_daemon.stop()
        real.kill()
        for kind, algorithm in (("ed25519", "sk-ssh-ed25519@openssh.com"), ("ecdsa", "sk-ecdsa-sha2-nistp256@openssh.com")):
            with self.subTest(algorithm=algorithm):
                key = SecurityKey(self.sandbox, kind)
                self.sandbox.file(f"keys/sk-{kind}.pub", key.line + "\n")
                self.chain(self.keep(KeyAgent(self.sandbox, key, path=self.in_agents(f"sk-{kind}"))), fingerprint_of(key.line))
                self.log_in(server, f"{keys}/sk-{kind}", key.line, algorithm)
                key.flags = 0  # nobody touches it: sshd wants that
                self.log_in(server, f"{keys}/sk-{kind}", key.line, algorithm, is_let_in=False)
                self.guest_daemon.stop()
                self.host_daemon.stop()

    def log_in(self, server, key, allowed, algorithm, is_let_in=True):
        """ssh from the guest, by that key and algorithm alone, to an sshd that lets in nobody else."""
        with open(f"{server.directory}/authorized_keys", "w", encoding="utf-8") as file:
            file.write(allowed + "\n")
        options = f"-o IdentitiesOnly=yes -o IdentityFile={key} -o PubkeyAcceptedAlgorithms={algorithm}"
        done = self.run_program("sh", "-c", f"{server.ssh} {options} other echo reached", SSH_AUTH_SOCK=self.path)
        self.assertEqual(done.out.strip() == "reached", is_let_in, (done, self.sandbox.log("sshd.log")[-3000:]))

    def test_the_guest_recovers_whatever_becomes_of_the_host(self):
        agent = self.agent("alice", path=self.in_agents("one"))
        fingerprint = self.sandbox.fingerprint("alice")
        self.chain(agent, fingerprint, more='[probe]\ninterval = "200ms"\n')
        keys = lambda: wire.comments(self.path, 10)
        self.assertEqual(keys(), ["alice"])
        with self.subTest("restarted"):
            self.assertTrue(self.host_daemon.control("restart", within=10)["ok"])
            self.assertEqual(keys(), ["alice"])
            self.host_daemon.control("stop")
            self.wait_until("dead", "Connection refused")
            self.host_on([fingerprint])
            self.wait_until("live")
        with self.subTest("slept"):
            self.host_daemon.signal(signal.SIGSTOP)
            self.wait_until("dead", "does not answer")
            self.host_daemon.signal(signal.SIGCONT)
            self.wait_until("live", within=40)
        with self.subTest("its agent replaced"):
            agent.kill()
            os.unlink(agent.path)
            self.agent("alice", path=self.in_agents("two"))
            eventually(lambda: keys() == ["alice"], 10, "the new agent")
        with self.subTest("its cable pulled"):
            self.network.cut()
            self.wait_until("dead")
            self.network.mend()
            self.wait_until("live", within=40)
            self.assertEqual(keys(), ["alice"])

    def test_soak(self):
        """`git fetch` again and again while either side reconnects: LIVESOCK_SOAK_MINUTES of a life in which somebody
        fetches every three seconds, a hundred reconnects of each side in fifteen minutes. Nobody waits for the time."""
        minutes = float(os.environ.get("LIVESOCK_SOAK_MINUTES", "0.4"))
        fingerprint = self.sandbox.fingerprint("alice")
        self.chain(self.agent("alice", path=self.in_agents("one")), fingerprint, more='[proxy]\ngrace = "10s"\n')
        server = self.sshd("alice")
        made = self.run_program("sh", "-c", "git init -q --bare -b main origin.git && git init -q -b main work && cd work && "
                                "git config user.name t && git config user.email t@example.org && git commit -q --allow-empty -m one && "
                                "git push -q ../origin.git HEAD:main && cd .. && git clone -q origin.git clone && "
                                'git -C clone remote set-url origin "ssh://agent$PWD/origin.git"')
        self.assertEqual(made.status, 0, made)
        self.addCleanup(lambda: [daemon.control("stop") for daemon in (self.guest_daemon, self.host_daemon) if daemon.answers()])

        def restart(daemon):
            self.assertTrue(daemon.control("restart", within=15)["ok"])

        def host_ends_and_begins():
            pid = self.host_daemon.control("stop")["pid"]
            eventually(lambda: not proc.alive(pid), 10, "the host to end")
            self.host_on([fingerprint])

        def cable_is_pulled():
            self.network.cut()
            self.network.mend()

        # In turn; those that lose nothing also while a fetch is under way.
        host, guest = (lambda: restart(self.host_daemon)), (lambda: restart(self.guest_daemon))
        turns = (("host", host, True), ("guest", guest, True), ("cable", cable_is_pulled, False),
                 ("host", host_ends_and_begins, False), ("guest", guest, False), ("nobody", lambda: None, False))
        fetches, reconnects = 0, collections.Counter()
        for number in range(max(len(turns), round(minutes * 60 / FETCH_EVERY))):
            who, reconnect, is_meanwhile = turns[number % len(turns)]
            reconnects[who] += 1
            if not is_meanwhile:
                reconnect()
            fetching = self.sandbox.spawn("git", "-C", "clone", "fetch", log="fetch.log", SSH_AUTH_SOCK=self.path,
                                          GIT_SSH_COMMAND=server.ssh)
            if is_meanwhile:
                reconnect()
            status = fetching.wait(40)
            self.assertEqual(status, 0, (number, who, self.sandbox.log("fetch.log"), self.guest_daemon.log, self.host_daemon.log))
            fetches += 1
        if "LIVESOCK_SOAK_MINUTES" in os.environ:
            print(f"\n  {fetches} fetches, reconnects: {dict(reconnects)}", end="", flush=True)


if __name__ == "__main__":
    main()
