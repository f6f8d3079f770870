#!/usr/bin/env python3
"""What goes wrong with a forwarded agent in an old pane, and the same with livesock. See tools/demo.

Nothing here is staged: two computers' agents, logins through a real sshd, a real tmux. What is said to
happen is checked, and the demo ends with 1 when it does not happen.
"""

import os
import pathlib
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from support import isolation
from support.agent import Agent
from support.sandbox import BUILD, Sandbox
from support.sshd import Login, Sshd
from support.tmux import Tmux
from support.waiting import eventually

PATIENCE = 4  # seconds that we wait for a hanging command


class Untrue(Exception):
    """Something did not happen as it is told here."""


class Stage:
    """Prints the play: who types what, what came of it. Plain text where it is not a terminal."""

    def __init__(self):
        self.coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")

    def _paint(self, code, text):
        return f"\033[{code}m{text}\033[0m" if self.coloured else text

    def heading(self, text):
        print(f"\n{self._paint('1', text)}", flush=True)

    def happens(self, text):
        print(self._paint("36", f"  -- {text}"), flush=True)

    def types(self, where, command):
        print(f"  {self._paint('2', where + '$')} {self._paint('1', command)}", flush=True)

    def prints(self, text):
        for line in text.splitlines():
            print(f"      {line}", flush=True)

    def bad(self, text):
        print(f"    {self._paint('31', '=> ' + text)}", flush=True)

    def good(self, text):
        print(f"    {self._paint('32', '=> ' + text)}", flush=True)


class World:
    """Two computers with an agent each, a server, a tmux on it; all of it closed in reverse order."""

    def __init__(self, place):
        self.sandbox = Sandbox(place)
        self.open = []
        self.laptop = self.keep(Agent(self.sandbox, "laptop"))
        self.desktop = self.keep(Agent(self.sandbox, "desktop"))
        self.sshd = self.keep(Sshd(self.sandbox, "laptop", "desktop"))

    def keep(self, thing):
        self.open.append(thing)
        return thing

    def login(self, agent):
        return self.keep(Login(self.sandbox, self.sshd, agent.path))

    def wait_for_live(self, login):
        link = os.path.join(self.sandbox.livesock_dir, "live")
        eventually(lambda: os.path.islink(link) and os.readlink(link) == login.auth_sock, 10,
                   "the agent of the login to be live")

    def tmux(self):
        return self.keep(Tmux(self.sandbox))

    def close(self, *things):
        """Closes these, or everything."""
        for thing in list(things) or self.open[::-1]:
            self.open.remove(thing)
            thing.close()

    def end(self):
        self.sandbox.run(f"{BUILD}/livesock", "stop")
        self.close()
        left = self.sandbox.settle()
        self.sandbox.remove()
        if left:
            raise Untrue("left behind: " + ", ".join(left))


class Play:
    """The scenes."""

    def __init__(self, world, stage):
        self.world, self.stage = world, stage

    def claim(self, truth, result):
        if not truth:
            raise Untrue(f"this was not to be expected: {result!r}")

    def start_tmux(self, login, prefix=""):
        tmux = self.world.tmux()
        self.stage.types("server", f"{prefix}tmux new -d")
        result = login.run(prefix + tmux.new())
        self.claim(result.status == 0, result)
        return tmux, tmux.pane()

    def lists(self, pane, comment, words="ssh-add -l", shown=None):
        """In the pane a list of identities must come, and be the one of the agent with this comment."""
        self.stage.types("pane", shown or words)
        result = pane.run(words)
        self.stage.prints(result.text)
        self.claim(result.status == 0 and f" {comment} " in result.out, result)
        return result

    def without(self):
        stage, world = self.stage, self.world
        stage.heading("1. A login ends, the pane stays")
        stage.types("laptop", "ssh -A server")
        first = world.login(world.laptop)
        tmux, pane = self.start_tmux(first)
        self.lists(pane, "laptop")
        world.close(first)
        stage.happens("the connection is lost; you log in again: ssh -A server")
        again = world.login(world.laptop)
        stage.types("pane", "ssh-add -l")
        result = pane.run("ssh-add -l")
        stage.prints(result.text)
        self.claim(result.status == 2, result)
        stage.bad(f"the pane still has {first.auth_sock}, and that ended with its login")
        world.close(tmux)

        stage.heading("2. The laptop sleeps")
        stage.happens("your desktop computer is logged in as well")
        other = world.login(world.desktop)
        tmux, pane = self.start_tmux(again)
        self.lists(pane, "laptop")
        stage.happens("the laptop's lid is closed (its ssh is stopped)")
        again.sleep()
        stage.types("pane", "ssh-add -l")
        result = pane.run(f"timeout {PATIENCE} ssh-add -l")
        self.claim(result.status == 124 and not result.text, result)
        stage.bad(f"no answer and no message for {result.seconds:.0f} s (it would go on: we ended it)")
        world.close(tmux, again, other)

    def reconnected(self):
        stage, world = self.stage, self.world
        stage.heading("3. A login ends, with livesock")
        stage.types("laptop", "ssh -A server")
        first = world.login(world.laptop)
        tmux, pane = self.start_tmux(first, "livesock run -- ")
        self.lists(pane, "laptop")
        world.close(first)
        stage.happens("the connection is lost; you log in again, from the desktop and then from the laptop")
        other, again = world.login(world.desktop), world.login(world.laptop)
        world.wait_for_live(again)  # a person would not have been so quick
        result = self.lists(pane, "laptop")
        stage.good(f"the old pane uses the new login's agent ({1000 * result.seconds:.0f} ms)")
        self.lists(pane, "laptop", f"SSH_AUTH_SOCK={first.auth_sock} ssh-add -l")
        stage.good("even by the first login's path, which is gone (the preload library)")
        stage.types("pane", "ssh server echo hello from an old pane")
        result = pane.run(f"{world.sshd.ssh} agent echo hello from an old pane")
        stage.prints(result.text)
        self.claim(result.status == 0 and "hello" in result.out, result)
        stage.good("and it signs: ssh logs in with the laptop's key")
        return pane, other, again

    def asleep(self, pane, other, again):
        stage = self.stage
        stage.heading("4. The laptop sleeps, with livesock")
        stage.happens("the laptop's lid is closed (its ssh is stopped)")
        again.sleep()
        result = self.lists(pane, "desktop")
        self.claim(result.seconds < 3.5, result)
        stage.good(f"answered after {result.seconds:.1f} s, by the desktop's agent: the laptop's does not answer")
        result = self.lists(pane, "desktop")
        self.claim(result.seconds < 0.5, result)
        stage.good(f"and after {1000 * result.seconds:.0f} ms, now that this is known")
        stage.types("pane", "livesock status")
        result = pane.run("livesock status")
        stage.prints(result.text)
        self.claim(result.status == 0, result)
        stage.happens("the laptop's lid is opened")
        again.wake()
        deadline = time.monotonic() + 5
        while " laptop " not in pane.run("ssh-add -l").out:
            if time.monotonic() > deadline:
                raise Untrue("the laptop's agent was not used again after it woke")
        self.lists(pane, "laptop")
        stage.good("the laptop's agent is used again")


def main():
    start = time.monotonic()
    place = isolation.enter([str(ROOT), BUILD])
    stage = Stage()
    print("livesock: an sshd, two ssh-agents and a tmux of their own, on 127.0.0.1", flush=True)
    world = World(place)
    try:
        play = Play(world, stage)
        play.without()
        play.asleep(*play.reconnected())
    except (Untrue, AssertionError) as error:
        stage.bad(f"the demo failed: {error}")
        print(world.sandbox.report(), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        world.end()
    stage.heading(f"Both problems happened, and neither with livesock. ({time.monotonic() - start:.0f} s; nothing is left.)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
