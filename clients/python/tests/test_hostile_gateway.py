"""Whatever answers, nothing is stored that should not be, and the run ends with a sentence."""

from __future__ import annotations

import json
import os
import socket
import ssl
import time
import unittest
from typing import Any, BinaryIO, Callable, Dict
from unittest import mock

from support import CERTIFICATE, JSON, Case, Gateway, Request, Response, netrc_file, ok, problem, token_for

from pip_aide_login import gateway as gateway_module
from pip_aide_login.errors import Exit

OTHER = "machine a login b password c\n"
CHALLENGE = "/v1/enroll/challenge"
ENROLL = "/v1/enroll"


class HostileCase(Case):
    def setUp(self) -> None:
        super().setUp()
        self.server = self.gateway()
        self.write_netrc(OTHER)

    def assert_ends(self, code: Exit, *words: str, arguments: Any = ("--timeout", "5")) -> str:
        """With this code and these words, and the file as it was."""
        outcome = self.run_cli(self.server.url, *arguments)
        self.assertEqual(outcome.code, code, outcome.err)
        for word in words:
            self.assertIn(word, outcome.err)
        self.assertEqual(outcome.out, "")
        self.assertEqual(self.netrc.read_text(), OTHER)
        self.assert_no_leftovers(".netrc")
        self.assertNotIn("Traceback", outcome.err)
        return outcome.err

    def answer(self, path: str, response: Any) -> None:
        self.server.override[path] = lambda _: response


class Answers(HostileCase):
    def test_challenges(self) -> None:
        good = self.server.challenge()
        for change, word in (
            ({"difficulty": 33}, "33"),
            ({"difficulty": 256}, "256"),
            ({"difficulty": 10**30}, "difficulty"),
            ({"difficulty": -1}, "difficulty"),
            ({"difficulty": True}, "difficulty"),
            ({"difficulty": "18"}, "difficulty"),
            ({"difficulty": 18.0}, "difficulty"),
            ({"difficulty": None}, "difficulty"),
            ({"algorithm": "md5"}, "algorithm"),
            ({"algorithm": ["sha-256"]}, "algorithm"),
            ({"expires_in": 0}, "expires_in"),
            ({"expires_in": 1e9}, "expires_in"),
            ({"challenge": ""}, "challenge"),
            ({"challenge": "a b"}, "challenge"),
            ({"challenge": "é"}, "challenge"),
            ({"challenge": "a\n"}, "challenge"),
            ({"challenge": "a" * 513}, "challenge"),
            ({"challenge": 7}, "challenge"),
        ):
            with self.subTest(change):
                self.answer(CHALLENGE, ok({**good, **change}))
                self.assert_ends(Exit.BAD_ANSWER, word)
        for name in good:
            self.answer(CHALLENGE, ok({key: good[key] for key in good if key != name}))
            self.assert_ends(Exit.BAD_ANSWER, name)
        self.assertNotIn(ENROLL, [request.path for request in self.server.requests])

    def test_credentials(self) -> None:
        good = Gateway.credential("m1")
        token = good["token"]
        changes: Dict[str, Any] = {
            "token": (
                token + "\nmachine evil.example.com login x password y", token + "\n", token + "\r",
                "\n" + token, token + " login root", token + "#x", '"' + token + '"', "a.b", "..",
                "a.b.c.d", "a.b.c\\", "a.b.c=", "é.b.c", "a.b." + "c" * 4096, "", 7, None, [token],
                "a.b.c\u2028", "a.b.c\x00",
            ),
            "machine_id": (
                "m1\nmachine evil.example.com", "m1 password x", "", "a" * 65, "m/1", "m1\t", 1, None,
                "\x1b[2J",
            ),
            "expires_at": ("tomorrow", "2100-01-01", "2100-01-01T00:00:00Z\x1b[2J", 4102444800),
            "keyid": ("", "m1", "a:b:c", "a b:m1", None),
            "signing_secret": ("", "a b", "a\n", 5),
        }  # fmt: skip
        for name, values in changes.items():
            for value in values:
                for arguments in ((), ("--print",)):
                    with self.subTest(name, value=value):
                        self.answer(ENROLL, ok({**good, name: value}, 201))
                        text = self.assert_ends(Exit.BAD_ANSWER, name, arguments=arguments)
                        self.assertNotIn("evil", text)
                        self.assertNotIn("\x1b", text)

    def test_a_solution_is_not_sent_twice_when_it_is_refused(self) -> None:
        self.answer(ENROLL, problem(403, "forbidden", "The challenge was used."))
        self.assert_ends(Exit.REFUSED, "Title of forbidden. The challenge was used.")
        self.assertEqual([request.path for request in self.server.requests], [CHALLENGE, ENROLL])

    def test_redirects_are_not_followed(self) -> None:
        other = self.gateway()
        for path in (CHALLENGE, ENROLL):
            for status in (301, 302, 303, 307, 308):
                with self.subTest(path=path, status=status):
                    self.server.override.clear()
                    self.answer(path, Response(status, {"Location": other.url + path}, b""))
                    self.assert_ends(Exit.BAD_ANSWER, "redirect", other.url + path)
        self.assertEqual(other.requests, [])

    def test_the_token_does_not_follow_a_redirect(self) -> None:
        other = self.gateway()
        self.netrc.write_text("machine 127.0.0.1 login x password " + token_for("m1"))
        self.answer("/v1/me", Response(307, {"Location": other.url + "/v1/me"}, b""))
        outcome = self.run_cli("--status", self.server.url)
        self.assertEqual(outcome.code, Exit.BAD_ANSWER)
        self.assertEqual(other.requests, [])

    def test_what_is_no_gateway(self) -> None:
        html = {"Content-Type": "text/html; charset=utf-8"}
        for response, words in (
            (Response(200, html, b"<html>Log in to the hotel</html>"), ("200", "text/html")),
            (Response(502, html, b"<html>Bad gateway</html>"), ("502", "text/html")),
            (Response(404, JSON, b"{}"), ("404", "application/json")),
            (Response(200, {}, b"{}"), ("200",)),
            (Response(204, {}, b""), ("204",)),
            (Response(200, {"Content-Type": "text/\x9b31mx"}, b"{}"), ("200",)),
            (Response(200, JSON, b"{"), ("JSON",)),
            (Response(200, JSON, b""), ("JSON",)),
            (Response(200, JSON, b"[]"), ("JSON",)),
            (Response(200, JSON, b'"x"'), ("JSON",)),
            (Response(200, JSON, b"\xff\xfe{}"), ("JSON",)),
            (Response(200, JSON, b"[" * 60_000), ("JSON",)),
            (Response(200, JSON, b'{"a":' * 10_000), ("JSON",)),
        ):
            with self.subTest(response.body[:40]):
                self.answer(CHALLENGE, response)
                text = self.assert_ends(Exit.BAD_ANSWER, *words)
                self.assertTrue(text.strip().isprintable())

    def test_an_answer_without_an_end(self) -> None:
        def endless(file: BinaryIO) -> None:
            file.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
            for _ in range(100_000):
                file.write(b" " * 65_536)

        started = time.monotonic()
        self.server.override[CHALLENGE] = lambda _: endless  # type: ignore[assignment,return-value]
        self.assert_ends(Exit.BAD_ANSWER, "65536")
        self.assertLess(time.monotonic() - started, 4)

    def test_an_answer_that_trickles(self) -> None:
        """Every byte comes in time; all of them together do not."""

        def trickle(start: bytes) -> Callable[[BinaryIO], None]:
            def write(file: BinaryIO) -> None:
                file.write(start)
                for _ in range(100):
                    file.write(b"x")
                    time.sleep(0.1)

            return write

        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        for start in (b"", head + b"X: ", head + b"\r\n", head + b"Transfer-Encoding: chunked\r\n\r\n"):
            with self.subTest(start):
                writer = trickle(start)
                self.server.override[CHALLENGE] = lambda _: writer  # type: ignore[assignment,return-value]
                started = time.monotonic()
                self.assert_ends(Exit.UNREACHABLE, "1 s", arguments=("--timeout", "1"))
                self.assertLess(time.monotonic() - started, 3)

    def test_answers_that_are_not_http(self) -> None:
        for text in (b"", b"SSH-2.0-x\r\n", b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200, b"\x00" * 70_000):
            with self.subTest(text[:20]):

                def write(file: BinaryIO) -> None:
                    file.write(text)  # noqa: B023

                self.server.override[CHALLENGE] = lambda _: write  # type: ignore[assignment,return-value]  # noqa: B023
                err = self.assert_ends(Exit.UNREACHABLE, "cannot be reached")
                self.assertTrue(err.strip().isprintable())

    def test_nobody_there(self) -> None:
        with socket.socket() as nobody:
            # Bound and not listening: refuses, and is nobody else's.
            nobody.bind(("127.0.0.1", 0))
            self.server.url = "http://127.0.0.1:%d" % nobody.getsockname()[1]
            self.assert_ends(Exit.UNREACHABLE, self.server.url)


class Problems(HostileCase):
    def test_words_of_a_problem_obey_no_terminal(self) -> None:
        detail = "Go\x1b[2J\x07 to\n\u202ehell\u2028\x9b31m" + "x" * 5000
        self.answer(CHALLENGE, problem(403, "forbidden", detail))
        text = self.assert_ends(Exit.REFUSED, "Title of forbidden. Go [2J to hell 31mx")
        self.assertTrue(text.strip().isprintable())
        self.assertLess(len(text), 700)

    def test_a_problem_without_words(self) -> None:
        for body in (b"{}", b'{"title": 7, "detail": []}', b'{"type": []}'):
            self.answer(
                CHALLENGE, Response(403, {"Content-Type": "application/problem+json"}, body)
            )
            self.assert_ends(Exit.REFUSED, "HTTP 403")

    def test_enrolment_that_is_off(self) -> None:
        self.answer(CHALLENGE, problem(404, "not-found", "There is no such route."))
        self.assert_ends(Exit.REFUSED, "There is no such route", "Ask its operator")

    def test_a_long_pause_is_told(self) -> None:
        response = problem(429, "rate-limited", "Too many.", **{"Retry-After": "7260"})
        self.answer(CHALLENGE, response)
        self.assert_ends(Exit.REFUSED, "Too many", "in 2 h 1 min")
        self.assertEqual(len(self.server.requests), 1)

    def test_a_short_pause_is_made(self) -> None:
        waits = []
        with mock.patch.object(gateway_module, "sleep", waits.append):
            response = problem(503, "ledger-unavailable", "Soon.", **{"Retry-After": "3"})
            self.answer(CHALLENGE, response)
            self.assert_ends(Exit.REFUSED, "a pause of 3 s", "Soon", "in 3 s")
            self.assertEqual((waits, len(self.server.requests)), ([3, 3], 3))
            answers = [response, None]

            def first_refused(_: object) -> Any:
                return answers.pop(0) or ok(self.server.challenge())

            self.server.override[CHALLENGE] = first_refused
            self.assertEqual(self.run_cli(self.server.url).code, Exit.DONE)
            self.assertEqual(waits, [3, 3, 3])

    def test_after_a_pause_a_new_challenge_is_met(self) -> None:
        """Where the difficulty has risen meanwhile, the old challenge would be refused again."""
        response = problem(429, "rate-limited", "Too easy by now.", **{"Retry-After": "1"})
        answers = [response, None]

        def first_refused(request: Request) -> Response:
            return answers.pop(0) or self.server.enrol(json.loads(request.body))

        self.server.override[ENROLL] = first_refused
        with mock.patch.object(gateway_module, "sleep"):
            self.assertEqual(self.run_cli(self.server.url).code, Exit.DONE)
        paths = [request.path for request in self.server.requests]
        self.assertEqual(paths, [CHALLENGE, ENROLL] * 2)
        first, second = (json.loads(self.server.requests[at].body)["challenge"] for at in (1, 3))
        self.assertNotEqual(first, second)

    def test_a_pause_that_is_no_number_is_not_made(self) -> None:
        for value in ("-1", "1e9", "soon", "Wed, 21 Oct 2065 07:28:00 GMT", "9" * 50, ""):
            with self.subTest(value), mock.patch.object(gateway_module, "sleep", self.fail):
                response = problem(429, "rate-limited", "Too many.", **{"Retry-After": value})
                self.answer(CHALLENGE, response)
                self.assert_ends(Exit.REFUSED, "Too many")

    def test_me_that_is_odd(self) -> None:
        self.assertEqual(self.run_cli(self.server.url).code, Exit.DONE)
        token = next(iter(self.server.machines))
        good = json.loads(self.server.me("Bearer " + token).body)
        for change, word in (
            ({"machine_id": "\x1b[2J"}, "machine_id"),
            ({"plan": "a b"}, "plan"),
            ({"rate": []}, "rate"),
            ({"rate": {**good["rate"], "remaining": "2"}}, "remaining"),
            ({"spend": {**good["spend"], "today_usd": 0.01}}, "today_usd"),
            ({"spend": {**good["spend"], "cap_usd": "1e999"}}, "cap_usd"),
            ({"spend": {**good["spend"], "resets_at": "soon"}}, "resets_at"),
        ):
            self.answer("/v1/me", ok({**good, **change}))
            outcome = self.run_cli("--status", self.server.url)
            self.assertEqual((outcome.code, outcome.out), (Exit.BAD_ANSWER, ""))
            self.assertIn(word, outcome.err)


class Transport(Case):
    def test_a_certificate_that_nobody_vouches_for(self) -> None:
        server = self.gateway(tls=True)
        for environment in ({}, {"PYTHONHTTPSVERIFY": "0"}):
            with mock.patch.dict(os.environ, environment):
                outcome = self.run_cli(server.url)
            self.assertEqual(outcome.code, Exit.UNREACHABLE)
            self.assertIn("certificate", outcome.err)
            self.assertIn("SSL_CERT_FILE", outcome.err)
        self.assertEqual(server.requests, [])
        with mock.patch.dict(os.environ, SSL_CERT_FILE=str(CERTIFICATE)):
            self.assertEqual(self.run_cli(server.url).code, Exit.DONE)
            # The name has to be the certificate's, too.
            by_number = "https://127.0.0.1:%d" % server.port
            self.assertEqual(self.run_cli(by_number).code, Exit.UNREACHABLE)

    def test_not_even_where_python_is_told_to_trust_everybody(self) -> None:
        server = self.gateway(tls=True)
        with mock.patch.object(ssl, "_create_default_https_context", ssl._create_unverified_context):
            self.assertEqual(self.run_cli(server.url).code, Exit.UNREACHABLE)
        self.assertEqual(server.requests, [])

    def test_proxies_are_those_of_the_environment_but_never_for_loopback(self) -> None:
        proxy = self.gateway()
        server = self.gateway()
        settings = {"http_proxy": proxy.url, "https_proxy": proxy.url}
        with mock.patch.dict(os.environ, settings):
            self.assertEqual(self.run_cli(server.url).code, Exit.DONE)
            self.assertEqual(proxy.requests, [])
            outcome = self.run_cli("https://gw.example.com:8443")
            self.assertEqual(outcome.code, Exit.UNREACHABLE)
            self.assertEqual(
                [(request.method, request.path) for request in proxy.requests],
                [("CONNECT", "gw.example.com:8443")],
            )

    def test_what_is_sent(self) -> None:
        server = self.gateway()
        self.assertEqual(self.run_cli(server.url).code, Exit.DONE)
        self.assertEqual(self.run_cli("--status", server.url).code, Exit.DONE)
        first, second, third = server.requests
        self.assertEqual((first.method, first.body), ("POST", b"{}"))
        self.assertEqual(sorted(json.loads(second.body)), ["challenge", "solution"])
        self.assertTrue(json.loads(second.body)["solution"].isdecimal())
        for request in (first, second):
            self.assertEqual(request.headers["Content-Type"], "application/json")
            self.assertIsNone(request.headers["Authorization"])
        stored = netrc_file.find(str(self.netrc), server.host)
        self.assertEqual(third.headers["Authorization"], "Bearer %s" % (stored and stored.token))
        self.assertTrue(third.headers["User-Agent"].startswith("pip-aide-login/"))


if __name__ == "__main__":
    unittest.main()
