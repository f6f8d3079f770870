"""livesock why: requests that fail for real, and the story that is told of them."""

import json
import os
import shlex
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from support.case import main
from support.cases import CommandCase

HASTY = '[proxy]\ngrace = "100ms"\nlist_timeout = "1s"\n[probe]\ninterval = "200ms"\ntimeout = "300ms"\n' \
        'hung_after = "900ms"\n'


class WhyTest(CommandCase):
    """Who asked, which agent, what came of it, what to do."""

    def told(self):
        """What why says, in one line."""
        return " ".join(self.check(0, "why").out.split())

    def list_through(self, **environment):
        """ssh-add -l at the stable socket."""
        return self.run_program("ssh-add", "-l", SSH_AUTH_SOCK=self.agent_sock, **environment)

    def test_before_anything_failed_the_doctor_is_named(self):
        self.started("alice")
        self.assertEqual(self.list_through().status, 0)
        self.assertRegex(self.told(), "No request has failed .* livesock doctor$")
        self.assertEqual(json.loads(self.check(0, "why", "--json").out)["failures"], [])

    def test_without_an_agent_the_login_is_told(self):
        self.configure(self.only_agents(HASTY))
        self.check(0, "start")
        self.assertEqual(self.list_through().status, 1)
        told = self.told()
        self.assertRegex(told, r"ssh-add in \S+ \(pid \d+\) wanted the list of keys and got a failure after 1\d\d ms")
        self.assertRegex(told, r"No agent is live\. .* ssh -A \S+@\S+$")

    def test_it_says_so_when_it_works_again(self):
        self.configure(self.only_agents(HASTY))
        self.check(0, "start")
        self.list_through()
        self.agent("alice", path=self.in_agents("one"))
        self.check(0, "wait", "--timeout", "5s")
        self.assertRegex(self.told(), "Requests go to the agent .* now: try again.* livesock status$")

    def test_a_client_that_sleeps_is_named_by_its_address_and_terminal(self):
        self.configure(HASTY)
        self.check(0, "start")
        login = self.login(self.sshd(), self.agent("alice"))
        self.check(0, "wait", "--timeout", "5s")
        login.sleep()
        self.addCleanup(login.wake)
        self.assertEqual(self.list_through().status, 1)
        told = self.told()
        self.assertRegex(told, rf"127\.0\.0\.1\S* on {login.tty.removeprefix('/dev/')} at {login.auth_sock}: it ")
        self.assertRegex(told, r"it was (late|hung) then\. Its computer sleeps, .* ssh -A \S+$")

    def test_what_the_policy_refuses_is_said_with_the_key_to_change(self):
        self.started("alice", config="[policy]\nread_only = true\n")
        self.assertNotEqual(self.run_program("ssh-add", "-D", SSH_AUTH_SOCK=self.agent_sock).status, 0)
        self.assertRegex(self.told(), r"ssh-add .* wanted to change .* change policy\.read_only in "
                                      r"~/\.config/livesock/livesock\.toml, then: livesock reload$")

    def test_a_program_is_named_by_what_was_typed_and_where(self):
        self.configure(self.only_agents(HASTY))
        self.check(0, "start")
        server, tmux = self.sshd("alice"), self.tmux()
        self.assertEqual(self.run_program("sh", "-c", tmux.new()).status, 0)
        work = self.sandbox.directory("home", "src", "x")
        pane = tmux.pane()
        done = pane.run(f"cd {shlex.quote(work)} && GIT_SSH_COMMAND={shlex.quote(server.ssh)} "
                        f"SSH_AUTH_SOCK={shlex.quote(self.agent_sock)} git ls-remote agent:none")
        self.assertNotEqual(done.status, 0)
        self.assertRegex(self.told(), r"git in ~/src/x, pane %0 \(pid \d+\) wanted ")
        failed = self.ask("failures")["failures"][0]
        self.assertEqual((failed["program"], failed["command"], failed["directory"], failed["pane"]),
                         ("ssh", "git", work, "%0"))

    def test_without_a_supervisor_the_status_is_2(self):
        self.check(2, "why")


if __name__ == "__main__":
    main()
