"""The check of what documents claim finds what it is there for."""

import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import claims

LOG = """
   Compiling gateway v0.1.0
     Running unittests src/lib.rs (target/debug/deps/gateway-0)
running 2 tests
test cap::tests::it_holds ... ok
test deep::inner::it_is_found ... ignored
     Running unittests src/bin/gatectl/main.rs (target/debug/deps/gatectl-0)
test keys::tests::a_key ... ok
     Running tests/front/main.rs (target/debug/deps/front-0)
test door::it_opens has been running for over 60 seconds
\x1b[32mtest\x1b[0m door::it_opens ... \x1b[32mok\x1b[0m
test door::it_stops - should panic ... FAILED
     Running tests/plain.rs (target/debug/deps/plain-0)
test it_is_plain ... ok
   Doc-tests gateway
"""
PYTHON_LOG = """
test_it (test_tool.Tool.test_it) ... ok
test_words (test_tool.Tool.test_words)
It has words. ... ok
test_skipped (test_tool.Tool.test_skipped) ... skipped 'no tool'
"""


class Claims(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.write("src/lib.rs", "pub mod cap;\nmod deep;\n")
        self.write("src/cap.rs", "#[cfg(test)]\nmod tests {\n    use super::*;\n\n    #[test]\n    fn it_holds() {}\n}\n")
        self.write("src/deep/mod.rs", '#[cfg(test)]\n#[path = "more_tests.rs"]\nmod inner;\n')
        self.write("src/deep/more_tests.rs", "#[test]\n#[ignore]\nfn it_is_found() {}\n\nfn it_is_no_test() {}\n")
        self.write("tests/front/main.rs", '#[path = "../door.rs"]\nmod door;\nmod missing;\n')
        self.write("tests/door.rs", "#[test]\nfn it_opens() {}\n\n#[test]\n// Why.\n#[should_panic]\nfn it_stops() {}\n")
        self.write("tests/plain.rs", "proptest! {\n    #[test]\n    fn it_is_plain(raw in text()) {}\n}\n")
        body = "class Tool(unittest.TestCase):\n    def test_it(self) -> None:\n        pass\n"
        self.write("tests/scripts/test_tool.py", f"{body}\n    def test_words(self) -> None:\n        pass\n")
        self.write("docs/guarantees.md", "")

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def faults(self, text: str, *logs: str) -> list[str]:
        self.write("SECURITY.md", text)
        return claims.faults(self.root, list(logs) or None)

    def test_tests_are_found_wherever_they_stand(self) -> None:
        found = claims.existing(self.root)
        self.assertEqual(found["lib"], {"cap::tests::it_holds", "deep::inner::it_is_found"})
        self.assertEqual(found["front"], {"door::it_opens", "door::it_stops"})
        self.assertEqual(found["plain"], {"it_is_plain"})
        self.assertEqual(found["python"], {"test_tool.Tool.test_it", "test_tool.Tool.test_words"})

    def test_a_test_that_is_not_there_is_named(self) -> None:
        right = "`lib cap::tests::it_holds`, `front door::it_opens`, `plain it_is_plain`, `python test_tool.Tool.test_it`"
        self.assertEqual(self.faults(f"{right} `gatectl revoke` `make lint` `front door`"), [])
        for wrong in ("lib cap::tests::it_held", "lib it_is_no_test", "plain door::it_opens", "python test_tool.Tool.test_that"):
            self.assertEqual(self.faults(f"{right}, `{wrong}`"), [f"SECURITY.md: there is no test `{wrong}`."])

    def test_each_row_names_a_test_or_says_why_not(self) -> None:
        table = "| threat | shown by |\n|---|---|\n| a | `plain it_is_plain` |\n| b \\| c | not shown: it is a custom |\n"
        self.assertEqual(self.faults(table), [])
        for cell in ("", "tests", "not shown"):
            self.assertEqual(self.faults(f"{table}| bare | {cell} |\n"), ["SECURITY.md: the row 'bare' names no test."])
        self.assertEqual(self.faults(f"{table}\n| another | table |\n|---|---|\n| bare | |\n"), [])

    def test_what_stands_as_code_among_tests_is_a_test(self) -> None:
        table = "| threat | shown by |\n|---|---|\n| a `make lint` | `plain it_is_plain`, {} |\n"
        for wrong in ("plane it_is_plain", "plain", "it_is_plain", "plain it is plain", "plain plain", "make lint"):
            for cell in (f"`{wrong}`", f"not shown: `{wrong}`"):
                self.assertEqual(
                    self.faults(table.format(cell)), [f"SECURITY.md: `{wrong}`, in a column of tests, is the name of none."]
                )
        self.assertEqual(self.faults(table.format("`plain it_was_plain`")), ["SECURITY.md: there is no test `plain it_was_plain`."])
        self.assertEqual(self.faults(table.format("`front door::it_opens`, [a file](file)")), [])

    def test_rows_and_tests_are_counted(self) -> None:
        table = "| threat | shown by |\n|---|---|\n| a | `plain it_is_plain`, `front door::it_opens` |\n| b | not shown: a custom |\n"
        self.write("SECURITY.md", f"`plain it_is_plain`, `plain` and\n\n{table}\n| other | table |\n|---|---|\n| c | d |\n")
        promises = "| fails | shown by |\n|---|---|\n| e | `lib cap::tests::it_holds`; not shown elsewhere |\n"
        for told, faults in (("3; 3; 1", 0), ("2; 3; 1", 1), ("3; 3; 0", 1)):
            figures = f"| tests | {told} | `python3 -B scripts/claims.py --count` |\n"
            self.write("docs/guarantees.md", f"{promises}\n{figures}")
            self.assertEqual(claims.counted(self.root), (3, 3, 1))
            self.assertEqual(len(claims.miscounted(self.root)), faults, told)

    def test_each_ran_and_passed(self) -> None:
        text = "`lib cap::tests::it_holds` `front door::it_opens` `plain it_is_plain` `python test_tool.Tool.test_words`"
        self.assertEqual(self.faults(text, LOG, PYTHON_LOG), [])
        self.assertEqual(
            self.faults(f"{text} `lib deep::inner::it_is_found` `front door::it_stops`", LOG, PYTHON_LOG),
            [
                "SECURITY.md: the test `lib deep::inner::it_is_found` did not pass.",
                "SECURITY.md: the test `front door::it_stops` did not pass.",
            ],
        )
        without = LOG.replace("test it_is_plain ... ok", "")
        self.assertEqual(self.faults(text, without, PYTHON_LOG), ["SECURITY.md: the test `plain it_is_plain` did not run."])
        self.assertEqual(self.faults(text, LOG), ["SECURITY.md: the test `python test_tool.Tool.test_words` did not run."])

    def test_one_that_was_skipped_is_named(self) -> None:
        self.assertEqual(self.faults("`front door::it_opens` `plain it_is_plain`", LOG, PYTHON_LOG), [])
        log = LOG + "\nSKIPPED `front door::it_opens`: there is no door\nSKIPPED `lib cap::tests::it_holds`: no cap\n"
        self.assertEqual(
            claims.skipped(self.root, [log, PYTHON_LOG]),
            ["SECURITY.md: the test `front door::it_opens` was skipped: its claim is not shown here."],
        )
        self.assertEqual(claims.skipped(self.root, [LOG, PYTHON_LOG]), [])

    def test_the_projects_documents_name_tests(self) -> None:
        tests = claims.existing(ROOT)
        for name in claims.DOCUMENTS:
            text = (ROOT / name).read_text(encoding="utf-8")
            self.assertGreater(len(claims.named(text, set(tests))), 20, name)


if __name__ == "__main__":
    unittest.main()
