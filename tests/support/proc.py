"""What /proc says about a process: the figures that tests make claims about."""

import os

_TICK = os.sysconf("SC_CLK_TCK")


def _read(pid, name):
    with open(f"/proc/{pid}/{name}", encoding="utf-8", errors="replace") as file:
        return file.read()


def alive(pid):
    """True while the process runs; a zombie has ended."""
    try:
        return _stat(pid)[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _stat(pid):
    return _read(pid, "stat").rsplit(")", 1)[1].split()


def name(pid):
    """What the kernel calls the process; nothing once it is gone."""
    try:
        return _read(pid, "comm").strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def state(pid):
    """The letter of the process's state: S sleeps, T is stopped, Z has ended."""
    return _stat(pid)[0]


def parent(pid):
    """The pid of the process that started it, or that it was given to."""
    return int(_stat(pid)[1])


def fds(pid):
    """What the open descriptors of a process lead to, by number."""
    found = {}
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            found[int(name)] = os.readlink(f"/proc/{pid}/fd/{name}")
        except FileNotFoundError:
            pass
    return found


def cpu_seconds(pid):
    """User and system time used so far; a tick (10 ms) is the resolution."""
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / _TICK


def pss_kib(pid):
    """Proportional set size in KiB."""
    for line in _read(pid, "smaps_rollup").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise AssertionError("no Pss in smaps_rollup")


def anonymous_kib(pid):
    """Memory that is the process's own, in KiB: its share of files, which other processes decide, is not in it."""
    for line in _read(pid, "smaps_rollup").splitlines():
        if line.startswith("Anonymous:"):
            return int(line.split()[1])
    raise AssertionError("no Anonymous in smaps_rollup")


def peak_kib(pid):
    """The largest resident set so far, in KiB."""
    for line in _read(pid, "status").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    raise AssertionError("no VmHWM in status")


def wakeups(pid):
    """How often the process went to sleep of its own will, all threads together."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        for line in _read(pid, f"task/{task}/status").splitlines():
            if line.startswith("voluntary_ctxt_switches:"):
                total += int(line.split()[1])
    return total


def command(pid):
    """The command line in one string, for people."""
    try:
        return _read(pid, "cmdline").replace("\0", " ").strip() or "[" + _read(pid, "comm").strip() + "]"
    except OSError:
        return "(ended)"


def environment(pid):
    """The environment the process was started with."""
    with open(f"/proc/{pid}/environ", "rb") as file:
        pairs = (entry.split(b"=", 1) for entry in file.read().split(b"\0") if b"=" in entry)
        return {os.fsdecode(name): os.fsdecode(value) for name, value in pairs}


def maps(pid):
    """What is mapped into a process, as /proc has it."""
    return _read(pid, "maps")
