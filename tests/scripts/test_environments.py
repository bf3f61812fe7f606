"""The environments of wrangler.toml cannot drift apart from its top level."""

import sys
import tomllib
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import environments

SHIPPED = (ROOT / "wrangler.toml").read_text(encoding="utf-8")
SMALL = """
[vars]
A = "1"
B = "2" # a comment

[[kv_namespaces]]
binding = "LOGS_KV"
id = "1"

[env.staging.vars]
A = "1"
B = "9" # own

[[env.staging.kv_namespaces]]
binding = "LOGS_KV"
id = "2"

# The production one.
[env.production.vars]
A = "1"
B = "2"

[[env.production.kv_namespaces]]
binding = "LOGS_KV"
id = "3"
"""


class Environments(unittest.TestCase):
    def assert_fault(self, text: str, *words: str) -> None:
        faults = environments.check(text)
        self.assertEqual(len(faults), 1, faults)
        for word in words:
            self.assertIn(word, faults[0])

    def test_the_shipped_file_is_in_step(self) -> None:
        self.assertEqual(environments.check(SHIPPED), [])
        self.assertEqual(environments.write(SHIPPED), SHIPPED)

    def test_the_three_have_the_same_names(self) -> None:
        # Without the code under test.
        config = tomllib.loads(SHIPPED)
        for section in config["env"].values():
            self.assertEqual(section["vars"].keys(), config["vars"].keys())
            for kind in ("kv_namespaces", "durable_objects"):
                self.assertIn(kind, section)

    def test_what_is_in_step_passes(self) -> None:
        self.assertEqual(environments.check(SMALL), [])
        self.assertEqual(environments.write(SMALL), SMALL)

    def test_a_name_that_one_lacks(self) -> None:
        self.assert_fault(SMALL.replace('B = "9" # own\n', ""), "[env.staging.vars] has no B", "make environments")

    def test_a_name_that_only_one_has(self) -> None:
        text = SMALL.replace('B = "9"', 'C = "9"\nB = "9"')
        self.assert_fault(text, "[env.staging.vars] has C", "# own")
        self.assertEqual(environments.check(text.replace('C = "9"', 'C = "9" # own')), [])

    def test_a_value_that_differs_unsaid(self) -> None:
        self.assert_fault(SMALL.replace('B = "9" # own', 'B = "9"'), '"2" in [vars] and "9" in [env.staging.vars]')
        self.assert_fault(SMALL.replace('B = "9" # own', 'B = "9" # owned by all'), "make environments")

    def test_a_binding_that_one_lacks_or_has_otherwise(self) -> None:
        other = SMALL.replace('binding = "LOGS_KV"\nid = "2"', 'binding = "LOG_KV"\nid = "2"')
        self.assert_fault(other, "kv_namespaces", "[env.staging]", "LOG_KV")
        self.assert_fault(SMALL + '[[env.staging.ratelimits]]\nname = "X"\n', "ratelimits", "[env.staging]")
        with_new_kind = '[[analytics]]\nbinding = "USAGE"\n' + SMALL
        self.assertEqual(len(environments.check(with_new_kind)), 2)

    def test_an_environment_that_is_missing(self) -> None:
        self.assert_fault(SMALL[: SMALL.index("# The production")], "[env.production] is missing")

    def test_an_address_for_all(self) -> None:
        self.assertEqual(len(environments.check('routes = ["a.example.com/*"]\n' + SMALL)), 2)

    def test_copies_are_made_anew(self) -> None:
        changed = SMALL.replace('[vars]\nA = "1"\nB = "2" # a comment', '[vars]\nA = "5"\nNEW = "7"\nB = "6"', 1)
        written = environments.write(changed)
        self.assertEqual(environments.check(written), [])
        config = tomllib.loads(written)["env"]
        self.assertEqual(config["staging"]["vars"], {"A": "5", "NEW": "7", "B": "9"})
        self.assertEqual(config["production"]["vars"], {"A": "5", "NEW": "7", "B": "6"})
        self.assertEqual([section["kv_namespaces"][0]["id"] for section in config.values()], ["2", "3"])
        self.assertIn("\n# The production one.\n[env.production.vars]\n", written)

    def test_what_is_gone_from_the_top_goes(self) -> None:
        gone = SMALL.replace('B = "2" # a comment\n', "")
        config = tomllib.loads(environments.write(gone))["env"]
        self.assertEqual(config["production"]["vars"], {"A": "1"})
        self.assertEqual(config["staging"]["vars"], {"A": "1", "B": "9"})

    def test_what_cannot_be_read_is_named(self) -> None:
        for text, word in (
            (SMALL.replace('A = "1"\nB = "9"', 'A = 1\nB = "9"'), "line"),
            (SMALL.replace("[vars]", "[ vars ]"), "[vars] must stand"),
        ):
            with self.assertRaises(environments.Unclear) as raised:
                environments.check(text)
            self.assertIn(word, str(raised.exception))


if __name__ == "__main__":
    unittest.main()
