"""Network namespaces with wires between them: a host, and a container or machines that reach nothing but the host."""

import os
import shutil
import subprocess

from .waiting import eventually

HOST_ADDRESS = "192.0.2.1"
GUEST_ADDRESS = "192.0.2.2"


class Namespace:
    """A network namespace that lives as long as the process in it."""

    def __init__(self, *options):
        self._process = subprocess.Popen(["unshare", "--net", *options, "sleep", "infinity"], stdin=subprocess.DEVNULL,
                                         start_new_session=True)
        own = os.readlink("/proc/self/ns/net")
        try:
            eventually(lambda: self._process.poll() is not None or self._is_other(own), 5, "a network namespace")
            if self._process.poll() is not None:
                raise OSError("unshare --net fails here")
        except BaseException:
            self.close()
            raise

    def _is_other(self, own):
        try:
            with open(f"/proc/{self.pid}/comm", encoding="ascii") as file:
                return os.readlink(f"/proc/{self.pid}/ns/net") != own and file.read() == "sleep\n"
        except OSError:
            return False

    @property
    def pid(self):
        """Of the process that keeps it."""
        return self._process.pid

    def words(self, *argv):
        """The command line that runs a program in it."""
        return ("nsenter", f"--target={self.pid}", "--net", *argv)

    def run(self, *argv):
        """Runs a program in it."""
        subprocess.run(self.words(*argv), check=True, capture_output=True)

    def close(self):
        """Ends the process, and the namespace with it."""
        self._process.kill()
        self._process.wait()


class Star:
    """`host`, and the namespaces `guests`, each by its address and connected to it by a veth pair."""

    def __init__(self, count):
        self.host, self.guests = Namespace(), {}
        try:
            self.host.run("ip", "link", "set", "lo", "up")
            for number in range(count):
                self._connect(number)
        except BaseException:
            self.close()
            raise

    def _connect(self, number):
        ours, theirs = f"192.0.2.{4 * number + 1}", f"192.0.2.{4 * number + 2}"  # TEST-NET-1 (RFC 5737)
        guest = self.guests[theirs] = Namespace()
        self.host.run("ip", "link", "add", f"eth{number}", "type", "veth", "peer", "name", "eth0", "netns",
                      str(guest.pid))
        for space, address, device in ((self.host, ours, f"eth{number}"), (guest, theirs, "eth0")):
            space.run("ip", "address", "add", f"{address}/30", "dev", device)
            space.run("ip", "link", "set", device, "up")
        guest.run("ip", "link", "set", "lo", "up")
        guest.run("ip", "route", "add", "default", "via", ours)

    def close(self):
        """Ends all of them."""
        for space in (self.host, *self.guests.values()):
            space.close()


class Wire(Star):
    """`host` and one `guest`."""

    def __init__(self):
        super().__init__(1)
        self.guest = self.guests[GUEST_ADDRESS]


def missing():
    """Why there can be no such thing here; None where there can."""
    if os.getuid() != 0:
        return "needs root, to make network namespaces"
    for program in ("unshare", "nsenter", "ip"):
        if not shutil.which(program):
            return f"needs the program {program}"
    try:
        Wire().close()
    except (OSError, subprocess.CalledProcessError) as error:
        return f"no network namespaces can be made here: {error}"
    return None
