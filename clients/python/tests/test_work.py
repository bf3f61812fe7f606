from __future__ import annotations

import hashlib
import multiprocessing
import time
import unittest
from typing import List
from unittest import mock

from support import SOURCE, zero_bits  # noqa: F401

from pip_aide_login import work
from pip_aide_login.errors import Exit, Failure

# The gateway's own tests pin the same pair.
CHALLENGE = "ARIAAAGjGFxQAAcHBwcHBwcHBwcHBwcHBwdx6s9BLZiH4p_BwAZeT-xqQiUKNkr6T_XlVqunIcFZcQ"


def bits(challenge: str, solution: str) -> int:
    return zero_bits(hashlib.sha256((challenge + "." + solution).encode("ascii")).digest())


class Work(unittest.TestCase):
    def test_the_first_solution_of_a_known_challenge(self) -> None:
        self.assertEqual(work.solve(CHALLENGE, 12, 60, lambda _: None), "7794")

    def test_every_difficulty_is_met_and_by_the_first_number(self) -> None:
        for difficulty in range(13):
            solution = work.solve("c", difficulty, 60, lambda _: None)
            self.assertGreaterEqual(bits("c", solution), difficulty)
            for earlier in range(int(solution)):
                self.assertLess(bits("c", str(earlier)), difficulty)

    def test_the_default_difficulty_takes_seconds(self) -> None:
        started = time.monotonic()
        solution = work.solve("default", 18, 60, lambda _: None)
        self.assertLess(time.monotonic() - started, 30)
        self.assertGreaterEqual(bits("default", solution), 18)

    def test_processes_together(self) -> None:
        solution = work.solve("many", 17, 60, lambda _: None, processes=2)
        self.assertGreaterEqual(bits("many", solution), 17)
        self.assertEqual(multiprocessing.active_children(), [])

    def test_without_workers_that_cannot_start(self) -> None:
        with mock.patch.object(work, "_work", _fail):
            solution = work.solve("alone", 12, 60, lambda _: None, processes=2)
        self.assertGreaterEqual(bits("alone", solution), 12)

    def test_several_processes_only_for_hard_work(self) -> None:
        for difficulty, called in ((work.MAX_DIFFICULTY_ALONE, False), (work.MAX_DIFFICULTY_ALONE + 1, True)):
            together = mock.Mock(side_effect=lambda *_: (number for number in [5]))
            with mock.patch.object(work, "_together", together), mock.patch.object(
                work, "_alone", lambda *_: (number for number in [5])
            ), mock.patch.object(work, "_processors", lambda: 2):
                self.assertEqual(work.solve("x", difficulty, 60, lambda _: None), "5")
            self.assertEqual(together.called, called)

    def test_progress_grows_and_ends_at_one(self) -> None:
        seen: List[float] = []
        work.solve("progress", 18, 60, seen.append)
        self.assertEqual(seen, sorted(seen))
        self.assertEqual(seen[-1], 1.0)
        self.assertTrue(all(0 < fraction <= 1 for fraction in seen))

    def test_ends_when_the_challenge_does(self) -> None:
        for processes in (1, 2):
            with self.assertRaises(Failure) as caught:
                work.solve("late", 32, 0.3, lambda _: None, processes)
            self.assertEqual(
                (caught.exception.key, caught.exception.code), ("work_too_slow", Exit.REFUSED)
            )
            self.assertEqual(multiprocessing.active_children(), [])


def _fail(*_: object) -> None:
    raise SystemExit(1)


if __name__ == "__main__":
    unittest.main()
