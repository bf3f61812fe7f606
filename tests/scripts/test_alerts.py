"""The alert rules ring where they should, if promtool (Debian's package prometheus) is there to say so."""

import re
import shutil
import subprocess
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "docs/alerts.yml"


class Alerts(unittest.TestCase):
    @unittest.skipUnless(shutil.which("promtool"), "promtool is not installed: the alert rules are not played")
    def test_the_rules_ring_on_a_bad_day_and_not_on_an_ordinary_one(self) -> None:
        for command in (["check", "rules", RULES], ["test", "rules", ROOT / "tests/scripts/alerts.yml"]):
            done = subprocess.run(["promtool", *command], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_each_rule_says_what_to_do(self) -> None:
        text = RULES.read_text(encoding="utf-8")
        rules = len(re.findall(r"^ +- alert: \w+$", text, re.MULTILINE))
        self.assertGreater(rules, 10)
        self.assertEqual(len(re.findall(r"^ +runbook: operations\.md#[a-z0-9-]+$", text, re.MULTILINE)), rules)


if __name__ == "__main__":
    unittest.main()
