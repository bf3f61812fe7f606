"""The command line."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sys
import unicodedata
from datetime import datetime, timezone
from typing import Any, List, NoReturn, Optional, Sequence

from . import __version__, files, netrc_file, pip_aide_conf
from .errors import Exit, Failure
from .gateway import Challenge, Credential, Gateway, Standing
from .gateway_url import GatewayUrl
from .messages import CATALOGS, Messages, language
from .progress import Progress
from .work import solve


def run() -> NoReturn:
    """The program."""
    signal.signal(signal.SIGTERM, _terminate)
    for stream in (sys.stdout, sys.stderr):
        # Words that the terminal cannot show must not end the run half-way.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    sys.exit(main(sys.argv[1:]))


def main(argv: Sequence[str]) -> int:
    """Runs with these arguments and tells the exit code."""
    say = Messages(language(_chosen_language(argv)))
    options = _parser(say).parse_args(argv)
    try:
        return _Run(say, options).go()
    except Failure as failure:
        _tell(say("error", text=_sentence(say, failure)))
        return failure.code
    except KeyboardInterrupt:
        _tell("\n" + say("error", text=say("interrupted")))
        return Exit.INTERRUPTED


class _Run:
    def __init__(self, say: Messages, options: argparse.Namespace) -> None:
        self._say = say
        self._options = options

    def go(self) -> int:
        options = self._options
        _refuse_conflicts(options)
        if not 1 <= options.timeout <= 600:
            raise Failure(Exit.USAGE, "timeout_wrong")
        url = self._url()
        if options.status:
            return self._status(url)
        if options.logout:
            return self._logout(url)
        return self._login(url)

    def _url(self) -> GatewayUrl:
        """As given; else the one that pip-aide is set to, or that the only token is for."""
        options = self._options
        if options.url is not None:
            return GatewayUrl.parse(options.url)
        if options.status or options.logout:
            setting = pip_aide_conf.current()
            if setting is not None:
                return GatewayUrl.parse(setting.url)
            origin = netrc_file.only_origin(netrc_file.path())
            if origin is not None:
                return GatewayUrl.parse(origin)
        raise Failure(Exit.USAGE, "url_missing")

    def _gateway(self, url: GatewayUrl) -> Gateway:
        def on_pause(seconds: int) -> None:
            _tell(self._say("pausing", seconds=seconds))

        return Gateway(url, self._options.timeout, on_pause)

    def _login(self, url: GatewayUrl) -> int:
        options = self._options
        if options.print:
            credential = self._enrol(url)
            print(json.dumps({"server_url": url.origin, **credential.as_dict()}, indent=2))
            return Exit.DONE
        # A machine enrols only when the token can be kept.
        file = netrc_file.path()
        netrc_file.check(file, url, options.replace)
        if options.configure:
            pip_aide_conf.check(url.origin)
        credential = self._enrol(url)
        old = netrc_file.origin_of(file, url.host)
        was_exposed = files.is_exposed(file)
        netrc_file.store(file, url, credential.machine_id, credential.token, options.replace)
        say = self._say
        if was_exposed:
            _tell(say("mode_fixed", path=file))
        if old not in (None, url.origin):
            example = url.origin.replace("://", "://login:TOKEN@")
            _tell(say("other_gateway", old=old, host=url.host, example=example))
        machine, until = credential.machine_id, credential.expires_at
        print(say("logged_in", origin=url.origin, machine=machine, until=until))
        print(say("stored", path=file))
        if options.configure:
            pip_aide_conf.store(url.origin)
            print(say("configured", path=pip_aide_conf.path()))
        self._tell_use(url)
        return Exit.DONE

    def _enrol(self, url: GatewayUrl) -> Credential:
        def work(task: Challenge) -> str:
            with Progress(sys.stderr, self._say("working")) as progress:
                return solve(task.challenge, task.difficulty, task.expires_in, progress.report)

        return self._gateway(url).enrol(work)

    def _tell_use(self, url: GatewayUrl) -> None:
        """How pip-aide gets to use the gateway, if it does not yet."""
        say = self._say
        setting = pip_aide_conf.current()
        if setting is not None and _is_gateway(setting.url, url):
            if not self._options.configure:
                print(say("already_used"))
            return
        if self._options.configure and setting is not None:
            _tell(say("overridden", source=setting.source, url=_without_userinfo(setting.url)))
            return
        print(say("how_to_use"))
        if os.name == "nt":
            print("  set %s=%s" % (pip_aide_conf.VARIABLE, url.origin))
            print('  $env:%s = "%s"   # PowerShell' % (pip_aide_conf.VARIABLE, url.origin))
        else:
            print("  export %s=%s" % (pip_aide_conf.VARIABLE, url.origin))
        print(say("or_configure", origin=url.origin))

    def _status(self, url: GatewayUrl) -> int:
        say = self._say
        file = netrc_file.path()
        stored = netrc_file.find(file, url.host)
        if stored is None:
            _tell(say("not_logged_in", origin=url.origin, path=file))
            return Exit.NOT_LOGGED_IN
        if stored.origin not in (None, url.origin):
            old = stored.origin
            _tell(say("token_of_other", origin=url.origin, host=url.host, path=file, old=old))
            return Exit.NOT_LOGGED_IN
        if files.is_exposed(file):
            _tell(say("mode_wide", path=file))
        try:
            standing = self._gateway(url).standing(stored.token)
        except Failure as failure:
            failure.params.setdefault("origin", url.origin)
            raise
        _print_table(self._rows(url, standing))
        return Exit.DONE

    def _rows(self, url: GatewayUrl, standing: Standing) -> List[Sequence[str]]:
        say = self._say
        rate = say(
            "rate",
            requests=standing.requests,
            window=say.duration(standing.window_seconds),
            burst=standing.burst,
            remaining=standing.remaining,
        )
        wait = say.duration(_seconds_until(standing.resets_at))
        return [
            (say("status_gateway"), url.origin),
            (say("status_machine"), standing.machine_id),
            (say("status_plan"), standing.plan),
            (say("status_rate"), rate),
            (say("status_spend"), say("spend", today=standing.today_usd, cap=standing.cap_usd)),
            (say("status_reset"), say("reset", at=standing.resets_at, wait=wait)),
        ]

    def _logout(self, url: GatewayUrl) -> int:
        file = netrc_file.path()
        key = "logged_out" if netrc_file.remove(file, url) else "nothing_to_remove"
        print(self._say(key, origin=url.origin, path=file))
        return Exit.DONE


def _chosen_language(argv: Sequence[str]) -> Optional[str]:
    """Before the real parser is made, whose help is in that language."""
    early = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    early.add_argument("--lang", nargs="?")
    chosen: Optional[str] = early.parse_known_args(list(argv))[0].lang
    return chosen


def _parser(say: Messages) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pip-aide-login",
        description=say("help"),
        epilog=say("help_epilog"),
        add_help=False,
        allow_abbrev=False,
    )

    def flag(name: str, **settings: Any) -> None:
        parser.add_argument(name, action="store_true", **settings)

    parser.add_argument("url", nargs="?", metavar="URL", help=say("help_url"))
    flag("--print", help=say("help_print"))
    flag("--status", help=say("help_status"))
    flag("--logout", help=say("help_logout"))
    flag("--configure", help=say("help_configure", path=pip_aide_conf.LOCATIONS[0]))
    flag("--replace", help=say("help_replace"))
    parser.add_argument(
        "--timeout", type=float, default=30.0, metavar="SECONDS", help=say("help_timeout")
    )
    parser.add_argument("--lang", choices=sorted(CATALOGS), help=say("help_lang"))
    version = "pip-aide-login " + __version__
    parser.add_argument("--version", action="version", version=version, help=say("help_version"))
    parser.add_argument("-h", "--help", action="help", help=say("help_help"))
    return parser


def _refuse_conflicts(options: argparse.Namespace) -> None:
    for one, others in (
        ("print", ("status", "logout", "configure", "replace")),
        ("status", ("logout", "configure", "replace")),
        ("logout", ("configure", "replace")),
    ):
        for other in others:
            if getattr(options, one) and getattr(options, other):
                raise Failure(Exit.USAGE, "options_conflict", one="--" + one, other="--" + other)


def _sentence(say: Messages, failure: Failure) -> str:
    params = dict(failure.params)
    if isinstance(params.get("seconds"), int):
        params["wait"] = say.duration(int(str(params["seconds"])))
    return say(failure.key, **params)


def _is_gateway(text: str, url: GatewayUrl) -> bool:
    """Whether a setting of pip-aide means this gateway, and the token of the netrc file with it."""
    try:
        return GatewayUrl.parse(text).origin == url.origin
    except Failure:
        return False


def _without_userinfo(text: str) -> str:
    scheme, separator, rest = text.rpartition("://")
    shown = scheme + separator + rest.rpartition("@")[2]
    return "".join(char if char.isprintable() else "?" for char in shown)


def _seconds_until(moment: str) -> int:
    """Of an RFC 3339 moment; with a fraction, which Python before 3.11 reads only in some lengths."""
    whole = moment[:19]
    zone = moment[19:].lstrip(".0123456789").replace("Z", "+00:00")
    try:
        at = datetime.fromisoformat(whole + zone)
    except ValueError:
        return 0
    return max(0, int((at - datetime.now(timezone.utc)).total_seconds()))


def _print_table(rows: List[Sequence[str]]) -> None:
    width = max(_columns(label) for label, _ in rows)
    for label, value in rows:
        print(label + " " * (width - _columns(label) + 2) + value)


def _columns(text: str) -> int:
    """Chinese characters take two."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def _tell(text: str) -> None:
    with contextlib.suppress(BrokenPipeError):
        print(text, file=sys.stderr)


def _terminate(*_: object) -> NoReturn:
    # So that what is begun is cleaned up.
    sys.exit(Exit.TERMINATED)
