"""Clients that list and sign without end, in processes of their own: Python runs one thread of a process at a time."""

import collections
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time

if __name__ == "__main__":
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))
from support import wire
from support.waiting import Stopwatch

GOOD = "answered"
HANG = "no answer in time"
REFUSED = "refused"
CLOSED = "closed"

_PAUSE = 0.1  # between two requests of a client: the machine is to have time for the others, too
_THREADS = 8  # in a process
_SHOWN = 5  # of a kind of trouble, in full


class Load:
    """`clients` clients of the agent at `path`; every second one keeps its connection, the others connect anew.

    They list and sign with the key `blob`, and wait for no answer longer than `limit` seconds.
    """

    def __init__(self, sandbox, path, blob, clients=32, limit=10.0):
        self._results = []
        self._processes = []
        for _ in range(clients // _THREADS):
            result = sandbox.fresh("load")
            self._results.append(result)
            self._processes.append(sandbox.spawn(
                sys.executable, "-B", __file__, path, blob.hex(), str(limit), result, stdin=subprocess.PIPE,
                log="load.log"))
        self._limit = limit

    def end(self):
        """Ends the clients, each after the answer it waits for, and returns the Outcome."""
        for process in self._processes:
            if not process.stdin.closed:
                process.stdin.close()
        for process in self._processes:
            process.wait(3 * self._limit)
        outcome = Outcome()
        for result in self._results:
            with open(result, encoding="utf-8") as file:
                outcome.add(json.load(file))
        return outcome

    def close(self):
        """The end, whatever they do."""
        for process in self._processes:
            if process.poll() is None:
                process.kill()
            process.wait()
            process.stdin.close()


class Outcome:
    """What became of the requests: `counts` by outcome, the `least` that one client had answered, the `slowest`."""

    def __init__(self):
        self.counts = collections.Counter()
        self.shown = []
        self.least = sys.maxsize
        self.slowest = 0.0

    def add(self, result):
        """What one process tells."""
        self.counts.update(result["counts"])
        self.shown += result["shown"]
        self.least = min(self.least, result["least"])
        self.slowest = max(self.slowest, result["slowest"])

    def other_than(self, *expected):
        """The counts of all other outcomes."""
        return {outcome: count for outcome, count in self.counts.items() if outcome not in expected}

    def __str__(self):
        return f"{dict(self.counts)}, slowest {self.slowest:.3f} s, least {self.least}\n" + "\n".join(self.shown)


class _Crew:
    """The clients of one process."""

    def __init__(self, path, blob, limit):
        self.path, self.blob, self.limit = path, blob, limit
        self.counts = collections.Counter()
        self.shown = []
        self.slowest = 0.0
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self.answered = [0] * _THREADS

    def serve(self, number):
        """The life of one client."""
        client = None
        while not self.stopping.wait(_PAUSE):
            watch = Stopwatch()
            signs = random.random() < 0.5
            kept = client is not None
            outcome = None
            try:
                client = client or wire.Client(self.path, self.limit)
                outcome = self._ask(client, signs)
            except TimeoutError:
                outcome = HANG
            except (ConnectionRefusedError, FileNotFoundError):
                outcome = REFUSED
            except (wire.Closed, BrokenPipeError, ConnectionResetError):
                outcome = CLOSED
            self._note(number, outcome, watch.seconds, f"{'sign' if signs else 'list'}, {'kept' if kept else 'new'}")
            if client and (number % 2 == 0 or outcome != GOOD):
                client.close()
                client = None
        if client:
            client.close()

    def _ask(self, client, signs):
        if signs:
            answer = client.ask(wire.sign_request(self.blob, os.urandom(32)), self.limit)
            return GOOD if answer[0] == wire.SIGN_RESPONSE else f"sign: answer {answer[0]}"
        answer = client.ask(wire.frame(wire.REQUEST_IDENTITIES), self.limit)
        if answer[0] != wire.IDENTITIES_ANSWER:
            return f"list: answer {answer[0]}"
        return GOOD if self.blob in [blob for blob, _ in wire.parse_identities(answer)] else "list: without the key"

    def _note(self, number, outcome, seconds, words):
        with self._lock:
            self.counts[outcome] += 1
            self.slowest = max(self.slowest, seconds)
            if outcome == GOOD:
                self.answered[number] += 1
            elif self.counts[outcome] <= _SHOWN:
                self.shown.append(f"{time.strftime('%H:%M:%S')} {words}: {outcome} after {seconds:.3f} s")

    def result(self):
        """For the parent."""
        return {"counts": self.counts, "shown": self.shown, "slowest": self.slowest, "least": min(self.answered)}


def _main(path, blob, limit, result):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    crew = _Crew(path, bytes.fromhex(blob), float(limit))
    threads = [threading.Thread(target=crew.serve, args=(number,), daemon=True) for number in range(_THREADS)]
    for thread in threads:
        thread.start()
    sys.stdin.read()  # until the parent has had enough
    crew.stopping.set()
    for thread in threads:
        thread.join()
    with open(result, "w", encoding="utf-8") as file:
        json.dump(crew.result(), file)


if __name__ == "__main__":
    _main(*sys.argv[1:])
