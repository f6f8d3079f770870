"""`meson install` puts everything where it is looked for: install.py MESON BUILD PREFIX SHIM_DIRECTORY

PREFIX is absolute, SHIM_DIRECTORY below it. Installs into a temporary directory, and runs from there.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

MESON, BUILD, PREFIX, SHIM_DIRECTORY = sys.argv[1:5]


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # /tmp itself, whatever TMPDIR says: the path of a socket has to fit into 108 bytes.
        cls.temporary = tempfile.TemporaryDirectory(prefix="lt-", dir="/tmp")
        cls.addClassCleanup(cls.temporary.cleanup)
        cls.destination = pathlib.Path(cls.temporary.name, "i")
        subprocess.run([MESON, "install", "-C", BUILD, "--no-rebuild", "--destdir", str(cls.destination)],
                       check=True, stdout=subprocess.DEVNULL)
        cls.prefix = pathlib.Path(f"{cls.destination}{PREFIX}")

    def livesock(self, *words):
        environment = os.environ | {"LIVESOCK_DIR": f"{self.temporary.name}/r", "HOME": self.temporary.name,
                                    "PATH": "/usr/bin:/bin"}
        for name in ("LD_PRELOAD", "SSH_AUTH_SOCK", "XDG_CONFIG_HOME"):
            environment.pop(name, None)
        return subprocess.run([self.prefix / "bin/livesock", *words], env=environment, capture_output=True, text=True,
                              timeout=30, check=False)

    def test_everything_and_nothing_else_is_installed(self):
        installed = {path.relative_to(self.prefix).as_posix() for path in self.prefix.rglob("*") if path.is_file()}
        wanted = {"bin/livesock", "bin/livesock-sign", "bin/livesockd", f"{SHIM_DIRECTORY}/liblivesock.so"}
        for page in ("livesock.1", "livesockd.8", "livesock.toml.5", "liblivesock.7", "livesock-protocol.7",
                     "livesock-sign.1", "livesock-signing.7"):
            wanted.add(f"share/man/man{page[-1]}/{page}")
        wanted |= {"share/bash-completion/completions/livesock", "share/zsh/site-functions/_livesock",
                   "share/fish/vendor_completions.d/livesock.fish",
                   "lib/systemd/user/livesockd.service", "lib/systemd/user/livesockd.socket"}
        self.assertEqual(installed, wanted)
        everywhere = {path for path in self.destination.rglob("*") if path.is_file()}
        self.assertEqual(len(everywhere), len(installed), everywhere)

    def test_the_unit_starts_the_program_that_is_installed(self):
        unit = (self.prefix / "lib/systemd/user/livesockd.service").read_text(encoding="utf-8")
        self.assertIn(f"ExecStart={PREFIX}/bin/livesockd\n", unit)

    def test_the_installed_programs_find_each_other_and_the_shim(self):
        self.addCleanup(self.livesock, "stop")
        ran = self.livesock("run", "--", "sh", "-c", 'echo "$LD_PRELOAD"')
        self.assertEqual(ran.returncode, 0, ran)
        self.assertEqual(ran.stdout.strip(), f"{self.prefix}/{SHIM_DIRECTORY}/liblivesock.so", ran)
        status = self.livesock("status", "--json")
        self.assertEqual(status.returncode, 1, status)  # it runs, and has no agent
        self.assertEqual(self.livesock("stop").returncode, 0)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
