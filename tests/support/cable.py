"""Two network namespaces with a cable between them: this program's own, and a further one."""

import ctypes
import os
import subprocess

CLONE_NEWNET = 0x40000000
HERE, THERE = "10.83.7.2", "10.83.7.1"

_libc = ctypes.CDLL(None, use_errno=True)
_own = False


def _ip(*words):
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise OSError(f"ip {' '.join(words)}: {done.stderr.strip()}")


def _move():
    if _libc.unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare: " + os.strerror(ctypes.get_errno()))
    _ip("link", "set", "lo", "up")


def _try_to_move():
    """In a child: who has moved and may not set it up has no network, and cannot go back."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            _move()
            subprocess.run(["unshare", "-n", "true"], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            os.write(writer, str(error).encode()[:500])
        finally:
            os._exit(0)
    os.close(writer)
    trouble = os.read(reader, 500).decode()
    os.close(reader)
    os.waitpid(child, 0)
    if trouble:
        raise OSError(trouble)


class Network:
    """`enter` is for the child of a Popen: what it becomes runs in the other namespace, at THERE; all else is at HERE.

    Raises OSError where the system does not allow it.
    """

    def __init__(self, sandbox):
        global _own
        if not _own:
            _try_to_move()
            _move()  # for good: nothing of the tests needs the machine's network
            _own = True
        self._holder, self._namespace = sandbox.spawn("unshare", "-n", "sleep", "infinity", log="network.log"), None
        try:
            self._connect(sandbox)
        except BaseException:
            self.close()
            raise

    def _connect(self, sandbox):
        path = f"/proc/{self._holder.pid}/ns/net"
        own = os.readlink("/proc/self/ns/net")
        while os.readlink(path) == own:
            if self._holder.poll() is not None:
                raise OSError("unshare -n: " + sandbox.log("network.log"))
        self._namespace = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        _ip("link", "add", "here", "type", "veth", "peer", "name", "there", "netns", str(self._holder.pid))
        _ip("addr", "add", f"{HERE}/24", "dev", "here")
        _ip("link", "set", "here", "up")
        self._there("addr", "add", f"{THERE}/24", "dev", "there")
        self._there("link", "set", "there", "up")
        self._there("link", "set", "lo", "up")

    def _there(self, *words):
        subprocess.run(["ip", *words], check=True, preexec_fn=self.enter, capture_output=True)

    def enter(self):
        """Moves the calling process there."""
        if _libc.setns(self._namespace, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")

    def cut(self):
        """The cable is pulled."""
        _ip("link", "set", "here", "down")

    def mend(self):
        """And plugged in again."""
        _ip("link", "set", "here", "up")

    def close(self):
        """Ends it, the cable first: a namespace may outlive its last process, and with it both ends of the cable."""
        subprocess.run(["ip", "link", "del", "here"], check=False, capture_output=True)
        self._holder.kill()
        self._holder.wait()
        if self._namespace is not None:
            os.close(self._namespace)
