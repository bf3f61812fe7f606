"""pip-aide's own configuration: read as pip-aide does, every other line kept."""

from __future__ import annotations

import configparser
import os
import unittest
from unittest import mock

from support import Case

from pip_aide_login import pip_aide_conf
from pip_aide_login.errors import Failure

URL = "https://gw.example.com:8443"
LINE = "server_url = %s\n" % URL
CHANGED = {
    "empty": ("", "[pip-aide]\n{}"),
    "set": ("[pip-aide]\nserver_url = https://old\n", "[pip-aide]\n{}"),
    "unset": ("[pip-aide]\nlang = zh\n", "[pip-aide]\n{}lang = zh\n"),
    "among others": (
        "# first\n[pip-aide]\nlang = zh\nSERVER_URL: x\ntimeout = 9 \n[other]\nserver_url = y\n",
        "# first\n[pip-aide]\nlang = zh\n{}timeout = 9 \n[other]\nserver_url = y\n",
    ),
    "only other sections": ("[other]\nserver_url = y", "[other]\nserver_url = y\n\n[pip-aide]\n{}"),
    "over several lines": (
        "[pip-aide]\nserver_url = x\n  y\n\tz\nlang = zh\n",
        "[pip-aide]\n{}lang = zh\n",
    ),
    "empty section": ("[pip-aide]", "[pip-aide]\n{}"),
    "comment with the key": (
        "[pip-aide]\n# server_url = x\n;server_url = y\nserver_url_old = z\n",
        "[pip-aide]\n{}# server_url = x\n;server_url = y\nserver_url_old = z\n",
    ),
    "per cent": ("[pip-aide]\nlang = %(x)s 100%\n", "[pip-aide]\n{}lang = %(x)s 100%\n"),
}


class Configuration(Case):
    def setUp(self) -> None:
        super().setUp()
        self.file = self.home / ".config" / "pip-aide" / "pip-aide.conf"

    def write(self, text: str, name: str = "") -> None:
        file = self.home / name if name else self.file
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode("utf-8"))

    def test_only_the_server_is_changed(self) -> None:
        for name, (before, after) in CHANGED.items():
            for eol in ("\n", "\r\n"):
                with self.subTest(name, eol=eol):
                    self.write(before.replace("\n", eol))
                    pip_aide_conf.check(URL)
                    pip_aide_conf.store(URL)
                    end = eol if "\n" in before else "\n"
                    expected = after.replace("{}", LINE).replace("\n", end)
                    self.assertEqual(self.file.read_bytes().decode(), expected)
                    parser = configparser.RawConfigParser()
                    parser.read(str(self.file))
                    self.assertEqual(parser["pip-aide"]["server_url"], URL)

    def test_made_with_its_folders(self) -> None:
        pip_aide_conf.store(URL)
        self.assertEqual(self.file.read_text(), "[pip-aide]\n" + LINE)
        self.assertEqual(pip_aide_conf.current(), (URL, str(self.file)))

    def test_mode_and_link_stay(self) -> None:
        target = self.home / "conf"
        target.write_text("[pip-aide]\n")
        target.chmod(0o640)
        self.file.parent.mkdir(parents=True)
        self.file.symlink_to(target)
        pip_aide_conf.store(URL)
        self.assertTrue(self.file.is_symlink())
        self.assert_mode(target, 0o640)
        self.assertIn(URL, target.read_text())

    def test_what_cannot_be_changed_safely_is_left(self) -> None:
        for key, text in (
            ("conf_broken", "server_url = x\n"),
            ("conf_broken", "[pip-aide]\nx\n"),
            ("conf_broken", "[pip-aide]\nserver_url = x\nserver_url = y\n"),
            ("conf_broken", "[pip-aide]\n[pip-aide]\n"),
            ("conf_unclear", "[pip-aide]\n  server_url = x\n"),
            ("conf_unclear", "[pip-aide]\nserver_url = x\n\n  y\n"),
        ):
            with self.subTest(text):
                self.write(text)
                for step in (pip_aide_conf.check, pip_aide_conf.store):
                    with self.assertRaises(Failure) as caught:
                        step(URL)
                    self.assertEqual(caught.exception.key, key)
                self.assertEqual(self.file.read_text(), text)

    def test_the_order_is_that_of_pip_aide(self) -> None:
        self.assertIsNone(pip_aide_conf.current())
        section = "[pip-aide]\nserver_url = https://%s\n"
        for name in (".config/pip-aide/pip-aide.conf", ".config/pip/pip.conf", ".pip/pip.conf", "pip.conf"):
            self.write(section % name, name)
            self.assertEqual(pip_aide_conf.current(), ("https://" + name, str(self.home / name)))
        with mock.patch.dict(os.environ, PIP_AIDE_SERVER_URL="https://env"):
            self.assertEqual(pip_aide_conf.current(), ("https://env", "PIP_AIDE_SERVER_URL"))

    def test_a_broken_file_is_passed_over_as_pip_aide_does(self) -> None:
        self.write("[pip-aide]\nserver_url = https://a\n")
        self.write("no section\n", "pip.conf")
        setting = pip_aide_conf.current()
        self.assertEqual(setting and setting.url, "https://a")


if __name__ == "__main__":
    unittest.main()
