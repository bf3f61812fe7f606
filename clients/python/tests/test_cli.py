"""The command line as a user meets it."""

from __future__ import annotations

import base64
import io
import json
import os
import signal
import subprocess
import time
import unittest
from unittest import mock

from support import Case, Gateway, token_for

from pip_aide_login import __version__, files
from pip_aide_login.errors import Exit
from pip_aide_login.progress import Progress

try:
    import requests
except ImportError:
    requests = None  # type: ignore[assignment]

OTHER = "machine a login b password c\n"


class Login(Case):
    def test_log_in_show_log_out(self) -> None:
        server = self.gateway()
        self.write_netrc(OTHER)
        outcome = self.run_cli(server.url)
        self.assertEqual((outcome.code, outcome.err), (Exit.DONE, ""))
        machine = next(iter(server.machines.values()))
        for words in (
            "Logged in to %s as %s. The token is valid until 2100-01-31T00:00:00.000Z." % (server.url, machine),
            str(self.netrc),
            "export PIP_AIDE_SERVER_URL=" + server.url,
            "pip-aide-login --configure " + server.url,
        ):
            self.assertIn(words, outcome.out)
        self.assertNotIn(next(iter(server.machines)), outcome.out)

        outcome = self.run_cli("--status", server.url)
        self.assertEqual((outcome.code, outcome.err), (Exit.DONE, ""))
        rows = dict(line.split("  ", 1) for line in outcome.out.splitlines())
        rows = {name: value.strip() for name, value in rows.items()}
        self.assertTrue(rows.pop("Resets").startswith("2100-01-01T00:00:00.000Z (in "))
        self.assertEqual(
            rows,
            {
                "Gateway": server.url,
                "Machine": machine,
                "Plan": "standard",
                "Rate": "6 in 1 min, up to 3 at once; 2 left now",
                "Spent today": "0.0125 of 0.05 USD",
            },
        )

        outcome = self.run_cli("--logout", server.url)
        self.assertEqual((outcome.code, outcome.err), (Exit.DONE, ""))
        self.assertIn("removed", outcome.out)
        self.assertEqual(self.netrc.read_text(), OTHER)
        outcome = self.run_cli("--logout", server.url)
        self.assertEqual(outcome.code, Exit.DONE)
        self.assertIn("Nothing was changed", outcome.out)
        outcome = self.run_cli("--status", server.url)
        self.assertEqual((outcome.code, outcome.out), (Exit.NOT_LOGGED_IN, ""))
        self.assertIn("pip-aide-login " + server.url, outcome.err)

    @unittest.skipIf(requests is None, "requests is not installed")
    def test_requests_is_let_in_from_then_on(self) -> None:
        server = self.gateway()
        self.assertEqual(requests.get(server.url + "/v1/me").status_code, 401)
        self.assertEqual(self.run_cli(server.url).code, Exit.DONE)
        self.assertEqual(requests.get(server.url + "/v1/me").status_code, 200)
        basic = server.requests[-1].headers["Authorization"].split()[1]
        self.assertEqual(
            base64.b64decode(basic).decode().split(":"), list(next(iter(server.machines.items())))[::-1]
        )

    def test_print_stores_nothing(self) -> None:
        server = self.gateway()
        self.write_netrc("this is not read\n")
        outcome = self.run_cli("--print", server.url)
        self.assertEqual((outcome.code, outcome.err), (Exit.DONE, ""))
        printed = json.loads(outcome.out)
        machine = server.machines[printed["token"]]
        self.assertEqual(printed, {"server_url": server.url, **Gateway.credential(machine)})
        self.assert_no_leftovers(".netrc")

    def test_no_machine_enrols_whose_token_could_not_be_kept(self) -> None:
        server = self.gateway()
        for text in ("nonsense\n", "machine 127.0.0.1 login me password precious\n"):
            self.write_netrc(text)
            self.assertEqual(self.run_cli(server.url).code, Exit.LOCAL_FILE)
        self.write_netrc(OTHER)
        conf = self.home / ".config" / "pip-aide" / "pip-aide.conf"
        conf.parent.mkdir(parents=True)
        conf.write_text("broken\n")
        self.assertEqual(self.run_cli("--configure", server.url).code, Exit.LOCAL_FILE)
        self.assertEqual(server.requests, [])

    def test_a_broken_file_is_named_but_not_quoted(self) -> None:
        self.write_netrc("machine a login b\npassword c hunter2\n")
        for arguments in ((), ("--status",)):
            outcome = self.run_cli("https://gw.example.com", *arguments)
            self.assertEqual(outcome.code, Exit.LOCAL_FILE)
            self.assertIn(str(self.netrc), outcome.err)
            self.assertNotIn("hunter2", outcome.err)

    def test_replace(self) -> None:
        server = self.gateway()
        self.write_netrc("machine 127.0.0.1 login me password precious\n")
        outcome = self.run_cli("--replace", server.url)
        self.assertEqual(outcome.code, Exit.DONE)
        self.assertEqual(self.run_cli("--status", server.url).code, Exit.DONE)

    def test_two_gateways_of_one_host(self) -> None:
        first, second = self.gateway(), self.gateway()
        self.assertEqual(self.run_cli(first.url).err, "")
        outcome = self.run_cli(second.url)
        self.assertEqual(outcome.code, Exit.DONE)
        for words in ("hosts but no ports", first.url, second.url.replace("//", "//login:TOKEN@")):
            self.assertIn(words, outcome.err)
        self.assertEqual(self.run_cli("--status", second.url).code, Exit.DONE)
        # The one gateway's token is not shown to the other.
        seen = len(first.requests)
        for option, code in (("--status", Exit.NOT_LOGGED_IN), ("--logout", Exit.LOCAL_FILE)):
            outcome = self.run_cli(option, first.url)
            self.assertEqual(outcome.code, code)
            self.assertIn(second.url, outcome.err)
        self.assertEqual(len(first.requests), seen)

    @unittest.skipUnless(os.name == "posix", "needs POSIX")
    def test_a_wide_mode_is_told(self) -> None:
        server = self.gateway()
        self.write_netrc(OTHER, 0o644)
        outcome = self.run_cli(server.url)
        self.assertEqual(outcome.code, Exit.DONE)
        self.assertIn("0600", outcome.err)
        self.assert_mode(self.netrc, 0o600)
        self.netrc.chmod(0o640)
        self.assertIn("chmod 600", self.run_cli("--status", server.url).err)


class Status(Case):
    def test_a_token_that_is_refused(self) -> None:
        server = self.gateway()
        self.write_netrc("machine 127.0.0.1 login x password " + token_for("stranger"))
        outcome = self.run_cli("--status", server.url)
        self.assertEqual((outcome.code, outcome.out), (Exit.NOT_LOGGED_IN, ""))
        self.assertIn("Send a token that holds.", outcome.err.replace(". To", ".. To"))
        self.assertIn("pip-aide-login " + server.url, outcome.err)

    def test_a_token_given_out_by_the_operator(self) -> None:
        server = self.gateway()
        token = token_for("build-7")
        server.machines[token] = "build-7"
        self.write_netrc("machine 127.0.0.1\nlogin build-7\npassword %s\n" % token)
        outcome = self.run_cli("--status", server.url)
        self.assertEqual(outcome.code, Exit.DONE)
        self.assertIn("build-7", outcome.out)

    def test_no_other_password_is_sent(self) -> None:
        server = self.gateway()
        for text in (
            "machine 127.0.0.1 login me password precious",
            "default login me password " + token_for("m1"),
        ):
            self.write_netrc(text)
            self.assertEqual(self.run_cli("--status", server.url).code, Exit.NOT_LOGGED_IN)
        self.assertEqual(server.requests, [])

    def test_the_address_may_be_left_out(self) -> None:
        server = self.gateway()
        self.assertEqual(self.run_cli("--status").code, Exit.USAGE)
        self.assertEqual(self.run_cli().code, Exit.USAGE)
        self.assertEqual(self.run_cli(server.url).code, Exit.DONE)
        # From the only entry.
        self.assertIn(server.url, self.run_cli("--status").out)
        other = "https://gw.example.com"
        with mock.patch.dict(os.environ, PIP_AIDE_SERVER_URL=other + "/analyze_error"):
            self.assertIn(other, self.run_cli("--status").err)
        self.assertIn(server.url, self.run_cli("--logout").out)


class Configure(Case):
    def test_pip_aide_is_set_to_the_gateway(self) -> None:
        server = self.gateway()
        conf = self.home / ".config" / "pip-aide" / "pip-aide.conf"
        conf.parent.mkdir(parents=True)
        conf.write_text("[pip-aide]\nlang = en\n")
        outcome = self.run_cli("--configure", server.url)
        self.assertEqual((outcome.code, outcome.err), (Exit.DONE, ""))
        self.assertIn(str(conf), outcome.out)
        self.assertNotIn("export", outcome.out)
        self.assertEqual(conf.read_text(), "[pip-aide]\nserver_url = %s\nlang = en\n" % server.url)
        # Next time there is nothing to do but to log in.
        outcome = self.run_cli(server.url)
        self.assertIn("pip-aide uses this gateway", outcome.out)
        self.assertNotIn("export", outcome.out)

    def test_a_setting_that_counts_more_is_told_without_its_secret(self) -> None:
        server = self.gateway()
        setting = "https://me:hunter2@elsewhere.example.com"
        with mock.patch.dict(os.environ, PIP_AIDE_SERVER_URL=setting):
            outcome = self.run_cli("--configure", server.url)
        self.assertEqual(outcome.code, Exit.DONE)
        self.assertIn("PIP_AIDE_SERVER_URL", outcome.err)
        self.assertIn("https://elsewhere.example.com", outcome.err)
        self.assertNotIn("hunter2", outcome.err)


class Usage(Case):
    def test_options_that_do_not_go_together(self) -> None:
        for arguments in (
            ("--print", "--status"), ("--print", "--configure"), ("--logout", "--status"),
            ("--logout", "--configure"), ("--status", "--replace"), ("--timeout", "0"),
            ("--timeout", "nan"), ("--timeout", "inf"), ("--timeout", "x"), ("--lang", "fr"),
            ("--stat",), ("https://gw.example.com",),
        ):  # fmt: skip
            with self.subTest(arguments):
                outcome = self.run_cli("http://gw.example.com", *arguments)
                self.assertEqual((outcome.code, outcome.out), (Exit.USAGE, ""))

    def test_no_secret_of_an_address_is_repeated(self) -> None:
        outcome = self.run_cli("https://me:hunter2@gw.example.com")
        self.assertEqual(outcome.code, Exit.USAGE)
        self.assertNotIn("hunter2", outcome.err)

    def test_version_and_help(self) -> None:
        self.assertEqual(self.run_cli("--version").out, "pip-aide-login %s\n" % __version__)
        outcome = self.run_cli("--help")
        self.assertEqual(outcome.code, Exit.DONE)
        self.assertIn("--configure", outcome.out)

    def test_language(self) -> None:
        for environment, arguments, chinese in (
            ({"LC_ALL": "zh_CN.UTF-8"}, (), True),
            ({"LC_ALL": "", "LANG": "zh_TW"}, (), True),
            ({"LC_ALL": "de_DE.UTF-8", "LANG": "zh_CN"}, (), False),
            ({"PIP_AIDE_LANG": "zh"}, (), True),
            ({"PIP_AIDE_LANG": "fr"}, (), False),
            ({"PIP_AIDE_LANG": "zh"}, ("--lang", "en"), False),
            ({}, ("--lang=zh",), True),
        ):
            with self.subTest(environment), mock.patch.dict(os.environ, environment):
                for outcome in (
                    self.run_cli("--help", *arguments),
                    self.run_cli("--status", "https://gw.example.com", *arguments),
                ):
                    words = outcome.out + outcome.err
                    self.assertEqual("网关" in words or "未登录" in words, chinese, words)

    def test_a_terminal_without_chinese_ends_no_run(self) -> None:
        server = self.gateway()
        process = self.start(server.url, "--lang", "zh", PYTHONIOENCODING="ascii")
        out, err = process.communicate(timeout=30)
        self.assertEqual((process.returncode, err), (Exit.DONE, ""))
        self.assertIn(server.url, out)


class Ends(Case):
    def working(self, prelude: str) -> "subprocess.Popen[str]":
        """A run in the middle of work that takes hours."""
        server = self.gateway(32)
        process = self.start(server.url, prelude=prelude)
        deadline = time.monotonic() + 20
        while not server.requests and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.5)
        self.assertIsNone(process.poll())
        return process

    ALONE = "from pip_aide_login import work; work.MAX_DIFFICULTY_ALONE = 32"
    TOGETHER = "from pip_aide_login import work; work._processors = lambda: 2"

    @unittest.skipUnless(os.name == "posix", "needs POSIX")
    def test_ctrl_c(self) -> None:
        # A shell has it ignored in what it runs in the background, and children inherit that.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        self.addCleanup(signal.signal, signal.SIGINT, before)
        for prelude in (self.ALONE, self.TOGETHER):
            process = self.working(prelude)
            # As a terminal does it: to all processes.
            os.killpg(process.pid, signal.SIGINT)
            out, err = process.communicate(timeout=20)
            self.assertEqual(process.returncode, Exit.INTERRUPTED)
            self.assertEqual((out, err.strip()), ("", "pip-aide-login: Stopped. Nothing was stored."))
            self.assert_no_leftovers()

    @unittest.skipUnless(os.name == "posix", "needs POSIX")
    def test_told_to_end(self) -> None:
        process = self.working(self.TOGETHER)
        process.terminate()
        _, err = process.communicate(timeout=20)
        self.assertEqual((process.returncode, err), (Exit.TERMINATED, ""))

    @unittest.skipUnless(os.name == "posix", "needs POSIX")
    def test_no_worker_outlives_a_run_that_was_killed(self) -> None:
        process = self.working(self.TOGETHER)
        process.kill()
        # Workers hold the same pipes: this waits for them, too.
        process.communicate(timeout=20)

    def test_in_the_middle_of_an_answer(self) -> None:
        with mock.patch.object(files.os, "replace", side_effect=KeyboardInterrupt):
            outcome = self.run_cli(self.gateway().url)
        self.assertEqual((outcome.code, outcome.out), (Exit.INTERRUPTED, ""))
        self.assert_no_leftovers()


class Bar(unittest.TestCase):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    def test_only_on_a_terminal(self) -> None:
        stream = io.StringIO()
        with Progress(stream, "Work") as progress:
            progress.report(0.5)
        self.assertEqual(stream.getvalue(), "")

    def test_drawn_and_cleared(self) -> None:
        stream = self.Terminal()
        with mock.patch("pip_aide_login.progress.SECONDS_BETWEEN", 0):
            with Progress(stream, "Work") as progress:
                progress.report(0.5)
                progress.report(1.0)
        drawn = stream.getvalue().split("\r")
        self.assertEqual(drawn[2], "Work [%s]  50 %%" % ("#" * 15 + "." * 15))
        self.assertEqual(drawn[3], "Work [%s] 100 %%" % ("#" * 30))
        self.assertEqual(drawn[4], "\x1b[K")


if __name__ == "__main__":
    unittest.main()
