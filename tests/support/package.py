"""Packages of what is built here, as tools/package makes them."""

import glob
import os
import shutil
import subprocess
import tempfile
import unittest

from .sandbox import BUILD, ROOT


def make(test_class, kind):
    """Makes the package `kind`, which is removed with the test class; returns its path and what was said. Skips the
    class, saying why, where that cannot be."""
    for program in ("strip", "dpkg-shlibdeps") if kind == "deb" else ("strip",):
        if not shutil.which(program):
            raise unittest.SkipTest(f"{program} is not installed")
    output = tempfile.mkdtemp(prefix="lt-package-", dir="/tmp")
    test_class.addClassCleanup(shutil.rmtree, output)
    made = subprocess.run([os.path.join(ROOT, "tools", "package"), "--built", BUILD, "--output", output, kind],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=200, check=False)
    if made.returncode != 0:
        raise AssertionError(made.stdout + made.stderr)
    path, = glob.glob(output + "/*")
    return path, made.stdout + made.stderr
