from __future__ import annotations

import unittest

from support import SOURCE  # noqa: F401

from pip_aide_login.errors import Exit, Failure
from pip_aide_login.gateway_url import GatewayUrl

ACCEPTED = {
    "https://gw.example.com": ("https://gw.example.com", "gw.example.com"),
    "https://gw.example.com/": ("https://gw.example.com", "gw.example.com"),
    "https://gw.example.com/analyze_error": ("https://gw.example.com", "gw.example.com"),
    "HTTPS://GW.Example.com:443": ("https://gw.example.com", "gw.example.com"),
    "https://gw.example.com:8443": ("https://gw.example.com:8443", "gw.example.com"),
    "https://my_gw": ("https://my_gw", "my_gw"),
    "https://bücher.example": ("https://xn--bcher-kva.example", "xn--bcher-kva.example"),
    "https://192.0.2.1": ("https://192.0.2.1", "192.0.2.1"),
    "https://[2001:DB8:0::1]:8443": ("https://[2001:db8::1]:8443", "2001:db8::1"),
    "http://127.0.0.1:8787": ("http://127.0.0.1:8787", "127.0.0.1"),
    "http://127.9.9.9": ("http://127.9.9.9", "127.9.9.9"),
    "http://localhost:8787/": ("http://localhost:8787", "localhost"),
    "http://[::1]:8787": ("http://[::1]:8787", "::1"),
    "http://127.0.0.1:80": ("http://127.0.0.1", "127.0.0.1"),
}
REFUSED = {
    "url_without_tls": (
        "http://gw.example.com", "http://192.0.2.1", "http://127.0.0.1.example.com",
        "http://localhost.example.com", "http://127.1", "http://2130706433", "http://0x7f.1",
        "http://0.0.0.0", "http://[::ffff:127.0.0.1]", "http://[::]",
    ),
    "url_with_userinfo": (
        "https://me:secret@gw.example.com", "https://me@gw.example.com", "https://@gw.example.com",
    ),
    "url_with_path": (
        "https://gw.example.com/x", "https://gw.example.com/v1/me", "https://gw.example.com?x",
        "https://gw.example.com/#x", "https://gw.example.com?", "https://gw#", "https://gw.example.com:0",
    ),
    "url_without_scheme": ("gw.example.com", "gw.example.com:8443", "localhost", "/etc/passwd"),
    "url_named_default": ("https://default", "https://DEFAULT:8443/"),
    "url_wrong": (
        "", "ftp://gw.example.com", "file:///etc/passwd", "https://", "https://:8443",
        "https://gw.example.com:99999", "https://gw.example.com:x", "https://gw example.com",
        "https://gw.example.com\n", "https://gw.example.com\tx", "https://gw.example.com\\@x",
        "https://-gw.example.com", "https://gw..example.com", "https://[::1", "https://[::1%25lo]",
        "https://[v1.x]", "https://" + "a" * 64, "https://" + "a." * 130 + "com", "https://g\"w",
        "https://gw;x.example.com", "https://gw.example.com%0amachine",
    ),
}  # fmt: skip


class Addresses(unittest.TestCase):
    def test_accepted(self) -> None:
        for text, (origin, host) in ACCEPTED.items():
            with self.subTest(text):
                url = GatewayUrl.parse(text)
                self.assertEqual((url.origin, url.host), (origin, host))
                self.assertEqual(GatewayUrl.parse(url.origin), url)

    def test_refused(self) -> None:
        for key, texts in REFUSED.items():
            for text in texts:
                with self.subTest(text):
                    with self.assertRaises(Failure) as caught:
                        GatewayUrl.parse(text)
                    failure = caught.exception
                    self.assertEqual((failure.key, failure.code), (key, Exit.USAGE))
                    shown = "".join(map(str, failure.params.values()))
                    self.assertNotIn("secret", shown)
                    self.assertTrue(shown.isprintable())


if __name__ == "__main__":
    unittest.main()
