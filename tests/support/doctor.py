"""livesock doctor in a shell: what it finds, and what comes of its remedies when they are typed as they are printed."""

import json
import os
import shutil

from . import isolation
from .cases import CommandCase


class DoctorCase(CommandCase):
    """Has the doctor examine in a shell, as a person would."""

    def examine(self, before="", **environment):
        """The findings after the shell has done `before`, by their checks."""
        return self.findings(self.run_program("sh", "-c", f"{before}\nlivesock doctor --json", **environment))

    def findings(self, done):
        """The findings that a program has printed as JSON, after whatever else it has printed."""
        told = json.loads(done.out[done.out.index("{\n"):])
        bad = [finding for finding in told["findings"] if finding["verdict"] == "problem"]
        self.assertEqual((done.status, told["healthy"]), (1 if bad else 0, not bad), done)
        found = {}
        for finding in told["findings"]:
            self.assertEqual(finding["remedy"] is None, finding["verdict"] != "problem", finding)
            found.setdefault(finding["check"], []).append(finding)
        return found

    def the_problem(self, findings):
        """The one thing among these that is wrong."""
        bad = [finding for finding in findings if finding["verdict"] == "problem"]
        self.assertEqual(len(bad), 1, findings)
        return bad[0]

    def problem(self, check, **environment):
        """The one thing that this check finds wrong."""
        return self.the_problem(self.examine(**environment)[check])

    def check_cured(self, check, words, **environment):
        """`check` finds what `words` say, and nothing any more after its remedy; returns the finding."""
        problem = self.problem(check, **environment)
        self.assertIn(words, problem["text"])
        after = self.examine(problem["remedy"], **environment)[check]
        self.assertNotIn("problem", [finding["verdict"] for finding in after], (problem, after))
        return problem

    def program(self, name, script):
        """A program of that name comes first in PATH, which is returned."""
        self.sandbox.file(f"bin/{name}", f"#!/bin/sh\n{script}\n", mode=0o755)
        return f"{self.sandbox.path}/bin:{self.sandbox.environment()['PATH']}"

    def mount(self, directory):
        """Has an empty directory in place of `directory` for this test, where that can be.

        Where there is none, the one above it gets a copy of itself in its place first, for that to be made in.
        """
        if not self.sandbox.place.private:
            self.skipTest(f"{directory} cannot be replaced here")
        above = os.path.dirname(directory)
        if not os.path.isdir(directory):
            copy = self.sandbox.fresh("above")
            shutil.copytree(above, copy, symlinks=True, ignore=_unreadable)
            self._cover(above)
            shutil.copytree(copy, above, symlinks=True, dirs_exist_ok=True)
            os.mkdir(directory)
        self._cover(directory)

    def _cover(self, directory):
        isolation.cover(directory)
        self.addCleanup(isolation.uncover, directory)


def _unreadable(directory, names):
    return [name for name in names if not os.access(os.path.join(directory, name), os.R_OK)]
