"""The check of the documents finds what it is there for."""

import re
import sys
import tempfile
import tomllib
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import documents

# As clap writes it, and as Wrangler does.
GATECTL = f"""#!{sys.executable}
import sys
words = sys.argv[1:-1]
if not words:
    print("Usage: gatectl\\n\\nCommands:\\n  token  Make one,\\n         as asked\\n  revoke  Take back\\n\\nOptions:\\n      --json")
elif words == ["token"]:
    print("Commands:\\n  mint  Make\\n\\nOptions:\\n      --json")
else:
    print("Options:\\n      --machine <ID>\\n      --keys-file <FILE>")
"""
WRANGLER = f"""#!{sys.executable}
import sys
words = sys.argv[1:-1]
if not words:
    print("COMMANDS\\n  wrangler deploy [script]  Deploy\\n  wrangler secret           Secrets")
elif words == ["secret"]:
    print("COMMANDS\\n  wrangler secret put <key>  Put")
else:
    print("wrangler " + " ".join(words) + "\\n  -e, --env  Environment\\n --dry-run")
"""


class Documents(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def document(self, text: str, name: str = "a.md") -> documents.Document:
        path = self.folder / name
        path.write_text(text)
        return documents.Document(path)

    def program(self, text: str) -> documents.Program:
        path = self.folder / "program"
        path.write_text(text)
        path.chmod(0o755)
        return documents.Program(str(path))

    def test_links(self) -> None:
        self.document("# One\n\n## Two `words`, here\n\n## Two `words`, here\n", "b.md")
        good = "[x](b.md) [x](b.md#one) [x](b.md#two-words-here) [x](b.md#two-words-here-1) [x](#own) ![x](.)\n# Own\n"
        self.assertEqual(documents.broken_links(self.document(good)), [])
        code = "`[x](gone.md)`\n```\n[x](gone.md)\n```\n[x](https://example.com/gone)\n"
        self.assertEqual(documents.broken_links(self.document(code)), [])
        for bad in ("[x](gone.md)", "[x](b.md#three)", "[x](#gone)", "![x](gone.svg)", "[x]: gone.md"):
            self.assertEqual(len(documents.broken_links(self.document(bad))), 1, bad)

    def test_languages(self) -> None:
        pair = "# A\n\n```sh\nmake dev   # words\n```\n\n## B\n"
        english = self.document(pair)
        for text, faults in (
            (pair.replace("# A", "# 甲").replace("words", "字"), 0),
            (pair.replace("## B", "### B"), 1),
            (pair.replace("make dev", "make test"), 1),
            (pair.replace("make dev   # words\n", ""), 1),
        ):
            chinese = self.document(text, "a.zh-CN.md")
            self.assertEqual(len(documents.languages_apart([english, chinese])), faults, text)
        self.assertEqual(len(documents.languages_apart([self.document("", "c.zh-CN.md")])), 1)

    def test_make_targets(self) -> None:
        known = documents.make_targets("build: ## Build\nworker: x\n\ntest-all: build ## Test\n")
        self.assertEqual(known, {"build", "test-all"})
        for text, faults in (
            ("We make sure. `make build` `PORT=1 make test-all`", 0),
            ("```sh\nmake worker\n```", 1),
            ("- so:\n\n  ```sh\n  make worker\n  ```\n\n`make build`", 1),
            ("`make gone`", 1),
        ):
            self.assertEqual(len(documents.unknown_targets(self.document(text), known)), faults, text)

    def test_metrics_and_scripts(self) -> None:
        source = 'x("requests_total") ("seconds")'
        self.assertEqual(documents.unknown_names("a", "pip_aide_gateway_requests_total scripts/deploy.py", source), [])
        self.assertEqual(documents.unknown_names("a", "pip_aide_gateway_seconds_bucket", source), [])
        self.assertEqual(len(documents.unknown_names("a", "pip_aide_gateway_request_total scripts/gone.sh", source)), 2)

    def test_commands_of_gatectl(self) -> None:
        program = self.program(GATECTL)
        for text, faults in (
            ("`gatectl token mint --machine a --keys-file ~/k`", 0),
            ("```sh\nT=$(cargo run -q -- token mint \\\n  --machine a) && curl --netrc x\n```", 0),
            ("```sh\ngatectl() { cargo run -q -- \"$@\"; }\n```", 0),
            ("`gatectl revoke --machine a | jq --raw-output .`", 0),
            ('```sh\nat() { gatectl "$@" --keys-file k; }\nat revoke --machine a\nX=$(at token mint --machine b)\n```', 0),
            ('```sh\nout() {\n  gatectl revoke --keys-file k "$@"\n}\nout --machine a\n```', 0),
            ('```sh\nat() { gatectl "$@" --keys-file k; }\nat revok --machine a\n```', 1),
            ('```sh\nat() { gatectl "$@" --keys k; }\nat revoke --machine a\n```\nand `at revoke --all`', 2),
            ("`gatectl revok --machine a`", 1),
            ("`gatectl token make`", 1),
            ("`gatectl token mint --machin a`", 1),
            ("`cargo run -q --locked --bin gatectl -- revoke --all`", 1),
        ):
            found = documents.unknown_commands(self.document(text), "gatectl", program)
            self.assertEqual(len(found), faults, (text, found))

    def test_commands_of_wrangler(self) -> None:
        program = self.program(WRANGLER)
        for text, faults in (
            ("`npx wrangler deploy --dry-run --env=x`", 0),
            ("`npx wrangler secret put NAME --env x`", 0),
            ("`npx wrangler secret drop NAME`", 1),
            ("`npx wrangler deploi`", 1),
            ("`npx wrangler deploy --dry`", 1),
        ):
            found = documents.unknown_commands(self.document(text), "wrangler", program)
            self.assertEqual(len(found), faults, (text, found))

    def test_every_problem_is_in_the_operations_guide(self) -> None:
        guide = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
        source = (ROOT / "src/reject.rs").read_text(encoding="utf-8")
        slugs = re.findall(r'\("([a-z-]+)", [45]\d\d, "', source)
        self.assertGreater(len(slugs), 10)
        self.assertEqual([slug for slug in slugs if f"`{slug}`" not in guide], [])

    def test_the_changelog_has_the_version(self) -> None:
        version = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))["package"]["version"]
        changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
        self.assertRegex(changelog, rf"(?m)^## {re.escape(version)} - ")


if __name__ == "__main__":
    unittest.main()
