"""A user who reconnects again and again, while git works on without a break."""

import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

from support.case import main
from support.endurance import EnduranceCase
from support.sandbox import SHIM
from support.waiting import eventually

GRACE = 10  # seconds: no login takes longer
CONFIG = f'[proxy]\ngrace = "{GRACE}s"\n'
FETCH_LIMIT = GRACE + 10


class Fetching:
    """`git fetch` over ssh in a loop, until it is ended or one fails that `is_excused` does not excuse."""

    def __init__(self, fetch, is_excused):
        self._fetch = fetch
        self._is_excused = is_excused
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.failed = None
        self.count = 0
        self._thread.start()

    def _run(self):
        while not self._stopping.is_set() and not self.failed:
            try:
                begun = time.monotonic()
                fetched = self._fetch()
                if fetched.status == 0:
                    self.count += 1
                elif not self._is_excused(fetched, begun):
                    self.failed = fetched
            except AssertionError as error:
                self.failed = error

    def close(self):
        """Ends it after the fetch that is under way."""
        self._stopping.set()
        self._thread.join()


class ReconnectTest(EnduranceCase):
    """Logins that begin and end under `git fetch`."""

    def setUp(self):
        super().setUp()
        self.server = self.sshd("alice")
        self.laptop = self.agent("alice")
        self.daemon = self.supervisor(CONFIG)
        self.first = self.login(self.server, self.laptop)
        self.daemon.wait_for_live(self.first.auth_sock)
        script = """
            set -e
            git init -q --bare -b main origin.git
            git init -q -b main work; cd work
            git config user.name t; git config user.email t@example.org
            git commit -q --allow-empty -m one; git push -q ../origin.git HEAD:main
            cd ..; git clone -q origin.git clone; git -C clone remote set-url origin "ssh://agent$PWD/origin.git" """
        made = self.run_program("sh", "-c", script)
        self.assertEqual(made.status, 0, made)
        self.by_stable_socket = {"SSH_AUTH_SOCK": self.daemon.agent_sock}
        self.ending = 0.0  # when the last login began to end
        self.by_dead_path = {"SSH_AUTH_SOCK": self.first.auth_sock, "LD_PRELOAD": SHIM}

    def fetch(self, environment):
        """One `git fetch`, which needs a signature of the agent."""
        return self.run_program("git", "-C", os.path.join(self.sandbox.path, "clone"), "fetch", within=FETCH_LIMIT,
                                GIT_SSH_COMMAND=self.server.ssh, **environment)

    def next_before_the_former_ends(self, former):
        """The usual way: a further window, and the first is closed."""
        following = self.login(self.server, self.laptop)
        self.end(former)
        return following

    def next_after_the_former_ended(self, former):
        """The train's way: for a moment there is no agent at all."""
        self.end(former)
        return self.login(self.server, self.laptop)

    def end(self, login):
        """By logout or by a broken connection."""
        self.ending = time.monotonic()
        self.chance.choice([login.logout, login.vanish])()

    def was_cut_off(self, fetched, begun):
        """Whether its connection to the agent was open when the login ended. Where the path or the library leads to
        the agent itself nobody is in between who could ask another one."""
        return begun < self.ending and "communication with agent failed" in fetched.err

    def check_fetches(self, environment, following):
        """Through all the reconnects no fetch fails, and between any two there is one that ended."""
        excused = self.was_cut_off if environment is self.by_dead_path else lambda *_: False
        fetching = self.keep(Fetching(lambda: self.fetch(environment), excused))
        current = self.first
        rounds = self.rounds(short=2)
        for number in range(rounds):
            before = fetching.count
            current = following(current)
            self.assertIsNone(fetching.failed, f"after {number} reconnects")
            self.wait_for_two(fetching, before)
            self.tell(f"reconnect {number}, {fetching.count} fetches")
        fetching.close()
        self.assertIsNone(fetching.failed)
        self.assertGreaterEqual(fetching.count, 2 * rounds)

    def wait_for_two(self, fetching, before):
        """The first to end may have begun before the reconnect."""
        eventually(lambda: fetching.count >= before + 2 or fetching.failed, 2 * FETCH_LIMIT, "two more fetches")

    def test_fetches_by_the_stable_socket_with_a_login_that_follows_before_the_other_ends(self):
        self.check_fetches(self.by_stable_socket, self.next_before_the_former_ends)

    def test_fetches_by_the_stable_socket_with_a_gap(self):
        self.check_fetches(self.by_stable_socket, self.next_after_the_former_ended)

    def test_fetches_by_the_dead_path_with_a_login_that_follows_before_the_other_ends(self):
        self.check_fetches(self.by_dead_path, self.next_before_the_former_ends)

    def test_fetches_by_the_dead_path_with_a_gap(self):
        self.check_fetches(self.by_dead_path, self.next_after_the_former_ended)



if __name__ == "__main__":
    main()
