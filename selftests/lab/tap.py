# SPDX-License-Identifier: GPL-2.0-or-later
"""TAP lines for functions that are tests: they return, or raise Wrong."""

import sys
import time
import traceback

TESTS = []


class Wrong(Exception):
    """What was seen instead of what was expected."""


def test(function):
    """Decorator: the first line of the docstring is the test's name."""
    TESTS.append(function)
    return function


def equal(seen, expected, what):
    if seen != expected:
        raise Wrong(f"{what}: {str(seen)[:300]!r}, expected {str(expected)[:300]!r}")


def true(condition, what):
    if not condition:
        raise Wrong(what)


def run(*args):
    """Run all tests with these arguments; returns the number of failures."""
    failed = 0
    for function in TESTS:
        name = function.__doc__.splitlines()[0].rstrip(".")
        begin = time.monotonic()
        try:
            function(*args)
            verdict, notes = "ok", []
        except Wrong as e:
            verdict, notes = "not ok", [str(e)]
        except Exception:
            verdict, notes = "not ok", traceback.format_exc().splitlines()
        failed += verdict != "ok"
        run.number += 1
        print(f"{verdict} {run.number} - {name} "
              f"({time.monotonic() - begin:.1f} s)")
        for note in notes:
            print(f"# {note}")
        sys.stdout.flush()
    TESTS.clear()
    return failed


run.number = 0
