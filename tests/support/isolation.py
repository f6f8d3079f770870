"""A private /tmp, /etc/passwd and process tree for one test program.

sshd makes its agent sockets in the real /tmp and takes the home directory from passwd, whatever its environment says.
So the test program moves itself into a mount namespace of its own before it starts anything: root by CLONE_NEWNS alone,
anybody else by CLONE_NEWUSER as well, with the own uid mapped to itself. There /tmp is an empty tmpfs and passwd names
the sandbox as this user's home, and so several checkouts can be tested at once without seeing each other.

Where the system forbids that (a container without CAP_SYS_ADMIN, AppArmor-restricted user namespaces), a lock shared by
all checkouts makes the test programs run one at a time instead, in the real /tmp; this is said once.

The test program also gets a parent of its own, a subreaper: every process that a test leaves behind ends up below it,
wherever it went, so it can be found, reported and ended.
"""

import ctypes
import fcntl
import os
import pwd
import shutil
import signal
import sys
import tempfile

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
MS_NOSUID = 2
MS_RDONLY = 1
MS_NODEV = 4
MS_REMOUNT = 32
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
MNT_DETACH = 2
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

SHARED_LOCK = "/tmp/livesock-tests.lock"
SANDBOX = "/tmp/t"

_libc = ctypes.CDLL(None, use_errno=True)


def _call(name, *arguments):
    if getattr(_libc, name)(*arguments) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{name}: {os.strerror(error)}")


def _mount(source, target, kind=None, flags=0, options=None):
    encode = lambda text: None if text is None else os.fsencode(text)
    _call("mount", encode(source), encode(target), encode(kind), ctypes.c_ulong(flags), encode(options))


def _write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def _namespaces():
    uid, gid = os.getuid(), os.getgid()
    if uid == 0:
        _call("unshare", CLONE_NEWNS)
    else:
        _call("unshare", CLONE_NEWUSER | CLONE_NEWNS)
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{uid} {uid} 1")
        _write("/proc/self/gid_map", f"{gid} {gid} 1")
    _mount("none", "/", flags=MS_REC | MS_PRIVATE)


def _below(path, directory):
    return os.path.commonpath([os.path.realpath(path), directory]) == directory


def _cover(directory, kept, mode="1777"):
    """Mounts an empty tmpfs on `directory`; those of the paths `kept` that lie below it stay where they are."""
    held = {}
    for path in kept:
        real = os.path.realpath(path)
        if _below(real, directory) and real != directory and os.path.isdir(real):
            held[real] = os.open(real, os.O_PATH)
    _mount("tmpfs", directory, "tmpfs", MS_NOSUID | MS_NODEV, f"mode={mode}")
    for real in sorted(held):
        if not os.path.ismount(real):
            os.makedirs(real, exist_ok=True)
            _mount(f"/proc/self/fd/{held[real]}", real, flags=MS_BIND | MS_REC)
    for fd in held.values():
        os.close(fd)


def cover(directory):
    """Shows an empty directory in place of `directory`, to a program that was let in by enter()."""
    _cover(directory, [], "755")


def make_read_only(directory):
    """Has nothing be written to what is shown there by cover() any more."""
    _mount("tmpfs", directory, None, MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV)


def uncover(directory):
    """Undoes that."""
    _call("umount2", os.fsencode(directory), MNT_DETACH)


def _replace_file(path, text):
    """Shows `text` at `path` to this namespace."""
    with tempfile.NamedTemporaryFile("w", dir="/tmp", delete=False) as file:
        file.write(text)
    os.chmod(file.name, 0o644)
    _mount(file.name, path, flags=MS_BIND)
    os.unlink(file.name)


def _passwd(home):
    """/etc/passwd with this user in it, at home in the sandbox, with a plain shell."""
    me = pwd.getpwuid(os.getuid())
    with open("/etc/passwd", encoding="utf-8", errors="surrogateescape") as file:
        others = [line for line in file if line.split(":")[0] != me.pw_name]
    return f"{me.pw_name}:x:{me.pw_uid}:{me.pw_gid}:test:{home}:/bin/sh\n" + "".join(others)


def _group():
    """/etc/group where `tty` is the group that terminals have here.

    In a user namespace the real tty group is not mapped, and sshd gives up on a terminal that it cannot chown.
    """
    master, slave = os.openpty()
    gid = os.fstat(slave).st_gid
    os.close(master)
    os.close(slave)
    with open("/etc/group", encoding="utf-8", errors="surrogateescape") as file:
        lines = [line for line in file if line.split(":")[0] != "tty"]
    return f"tty:x:{gid}:\n" + "".join(lines)


def _programs_below(directory):
    return any(_below(shutil.which(name) or "/", directory) for name in ("sh", "ssh", "python3"))


def _make_private(kept):
    _namespaces()
    _cover("/tmp", kept)
    if os.path.isdir("/run") and not _programs_below("/run"):
        # utmp, nscd's answers about passwd, the real $XDG_RUNTIME_DIR; and /run/sshd may be missing outside a boot.
        _cover("/run", kept, "755")
        os.mkdir("/run/sshd", 0o755)
    if os.getuid() == 0 and os.path.isdir("/var/log"):
        _cover("/var/log", kept, "755")  # root's sshd writes wtmp and lastlog
    _replace_file("/etc/passwd", _passwd(os.path.join(SANDBOX, "home")))
    _replace_file("/etc/group", _group())


def _works(kept):
    """(True, "ok") where all of it is allowed, else (False, why): tried in a child, as half of it would be worse."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            _make_private(kept)
            os.write(writer, b"ok")
        except OSError as error:
            os.write(writer, str(error).encode()[:500])
        finally:
            os._exit(0)
    os.close(writer)
    answer = os.read(reader, 512).decode()
    os.close(reader)
    os.waitpid(child, 0)
    return answer == "ok", answer


def _take_shared_lock():
    try:
        fd = os.open(SHARED_LOCK, os.O_RDONLY)
    except FileNotFoundError:
        fd = os.open(SHARED_LOCK, os.O_RDONLY | os.O_CREAT, 0o644)
    fcntl.flock(fd, fcntl.LOCK_EX)
    return fd  # held, and inherited by nobody, until this process ends


def children_of(parents):
    """pids of all descendants of the pids given, from /proc."""
    parent_of = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    parent_of[int(name)] = int(file.read().rsplit(b")", 1)[1].split()[1])
            except (OSError, IndexError):
                pass
    found, wanted = [], set(parents)
    while True:
        more = {pid for pid, parent in parent_of.items() if parent in wanted and pid not in wanted}
        if not more:
            return found
        found += sorted(more)
        wanted |= more


def _end_descendants():
    while True:
        left = children_of([os.getpid()])
        if not left:
            return
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _watch_over(runner, clean_up):
    """The life of the parent: reaps whatever lands here; ends with the runner's status, and everything with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the runner has it too, and reports

    def end(number, _frame):
        _end_descendants()
        clean_up()
        os._exit(128 + number)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGHUP, end)
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == runner:
            _end_descendants()
            clean_up()
            os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


class Place:
    """Where the tests run: `private` says whether /tmp is ours alone, `sandbox` is where each test makes its directory,
    `reaper` the pid below which every process of the tests is."""

    def __init__(self, private, sandbox, reaper):
        self.private, self.sandbox, self.reaper = private, sandbox, reaper

    def processes(self):
        """Descendants of the reaper, without this process."""
        return [pid for pid in children_of([self.reaper]) if pid != os.getpid()]


def enter(kept):
    """Moves this program into its private place and returns it; to be called once, before any thread is started.

    The directories `kept` stay reachable under their names even where they lie below /tmp.
    """
    here = os.getcwd()
    private, reason = _works(kept)
    made = []
    if private:
        _make_private(kept)
        try:
            os.chdir(here)
        except OSError:
            os.chdir("/")
        sandbox = SANDBOX
    else:
        print(f"no private /tmp here ({reason}): test programs take turns", file=sys.stderr, flush=True)
        _take_shared_lock()
        if os.getuid() == 0 and not os.path.isdir("/run/sshd"):
            os.mkdir("/run/sshd", 0o755)
            made.append("/run/sshd")
        sandbox = tempfile.mkdtemp(prefix="lt-", dir="/tmp")
        made.append(sandbox)
    _call("prctl", PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    reaper = os.getpid()
    runner = os.fork()
    if runner != 0:
        _watch_over(runner, lambda: [shutil.rmtree(path, ignore_errors=True) for path in made])
    _call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    return Place(private, sandbox, reaper)

