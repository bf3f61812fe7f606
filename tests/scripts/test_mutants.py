"""What `make mutants` stands on: that takes hours, this no time."""

import re
import sys
import tomllib
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/mutants"))

import mutants  # noqa: E402

FUNCTION = re.compile(r"(?: in |: replace )(?:<.*>::|[^ ]*::)?(\w+)(?: ->.*| with .*)?$")


class Mutants(unittest.TestCase):
    def test_the_copy_has_no_command_line_and_the_areas_modules_only(self):
        text = mutants.manifest((ROOT / "Cargo.toml").read_text())
        manifest = tomllib.loads(text)
        self.assertEqual(manifest["lib"], {"crate-type": ["rlib"]})
        self.assertEqual({"bin", "bench", "test"} & manifest.keys(), set())
        self.assertEqual(manifest["profile"]["test"]["opt-level"], 0)
        self.assertNotIn("clap", text)
        for name, area in mutants.AREAS.items():
            with self.subTest(name):
                library = mutants.library((ROOT / "src/lib.rs").read_text(), area.modules)
                self.assertEqual(set(re.findall(r"^pub mod (\w+);", library, re.MULTILINE)), set(area.modules))
                self.assertNotIn("mod shell", library)

    def test_each_areas_files_and_tests_exist(self):
        for name, area in mutants.AREAS.items():
            with self.subTest(name):
                self.assertTrue(all(any(ROOT.glob(glob)) for glob in area.files))
                targets = {target.removeprefix("--test=") for phase in area.phases for target in phase.targets}
                for target in targets - {"--lib"}:
                    self.assertTrue((ROOT / f"tests/{target}.rs").is_file() or (ROOT / f"tests/{target}/main.rs").is_file(), target)

    def test_each_reason_is_one_and_its_mutant_could_be_in_the_source(self):
        entries = mutants.reasons()
        self.assertEqual(len({entry["mutant"] for entry in entries}), len(entries), "one entry for a mutant")
        for entry in entries:
            with self.subTest(entry["mutant"]):
                self.assertLessEqual(entry.keys(), {"mutant", "times", "reason"})
                self.assertGreater(len(entry["reason"].split()), 4)
                source = (ROOT / entry["mutant"].split(":")[0]).read_text()
                found = FUNCTION.search(entry["mutant"])
                self.assertIsNotNone(found)
                self.assertRegex(source, rf"\bfn {found[1]}\b")

    def test_survivors_and_reasons_are_held_against_each_other(self):
        known = [{"mutant": "src/a.rs: replace < with <= in f", "reason": ""}, {"mutant": "src/b.rs: replace g with ()", "times": 2, "reason": ""}]
        a, b = "src/a.rs:1:2: replace < with <= in f", "src/b.rs:3:4: replace g with ()"
        everything = lambda _: True  # noqa: E731
        self.assertEqual(mutants.judge([a, b, b], known, everything), [])
        self.assertEqual(mutants.judge([a], known, lambda file: file == "src/a.rs"), [], "files that were not tried")
        self.assertEqual(len(mutants.judge([a, b], known, everything)), 1, "one of two was caught")
        self.assertEqual(len(mutants.judge([b, b], known, everything)), 1, "caught")
        self.assertEqual(len(mutants.judge([a, a, b, b], known, everything)), 2, "two, and one reason")
        self.assertEqual(len(mutants.judge([a, b, b, "src/a.rs:9:9: replace f with ()"], known, everything)), 1)


if __name__ == "__main__":
    unittest.main()
