#!/usr/bin/env python3
"""The laws of liblivesock.so, with real programs: see liblivesock(7).

LIVESOCK_BUILD names the build directory (default: build/ beside tests/), LIVESOCK_SHIM another
liblivesock.so to be put to the same tests. Everything happens in private temporary directories.
"""

import errno
import os
import pathlib
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("LIVESOCK_BUILD", ROOT / "build")).resolve()
PROGRAMS = BUILD / "tests/functional/shim"
SHIM = pathlib.Path(os.environ.get("LIVESOCK_SHIM", BUILD / "preload/liblivesock.so")).resolve()
TIMEOUT = 60

# What shim_probe sets errno to before it connects.
UNTOUCHED = 4242
NOBODY = 65534


class Listener:
    """A socket on which somebody listens; nobody needs to accept for connect() to succeed."""

    def __init__(self, path, backlog=512, kind=socket.SOCK_STREAM):
        self.path = str(path)
        self.socket = socket.socket(socket.AF_UNIX, kind)
        self.socket.bind(self.path)
        if kind == socket.SOCK_STREAM:
            self.socket.listen(backlog)
        self.waiting = []

    def fill(self):
        """Makes the next connect() wait."""
        while True:
            client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.waiting.append(client)
            client.setblocking(False)
            try:
                client.connect(self.path)
            except BlockingIOError:
                return self

    def close(self):
        for client in self.waiting:
            client.close()
        self.socket.close()


class ShimTest(unittest.TestCase):
    def setUp(self):
        # Short: all of it must fit sun_path.
        self.temporary = tempfile.TemporaryDirectory(prefix="livesock-shim-", dir="/tmp")
        self.addCleanup(self.temporary.cleanup)
        self.base = pathlib.Path(self.temporary.name)
        agents = self.base / ".ssh/agent"
        agents.mkdir(parents=True, mode=0o700)
        self.stale = agents / "s.abcdefghij.sshd.klmnopqrst"
        self.directory = self.base / "dir"
        self.directory.mkdir(mode=0o700)
        self.live = self.directory / "live"
        self.stable = self.directory / "agent.sock"
        self.record = self.base / "record"

    def listen(self, path, **options):
        listener = Listener(path, **options)
        self.addCleanup(listener.close)
        return listener

    def publish(self, name="forwarded", **options):
        """An agent's socket to which `live` points."""
        listener = self.listen(self.base / name, **options)
        self.live.symlink_to(listener.path)
        return listener

    def environment(self, *, shim=True, startup=None, directory=None, before=(), behind=(), **more):
        env = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C",
               "RECORD": str(self.record), "HOME": str(self.base)}
        preload = [*before, *([SHIM] if shim else []), *behind]
        if preload:
            env["LD_PRELOAD"] = ":".join(map(str, preload))
        startup = self.stale if startup is None else startup
        directory = self.directory if directory is None else directory
        if startup is not False:
            env["SSH_AUTH_SOCK"] = str(startup)
        if directory is not False:
            env["LIVESOCK_DIR"] = str(directory)
        env.update(more)
        return env

    def run_program(self, program, *args, options=None, **env):
        result = subprocess.run([str(program), *map(str, args)], env=self.environment(**env),
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, timeout=TIMEOUT,
                                check=False, cwd="/", **(options or {}))
        self.assertNotIn("cannot be preloaded", result.stderr)
        return result

    def probe(self, scenario, path=None, *args, program="shim_probe", **env):
        path = self.stale if path is None else path
        result = self.run_program(PROGRAMS / program, scenario, path, *args, **env)
        self.assertEqual((result.returncode, result.stderr), (0, ""),
                         f"{scenario}: {result.stdout}")
        return result.stdout.strip()

    def tries(self):
        """What reached the library behind the shim, since the last time."""
        lines = self.record.read_text().splitlines() if self.record.exists() else []
        self.record.unlink(missing_ok=True)
        return [line.split(" ")[0] for line in lines]

    @staticmethod
    def connected_to(path):
        return f"0 {UNTOUCHED} {path}"

    @staticmethod
    def refused_with(error):
        return f"-1 {error} -"


RECORDER = PROGRAMS / "shim_recorder.so"


class Redirection(ShimTest):
    def test_a_path_where_nobody_is_leads_to_live(self):
        listener = self.publish()
        self.assertEqual(self.probe("plain"), self.connected_to(listener.path))
        self.assertEqual(self.probe("plain", shim=False), self.refused_with(errno.ENOENT))

    def test_a_socket_that_nobody_serves_leads_to_live(self):
        Listener(self.stale).close()
        listener = self.publish()
        self.assertEqual(self.probe("plain"), self.connected_to(listener.path))
        self.assertEqual(self.probe("plain", shim=False), self.refused_with(errno.ECONNREFUSED))

    def test_a_file_in_place_of_the_directory_leads_to_live(self):
        self.stale.parent.rmdir()
        self.stale.parent.write_text("")
        listener = self.publish()
        self.assertEqual(self.probe("plain"), self.connected_to(listener.path))
        self.assertEqual(self.probe("plain", shim=False), self.refused_with(errno.ENOTDIR))

    def test_first_live_then_agent_sock(self):
        self.listen(self.stable)
        self.assertEqual(self.probe("plain", behind=[RECORDER]), self.connected_to(self.stable))
        self.assertEqual(self.tries(), [str(p) for p in (self.stale, self.live, self.stable)])
        listener = self.publish()
        self.assertEqual(self.probe("plain", behind=[RECORDER]), self.connected_to(listener.path))
        self.assertEqual(self.tries(), [str(self.stale), str(self.live)])

    def test_a_dead_live_leads_to_agent_sock(self):
        self.publish().close()
        self.listen(self.stable)
        self.assertEqual(self.probe("plain"), self.connected_to(self.stable))

    def test_nobody_anywhere_leaves_the_first_errno(self):
        self.stable.write_text("")  # ECONNREFUSED
        self.assertEqual(self.probe("plain"), self.refused_with(errno.ENOENT))
        Listener(self.stale).close()
        self.stable.unlink()
        self.assertEqual(self.probe("plain"), self.refused_with(errno.ECONNREFUSED))

    def test_agent_sock_as_the_startup_path(self):
        listener = self.publish()
        self.assertEqual(self.probe("plain", self.stable, startup=self.stable),
                         self.connected_to(listener.path))
        self.listen(self.stable)
        self.assertEqual(self.probe("plain", self.stable, startup=self.stable),
                         self.connected_to(self.stable))

    def test_the_shapes_of_older_sshd_and_of_vscode(self):
        listener = self.publish()
        unique = os.path.basename(self.temporary.name)
        for path in f"/tmp/ssh-{unique}/agent.1234", f"/tmp/vscode-ssh-auth-{unique}.sock":
            with self.subTest(path=path):
                self.assertEqual(self.probe("plain", path, startup=path),
                                 self.connected_to(listener.path))

    def test_a_live_that_is_busy_is_an_answer(self):
        self.publish(backlog=0).fill()
        self.listen(self.stable)
        self.assertEqual(self.probe("nonblocking"), self.refused_with(errno.EAGAIN))
        self.assertEqual(self.probe("interrupted"), self.refused_with(errno.EINTR))


class NeverRedirected(ShimTest):
    def setUp(self):
        super().setUp()
        self.publish()
        self.listen(self.stable)

    def assert_asked_once(self, expected, path, **env):
        self.assertEqual(self.probe("plain", path, behind=[RECORDER], **env), expected)
        self.assertEqual(self.tries(), [str(path)])

    def test_a_path_that_answers(self):
        for path in self.stale, self.stable:
            with self.subTest(path=path):
                if path != self.stable:
                    self.listen(path)
                self.assert_asked_once(self.connected_to(path), path, startup=path)

    def test_a_path_that_answers_with_anything_else(self):
        self.listen(self.stale, kind=socket.SOCK_DGRAM)
        self.assert_asked_once(self.refused_with(errno.EPROTOTYPE), self.stale)

    def test_a_path_that_is_busy(self):
        self.listen(self.stale, backlog=0).fill()
        for scenario, error in ("nonblocking", errno.EAGAIN), ("interrupted", errno.EINTR):
            with self.subTest(scenario=scenario):
                self.assertEqual(self.probe(scenario, behind=[RECORDER]),
                                 self.refused_with(error))
                self.assertEqual(self.tries(), [str(self.stale)])

    def test_an_agent_switched_off(self):
        self.assert_asked_once(self.refused_with(errno.ENOENT), "/nonexistent",
                               startup="/nonexistent")
        self.assert_asked_once(self.refused_with(errno.ECONNREFUSED), "/dev/null",
                               startup="/dev/null")

    def test_no_startup_path(self):
        for path in False, "":
            with self.subTest(path=path):
                self.assert_asked_once(self.refused_with(errno.ENOENT), self.stale, startup=path)

    def test_another_path_than_the_startup_path(self):
        for path in (f"{self.stale}x", str(self.stale)[:-1], f"/{self.stale}",
                     self.stale.parent / "s.other.sshd.other", self.base / "s.gpg-agent.ssh"):
            with self.subTest(path=path):
                self.assert_asked_once(self.refused_with(errno.ENOENT), path)

    def test_an_agents_own_or_a_keyrings_socket(self):
        for path in (self.stale.parent / "s.abc.agent.def", self.base / "S.gpg-agent.ssh",
                     self.base / "keyring/ssh", self.directory / "live2"):
            with self.subTest(path=path):
                self.assert_asked_once(self.refused_with(errno.ENOENT), path, startup=path)

    def test_without_livesock_dir_or_with_a_useless_one(self):
        for directory in False, "", "dir", "/" + "x" * 100, "/" + "x" * 5000:
            with self.subTest(directory=directory):
                self.assert_asked_once(self.refused_with(errno.ENOENT), self.stale,
                                       directory=directory)

    def test_a_path_changed_after_the_start(self):
        # What a shell exports later is its children's startup path, not its own.
        script = ("import os, socket, sys\n"
                  "os.environ['SSH_AUTH_SOCK'] = sys.argv[1]\n"
                  "s = socket.socket(socket.AF_UNIX)\n"
                  "print(s.connect_ex(sys.argv[1]))")
        other = self.stale.parent / "s.other.sshd.other"
        result = self.run_program(shutil.which("python3", path="/usr/bin") or "python3",
                                  "-c", script, other)
        self.assertEqual(result.stdout.strip(), str(errno.ENOENT))


class Differential(ShimTest):
    """One program that connects in every way, with and without the shim: the same output."""

    def differential(self, program, prepare=lambda: None, **env):
        scratch = self.base / "scratch"
        scratch.mkdir()
        prepare()
        try:
            result = self.run_program(PROGRAMS / program, scratch, self.stale, **env)
        finally:
            shutil.rmtree(scratch)
        self.assertEqual((result.returncode, result.stderr), (0, ""), result.stdout[-500:])
        lines = result.stdout.splitlines()
        self.assertGreater(len(lines), 500)
        return lines

    def assert_same(self, program, answering=False):
        without = self.differential(program, shim=False)
        self.assertTrue(any(line.startswith("full, interrupted") and f"errno={errno.EINTR}" in line
                            for line in without))
        self.assertEqual(any(line.startswith("startup") and ": 0 " in line for line in without),
                         answering)
        conditions = {
            "armed": {},
            "not armed: no LIVESOCK_DIR": {"directory": False},
            "not armed: no SSH_AUTH_SOCK": {"startup": False},
            "not armed: another shape": {"startup": "/nonexistent"},
            "armed for another path": {"startup": f"{self.stale}2"},
        }
        for condition, env in conditions.items():
            with self.subTest(program=program, condition=condition):
                self.assertEqual(self.differential(program, **env), without)

    def programs(self):
        yield "shim_differential"
        if (PROGRAMS / "shim_musl_differential").exists():
            yield "shim_musl_differential"

    def test_nobody_at_the_startup_path_nor_elsewhere(self):
        for program in self.programs():
            self.assert_same(program)

    def test_a_dead_socket_at_the_startup_path(self):
        Listener(self.stale).close()
        for program in self.programs():
            self.assert_same(program)

    def test_the_startup_path_answers_and_so_does_live(self):
        self.listen(self.stale, backlog=4096)
        self.publish()
        self.listen(self.stable)
        for program in self.programs():
            self.assert_same(program, answering=True)

    def test_with_live_nothing_but_the_startup_path_differs(self):
        without = self.differential("shim_differential", shim=False)
        self.publish(backlog=4096)
        armed = self.differential("shim_differential")
        self.assertEqual(len(armed), len(without))
        # "then ..." and "connected, ..." go on with a socket that was tried with the startup path.
        changed = [after for before, after in zip(without, armed)
                   if before != after and not after.startswith(("then", "connected"))]
        self.assertNotEqual(changed, [])
        for line in changed:
            # All are the startup path on a stream socket, and all came to the live agent.
            self.assertIn(f": 0 errno={UNTOUCHED} peer=1/", line)
            self.assertIn(str(self.base / "forwarded"), line)
            self.assertRegex(
                line, "^(startup type|at the end of memory|unaligned|first, nobody|listener)")
        self.assertEqual(sum(line.startswith("unaligned") for line in changed), 7)


class Everywhere(ShimTest):
    """The places where nothing but connect(2) may be done, in a glibc and in a musl program."""

    def setUp(self):
        super().setUp()
        self.listener = self.publish()

    def both(self):
        for program in "shim_probe", "shim_musl_probe":
            with self.subTest(program=program):
                if not (PROGRAMS / program).exists():
                    self.skipTest(f"no {program}: musl-gcc is not installed")
                yield program

    def test_plain(self):
        for program in self.both():
            self.assertEqual(self.probe("plain", program=program),
                             self.connected_to(self.listener.path))

    def test_under_a_seccomp_filter_that_kills(self):
        for program in self.both():
            for shim in False, True:
                result = self.connected_to(self.listener.path) if shim else \
                    self.refused_with(errno.ENOENT)
                self.assertEqual(self.probe("seccomp", program=program, shim=shim), result)

    def test_in_a_signal_handler(self):
        for program in self.both():
            self.assertEqual(self.probe("handler", program=program), "200 of 200")

    def test_after_vfork(self):
        for program in self.both():
            self.assertEqual(self.probe("vfork", program=program),
                             self.connected_to(self.listener.path))

    def test_while_another_thread_is_in_dlopen(self):
        self.assertEqual(self.probe("dlopen", None, PROGRAMS / "shim_slow_library.so"),
                         self.connected_to(self.listener.path))

    def test_in_a_child_forked_while_another_thread_is_in_dlopen(self):
        self.assertEqual(self.probe("fork-in-dlopen", None, PROGRAMS / "shim_slow_library.so"),
                         self.connected_to(self.listener.path))

    def test_with_no_descriptor_left(self):
        for program in self.both():
            self.assertEqual(self.probe("nofile", program=program),
                             self.connected_to(self.listener.path))

    def test_thread_cancelled_in_the_first_try(self):
        self.listen(self.stale, backlog=0).fill()
        for program in self.both():
            self.assertEqual(self.probe("cancelled", program=program), "cancelled, cleaned up")
        self.assertEqual(self.cancel(), "cancelled, destroyed")

    def test_thread_cancelled_in_the_redirected_try(self):
        self.live.unlink()
        self.publish("busy", backlog=0).fill()
        for program in self.both():
            self.assertEqual(self.probe("cancelled", program=program), "cancelled, cleaned up")
        self.assertEqual(self.cancel(), "cancelled, destroyed")

    def cancel(self):
        result = self.run_program(PROGRAMS / "shim_cancel", self.stale)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return result.stdout.strip()


class NextConnect(ShimTest):
    def test_connect_before_the_shim_is_initialised(self):
        self.publish()
        self.listen(self.base / "early")
        early = PROGRAMS / "shim_early.so"
        for path, outcome in ((self.base / "early", f"0 {UNTOUCHED}"),
                              (self.stale, f"-1 {errno.ENOENT}")):
            with self.subTest(path=path):
                # Not armed yet, so the stale path stays what it is; afterwards it is redirected.
                out = self.probe("plain", behind=[early], EARLY=str(path)).splitlines()
                self.assertEqual(out[0], self.connected_to(self.base / "forwarded"))
                self.assertEqual(out[1], f"early: {outcome}")

    def test_a_library_that_replaces_dlsym_in_front(self):
        listener = self.publish()
        self.assertEqual(self.probe("plain", before=[PROGRAMS / "shim_dlsym_interposer.so"]),
                         self.connected_to(listener.path))

    def test_loaded_twice_under_two_names(self):
        copy = self.base / "copy.so"
        shutil.copy(SHIM, copy)
        listener = self.publish()
        self.assertEqual(self.probe("plain", before=[copy]), self.connected_to(listener.path))

    def test_without_a_c_library(self):
        if not (PROGRAMS / "shim_no_libc").exists():
            self.skipTest("x86-64 only")
        self.publish()
        self.listen(self.base / "here")
        for program, there, gone in ("shim_no_libc", 0, 1), ("shim_connect_alias", 2, 3):
            with self.subTest(program=program):
                path = f"LD_LIBRARY_PATH={SHIM.parent}"
                run = lambda target: subprocess.run(
                    ["/usr/bin/env", path, PROGRAMS / program, target], timeout=TIMEOUT,
                    check=False, env=self.environment(shim=False)).returncode
                self.assertEqual(run(self.base / "here"), there)
                self.assertEqual(run(self.stale), gone)


class SecureExecution(ShimTest):
    def setUp(self):
        super().setUp()
        if os.geteuid() != 0:
            self.skipTest("needs root to make a setuid program for another user")
        if os.statvfs(self.base).f_flag & os.ST_NOSUID:
            self.skipTest("/tmp is mounted nosuid")
        self.base.chmod(0o755)
        self.program = self.base / "probe"
        shutil.copy(PROGRAMS / "shim_probe", self.program)
        self.library = self.base / "liblivesock.so"
        shutil.copy(SHIM, self.library)
        self.library.chmod(0o755)
        for directory in self.directory, self.stale.parent, self.stale.parent.parent:
            directory.chmod(0o755)
        self.listener = self.publish()
        os.chmod(self.listener.path, 0o777)

    def run_as_nobody(self, *args, **env):
        return self.run_program(self.program, *args, **env,
                                options={"user": NOBODY, "group": NOBODY, "extra_groups": []})

    def test_a_setuid_program_is_left_alone_even_if_it_loads_the_shim(self):
        redirected = f"secure=0 {self.connected_to(self.listener.path)}\n"
        self.program.chmod(0o755)
        self.assertEqual(self.run_as_nobody("secure", self.stale, self.library,
                                            shim=False).stdout, redirected)
        self.program.chmod(0o4755)
        self.assertTrue(self.program.stat().st_mode & stat.S_ISUID)
        self.assertEqual(self.run_as_nobody("secure", self.stale, self.library,
                                            shim=False).stdout,
                         f"secure=1 {self.refused_with(errno.ENOENT)}\n")


class RealPrograms(ShimTest):
    def setUp(self):
        super().setUp()
        for program in "ssh-agent", "ssh-add", "ssh-keygen", "ssh":
            if shutil.which(program) is None:
                self.skipTest(f"{program} is not installed")
        self.key = self.base / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "the live agent's key",
                        "-f", self.key], check=True, timeout=TIMEOUT)
        self.agent = self.start_agent(self.base / "forwarded", self.key)
        self.live.symlink_to(self.agent)

    def start_agent(self, path, *keys):
        process = subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.PIPE,
                                   env=self.environment(shim=False, startup=False))

        def stop():
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=TIMEOUT)
            process.stdout.close()
        self.addCleanup(stop)
        process.stdout.readline()  # it prints the socket's name when it listens
        for key in keys:
            subprocess.run(["ssh-add", "-q", str(key)], check=True, timeout=TIMEOUT,
                           env=self.environment(shim=False, startup=path))
        return path

    def ssh_add(self, **env):
        return self.run_program("ssh-add", "-l", behind=[RECORDER], **env)

    def test_ssh_add_lists_the_live_agents_keys(self):
        result = self.ssh_add()
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("the live agent's key", result.stdout)
        self.assertEqual(self.tries(), [str(self.stale), str(self.live)])

    def test_ssh_add_fails_as_ever_with_no_agent_anywhere(self):
        self.live.unlink()
        with_shim = self.ssh_add()
        without = self.ssh_add(shim=False)
        self.assertEqual((with_shim.returncode, with_shim.stderr),
                         (without.returncode, without.stderr))
        self.assertIn("No such file or directory", with_shim.stderr)

    def test_a_live_local_agent_is_used(self):
        other = self.base / "other"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "the local one",
                        "-f", other], check=True, timeout=TIMEOUT)
        local = self.start_agent(self.stale, other)
        result = self.ssh_add()
        self.assertIn("the local one", result.stdout)
        self.assertNotIn("live agent", result.stdout)
        self.assertEqual(self.tries(), [str(local)])

    def test_ssh_add_with_the_agent_switched_off(self):
        self.assertNotEqual(self.ssh_add(startup="/nonexistent").returncode, 0)
        self.assertEqual(self.tries(), ["/nonexistent"])

    def sshd(self):
        sshd = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:" + os.environ.get("PATH", ""))
        if sshd is None:
            self.skipTest("sshd is not installed")
        host_key = self.base / "host_key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", host_key], check=True,
                       timeout=TIMEOUT)
        authorized = self.base / "authorized_keys"
        authorized.write_text(pathlib.Path(f"{self.key}.pub").read_text())
        config = self.base / "sshd_config"
        config.write_text(f"HostKey {host_key}\nAuthorizedKeysFile {authorized}\n"
                          "StrictModes no\nUsePAM no\nPermitRootLogin yes\n"
                          "PasswordAuthentication no\nKbdInteractiveAuthentication no\n")
        command = f"{sshd} -i -f {config}"
        if os.geteuid() == 0 and not os.path.isdir("/run/sshd"):
            # It insists on that directory; this /run is seen by this sshd alone.
            command = f"mount -t tmpfs none /run && mkdir -m 755 /run/sshd && exec {command}"
            command = f"unshare --mount sh -c '{command}'"
        # In sshd the shim has no business.
        return f"env -u LD_PRELOAD {command}"

    def ssh(self, *options):
        return self.run_program("ssh", "-F", "/dev/null", "-o", f"ProxyCommand={self.sshd()}",
                                "-o", "StrictHostKeyChecking=no", "-o", "LogLevel=ERROR",
                                "-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes",
                                *options, "host", "echo logged in", behind=[RECORDER])

    def test_ssh_logs_in_with_the_live_agents_key(self):
        result = self.ssh()
        self.assertEqual((result.stdout, result.returncode), ("logged in\n", 0), result.stderr)
        self.assertIn(str(self.live), self.tries())

    def test_ssh_with_an_identity_agent_of_its_own_is_left_alone(self):
        dead = self.stale.parent / "s.other.sshd.other"
        self.assertNotEqual(self.ssh("-o", f"IdentityAgent={dead}").returncode, 0)
        tries = self.tries()
        self.assertIn(str(dead), tries)
        self.assertNotIn(str(self.live), tries)
        self.assertNotIn(str(self.stable), tries)


class Installation(ShimTest):
    def test_a_new_file_takes_the_old_ones_place_and_leaves_it_to_those_who_mapped_it(self):
        installed = self.base / "lib/livesock" / SHIM.name
        env = {"PATH": "/usr/bin:/bin", "MESON_INSTALL_DESTDIR_PREFIX": str(self.base)}
        command = [ROOT / "preload/install.sh", SHIM, "lib/livesock"]
        subprocess.run(command, env=env, check=True, timeout=TIMEOUT)
        with open(installed, "rb") as old:
            subprocess.run(command, env=env, check=True, timeout=TIMEOUT)
            self.assertNotEqual(os.fstat(old.fileno()).st_ino, installed.stat().st_ino)
            self.assertEqual(old.read(), SHIM.read_bytes())
        self.assertEqual(installed.read_bytes(), SHIM.read_bytes())
        self.assertEqual(stat.S_IMODE(installed.stat().st_mode), 0o644)
        self.assertEqual(os.listdir(installed.parent), [SHIM.name])


class Unnoticed(ShimTest):
    def test_it_prints_nothing_and_opens_nothing(self):
        script = "ls -l /proc/self/fd | wc -l; env | grep -c LIVESOCK"
        outputs = {self.run_program("/bin/sh", "-c", script, shim=shim).stdout
                   for shim in (False, True)}
        self.assertEqual(len(outputs), 1)
        result = self.run_program("/bin/true")
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))


if __name__ == "__main__":
    unittest.main()
