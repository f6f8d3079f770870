"""What tools/try does around the command: finds an agent or makes one, and ends what it started."""

import os
import pathlib
import re
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from support import proc
from support.case import Case, main
from support.sandbox import LIVESOCK, ROOT
from support.waiting import eventually

SESSION = os.path.join(ROOT, "tools", "lib", "session.py")


class Try(Case):
    """The session of tools/try, after the build."""

    def words(self, *command):
        return [sys.executable, SESSION, LIVESOCK, *command]

    def attempt(self, *command, **environment):
        return self.run_program(*self.words(*command), **environment)

    def user_key(self, name, passphrase="", mode=0o600):
        path = os.path.join(self.sandbox.directory("home", ".ssh"), name)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", name, "-f", path], check=True,
                       stdin=subprocess.DEVNULL)
        os.chmod(path, mode)
        return path

    def agent_pid(self, text):
        return int(re.search(r"private one \(pid (\d+)\)", text)[1])

    def test_with_nothing_at_all_a_throwaway_key_serves(self):
        result = self.attempt("ssh-add", "-l")
        self.assertEqual(result.status, 0, result)
        self.assertIn("livesock try (throwaway)", result.out)
        self.assertIn("no unencrypted key", result.err)
        self.assertFalse(os.path.exists(os.path.join(self.sandbox.home, ".ssh")))

    def test_stdout_is_the_commands_alone(self):
        result = self.attempt("echo", "hello")
        self.assertEqual((result.status, result.out), (0, "hello\n"), result)

    def test_unencrypted_keys_are_loaded_and_others_skipped_without_a_question(self):
        self.user_key("id_ed25519", "a passphrase")
        self.user_key("id_open")
        self.user_key("work.pem")
        self.user_key("id_readable_by_all", mode=0o644)
        pathlib.Path(self.sandbox.home, ".ssh", "config").write_text("Host *\n")
        result = self.attempt("ssh-add", "-l")
        self.assertEqual(result.status, 0, result)
        listed = {line.split()[2] for line in result.out.splitlines()}
        self.assertEqual(listed, {"id_open", "work.pem"}, result)
        self.assertRegex(result.err, r"skipped .*/id_ed25519: is encrypted")
        self.assertRegex(result.err, r"skipped .*/id_readable_by_all: .*permissions")

    def test_a_working_agent_is_used(self):
        agent = self.agent("mine")
        result = self.attempt("ssh-add", "-l", SSH_AUTH_SOCK=agent.path)
        self.assertEqual(result.status, 0, result)
        self.assertIn(" mine ", result.out)
        self.assertNotIn("private one", result.err)

    def test_no_identities_are_passed_on(self):
        agent = self.agent()
        result = self.attempt("ssh-add", "-l", SSH_AUTH_SOCK=agent.path)
        self.assertEqual((result.status, result.out), (1, "The agent has no identities.\n"), result)

    def test_an_agent_of_a_running_supervisor_is_used_and_the_supervisor_goes_on(self):
        agent = self.agent("found")
        self.assertEqual(self.livesock("start").status, 0)
        self.addCleanup(self.livesock, "stop")
        self.assertEqual(self.livesock("register", agent.path).status, 0)
        result = self.attempt("ssh-add", "-l")
        self.assertIn(" found ", result.out)
        self.assertNotIn("private one", result.err)
        self.assertEqual(self.livesock("status", "--json").status, 0)

    def test_the_commands_status_is_passed_on(self):
        for command, status in ((("sh", "-c", "exit 7"), 7), (("no-such-command",), 127),
                                (("sh", "-c", "kill -KILL $$"), 137)):
            with self.subTest(command=command):
                self.assertEqual(self.attempt(*command).status, status)

    def test_signals_reach_the_command_and_end_everything(self):
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            with self.subTest(number=number):
                started = self.sandbox.fresh("started")
                log = os.path.basename(started) + ".log"
                process = self.sandbox.spawn(*self.words("sh", "-c", f"touch {started}; exec sleep 60"), log=log)
                eventually(lambda: os.path.exists(started), 20, lambda: "the command to run:\n" + self.sandbox.log(log))
                process.send_signal(number)
                self.assertEqual(process.wait(10), 128 + number)
                self.assertFalse(proc.alive(self.agent_pid(self.sandbox.log(log))))
                self.assertEqual(self.livesock("status").status, 2)

    def test_a_shell_that_ignores_sigterm_is_told_by_sighup(self):
        started = self.sandbox.fresh("started")
        script = f'trap "" TERM; trap "exit 9" HUP; touch {started}; while :; do sleep 0.1; done'
        process = self.sandbox.spawn(*self.words("sh", "-c", script), log="try.log")
        eventually(lambda: os.path.exists(started), 20, "the command to run")
        process.terminate()
        self.assertEqual(process.wait(10), 9)

    def test_killed_it_leaves_no_agent(self):
        started = self.sandbox.fresh("started")
        process = self.sandbox.spawn(*self.words("sh", "-c", f"echo $$ >{started}; exec sleep 60"), log="try.log",
                                     TMPDIR=self.sandbox.directory("tmp"))
        eventually(lambda: os.path.exists(started) and os.path.getsize(started), 20, "the command to run")
        agent = self.agent_pid(self.sandbox.log("try.log"))
        process.kill()
        process.wait()
        eventually(lambda: not proc.alive(agent), 20, "the private agent to notice")
        with open(started, encoding="ascii") as file:
            os.kill(int(file.read()), signal.SIGKILL)
        self.livesock("stop")

    def test_two_at_once_each_have_an_agent_and_the_last_stops_the_supervisor(self):
        started, finish = self.sandbox.fresh("started"), self.sandbox.fresh("finish")
        script = f"touch {started}; while [ ! -e {finish} ]; do sleep 0.05; done; ssh-add -l"
        first = self.sandbox.spawn(*self.words("sh", "-c", script), log="first.log")
        eventually(lambda: os.path.exists(started), 20, "the first to run")
        second = self.attempt("ssh-add", "-l")
        self.assertIn("throwaway", second.out)
        self.assertIn("another tools/try uses the supervisor", second.err)
        self.sandbox.file(os.path.basename(finish), "")
        self.assertEqual(first.wait(20), 0, self.sandbox.log("first.log"))
        self.assertEqual(self.livesock("status").status, 2)


if __name__ == "__main__":
    main()
