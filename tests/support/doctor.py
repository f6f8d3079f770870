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
        found = self.by_check(done)
        bad = any(finding["verdict"] == "problem" for findings in found.values() for finding in findings)
        self.assertEqual(done.status, 1 if bad else 0, done)
        return found

    def by_check(self, done):
        """The same, whatever its exit status."""
        told = json.loads(done.out[done.out.index("{\n"):])
        bad = [finding for finding in told["findings"] if finding["verdict"] == "problem"]
        self.assertEqual(told["healthy"], not bad, done)
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

    def problem_of(self, done, check):
        """The one thing that this check has found wrong, whatever the exit status."""
        return self.the_problem(self.by_check(done)[check])

    def problem(self, check, **environment):
        """The one thing that this check finds wrong."""
        return self.the_problem(self.examine(**environment)[check])

    def check_cured(self, check, words, and_also=None, **environment):
        """`check` finds what `words` say, and nothing any more after its remedy; returns the finding.

        The check `and_also`, which finds nothing of its own, is well then, too.
        """
        before = self.examine(**environment)
        problem = self.the_problem(before[check])
        self.assertIn(words, problem["text"])
        after = self.examine(problem["remedy"], **environment)
        self.assertNotIn("problem", [finding["verdict"] for finding in after[check]], (problem, after[check]))
        if and_also:
            self.assertNotEqual(before[and_also][0]["verdict"], "problem", before[and_also])
            self.assertEqual(after[and_also][0]["verdict"], "ok", after[and_also])
        return problem

    def check_all_cured(self, *checks, **environment):
        """What these checks find wrong is cured when all their remedies are typed in the order in which they stand."""
        found = self.examine(**environment)
        remedies = [finding["remedy"] for check in checks for finding in found[check] if finding["remedy"]]
        after = self.examine("\n".join(["set -e", *remedies, "set +e"]), **environment)
        for check in checks:
            self.assertEqual([finding["verdict"] for finding in after[check]], ["ok"], (remedies, after[check]))

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
