#!/usr/bin/env python3
"""How soon a new client has its answers over a link with 50 ms round trip: through livesock, and directly.

Usage: tests/bench/far_link.py [ROUNDS]   (LIVESOCK_BUILD names the build directory)

A real ssh -A to a real sshd over loopback, by a relay that delays each way by 25 ms. Both ways are taken in turns in
the same run; the table says the medians and their ratio.
"""

import os
import statistics
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))
WORDS = sys.argv[1:]
sys.argv[1:] = []

from support import wire
from support.case import Case, main
from support.relay import Relay
from support.waiting import eventually, Stopwatch

ONE_WAY = 0.025
ROUNDS = int(WORDS[0]) if WORDS else 40


class FarLink(Case):
    """One login over the far link."""

    def setUp(self):
        super().setUp()
        server = self.sshd("alice")
        self.server = server
        relay = self.keep(Relay(server.port, delay=ONE_WAY))
        self.daemon = self.supervisor()
        self.far = self.login(server, self.agent("alice"), port=relay.port)
        self.daemon.wait_for_live(self.far.auth_sock)
        self.spare()

    def spare(self):
        """Waits until the login's sshd holds the sentinel and the spare of the supervisor."""
        eventually(lambda: self.far.connections == 2, 5, "the sentinel and the spare")

    def list_once(self, path):
        """The seconds that a new client's first list takes."""
        watch = Stopwatch()
        self.assertEqual(wire.comments(path, within=20), ["alice"])
        return watch.seconds

    def ssh_once(self, path):
        """The seconds that ssh's own list and sign take: all of a login to a near sshd by the far key."""
        watch = Stopwatch()
        done = self.run_program("sh", "-c", f"{self.server.ssh} agent true", SSH_AUTH_SOCK=path)
        self.assertEqual(done.status, 0, done)
        return watch.seconds

    def compare(self, what, target, once):
        """Measures both ways in turns and prints a row."""
        direct, livesock = [], []
        for _ in range(ROUNDS):
            self.spare()
            livesock.append(once(self.daemon.agent_sock))
            self.spare()
            direct.append(once(self.far.auth_sock))
        a, b = statistics.median(livesock), statistics.median(direct)
        print(f"{what:44} {a * 1000:8.1f} {b * 1000:8.1f} {a / b:7.2f}   <= {target:.2f}  "
              f"{'yes' if a / b <= target else 'NO'}", flush=True)

    def test_table(self):
        """All rows."""
        print(f"\n{'':44} {'livesock':>8} {'direct':>8} {'ratio':>7}   {'target':7}  met   (ms, medians of {ROUNDS})")
        self.compare("first list of a new client, 50 ms away", 0.55, self.list_once)
        near = self.agent("alice")
        overhead = statistics.median(self.ssh_once(near.path) for _ in range(ROUNDS))
        self.compare("ssh's list and sign, 50 ms away", 0.70, lambda path: self.ssh_once(path) - overhead)
        print(f"(a login by a near agent takes {overhead * 1000:.1f} ms, which has been taken off)")


if __name__ == "__main__":
    main()
