from __future__ import annotations

import re
import string
import unittest
from pathlib import Path

from support import SOURCE

from pip_aide_login.errors import Exit
from pip_aide_login.messages import CHINESE, ENGLISH, Messages

PACKAGE = SOURCE / "pip_aide_login"


def names(template: str) -> set:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


class Catalogs(unittest.TestCase):
    def test_both_languages_say_the_same_things(self) -> None:
        self.assertEqual(sorted(ENGLISH), sorted(CHINESE))
        for key, template in ENGLISH.items():
            self.assertEqual(names(template), names(CHINESE[key]), key)

    def test_every_sentence_exists_and_is_used(self) -> None:
        source = "".join(
            path.read_text("utf-8") for path in PACKAGE.glob("*.py") if path.name != "messages.py"
        )
        raised = set(re.findall(r'Exit\.[A-Z_]+,\s*"([a-z_]+)"', source))
        said = set(re.findall(r'\bsay\(\s*"([a-z_]+)"', source))
        self.assertLessEqual(raised | said, set(ENGLISH))
        units = {"seconds", "minutes", "hours", "days"}
        for key in set(ENGLISH) - units:
            self.assertIn('"%s"' % key, source)

    def test_durations(self) -> None:
        say = Messages("en")
        for seconds, words in (
            (-5, "0 s"), (0, "0 s"), (59, "59 s"), (60, "1 min"), (61, "1 min 1 s"), (3600, "1 h"),
            (3601, "1 h 1 min"), (7199, "2 h"), (86_400, "1 d"), (90_000, "1 d 1 h"),
        ):  # fmt: skip
            self.assertEqual(say.duration(seconds), words)

    def test_the_readme_lists_every_exit_code(self) -> None:
        readme = Path(SOURCE.parent / "README.md").read_text("utf-8")
        for code in Exit:
            self.assertIn("\n| %d |" % code, readme)


if __name__ == "__main__":
    unittest.main()
