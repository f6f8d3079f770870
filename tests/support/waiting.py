"""Waiting for the thing itself, always with a deadline, never for a guessed time."""

import time

POLL_SECONDS = 0.002


class Late(AssertionError):
    """What was waited for did not come in time."""


def eventually(claim, within, saying):
    """The first true value of `claim()`; raises Late after `within` seconds.

    `saying` ends the sentence "waited N s for ..."; it may be a callable, so that it can show the last state.
    """
    deadline = time.monotonic() + within
    while True:
        value = claim()
        if value:
            return value
        if time.monotonic() > deadline:
            text = saying() if callable(saying) else saying
            raise Late(f"waited {within:g} s for {text}")
        time.sleep(POLL_SECONDS)


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self):
        self.start = time.monotonic()

    @property
    def seconds(self):
        return time.monotonic() - self.start
