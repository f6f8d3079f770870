"""How long the tests of endurance run and with which chance: see CONTRIBUTING.md, "Endurance"."""

import os
import random
import secrets

from . import proc
from .case import Case
from .waiting import eventually

SEED = int(os.environ.get("LIVESOCK_SEED") or secrets.randbits(32))
ROUNDS = os.environ.get("LIVESOCK_ROUNDS")

MORE_MEMORY = 1024  # KiB that a supervisor may keep: what the allocator holds back differs from run to run


class EnduranceCase(Case):
    """A test whose course is decided by a seed, which is shown with its name: at its start, and when it fails."""

    def __str__(self):
        return f"{super().__str__()} LIVESOCK_SEED={SEED} LIVESOCK_ROUNDS={ROUNDS or '(short)'}"

    def setUp(self):
        super().setUp()
        self.chance = random.Random(SEED)

    @staticmethod
    def rounds(short):
        """How many there are to be."""
        return int(ROUNDS or short)

    def tell(self, words):
        """A line for who watches a long test."""
        if ROUNDS:
            print(f"\n  {words}", end="", flush=True)

    def figures(self, daemon):
        """What must come back: descriptors, and memory in KiB."""
        return daemon.fds, proc.anonymous_kib(daemon.pid)

    def check_back_at(self, figures, daemon, within=5):
        """The supervisor has no more descriptors and about as much memory as then; one is a spare that may come."""
        fds, memory = figures
        eventually(lambda: daemon.fds <= fds + 1, within, lambda: f"{daemon.fds} fds to be {fds} again")
        eventually(lambda: proc.anonymous_kib(daemon.pid) <= memory + MORE_MEMORY, within,
                   lambda: f"{proc.anonymous_kib(daemon.pid)} KiB to be {memory} again")
        self.tell(f"figures: fds {fds} -> {daemon.fds}, memory {memory} -> {proc.anonymous_kib(daemon.pid)} KiB")
