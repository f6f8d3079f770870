"""Fallback agents: a socket, a command, the keys of ~/.ssh."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from support import proc, wire
from support.case import Case, main
from support.waiting import eventually, Stopwatch

RELAY = """\
import os, socket, sys, threading
print("relaying", file=sys.stderr, flush=True)
with open(sys.argv[2], "a") as file:
    file.write(f"{os.getpid()}\\n")
sock = socket.socket(socket.AF_UNIX)
sock.connect(sys.argv[1])

def pump(read, write):
    while data := read():
        write(data)

def back():
    pump(lambda: sock.recv(65536), lambda data: os.write(1, data))
    os._exit(0)

threading.Thread(target=back, daemon=True).start()
pump(lambda: os.read(0, 65536), sock.sendall)
"""


class FallbackCase(Case):
    """Fallbacks, and agents beside them in the directory of only_agents()."""

    def with_fallbacks(self, *tables, **options):
        """A supervisor with these tables, each "key = value"."""
        text = "".join(f"[[fallback]]\n{table}\n" for table in tables)
        self.daemon = self.supervisor(self.only_agents(text), **options)
        self.path = self.daemon.agent_sock
        return self.daemon

    def wait_for_keys(self, *comments, within=5):
        """Returns when a client is offered these keys."""
        eventually(lambda: wire.comments(self.path) == list(comments), within,
                   lambda: f"{comments}; log:\n{self.daemon.log}")

    def command_to(self, agent, *more):
        """The table of a command that relays to an agent."""
        words = [sys.executable, self.sandbox.file("relay.py", RELAY), agent.path, self.sandbox.path + "/relays", *more]
        return f"command = {words}"

    def relays(self):
        """The process IDs of all relays that were ever started."""
        try:
            with open(self.sandbox.path + "/relays", encoding="utf-8") as file:
                return [int(line) for line in file]
        except FileNotFoundError:
            return []

    def running(self):
        """Those that still run."""
        return [pid for pid in self.relays() if proc.alive(pid)]

    def fallback(self, label):
        """What status says of the fallback of that label."""
        found = [entry for entry in self.daemon.status()["agents"] if entry["label"] == label]
        self.assertEqual([entry["origin"] for entry in found], ["fallback"])
        return found[0]


class SocketTest(FallbackCase):
    """[[fallback]] socket"""

    def test_it_is_used_while_no_other_agent_is_live(self):
        local = self.agent("local")
        self.with_fallbacks(f'socket = "{local.path}"')
        self.daemon.wait_for_live(local.path)
        self.wait_for_keys("local")
        self.assertEqual(self.daemon.agents()[local.path]["origin"], "fallback")
        other = self.agent(path=self.in_agents("other"))  # has no key
        self.daemon.wait_for_live(other.path)
        self.assertEqual(wire.comments(self.path), [])
        other.kill()
        self.wait_for_keys("local")
        self.daemon.wait_for_live(local.path)

    def test_a_forwarded_login_comes_first_and_when_it_ends_the_fallback_serves_again(self):
        local = self.agent("local")
        config = f'[[fallback]]\nsocket = "{local.path}"\n'
        self.daemon = self.supervisor(config)
        self.path = self.daemon.agent_sock
        self.wait_for_keys("local")
        with wire.Client(self.path) as client:
            self.assertEqual(client.comments(), ["local"])
            login = self.login(self.sshd(), self.agent("laptop"))
            self.daemon.wait_for_live(login.auth_sock)
            self.assertEqual(client.comments(), ["laptop"])  # even on a connection that was open
            login.close()
            self.daemon.wait_for_live(local.path)
            self.assertEqual(client.comments(), ["local"])

    def test_a_sleeping_login_gives_way_to_the_fallback(self):
        local = self.agent("local")
        self.daemon = self.supervisor(f'[[fallback]]\nsocket = "{local.path}"\n')
        self.path = self.daemon.agent_sock
        login = self.login(self.sshd(), self.agent("laptop"))
        self.daemon.wait_for_live(login.auth_sock)
        login.sleep()
        with wire.Client(self.path) as client:
            self.assertEqual(client.comments(within=10), ["local"])
        login.wake()
        self.daemon.wait_for_live(login.auth_sock)

    def test_the_first_of_two_that_lives_is_used(self):
        first, second = self.agent("first"), self.agent("second")
        self.with_fallbacks(f'socket = "{first.path}"', f'socket = "{second.path}"')
        self.wait_for_keys("first")
        first.kill()
        self.wait_for_keys("second")

    def test_where_agents_are_merged_a_fallback_stays_out_while_another_lives(self):
        local, one = self.agent("local"), self.agent("one", path=self.in_agents("one"))
        self.with_fallbacks(f'socket = "{local.path}"\n[selection]\nmode = "merge"')
        self.wait_for_keys("one")
        two = self.agent("two", path=self.in_agents("two"))
        eventually(lambda: sorted(wire.comments(self.path)) == ["one", "two"], 5, "a list of both")
        one.kill()
        two.kill()
        self.wait_for_keys("local")

    def test_a_socket_that_comes_later_is_used_at_once(self):
        path = os.path.join(self.sandbox.directory("later"), "sock")
        self.with_fallbacks(f'socket = "{path}"')
        self.assertEqual(self.daemon.state(path), "dead")
        self.assertIn(path, self.daemon.agents()[path]["reason"])
        self.agent("late", path=path)
        self.wait_for_keys("late")

    def test_our_own_socket_is_refused(self):
        self.with_fallbacks(f'socket = "{self.agent_sock}"')
        self.assertEqual(self.daemon.state(self.agent_sock), "dead")
        self.assertIn("livesock's own socket", self.daemon.agents()[self.agent_sock]["reason"])
        self.assertIsNone(self.daemon.live)

    def test_reload_takes_up_and_lets_go(self):
        one, two = self.agent("one"), self.agent("two")
        self.with_fallbacks(f'socket = "{one.path}"')
        self.wait_for_keys("one")
        self.daemon.configure(self.only_agents(f'[[fallback]]\nsocket = "{two.path}"\n'))
        self.assertTrue(self.daemon.reload()["ok"])
        self.wait_for_keys("two")
        self.assertEqual(list(self.daemon.agents()), [two.path])
        self.daemon.configure(self.only_agents())
        self.assertTrue(self.daemon.reload()["ok"])
        self.assertEqual(self.daemon.agents(), {})
        self.daemon.wait_for_live(None)

    @unittest.skipUnless(shutil.which("gpg-agent") and shutil.which("gpg-connect-agent"), "gpg-agent is not installed")
    def test_gpg_agent_serves(self):
        home = self.sandbox.directory("gnupg")
        environment = {"GNUPGHOME": home}
        self.sandbox.file("gnupg/gpg-agent.conf", "enable-ssh-support\n")
        self.addCleanup(self.run_program, "gpgconf", "--kill", "gpg-agent", **environment)
        self.run_program("gpg-connect-agent", "/bye", **environment)
        path = self.run_program("gpgconf", "--list-dirs", "agent-ssh-socket", **environment).out.strip()
        self.with_fallbacks(f'socket = "{path}"')
        self.daemon.wait_for_live(os.path.realpath(path))
        self.assertEqual(wire.comments(self.path), [])


class CommandTest(FallbackCase):
    """[[fallback]] command"""

    LABEL = "fallback: " + os.path.basename(sys.executable)

    def test_it_serves_while_no_other_agent_is_live_and_only_then_runs(self):
        self.with_fallbacks(self.command_to(self.agent("behind")))
        self.wait_for_keys("behind")
        self.assertIsNone(self.daemon.live)
        self.assertEqual(self.fallback(self.LABEL)["state"], "live")
        self.daemon.wait_for_log("relaying")
        other = self.agent("other", path=self.in_agents("other"))
        self.daemon.wait_for_live(other.path)
        eventually(lambda: not self.running(), 5, "an end of the relays")
        self.assertEqual(self.fallback(self.LABEL)["state"], "new")
        self.assertIn("when no other agent is live", self.fallback(self.LABEL)["reason"])
        started = len(self.relays())
        self.wait_for_keys("other")
        self.assertEqual(len(self.relays()), started)
        other.kill()
        watch = Stopwatch()
        self.assertEqual(wire.comments(self.path), ["behind"])  # the first request waits for it
        self.assertLess(watch.seconds, 2)

    def test_it_is_not_started_where_another_agent_is_live_from_the_beginning(self):
        other = self.agent("other", path=self.in_agents("other"))
        self.with_fallbacks(self.command_to(self.agent("behind")), "local_keys = true")
        self.daemon.wait_for_live(other.path)
        self.wait_for_keys("other")
        # The private agent is ready: all that happens by itself has happened.
        eventually(lambda: self.fallback("keys of ~/.ssh")["state"] == "live", 5, "the private agent to be live")
        self.assertEqual(self.relays(), [])

    def test_signing_works_through_it(self):
        self.with_fallbacks(self.command_to(self.agent("behind")))
        self.wait_for_keys("behind")
        done = self.run_program("ssh-keygen", "-Y", "sign", "-n", "test", "-f", self.sandbox.key("behind") + ".pub",
                                stdin=b"data", SSH_AUTH_SOCK=self.path)
        self.assertEqual(done.status, 0, done)

    def test_each_client_has_a_process_that_ends_with_it(self):
        self.with_fallbacks(self.command_to(self.agent("behind")))
        self.wait_for_keys("behind")
        eventually(lambda: len(self.running()) <= 2, 5, "an end of the clients' relays")
        at_rest = self.running()
        fds = self.daemon.fds
        clients = [wire.Client(self.path) for _ in range(5)]
        for client in clients:
            self.assertEqual(client.comments(within=10), ["behind"])
        self.assertGreaterEqual(len(self.running()), 6)
        for client in clients:
            client.close()
        eventually(lambda: len(self.running()) <= len(at_rest) + 1, 5, "an end of the clients' relays")
        eventually(lambda: self.daemon.fds <= fds + 5, 5, "an end of their descriptors")

    def test_what_cannot_be_executed_is_dead_and_says_why(self):
        self.with_fallbacks('command = ["/nonexistent/relay"]', 'command = ["no-such-relay"]',
                            self.command_to(self.agent("behind")))
        self.wait_for_keys("behind")
        self.assertEqual(self.fallback("fallback: relay")["state"], "dead")
        self.assertIn("'/nonexistent/relay'", self.fallback("fallback: relay")["reason"])
        self.assertIn("no directory of PATH", self.fallback("fallback: no-such-relay")["reason"])
        self.assertEqual(self.daemon.log.count("cannot execute '/nonexistent/relay'"), 1)

    def test_garbage_and_an_early_end_are_death(self):
        self.with_fallbacks('command = ["sh", "-c", "echo this is no agent; exec sleep 1000"]',
                            'command = ["false"]', self.command_to(self.agent("behind")))
        self.wait_for_keys("behind")
        self.assertEqual(self.fallback("fallback: sh")["state"], "dead")
        self.assertEqual(self.fallback("fallback: false")["state"], "dead")

    def test_what_it_prints_is_logged_escaped_and_within_bounds(self):
        script = r"""printf 'a\033[31mb\n' >&2; yes x%s | head -n 100000 >&2; exec %s""" % (
            "y" * 5000, shlex.join(["sleep", "1000"]))
        self.with_fallbacks(f"command = ['''sh''', '''-c''', '''{script}''']")
        self.daemon.wait_for_log(r"fallback:sh: a\x1b[31mb")
        self.daemon.wait_for_log("fallback:sh: xyyy")
        eventually(lambda: self.daemon.log.count("fallback:sh: xyyy") >= 10, 5, "some lines")
        self.assertLess(self.daemon.log.count("fallback:sh: x"), 30)
        self.assertNotIn("y" * 600, self.daemon.log)
        self.assertTrue(self.daemon.answers())

    def test_nothing_is_left_of_one_that_does_not_want_to_end(self):
        pids = self.sandbox.path + "/pids"
        script = f"trap '' TERM HUP INT; sleep 1000 & echo $$ $! >{pids}; while :; do wait; done"
        self.with_fallbacks(f"command = ['''sh''', '''-c''', '''{script}''']")
        eventually(lambda: os.path.exists(pids) and os.path.getsize(pids), 5, "the command to run")
        with open(pids, encoding="utf-8") as file:
            started = [int(word) for word in file.read().split()]
        self.assertEqual(self.daemon.stop(), 0)
        self.assertEqual([pid for pid in started if proc.alive(pid)], [])

    def test_it_ends_when_the_supervisor_is_killed(self):
        self.with_fallbacks('command = ["sleep", "1000"]')
        eventually(lambda: self.fallback("fallback: sleep")["pid"], 5, "the command to run")
        pid = self.fallback("fallback: sleep")["pid"]
        self.daemon.kill()
        eventually(lambda: not proc.alive(pid), 5, "an end of the command")

    def test_pinned_it_is_used_whatever_else_lives(self):
        other = self.agent("other", path=self.in_agents("other"))
        self.with_fallbacks(self.command_to(self.agent("behind")))
        self.daemon.wait_for_live(other.path)
        self.assertTrue(self.daemon.control("use", agent=self.LABEL)["ok"])
        self.wait_for_keys("behind")
        self.daemon.control("use", agent="auto")
        self.wait_for_keys("other")

    def test_reload_ends_one_that_is_not_wanted_any_more_and_keeps_the_same(self):
        behind = self.agent("behind")
        kept = self.command_to(behind)
        self.with_fallbacks(kept, 'command = ["sleep", "1000"]')
        self.wait_for_keys("behind")
        sentinel = self.fallback(self.LABEL)["pid"]
        self.daemon.configure(self.only_agents(f"[[fallback]]\n{kept}\n"))
        self.assertTrue(self.daemon.reload()["ok"])
        self.assertEqual(self.fallback(self.LABEL)["pid"], sentinel)
        self.daemon.configure(self.only_agents())
        self.assertTrue(self.daemon.reload()["ok"])
        eventually(lambda: not self.running(), 5, "an end of the relays")


class LocalKeysTest(FallbackCase):
    """[[fallback]] local_keys"""

    LABEL = "keys of ~/.ssh"

    def key(self, name, comment, passphrase="", mode=0o600):
        """A key in ~/.ssh."""
        path = os.path.join(self.sandbox.directory("home", ".ssh"), name)
        kind = name.removeprefix("id_")
        subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", comment, "-f", path], check=True,
                       stdin=subprocess.DEVNULL)
        os.chmod(path, mode)
        return path

    def started(self, **options):
        """A supervisor whose private agent is live; its pid."""
        self.with_fallbacks("local_keys = true", **options)
        eventually(lambda: self.fallback(self.LABEL)["state"] == "live", 10,
                   lambda: "the private agent to be live:\n" + self.daemon.log)
        return self.fallback(self.LABEL)["pid"]

    def test_plain_keys_are_loaded_and_others_left_out_with_a_warning(self):
        self.key("id_ed25519", "plain")
        locked = self.key("id_ecdsa", "locked", passphrase="secret")
        open_to_all = self.key("id_rsa", "open", mode=0o644)
        self.started(SSH_ASKPASS="/bin/false", SSH_ASKPASS_REQUIRE="force", DISPLAY=":0")
        self.wait_for_keys("plain")
        log = self.daemon.log
        self.assertIn(f"'{locked}' is left out, for it is encrypted", log)
        self.assertIn(f"'{open_to_all}' is left out, for others can read it", log)
        socket = os.path.join(self.daemon.directory, f"keys.{self.daemon.pid}")
        self.assertEqual(self.daemon.live, socket)
        self.assertEqual(os.stat(socket).st_mode & 0o777, 0o600)
        self.assertEqual(wire.comments(socket), ["plain"])

    def test_without_keys_it_is_there_all_the_same(self):
        self.started()
        self.wait_for_keys()

    def test_a_forwarded_login_comes_first(self):
        self.key("id_ed25519", "plain")
        self.started()
        self.wait_for_keys("plain")
        other = self.agent("other", path=self.in_agents("other"))
        self.daemon.wait_for_live(other.path)
        self.wait_for_keys("other")
        other.kill()
        self.wait_for_keys("plain")

    def test_a_request_at_the_very_start_gets_the_keys(self):
        self.key("id_ed25519", "plain")
        self.with_fallbacks("local_keys = true")
        self.assertEqual(wire.comments(self.path), ["plain"])

    def test_the_private_agent_ends_with_a_supervisor_that_is_killed(self):
        pid = self.started()
        self.assertIn("ssh-agent", proc.command(pid))
        self.daemon.kill()
        eventually(lambda: not proc.alive(pid), 5, "an end of the private agent")

    def test_nothing_is_left_after_a_stop(self):
        pid = self.started()
        self.assertEqual(self.daemon.stop(), 0)
        self.assertFalse(proc.alive(pid))
        self.assertEqual([name for name in os.listdir(self.daemon.directory) if name.startswith("keys.")], [])

    def test_what_a_killed_supervisor_left_is_removed_at_the_next_start(self):
        self.started()
        self.daemon.kill()
        stale = os.path.join(self.daemon.directory, f"keys.{self.daemon.pid}")
        self.assertTrue(os.path.lexists(stale))
        self.daemon = self.supervisor(None)
        self.assertFalse(os.path.lexists(stale))

    def test_a_restart_keeps_the_keys_at_hand(self):
        self.key("id_ed25519", "plain")
        self.started()
        self.wait_for_keys("plain")
        self.assertTrue(self.daemon.control("restart", within=20)["ok"])
        self.addCleanup(self.livesock, "stop")
        self.wait_for_keys("plain")
        eventually(lambda: self.daemon.process.poll() is not None, 10, "the predecessor to end")
        self.wait_for_keys("plain")

    def test_one_that_dies_soon_is_not_started_again_and_again(self):
        self.key("id_ed25519", "plain")
        pid = self.started()
        os.kill(pid, signal.SIGKILL)
        self.daemon.wait_for_log("the private ssh-agent was ended by signal 9")
        eventually(lambda: self.fallback(self.LABEL)["state"] == "dead", 5, "the fallback to be dead")

    def test_a_killed_supervisors_socket_is_no_hindrance(self):
        self.key("id_ed25519", "plain")
        self.started()
        self.daemon.kill()
        self.started()
        self.wait_for_keys("plain")

    def test_reload_ends_it_and_starts_it(self):
        self.key("id_ed25519", "plain")
        pid = self.started()
        self.daemon.configure(self.only_agents("[[fallback]]\nlocal_keys = true\n[probe]\ninterval = '20s'\n"))
        self.assertTrue(self.daemon.reload()["ok"])
        self.assertEqual(self.fallback(self.LABEL)["pid"], pid)
        self.daemon.configure(self.only_agents())
        self.assertTrue(self.daemon.reload()["ok"])
        eventually(lambda: not proc.alive(pid), 5, "an end of the private agent")
        self.daemon.configure(self.only_agents("[[fallback]]\nlocal_keys = true\n"))
        self.assertTrue(self.daemon.reload()["ok"])
        self.wait_for_keys("plain")


if __name__ == "__main__":
    main()
