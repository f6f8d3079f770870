"""livesock doctor about logins and their agents: each remedy is typed where it is to be typed, at the other machine."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from support.case import main
from support.doctor import DoctorCase
from support.waiting import eventually

HASTY = '[probe]\ninterval = "200ms"\ntimeout = "300ms"\n'
SSH = {"SSH_CONNECTION": "10.0.0.5 4711 10.0.0.1 22"}


class LoginTest(DoctorCase):
    """A real sshd, and logins in which something is missing."""

    def setUp(self):
        super().setUp()
        self.configure(HASTY)
        self.check(0, "start")
        self.server = self.sshd("alice")
        self.laptop = self.agent("alice")

    def log_in_by(self, remedy, options=""):
        """Types the remedy on a machine from which every host is the one that is there, and stays logged in."""
        words = f"{shutil.which('ssh')} -F {shlex.quote(self.server.client_config)} {options}"
        path = self.program("ssh", f'exec {words} "$@"')
        client = self.sandbox.spawn("sh", "-c", remedy, log="ssh.log", stdin=subprocess.PIPE, PATH=path,
                                    SSH_AUTH_SOCK=self.laptop.path)
        self.addCleanup(client.wait, 10)
        self.addCleanup(client.stdin.close)
        eventually(lambda: self.ask("status")["live"] or client.poll() is not None, 15, "the agent of that login")
        self.assertIsNone(client.poll(), self.sandbox.log("ssh.log"))

    def agent_of_login(self, options="-A"):
        """SSH_AUTH_SOCK in a login, as it is."""
        done = self.run_program("sh", "-c", f"{self.server.ssh} {options} login 'echo \"<$SSH_AUTH_SOCK>\"'",
                                SSH_AUTH_SOCK=self.laptop.path)
        self.assertEqual(done.status, 0, done)
        return done.out.strip().strip("<>")

    def check_that_an_agent_is_there(self, check="forwarding"):
        """The check has nothing to say against it."""
        self.assertEqual(self.examine(**SSH)[check][0]["verdict"], "ok")

    def test_a_login_without_A(self):
        self.assertEqual(self.agent_of_login(options="-a"), "")
        done = self.run_program("sh", "-c", f"{self.server.ssh} -a login livesock doctor --json",
                                SSH_AUTH_SOCK=self.laptop.path)
        problem = self.the_problem(self.findings(done)["forwarding"])
        self.assertIn("without 'ssh -A'", problem["text"])
        self.log_in_by(problem["remedy"])
        self.check_that_an_agent_is_there()

    def test_a_control_master_without_A(self):
        control = os.path.join(self.sandbox.path, "master")
        through = f"-S {shlex.quote(control)}"
        master = self.sandbox.spawn("sh", "-c", f"exec {self.server.ssh} -a -M {through} -N login", log="ssh.log",
                                    SSH_AUTH_SOCK=self.laptop.path)
        self.addCleanup(master.wait, 10)
        self.addCleanup(master.terminate)
        eventually(lambda: os.path.exists(control), 10, "the master")
        self.assertEqual(self.agent_of_login(f"-A {through}"), "", "-A comes too late")
        done = self.run_program("sh", "-c", f"{self.server.ssh} -A {through} login livesock doctor --json",
                                SSH_AUTH_SOCK=self.laptop.path)
        problem = self.the_problem(self.findings(done)["forwarding"])
        self.assertIn("through a ControlMaster that was", problem["text"])
        self.log_in_by(problem["remedy"], through)
        self.check_that_an_agent_is_there()

    def test_a_console_where_no_agent_is_live(self):
        problem = self.problem("forwarding")
        self.assertIn("no agent is live here at all", problem["text"])
        self.log_in_by(problem["remedy"])
        self.assertEqual(self.examine()["forwarding"][0]["verdict"], "ok")

    def test_mosh(self):
        """Its server is played by a script of that name: whose child a shell is, is all that it is known by."""
        path = self.program("mosh-server", 'sh -c "livesock doctor --json"; exit $?')
        examine = lambda: self.findings(self.run_program("mosh-server", PATH=path, **SSH))["forwarding"]
        problem = self.the_problem(examine())
        self.assertIn("mosh forwards no agent", problem["text"])
        self.log_in_by(problem["remedy"])
        self.assertEqual(examine()[0]["verdict"], "ok")

    def test_an_sshd_that_forbids_it(self):
        self.check_that_an_sshd_forbids_it("ssh")

    def test_an_sshd_that_forbids_it_where_its_unit_is_called_otherwise(self):
        self.check_that_an_sshd_forbids_it("sshd")

    def check_that_an_sshd_forbids_it(self, unit):
        """And that the remedy has the service called `unit` read its configuration."""
        self.mount("/etc/ssh")
        hard = "/etc/ssh/sshd_config.d/hard.conf"
        os.mkdir(os.path.dirname(hard))
        with open(hard, "w", encoding="utf-8") as file:
            file.write("X11Forwarding no\nAllowAgentForwarding no\n")
        own = os.path.join(self.server.directory, "sshd_config")
        with open(own, encoding="utf-8") as file:
            config = "Include /etc/ssh/sshd_config.d/*.conf\n" + file.read()
        for path in (own, "/etc/ssh/sshd_config"):
            with open(path, "w", encoding="utf-8") as file:
                file.write(config)
        self.reload_sshd()
        self.assertEqual(self.agent_of_login(), "")
        # There is no service manager here: this is what it does.
        self.program("systemctl", f'[ "$*" = "reload {unit}" ] && exec kill -HUP {self.server.pid}')
        listening = self.listening()
        problem = self.problem("forwarding")
        self.assertIn(f"{hard}:2: AllowAgentForwarding no", problem["text"])
        after = self.examine(problem["remedy"], PATH=self.program("sudo", 'exec "$@"'))["forwarding"]
        self.assertNotIn(hard, after[0]["text"])
        eventually(lambda: self.listening() > listening, 10, "sshd to have read it")
        self.login(self.server, self.laptop)
        self.check(0, "wait", "--timeout", "10s")
        self.check_that_an_agent_is_there()

    def reload_sshd(self):
        """Has it read its configuration again."""
        listening = self.listening()
        os.kill(self.server.pid, signal.SIGHUP)
        eventually(lambda: self.listening() > listening, 10, "sshd to have read it")

    def listening(self):
        """How often sshd has begun to listen."""
        return self.sandbox.log("sshd.log").count("Server listening")

    def test_a_key_that_must_not(self):
        public = self.sandbox.public_key("login")
        keys = self.sandbox.file("home/.ssh/authorized_keys", f"# my keys\nrestrict,pty {public}\n")
        theirs = os.path.join(self.server.directory, "authorized_keys")
        os.unlink(theirs)
        os.symlink(keys, theirs)
        self.assertEqual(self.agent_of_login(), "")
        problem = self.problem("forwarding", **SSH)
        self.assertIn(f"{keys}:2 forbids it for a key", problem["text"])
        # The remedy opens an editor there: this one does what a person would.
        path = self.program("vi", 'sed -i "${1#+}s/^restrict,pty //" "$2"')
        after = self.examine(problem["remedy"], PATH=path, **SSH)["forwarding"]
        self.assertNotIn(keys, after[0]["text"])
        self.assertNotEqual(self.agent_of_login(), "")

    def sleeper(self):
        """A login whose client sleeps, and of which that is known."""
        login = self.login(self.server, self.laptop)
        self.check(0, "wait", "--timeout", "5s")
        login.sleep()
        self.addCleanup(login.wake)
        eventually(lambda: self.ask("status")["live"] is None, 10, "the client to be asleep")
        return login

    def test_a_client_that_sleeps_and_nobody_takes_its_place(self):
        login = self.sleeper()
        problem = self.problem("sleepers")
        terminal = login.tty.removeprefix("/dev/")
        self.assertIn(f"the agent of 127.0.0.1 on {terminal} does not answer, and no other is live", problem["text"])
        self.log_in_by(problem["remedy"])
        after = self.examine()["sleepers"][0]
        self.assertEqual(after["verdict"], "ok")
        self.assertIn(f"{terminal} does not answer; requests go to the agent of 127.0.0.1", after["text"])

    def test_a_client_that_wakes_up(self):
        login = self.sleeper()
        self.problem("sleepers")
        login.wake()
        eventually(lambda: self.ask("status")["live"], 10, "the client to be awake")
        self.assertEqual(self.examine()["sleepers"][0]["text"], "every agent that is there answers")

    def test_the_report_is_json_also_in_a_login(self):
        done = self.run_program("sh", "-c", f"{self.server.ssh} -A login livesock doctor --json",
                                SSH_AUTH_SOCK=self.laptop.path)
        self.assertIn("healthy", json.loads(done.out))


if __name__ == "__main__":
    main()
