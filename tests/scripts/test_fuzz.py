"""What `make fuzz-smoke` says of a target that found something, and of one that did not."""

import contextlib
import io
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
import fuzz  # noqa: E402

GOOD = """echo 'INFO: seed corpus'; echo '#8 DONE cov: 7 ft: 9 corp: 3/30b' >&2; echo 'Done 1234 runs in 2 second(s)' >&2"""
BAD = """echo 'thread panicked at src/x.rs:1:2:' >&2; echo 'Test unit written to {findings}/token-crash-1' >&2; exit 77"""


class Smoke(unittest.TestCase):
    def run_target(self, script: str) -> tuple[bool, str]:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "logs").mkdir()
            binary = folder / "token"
            binary.write_text("#!/bin/sh\n" + script.format(findings=folder / "findings"), encoding="utf-8")
            binary.chmod(0o755)
            said = io.StringIO()
            with (
                mock.patch.object(fuzz, "BUILT", folder),
                mock.patch.object(fuzz, "ROOT", folder),
                mock.patch.object(fuzz, "host", lambda: "here"),
                contextlib.redirect_stdout(said),
            ):
                passed = fuzz.smoke(folder, "token", 1)
            return passed, said.getvalue()

    def test_one_that_found_nothing_has_a_line(self) -> None:
        passed, said = self.run_target(GOOD)
        self.assertTrue(passed)
        self.assertEqual(said, "token           1,234 runs in 2 s, 7 edges, 9 features\n")

    def test_one_that_found_something_says_what_to_do(self) -> None:
        passed, said = self.run_target(BAD)
        self.assertFalse(passed)
        for words in ["FAILED (status 77)", "src/x.rs:1:2", "findings/token-crash-1", "fuzz/cases/token/", "-minimize_crash=1"]:
            self.assertIn(words, said)

    def test_one_that_ends_without_a_count_has_not_passed(self) -> None:
        passed, _ = self.run_target("exit 0")
        self.assertFalse(passed)

    def test_every_target_has_something_to_begin_with(self) -> None:
        with tempfile.TemporaryDirectory() as name, mock.patch.object(fuzz, "BUILT", Path(name)):
            for target in fuzz.TARGETS:
                self.assertTrue(any(fuzz.seed(target).iterdir()), target)


if __name__ == "__main__":
    unittest.main()
