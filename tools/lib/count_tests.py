#!/usr/bin/env python3
"""Counts what a run of `meson test` tested: count_tests.py TESTLOG.JSON STATUS.

Prints "PASSED FAILED SKIPPED" on stdout, and on stderr the log of every test that failed. A test
program that says how many cases it ran (doctest, Python's unittest) counts as so many, any other as one.
"""

import json
import re
import sys

SHOWN_LINES = 400

DOCTEST = re.compile(r"^\[doctest\] test cases: +\d+ \| +(\d+) passed \| +(\d+) failed", re.MULTILINE)
UNITTEST = re.compile(r"^Ran (\d+) tests? in .*\n+(OK|FAILED)(?: \((.*)\))?$", re.MULTILINE)
GOOD = ("OK", "EXPECTEDFAIL")


def cases(test):
    """(passed, failed, skipped) of one test program, as it says itself; None when it says nothing."""
    text = f"{test.get('stdout', '')}\n{test.get('stderr', '')}"
    doctest = DOCTEST.findall(text)
    if doctest:
        return sum(int(p) for p, _ in doctest), sum(int(f) for _, f in doctest), 0
    unittest = UNITTEST.findall(text)
    if unittest:
        total, _, details = unittest[-1]
        numbers = {name.strip(): int(number) for name, number in re.findall(r"([a-z ]+)=(\d+)", details)}
        skipped = numbers.get("skipped", 0)
        bad = sum(numbers.get(name, 0) for name in ("failures", "errors", "unexpected successes"))
        return max(int(total) - bad - skipped, 0), bad, skipped
    return None


def count(test):
    """(passed, failed, skipped): meson's verdict on the program outranks the program's own words."""
    if test["result"] == "SKIP":
        return 0, 0, 1
    own = cases(test)
    if test["result"] in GOOD:
        return (own[0], 0, own[2]) if own else (1, 0, 0)
    return (own[0], max(own[1], 1), own[2]) if own else (0, 1, 0)


def show(test):
    print(f"\n===== FAILED: {test['name']} ({test['result']}, {test.get('duration', 0):.1f} s)\n"
          f"===== {' '.join(test.get('command', []))}", file=sys.stderr)
    for name in ("stdout", "stderr"):
        lines = test.get(name, "").splitlines()
        if len(lines) > SHOWN_LINES:
            print(f"({len(lines) - SHOWN_LINES} lines of {name} are only in meson-logs/testlog.txt)", file=sys.stderr)
        for line in lines[-SHOWN_LINES:]:
            print(f"    {line}", file=sys.stderr)


def main(path, status):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            tests = [json.loads(line) for line in file if line.strip()]
    except FileNotFoundError:
        tests = []
    passed = failed = skipped = 0
    for test in tests:
        p, f, s = count(test)
        passed, failed, skipped = passed + p, failed + f, skipped + s
        if f:
            show(test)
    if failed == 0 and (status != 0 or not tests):
        print(f"\n===== meson test ended with {status} after {len(tests)} tests", file=sys.stderr)
        failed = 1
    print(passed, failed, skipped)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
