"""Every byte that is not ours stays, and Python and requests read what was meant."""

from __future__ import annotations

import netrc
import random
import sys
import unittest
import unittest.mock
from typing import Dict, Optional, Tuple

from support import Case, netrc_text, token_for

from pip_aide_login.netrc_text import parse, put, remove

try:
    import requests.utils as requests_utils
except ImportError:
    requests_utils = None  # type: ignore[assignment]

HOST = "gw.example.com"
ORIGIN = "https://gw.example.com"
TOKEN = token_for("m1")
BLOCK = "#pip-aide-login:%s\nmachine %s\nlogin m1\npassword %s\n" % (ORIGIN, HOST, TOKEN)

# What is there before, and what it is after a login: {} is where our entry comes.
APPENDED = {
    "empty": ("", "{}"),
    "another": ("machine a login b password c\n", "machine a login b password c\n{}"),
    "no end of line": ("machine a login b password c", "machine a login b password c\n{}"),
    "one word a line": (
        "machine\na\nlogin\nb\npassword\nc\n\n\n",
        "machine\na\nlogin\nb\npassword\nc\n\n\n{}",
    ),
    "tabs and blanks": (
        "  machine\ta  login b\t\tpassword   c  \n \t\n",
        "  machine\ta  login b\t\tpassword   c  \n \t\n{}",
    ),
    "comments": (
        "# ours\n#x\nmachine a login b password c # said\n# more\nmachine d login e password f\n",
        "# ours\n#x\nmachine a login b password c # said\n# more\nmachine d login e password f\n{}",
    ),
    "hash in a password": (
        "machine a login b password #c\nmachine d login #e password f#\n",
        "machine a login b password #c\nmachine d login #e password f#\n{}",
    ),
    "values that look like keys": (
        "machine login login machine password default\n",
        "machine login login machine password default\n{}",
    ),
    "our host as a value": (
        "machine a login gw.example.com password machine\n",
        "machine a login gw.example.com password machine\n{}",
    ),
    "longer and shorter names": (
        "machine gw.example.com.org login b password c\nmachine example.com login b password c\n",
        "machine gw.example.com.org login b password c\nmachine example.com login b password c\n{}",
    ),
    "account and user": (
        "machine a user b account x password c\n",
        "machine a user b account x password c\n{}",
    ),
    "macro": (
        "macdef init\ncd /x\nmachine gw.example.com login q password q\n\nmachine a login b password c\n",
        "macdef init\ncd /x\nmachine gw.example.com login q password q\n\nmachine a login b password c\n{}",
    ),
    "macro at the end": ("macdef init\ncd /x\nls\n\n", "macdef init\ncd /x\nls\n\n{}"),
    "macro of an entry": (
        "machine a login b password c macdef m\nput\n\n",
        "machine a login b password c macdef m\nput\n\n{}",
    ),
    "macro that is not ended": ("macdef init\ncd /x\n", "macdef init\ncd /x\n\n{}"),
    "nor its line": ("macdef init\ncd /x", "macdef init\ncd /x\n\n{}"),
    "default": (
        "machine a login b password c\ndefault login anonymous password x\n",
        "machine a login b password c\n{}default login anonymous password x\n",
    ),
    "default only, indented": (
        "  default login anonymous password x",
        "{}  default login anonymous password x",
    ),
    "default on a line with others": (
        "machine a login b password c default login x password y\n",
        "machine a login b password c \n{}default login x password y\n",
    ),
}


class Preserved(Case):
    def setUp(self) -> None:
        super().setUp()
        self.file = self.home / "netrc"

    def hosts(self, data: bytes) -> Dict[str, Tuple[str, Optional[str], Optional[str]]]:
        self.file.write_bytes(data)
        return netrc.netrc(str(self.file)).hosts  # type: ignore[return-value]

    def assert_finds(self, data: bytes, host: str, login: str, password: str) -> None:
        found = self.hosts(data)[host]
        self.assertEqual((found[0], found[2]), (login, password))
        if requests_utils is not None:
            with unittest.mock.patch.dict("os.environ", NETRC=str(self.file)):
                auth = requests_utils.get_netrc_auth("https://%s:8443/analyze_error" % host)
            self.assertEqual(auth, (login, password))

    def test_a_login_adds_one_block_and_a_logout_takes_it_away(self) -> None:
        for name, (before, after) in APPENDED.items():
            for eol in ("\n", "\r\n"):
                with self.subTest(name, eol=eol):
                    old = before.replace("\n", eol).encode()
                    new = put(old, HOST, ORIGIN, "m1", TOKEN)
                    block = BLOCK if "\n" not in before else BLOCK.replace("\n", eol)
                    expected = after.replace("\n", eol if "\n" in before else "\n")
                    self.assertEqual(new.decode(), expected.replace("{}", block))
                    self.assert_finds(new, HOST, "m1", TOKEN)
                    # All that may be left is the end of a line.
                    self.assertEqual(remove(new, HOST).decode(), expected.replace("{}", ""))

    def test_others_read_the_same_as_before(self) -> None:
        for name, (before, _) in APPENDED.items():
            if "not ended" in name or "nor" in name:
                continue
            with self.subTest(name):
                others = self.hosts(before.encode())
                new = self.hosts(put(before.encode(), HOST, ORIGIN, "m1", TOKEN))
                del new[HOST]
                self.assertEqual(new, others)

    def test_an_entry_is_renewed_in_place(self) -> None:
        around = "machine a login b password c\n{}# after\nmachine d login e password f\n"
        first = put(around.replace("{}", "").encode(), HOST, ORIGIN, "m0", token_for("m0"))
        moved = around.format(BLOCK.replace("m1", "m0").replace(TOKEN, token_for("m0"))).encode()
        for before in (first, moved):
            after = put(before, HOST, "https://gw.example.com:8443", "m1", TOKEN)
            expected = before.replace(b"m0", b"m1").replace(token_for("m0").encode(), TOKEN.encode())
            expected = expected.replace(b"example.com\n", b"example.com:8443\n", 1)
            self.assertEqual(after, expected)
            self.assert_finds(after, HOST, "m1", TOKEN)

    def test_only_the_values_of_an_entry_are_replaced(self) -> None:
        mark = "#pip-aide-login:%s\n" % ORIGIN
        cases = [
            # Written by hand, in every order.
            ("machine {h} login a password b", mark + "machine {h} login m1 password {t}"),
            ("machine {h}\n\tpassword b\n\tlogin a\n", mark + "machine {h}\n\tpassword {t}\n\tlogin m1\n"),
            ("machine {h} password b account x", mark + "machine {h} login m1 password {t} account x"),
            ('machine {h} login "a b" password b\\ c', mark + "machine {h} login m1 password {t}"),
            (
                "machine x login y password z machine {h} login a password b",
                "machine x login y password z \n" + mark + "machine {h} login m1 password {t}",
            ),
            # The last one counts.
            (
                "machine {h} login a password b\nmachine {h} login c password d\n",
                "machine {h} login a password b\n" + mark + "machine {h} login m1 password {t}\n",
            ),
        ]
        if sys.version_info >= (3, 11):
            # For earlier parsers a comment ends an entry.
            with_comment = "machine {h} user %s # why\n password %s"
            cases.append((with_comment % ("a", "b"), mark + with_comment % ("m1", "{t}")))
        for before, after in cases:
            with self.subTest(before):
                data = put(before.replace("{h}", HOST).encode(), HOST, ORIGIN, "m1", TOKEN)
                self.assertEqual(data.decode(), after.replace("{h}", HOST).replace("{t}", TOKEN))
                self.assert_finds(data, HOST, "m1", TOKEN)

    def test_a_logout_leaves_what_is_not_ours(self) -> None:
        for text in (
            "machine %s login a password b\n" % HOST,
            # A mark that belongs to nothing, or to another entry.
            "#pip-aide-login:%s\n\nmachine %s login a password b\n" % (ORIGIN, HOST),
            "#pip-aide-login:%s\n# hm\nmachine %s login a password b\n" % (ORIGIN, HOST),
            "#pip-aide-login:%s\nmachine other login a password b\nmachine %s login c password d\n"
            % (ORIGIN, HOST),
            "# #pip-aide-login:%s\nmachine %s login a password b\n" % (ORIGIN, HOST),
            "machine a login b password #pip-aide-login:x\nmachine %s login a password b\n" % HOST,
        ):
            with self.subTest(text):
                self.assertEqual(remove(text.encode(), HOST), text.encode())
                entry = parse(text.encode()).entry(HOST)
                self.assertIsNone(entry and entry.origin)

    def test_a_comment_within_our_entry_outlives_it(self) -> None:
        text = BLOCK.replace("login m1\n", "# keep me\nlogin m1 # me too\n") + "# end\n"
        self.assertEqual(remove(text.encode(), HOST).decode(), "# keep me\n # me too\n# end\n")

    def test_nothing_can_be_smuggled_into_the_file(self) -> None:
        for bad in ("", "a b", "a\nmachine", "a\r", "a\t", 'a"', "a\\", "#a", "é", "a\x00", "a#"):
            for values in ((bad, "m1", TOKEN), (HOST, bad, TOKEN), (HOST, "m1", bad)):
                with self.subTest(values), self.assertRaises(ValueError):
                    put(b"", values[0], ORIGIN, values[1], values[2])

    def test_ports_and_ipv6(self) -> None:
        for origin, host in (("http://[::1]:8787", "::1"), ("http://127.0.0.1:8787", "127.0.0.1")):
            data = put(b"machine a login b password c\n", host, origin, "m1", TOKEN)
            self.assertEqual(self.hosts(data)[host][2], TOKEN)
            entry = parse(data).entry(host)
            self.assertEqual(entry and entry.origin, origin)

    def test_random_files(self) -> None:
        """Of valid pieces in any order: read by Python as before, and given back byte for byte."""
        pieces = (
            "machine {n} login {v} password {v}\n", "machine {n}\n  login {v}\n  password {v}\n",
            "# some words\n", "#word\n", "\n", "  \n", "macdef {n}{n}\n cd {v}\n\tmachine {h}\n\n",
            "machine {n} login {v} # c\n password {v}\n", "machine {n} account {v} password {v}\t",
            "default login {v} password {v}\n",
        )  # fmt: skip
        if sys.version_info >= (3, 11):
            # Earlier parsers know no quoting.
            pieces += ('machine {n} login "{v} {v}" password \\#{v}\\"\n',)
        rng = random.Random(7)
        kept = 0
        for _ in range(1500):
            text = "".join(rng.choice(pieces) for _ in range(rng.randrange(8)))
            while "{n}" in text or "{v}" in text:
                name = rng.choice(["h1", "h2", "h3.example", "x" + HOST])
                text = text.replace("{n}", name, 1)
                text = text.replace("{v}", rng.choice(["p#", "q", "r=/+", "machine", HOST]), 1)
            before = text.replace("{h}", HOST).replace("\n", rng.choice(["\n", "\r\n"])).encode()
            try:
                others = self.hosts(before)
            except netrc.NetrcParseError:
                continue  # a comment behind an empty line, for one
            kept += 1
            after = put(before, HOST, ORIGIN, "m1", TOKEN)
            read = self.hosts(after)
            self.assertEqual(read.pop(HOST)[2], TOKEN, before)
            self.assertEqual(read, others, before)
            back = remove(after, HOST)
            self.assertEqual(back.split(), before.split())
            self.assertLessEqual(len(back) - len(before), 4, before)
            again = put(after, HOST, ORIGIN, "m2", token_for("m2"))
            self.assertEqual(again, after.replace(b"login m1", b"login m2").replace(
                TOKEN.encode(), token_for("m2").encode()))  # fmt: skip
        self.assertGreater(kept, 500)


if __name__ == "__main__":
    unittest.main()
