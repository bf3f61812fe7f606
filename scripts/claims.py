"""Looks whether the tests that the documents name exist, and whether they ran.

    claims.py                  each test that is named is in the sources
    claims.py --ran LOG...     each one ran and passed, by what `cargo test` and `python3 -m unittest -v` printed;
                               one that said that it is skipped is named, and is no fault
    claims.py --count          how many tests are named, and how many rows say that they are shown or not

A test is named as `TARGET NAME`: the target of `cargo test` (`lib`, `gatectl`, or a name under tests/) and the name that
it prints, such as `workerd spend_cap::rules_answer_when_the_cap_is_reached`; or `python` and its module, class and
name. In a table with a column "shown by", each row names a test there, or says "not shown" and why; what stands there
as code is the name of a test, so one that is misspelt is not taken for something else.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = ("SECURITY.md", "docs/guarantees.md")
PYTHON_TESTS = ("clients/python/tests", "tests/scripts")
SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
CELL = re.compile(r"(?<!\\)\|")
SHOWN_BY = "shown by"
NAME = re.compile(r"\w+(?:(?:::|\.)\w+)+|\w*_\w*")
COUNTS = re.compile(r"\| (\d+); (\d+); (\d+) \| `python3 -B scripts/claims.py --count`")
NOT_SHOWN = re.compile(r"\bnot shown\b.*\w")

MODULE = re.compile(r'^((?: *#\[[^\n]*\]\n)*) *(?:pub(?:\([a-z]+\))? )?mod ([a-z0-9_]+)( \{|;)', re.MULTILINE)
TEST = re.compile(r"#\[test\]\n(?: *(?:#\[[^\n]*\]|//[^\n]*)\n)* *fn ([a-z0-9_]+)\(")
PATH = re.compile(r'#\[path = "([^"]+)"\]')
CLASS = re.compile(r"^class (\w+)\(", re.MULTILINE)
METHOD = re.compile(r"^    def (test_\w+)\(", re.MULTILINE)

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
RUNNING = re.compile(r"^ *Running (?:unittests )?(\S+\.rs) \(")
RESULT = re.compile(r"^test (\S+)(?: - should panic)? \.\.\. (ok|FAILED|ignored)")
# What a test says that could not do its work here; the harness takes it for passed.
SKIPPED = re.compile(r"^SKIPPED `(\w+) (\S+)`", re.MULTILINE)
PYTHON_RESULT = re.compile(r"^test_\w+ \(([\w.]+)\)(?:\n.*)? \.\.\. (ok|FAIL|ERROR|skipped)", re.MULTILINE)


def targets(root: Path) -> dict[str, Path]:
    """The targets of `cargo test`, and the file that each begins with."""
    found = {"lib": root / "src/lib.rs", "gatectl": root / "src/bin/gatectl/main.rs", "buildscript": root / "buildscript/tests.rs"}
    found |= {path.stem: path for path in (root / "tests").glob("*.rs")}
    found |= {path.parent.name: path for path in (root / "tests").glob("*/main.rs")}
    return {name: path for name, path in found.items() if path.is_file()}


def target_of(source: str) -> str:
    """The target whose tests begin with this file, as cargo prints it."""
    path = Path(source)
    if source == "src/lib.rs":
        return "lib"
    if path.parent.name == "buildscript":
        return "buildscript"
    return path.parent.name if path.name == "main.rs" else path.stem


def rust_tests(file: Path, folder: Path, prefix: str = "") -> set[str]:
    """The names of the tests of a module, as libtest prints them; `folder` is where its modules have their files."""
    text = file.read_text(encoding="utf-8")
    found: set[str] = set()
    for attributes, name, end in MODULE.findall(text):
        inside = f"{prefix}{name}::"
        if end == ";":
            elsewhere = PATH.search(attributes)
            if elsewhere:
                path = (file.parent / elsewhere[1]).resolve()
                found |= rust_tests(path, path.parent, inside)
                continue
            path = next((path for path in (folder / f"{name}.rs", folder / name / "mod.rs") if path.is_file()), None)
            if path:
                found |= rust_tests(path, folder / name, inside)
        else:
            # rustfmt puts the end of an inline module under its beginning.
            block = re.search(rf"^( *)(?:pub(?:\([a-z]+\))? )?mod {name} \{{\n(.*?)^\1\}}", text, re.MULTILINE | re.DOTALL)
            if block:
                found |= {f"{inside}{test}" for test in TEST.findall(block[2])}
                text = text.replace(block[0], "")
    return found | {f"{prefix}{test}" for test in TEST.findall(text)}


def python_tests(root: Path) -> set[str]:
    found = set()
    for path in (path for folder in PYTHON_TESTS for path in (root / folder).glob("test_*.py")):
        parts = CLASS.split(path.read_text(encoding="utf-8"))
        for name, body in zip(parts[1::2], parts[2::2], strict=True):
            found |= {f"{path.stem}.{name}.{test}" for test in METHOD.findall(body)}
    return found


def existing(root: Path) -> dict[str, set[str]]:
    tests = {name: rust_tests(path, path.parent) for name, path in targets(root).items()}
    return tests | {"python": python_tests(root)}


def named(text: str, known: set[str]) -> list[tuple[str, str]]:
    """The tests that a text names."""
    spans = (span.split() for span in SPAN.findall(text))
    # `gatectl revoke` is a command.
    return [(words[0], words[1]) for words in spans if len(words) == 2 and words[0] in known and NAME.fullmatch(words[1])]


def claims_of(text: str) -> list[tuple[str, str]]:
    """The rows of tables with a column for tests: what each begins with, and what stands in that column."""
    found, place = [], None
    for line in text.splitlines():
        if not line.startswith("|"):
            place = None
            continue
        cells = [cell.strip() for cell in CELL.split(line.strip().strip("|"))]
        if place is None:
            place = cells.index(SHOWN_BY) if SHOWN_BY in cells else -1
        elif place >= 0 and not set("".join(cells)) <= set("-: "):
            found.append((cells[0], cells[place] if place < len(cells) else ""))
    return found


def rows_without(text: str, known: set[str]) -> list[str]:
    """The rows that should name a test and do not."""
    return [row for row, cell in claims_of(text) if not named(cell, known) and not NOT_SHOWN.search(cell)]


def strange(text: str, known: set[str]) -> list[str]:
    """What stands as code in a column of tests and names none."""
    spans = (span for _, cell in claims_of(text) for span in SPAN.findall(cell))
    return [span for span in dict.fromkeys(spans) if not named(f"`{span}`", known)]


def counted(root: Path) -> tuple[int, int, int]:
    """The tests that are named, each once; the rows; and those that name none and say that they are not shown."""
    known = set(existing(root))
    texts = [(root / name).read_text(encoding="utf-8") for name in DOCUMENTS]
    cells = [cell for text in texts for _, cell in claims_of(text)]
    tests = {test for text in texts for test in named(text, known)}
    return len(tests), len(cells), sum(not named(cell, known) and bool(NOT_SHOWN.search(cell)) for cell in cells)


def ran(log: str) -> dict[tuple[str, str], bool]:
    """Each test in what was printed, and whether it passed. One that was skipped did not."""
    log = COLOUR.sub("", log)
    results: dict[tuple[str, str], bool] = {}
    target = ""
    for line in log.splitlines():
        if match := RUNNING.match(line):
            target = target_of(match[1])
        elif match := RESULT.match(line):
            results[target, match[1]] = match[2] == "ok"
    for name, result in PYTHON_RESULT.findall(log):
        results["python", name] = result == "ok"
    return results


def skipped(root: Path, logs: list[str]) -> list[str]:
    """The tests that the documents name and that said that they are skipped."""
    known = set(existing(root))
    told = {test for log in logs for test in SKIPPED.findall(COLOUR.sub("", log))}
    texts = {name: (root / name).read_text(encoding="utf-8") for name in DOCUMENTS}
    return [
        f"{name}: the test `{target} {test}` was skipped: its claim is not shown here."
        for name, text in texts.items()
        for target, test in dict.fromkeys(named(text, known))
        if (target, test) in told
    ]


def miscounted(root: Path) -> list[str]:
    """The figures that this script itself makes, where the page has others."""
    text = (root / DOCUMENTS[1]).read_text(encoding="utf-8")
    told = [tuple(map(int, row)) for row in COUNTS.findall(text)]
    true = counted(root)
    return [f"{DOCUMENTS[1]}: {row} are told of tests, rows and rows not shown, {true} there are." for row in told if row != true]


def faults(root: Path, logs: list[str] | None = None) -> list[str]:
    tests = existing(root)
    known = set(tests)
    results = {test: passed for log in logs for test, passed in ran(log).items()} if logs is not None else None
    found = []
    for name in DOCUMENTS:
        text = (root / name).read_text(encoding="utf-8")
        found += [f"{name}: the row {row!r} names no test." for row in rows_without(text, known)]
        found += [f"{name}: `{span}`, in a column of tests, is the name of none." for span in strange(text, known)]
        for target, test in dict.fromkeys(named(text, known)):
            if test not in tests[target]:
                found.append(f"{name}: there is no test `{target} {test}`.")
            elif results is not None and not results.get((target, test)):
                how = "did not pass" if (target, test) in results else "did not run"
                found.append(f"{name}: the test `{target} {test}` {how}.")
    return found + miscounted(root)


def main(arguments: list[str]) -> int:
    logs = None
    if arguments == ["--count"]:
        tests, rows, not_shown = counted(ROOT)
        print(f"{tests} tests are named, in {rows} rows and the text; {not_shown} rows are not shown.")
    elif arguments:
        option, *paths = arguments
        if option != "--ran" or not paths:
            print(__doc__, file=sys.stderr)
            return 2
        logs = [Path(path).read_text(encoding="utf-8", errors="replace") for path in paths]
    found = faults(ROOT, logs)
    for warning in skipped(ROOT, logs or []):
        print(warning, file=sys.stderr)
    for fault in found:
        print(fault, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
