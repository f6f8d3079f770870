"""`livesock restart`: a successor takes over, and nobody who uses agent.sock notices.

LIVESOCK_RESTARTS says how often it is done under load (10 unless set).
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from support import proc, wire
from support.case import main
from support.cases import CommandCase
from support.fake_agent import HANG
from support.sandbox import LIVESOCK, LIVESOCKD, remove
from support.supervisor import Control
from support.waiting import eventually

RESTARTS = int(os.environ.get("LIVESOCK_RESTARTS", "10"))


class Load:
    """Clients that list and sign without pause, half on fresh connections, half on ones that they keep."""

    def __init__(self, path, blob, clients=8):
        self.failures, self.done = [], [0] * clients
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._use, args=(path, blob, number)) for number in range(clients)]
        for thread in self._threads:
            thread.start()

    def _use(self, path, blob, number):
        kept = wire.Client(path, 10) if number % 2 else None
        while not self._ended.is_set():
            try:
                client = kept or wire.Client(path, 10)
                if not client.list(10):
                    raise AssertionError("an empty list")
                kind = client.ask(wire.sign_request(blob, b"x"), 10)[0]
                if kind != wire.SIGN_RESPONSE:
                    raise AssertionError(f"a sign request got {kind}")
                if client is not kept:
                    client.close()
                self.done[number] += 1
            except Exception as error:  # whatever it is, it is a failure that a user would have seen
                self.failures.append(f"{'kept' if kept else 'fresh'}: {error!r}")
                break
        if kept:
            kept.close()

    def close(self):
        """Ends it."""
        self._ended.set()
        for thread in self._threads:
            thread.join(20)


class RestartCase(CommandCase):
    """Restarts a supervisor in the background."""

    def load(self, agent):
        """Clients of the supervisor; what it has done since is checked with `check_load`."""
        with wire.Client(agent.path) as client:
            blob = client.list()[0][0]
        return self.keep(Load(self.agent_sock, blob))

    def check_load(self, load):
        """Every client was served, before and after this, and none failed."""
        before = list(load.done)
        eventually(lambda: load.failures or all(now > then for now, then in zip(load.done, before)), 10,
                   "every client to be served again")
        load.close()
        self.assertEqual(load.failures, [])

    def hand_over_pending(self):
        """A supervisor whose successor waits for an agent that never answers; returns both pids."""
        pid = self.pid()
        fake = self.fake_agent("slow", path=self.in_agents("slow"), manner=HANG)
        eventually(lambda: fake.requests, 5, "the slow one to be asked")
        asked = self.keep(Control(os.path.join(self.sandbox.livesock_dir, "control.sock")))
        asked.send(b'{"command":"restart"}\n')
        successor = eventually(lambda: children(pid), 5, "the successor to be started")[0]
        return pid, successor, asked


def children(pid):
    """The pids of its child processes that live."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [child for child in map(int, file.read().split()) if proc.alive(child)]


class GapTest(RestartCase):
    """What clients see of a restart."""

    def test_under_load_no_request_fails_and_no_connection_is_refused(self):
        load = self.load(self.started("alice"))
        pids = {self.pid()}
        for _ in range(RESTARTS):
            self.check(0, "restart")
            pids.add(self.pid())
        self.assertEqual(len(pids), RESTARTS + 1)
        self.check_load(load)

    def test_the_report_is_never_absent(self):
        self.started("alice")
        live, ended, absent = os.path.join(self.sandbox.livesock_dir, "live"), threading.Event(), []

        def watch():
            while not ended.is_set():
                if not os.path.lexists(live):
                    absent.append(True)
        thread = threading.Thread(target=watch)
        thread.start()
        try:
            for _ in range(3):
                self.check(0, "restart")
        finally:
            ended.set()
            thread.join()
        self.assertEqual(absent, [])

    def test_an_open_request_is_answered_and_its_client_goes_with_the_successor(self):
        self.configure(self.only_agents())
        fake = self.fake_agent("carol", path=self.in_agents("one"))
        self.check(0, "start")
        self.check(0, "wait", "--timeout", "5s")
        before = self.pid()
        client = self.keep(wire.Client(self.agent_sock))
        asked = fake.count(wire.SIGN_REQUEST)
        fake.delay = 1.5
        client.send(wire.sign_request(fake.keys[0][0], b"x"))
        eventually(lambda: fake.count(wire.SIGN_REQUEST) > asked, 5, "the request to arrive")
        fake.delay = 0
        self.check(0, "restart")
        self.assertNotEqual(self.pid(), before)
        self.assertEqual(client.recv(5)[0], wire.SIGN_RESPONSE)
        self.assertEqual(client.comments(), ["carol"])
        eventually(lambda: not proc.alive(before), 5, "the old one to leave")
        self.assertEqual(client.comments(), ["carol"])

    def test_its_client_goes_with_the_successors_successor(self):
        self.configure(self.only_agents())
        fake = self.fake_agent("carol", path=self.in_agents("one"))
        self.check(0, "start")
        self.check(0, "wait", "--timeout", "5s")
        pids = [self.pid()]
        client = self.keep(wire.Client(self.agent_sock))
        asked = fake.count(wire.SIGN_REQUEST)
        fake.delay = 1.5
        client.send(wire.sign_request(fake.keys[0][0], b"x"))
        eventually(lambda: fake.count(wire.SIGN_REQUEST) > asked, 5, "the request to arrive")
        fake.delay = 0
        for _ in range(2):
            self.check(0, "restart")
            pids.append(self.pid())
        self.assertEqual(client.recv(5)[0], wire.SIGN_RESPONSE)
        self.assertEqual(client.comments(), ["carol"])
        for pid in pids[:2]:
            eventually(lambda pid=pid: not proc.alive(pid), 5, "the old ones to leave")
        self.assertEqual(client.comments(), ["carol"])

    def test_half_a_message_goes_on_where_it_began(self):
        self.started("alice")
        client = self.keep(wire.Client(self.agent_sock))
        request = wire.frame(wire.REQUEST_IDENTITIES)
        client.send(request[:3])
        self.check(0, "restart")
        client.send(request[3:])
        self.assertEqual(wire.parse_identities(client.recv())[0][1], b"alice")
        self.assertEqual(client.comments(), ["alice"])

    def test_who_waits_for_an_agent_goes_on_to_wait(self):
        self.configure(self.only_agents())
        self.check(0, "start")
        waiting = self.keep(Control(os.path.join(self.sandbox.livesock_dir, "control.sock")))
        waiting.send(b'{"command":"wait","timeout_ms":20000}\n')
        self.assertTrue(self.ask("ping")["ok"])
        first = self.pid()
        self.check(0, "restart")
        eventually(lambda: not proc.alive(first), 5, "the old one to leave")
        agent = self.agent("alice", path=self.in_agents("one"))
        self.assertEqual(waiting.recv()["live"], agent.path)

    def test_reload_under_load_fails_nobody(self):
        load = self.load(self.started("alice"))
        for number in range(10 * RESTARTS):
            self.configure(self.only_agents(f'[proxy]\ngrace = "{2 + number % 2}s"\n'))
            if number % 2:
                os.kill(self.pid(), signal.SIGHUP)
            else:
                self.assertTrue(self.ask("reload")["ok"])
        self.check_load(load)


class KeptTest(RestartCase):
    """What a successor knows of what was said to its predecessor."""

    def test_pin_and_registration_survive(self):
        self.started("alice")
        named = self.agent("bob", path=os.path.join(self.sandbox.path, "elsewhere"))
        self.check(0, "register", named.path)
        eventually(lambda: len(self.ask("list")["identities"]) == 1 and
                   named.path in {agent["path"] for agent in self.ask("status")["agents"]
                                  if agent["state"] == "live"}, 5, "the named one to be live")
        self.check(0, "use", named.path)
        for _ in range(2):
            self.check(0, "restart")
            status = self.ask("status")
            self.assertEqual((status["pinned"], status["live"]), (named.path, named.path))
        self.assertEqual(wire.comments(self.agent_sock), ["bob"])
        self.check(0, "use", "auto")
        self.check(0, "restart")
        self.assertIsNone(self.ask("status")["pinned"])

    def test_sockets_that_the_new_configuration_does_not_have_are_gone(self):
        self.agent("alice", path=self.in_agents("alice"))
        paths = {name: os.path.join(self.sandbox.path, name + ".sock") for name in ("agents", "guest", "sign")}
        self.configure(self.only_agents(f"""
            [[listen]]
            path = "{paths["agents"]}"
            [[broker.listen]]
            address = "unix:{paths["guest"]}"
            name = "vm"
            [[signing]]
            listen = "unix:{paths["sign"]}"
        """))
        self.check(0, "start")
        self.stop_at_the_end()
        self.assertEqual([name for name, path in paths.items() if not os.path.exists(path)], [])
        self.configure(self.only_agents())
        self.check(0, "restart")
        eventually(lambda: not any(os.path.lexists(path) for path in paths.values()), 5,
                   lambda: f"{[name for name, path in paths.items() if os.path.lexists(path)]} to be gone")

    def test_the_log_goes_on_in_the_same_file(self):
        self.started("alice")
        log = self.ask("status")["log"]
        self.check(0, "restart")
        self.assertEqual(self.ask("status")["log"], log)
        with open(log["path"], encoding="utf-8") as file:
            self.assertEqual(file.read().count(" serves '"), 2)

    def test_the_lock_names_the_successor_and_stop_removes_what_is_its_own(self):
        self.started("alice")
        self.check(0, "restart")
        with open(os.path.join(self.sandbox.livesock_dir, "lock"), encoding="ascii") as file:
            self.assertEqual(int(file.read()), self.pid())
        self.check(0, "stop")
        self.assertEqual(set(os.listdir(self.sandbox.livesock_dir)), {"lock", "log"})

    def test_one_in_the_foreground_keeps_its_words(self):
        self.agent("alice", path=self.in_agents("one"))
        other = self.sandbox.file("other.toml", self.only_agents())
        daemon = self.supervisor(words=("--config", other, "--log-level", "debug"))
        self.check(0, "restart")
        self.assertEqual(daemon.wait(), 0)
        self.assertEqual(self.ask("status")["config"], other)
        with open(f"/proc/{self.pid()}/cmdline", encoding="utf-8") as file:
            self.assertIn("--log-level\0debug\0", file.read())
        self.check(0, "stop")


class FailedTest(RestartCase):
    """A successor that cannot, and what the running one does then."""

    def test_a_broken_config_leaves_the_running_one(self):
        load = self.load(self.started("alice"))
        before = self.pid()
        self.configure("[probe]\ninterval = 3\n")
        failed = self.check(1, "restart")
        self.assertRegex(failed.err, r"livesock\.toml:2:\d+")
        self.assertEqual(self.pid(), before)
        self.check_load(load)
        self.configure(self.only_agents())
        self.check(0, "restart")
        self.assertNotEqual(self.pid(), before)

    def test_a_successor_that_is_killed_on_the_way_leaves_the_running_one(self):
        load = self.load(self.started("alice"))
        pid, successor, asked = self.hand_over_pending()
        os.kill(successor, signal.SIGKILL)
        answer = asked.recv()
        self.assertFalse(answer["ok"], answer)
        self.assertEqual(self.pid(), pid)
        self.assertEqual(children(pid), [])
        self.check_load(load)

    def test_sockets_that_are_deleted_on_the_way_are_the_successors(self):
        self.started("alice")
        pid, successor, asked = self.hand_over_pending()
        before = {}
        for name in ("agent.sock", "control.sock"):
            path = os.path.join(self.sandbox.livesock_dir, name)
            os.link(path, self.sandbox.path + "/" + name)  # so that no new one gets its number
            self.addCleanup(os.unlink, self.sandbox.path + "/" + name)
            before[path] = os.stat(path).st_ino
            os.unlink(path)
        for path, inode in before.items():
            eventually(lambda: os.path.lexists(path) and os.stat(path).st_ino != inode, 5, "it to be made again")
        self.assertTrue(asked.recv(10)["ok"])
        eventually(lambda: not proc.alive(pid), 10, "the one that was replaced to end")
        self.assertEqual(wire.comments(self.agent_sock), ["alice"])
        self.assertEqual(self.pid(), successor)

    def test_a_predecessor_that_is_killed_on_the_way_has_a_successor(self):
        self.started("alice")
        pid, successor, _ = self.hand_over_pending()
        os.kill(pid, signal.SIGKILL)
        self.assertEqual(wire.comments(self.agent_sock, 10), ["alice"])
        self.assertEqual(self.pid(), successor)

    def test_stop_on_the_way_stops_both(self):
        self.started("alice")
        pid, successor, _ = self.hand_over_pending()
        self.check(0, "stop")
        self.assertFalse(proc.alive(pid) or proc.alive(successor))
        self.assertEqual(set(os.listdir(self.sandbox.livesock_dir)), {"lock", "log"})

    def test_a_successor_that_is_stopped_when_it_accepts_removes_nothing(self):
        self.started("alice")
        pid, successor, asked = self.hand_over_pending()
        os.kill(pid, signal.SIGSTOP)  # it lets go of nothing
        self.assertEqual(wire.comments(self.agent_sock, 10), ["alice"], "the successor accepts")
        os.kill(successor, signal.SIGTERM)
        eventually(lambda: not proc.alive(successor), 10, "the successor to end")
        self.assertTrue({"agent.sock", "control.sock", "live"} <= set(os.listdir(self.sandbox.livesock_dir)))
        os.kill(pid, signal.SIGCONT)
        answer = asked.recv()
        self.assertFalse(answer["ok"], answer)
        self.assertEqual(wire.comments(self.agent_sock), ["alice"])
        self.assertEqual(self.pid(), pid)

    def test_several_restarts_at_once_all_succeed(self):
        load = self.load(self.started("alice"))
        before = self.pid()
        many = [subprocess.Popen([LIVESOCK, "restart"], env=self.sandbox.environment(), stdin=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(4)]
        self.assertEqual([one.wait(20) for one in many], [0] * 4)
        self.assertNotEqual(self.pid(), before)
        self.check_load(load)

    def test_a_program_that_was_replaced_is_started_and_one_that_is_gone_is_not(self):
        agent = self.agent("alice", path=self.in_agents("one"))
        program = os.path.join(self.sandbox.directory("bin"), "livesockd")
        shutil.copy(LIVESOCKD, program)
        daemon = self.supervisor(self.only_agents(), program=program)
        daemon.wait_for_live(agent.path)
        os.unlink(program)
        failed = self.check(1, "restart")
        self.assertIn(program, failed.err)
        self.assertEqual(self.pid(), daemon.pid)
        shutil.copy(LIVESOCKD, program)
        self.check(0, "restart")
        self.assertEqual(daemon.wait(), 0)
        self.assertEqual(os.readlink(f"/proc/{self.pid()}/exe"), program)
        self.check(0, "stop")

    def test_one_that_cannot_hand_over_is_stopped_and_started(self):
        path = os.path.join(self.sandbox.directory("run"), "control.sock")
        older = self.keep(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        older.bind(path)
        older.listen(8)

        def serve():
            first = older.accept()[0]
            with first, first.makefile("rb") as lines:
                lines.readline()
                first.sendall(b'{"ok":false,"code":"unknown_command","error":"no"}\n')
                second = older.accept()[0]
                with second, second.makefile("rb") as lines:
                    lines.readline()
                    older.close()
                    remove(path)
                    second.sendall(b'{"ok":true,"pid":1}\n')
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        told = self.livesock("restart")
        thread.join(5)
        self.assertIn("older", told.out)
        # It waits for the end of the process that served, which is this test.
        self.assertEqual(told.status, 1, told)


class ServiceTest(RestartCase):
    """Under a service manager."""

    def test_a_socket_that_was_handed_over_goes_on_and_the_manager_is_told(self):
        agent = self.agent("alice", path=self.in_agents("one"))
        path = os.path.join(self.sandbox.directory("run"), "agent.sock")
        listener = self.keep(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        listener.bind(path)
        self.addCleanup(remove, path)
        os.chmod(path, 0o600)
        listener.listen(64)
        notify = self.keep(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        told = os.path.join(self.sandbox.path, "notify")
        notify.bind(told)
        self.addCleanup(remove, told)
        notify.settimeout(5)
        wrapper = ("import os,sys; os.dup2(int(sys.argv[1]), 3); os.environ['LISTEN_PID'] = str(os.getpid()); "
                   "os.execv(sys.argv[2], sys.argv[2:])")
        daemon = self.supervisor(self.only_agents(), program=sys.executable, NOTIFY_SOCKET=told, LISTEN_FDS="1",
                                 words=("-c", wrapper, str(listener.fileno()), LIVESOCKD),
                                 pass_fds=(listener.fileno(),))
        daemon.wait_for_live(agent.path)
        self.assertEqual(notify.recv(4096), b"READY=1")
        load, inode = self.load(agent), os.stat(path).st_ino
        self.check(0, "restart")
        self.assertEqual(daemon.wait(), 0)
        successor = self.pid()
        self.assertEqual(notify.recv(4096).decode(), f"MAINPID={successor}")
        self.assertEqual(notify.recv(4096), b"READY=1")
        self.check(0, "restart")
        self.check_load(load)
        self.check(0, "stop")
        self.assertEqual(os.stat(path).st_ino, inode, "the socket belongs to the service manager")


if __name__ == "__main__":
    main()
