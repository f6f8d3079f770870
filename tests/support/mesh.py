"""Logins and agents that come, go, sleep, wake and die by chance, all of them with one key."""

import os
import signal

from . import proc
from .agent import Agent
from .sandbox import remove
from .sshd import Login
from .waiting import eventually

MOST = 6  # of them at once


class Mesh:
    """Real logins at `sshd` (behind each of which is the agent at `laptop`) and real ssh-agents at names that
    `place(name)` gives; `chance` decides what becomes of them."""

    def __init__(self, sandbox, sshd, laptop, key, place, chance):
        self._sandbox, self._sshd, self._laptop = sandbox, sshd, laptop
        self._key, self._place, self._chance = key, place, chance
        self._members = []
        self._count = 0

    def happen(self):
        """Something happens; returns what, in words."""
        if not self._members or (len(self._members) < MOST and self._chance.random() < 0.3):
            member = self._chance.choice([_LoginMember, _AgentMember])
            self._count += 1
            self._members.append(member(self, self._count))
            return f"{self._members[-1]} comes"
        member = self._chance.choice(self._members)
        event = self._chance.choice(member.possible())
        event()
        if member.is_gone:
            self._members.remove(member)
        return f"{member}: {event.__name__}"

    def close(self):
        """All of them end."""
        while self._members:
            self._members.pop().close()


class _Member:
    """One of them. `possible()` tells what may happen to it now."""

    def __init__(self, number):
        self.number = number
        self.is_gone = False
        self.sleeps = False

    def __str__(self):
        return f"{type(self).__name__.removeprefix('_').removesuffix('Member').lower()} {self.number}"

    def leave(self):
        """It is gone, and leaves nothing."""
        self.close()
        self.is_gone = True


class _LoginMember(_Member):
    """A login over ssh."""

    def __init__(self, mesh, number):
        super().__init__(number)
        self._login = Login(mesh._sandbox, mesh._sshd, mesh._laptop, tty=mesh._chance.random() < 0.5)
        self._remains = None

    def possible(self):
        if self._remains:
            return [self.leave]
        return [self.wake, self.vanish] if self.sleeps else [self.sleep, self.sleep, self.logout, self.vanish, self.crash]

    def sleep(self):
        """The laptop's lid is closed."""
        self._login.sleep()
        self.sleeps = True

    def wake(self):
        """It is opened."""
        self._login.wake()
        self.sleeps = False

    def logout(self):
        """The user leaves."""
        self._login.logout()
        self.is_gone = True

    def vanish(self):
        """ssh is killed."""
        self._login.vanish()
        self.is_gone = True

    def crash(self):
        """The session's sshd is killed: its socket stays behind, and refuses."""
        session = proc.parent(self._login.shell_pid)
        self._remains = os.path.dirname(self._login.auth_sock)
        os.kill(session, signal.SIGKILL)
        eventually(lambda: not proc.alive(session), 5, "a session of sshd to end")

    def close(self):
        if self._remains:
            remove(self._remains)
        self._login.close()


class _AgentMember(_Member):
    """An ssh-agent of this machine."""

    def __init__(self, mesh, number):
        super().__init__(number)
        self._mesh = mesh
        self._agent = Agent(mesh._sandbox, mesh._key, path=mesh._place(f"agent{number}"))
        self._is_dead = False

    def possible(self):
        if self._is_dead:
            return [self.replace, self.leave]
        return [self.cont, self.replace] if self.sleeps else [self.stop, self.stop, self.kill, self.replace, self.leave]

    def stop(self):
        """It answers nobody."""
        self._agent.signal(signal.SIGSTOP)
        eventually(lambda: proc.state(self._agent.pid) == "T", 5, "an agent to stop")
        self.sleeps = True

    def cont(self):
        """It answers again."""
        self._agent.signal(signal.SIGCONT)
        self.sleeps = False

    def kill(self):
        """Its socket stays behind, and refuses."""
        self._agent.kill()
        self._is_dead = True

    def replace(self):
        """Another one takes its name."""
        path, former = self._agent.path, self._agent
        self._agent = Agent(self._mesh._sandbox, self._mesh._key, path=path)
        former.kill()
        self._is_dead = self.sleeps = False

    def close(self):
        self._agent.close()
