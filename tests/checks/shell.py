"""The shell scripts of the repository are clean under shellcheck: shell.py SOURCE_ROOT"""

import pathlib
import shutil
import subprocess
import sys
import unittest

SKIPPED_DIRECTORIES = ("build", ".git")


def scripts(root):
    """What begins with #! and sh, or is meant to be sourced by such a script."""
    for path in sorted(root.rglob("*")):
        below = path.relative_to(root)
        if below.parts[0].startswith(SKIPPED_DIRECTORIES) or not path.is_file():
            continue
        with path.open("rb") as file:
            first = file.readline(80)
        if path.suffix == ".sh" or first.startswith((b"#!/bin/sh", b"#!/bin/bash", b"#!/usr/bin/env sh")):
            yield below.as_posix()


class Shell(unittest.TestCase):
    root = None

    def test_shell_scripts_are_clean(self):
        found = list(scripts(self.root))
        self.assertIn("tools/try", found)
        if not shutil.which("shellcheck"):
            self.skipTest("shellcheck is not installed")
        checked = subprocess.run(["shellcheck", "-x", *found], cwd=self.root, capture_output=True, text=True, check=False)
        self.assertEqual(checked.returncode, 0, f"\n{checked.stdout}{checked.stderr}")


if __name__ == "__main__":
    Shell.root = pathlib.Path(sys.argv.pop(1))
    unittest.main()
