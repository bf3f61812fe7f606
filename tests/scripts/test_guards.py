"""Each guard that `make test-guards` takes out is in the source: that takes half an hour, this no time."""

import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/guards"))

import guards  # noqa: E402


class Guards(unittest.TestCase):
    def test_each_guard_is_in_the_source_once(self):
        for guard in guards.GUARDS:
            with self.subTest(guard.name):
                source = (ROOT / "src/ledger" / guard.file).read_text()
                self.assertEqual(source.count(guard.guard), 1)
                self.assertNotEqual(guard.guard, guard.without)


if __name__ == "__main__":
    unittest.main()
