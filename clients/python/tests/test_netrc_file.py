"""Which file, in which mode, whole or not at all."""

from __future__ import annotations

import netrc
import os
import subprocess
import sys
import time
import unittest
from unittest import mock

from support import SOURCE, Case, netrc_file, netrc_text, token_for

from pip_aide_login import files
from pip_aide_login.errors import Exit, Failure
from pip_aide_login.gateway_url import GatewayUrl

try:
    import requests.utils as requests_utils
except ImportError:
    requests_utils = None  # type: ignore[assignment]

URL = GatewayUrl.parse("https://gw.example.com")
TOKEN = token_for("m1")
OTHER = "machine a login b password c\n"
POSIX = unittest.skipUnless(os.name == "posix", "needs POSIX")


class StoreCase(Case):
    def store(self, machine: str = "m1", url: GatewayUrl = URL, replace: bool = False) -> str:
        file = netrc_file.path()
        netrc_file.check(file, url, replace)
        netrc_file.store(file, url, machine, token_for(machine), replace)
        return file

    def assert_refused(self, key: str, replace: bool = False) -> None:
        before = self.netrc.read_bytes() if self.netrc.is_file() else None
        with self.assertRaises(Failure) as caught:
            self.store(replace=replace)
        self.assertEqual((caught.exception.key, caught.exception.code), (key, Exit.LOCAL_FILE))
        if before is not None:
            self.assertEqual(self.netrc.read_bytes(), before)

    def assert_stored(self, file: object, machine: str = "m1") -> None:
        found = netrc.netrc(str(file)).authenticators(URL.host)
        self.assertEqual(found and (found[0], found[2]), (machine, token_for(machine)))
        if requests_utils is not None:
            auth = requests_utils.get_netrc_auth(URL.origin + "/analyze_error")
            self.assertEqual(auth, (machine, token_for(machine)))


class Place(StoreCase):
    def test_made_in_the_home_folder(self) -> None:
        file = self.store()
        name = "_netrc" if os.name == "nt" else ".netrc"
        self.assertEqual(file, str(self.home / name))
        self.assert_stored(file)
        self.assert_mode(self.home / name, 0o600)
        self.assert_no_leftovers(name)

    def test_made_readable_by_nobody_else_whatever_the_umask(self) -> None:
        before = os.umask(0)
        try:
            self.store()
        finally:
            os.umask(before)
        self.assert_mode(self.netrc, 0o600)

    def test_the_file_that_requests_would_read(self) -> None:
        underscore = self.home / "_netrc"
        underscore.write_text(OTHER)
        self.assertEqual(self.store(), str(underscore))
        self.assert_stored(underscore)
        self.write_netrc(OTHER)
        self.assertEqual(self.store("m2"), str(self.netrc))
        self.assert_stored(self.netrc, "m2")

    def test_the_variable_comes_first(self) -> None:
        self.write_netrc(OTHER)
        for value in (str(self.home / "elsewhere"), "~/below-home"):
            with mock.patch.dict(os.environ, NETRC=value):
                file = self.store()
                self.assertEqual(file, os.path.expanduser(value))
                self.assert_stored(file)
        self.assertEqual(self.netrc.read_text(), OTHER)

    def test_an_empty_variable_is_refused(self) -> None:
        with mock.patch.dict(os.environ, NETRC=""):
            self.assert_refused("netrc_variable_empty")

    @POSIX
    def test_only_a_file_will_do(self) -> None:
        os.mkfifo(str(self.netrc))
        for path in (str(self.netrc), str(self.home), "/dev/null"):
            with mock.patch.dict(os.environ, NETRC=path), self.subTest(path):
                self.assert_refused("not_a_file")

    def test_a_folder_that_is_missing(self) -> None:
        with mock.patch.dict(os.environ, NETRC=str(self.home / "no" / "netrc")):
            self.assert_refused("file_unusable")

    def test_a_file_that_is_too_long(self) -> None:
        self.write_netrc("# x\n" * (files.MAX_BYTES // 4 + 1))
        self.assert_refused("file_too_long")


@POSIX
class Modes(StoreCase):
    def test_a_wider_mode_is_narrowed(self) -> None:
        for mode in (0o644, 0o660, 0o604, 0o700):
            self.write_netrc(OTHER, mode)
            self.assertEqual(files.is_exposed(str(self.netrc)), mode != 0o700)
            self.store()
            self.assert_mode(self.netrc, 0o600)

    def test_also_when_the_text_stays_the_same(self) -> None:
        self.store()
        self.netrc.chmod(0o644)
        self.store()
        self.assert_mode(self.netrc, 0o600)

    def test_a_link_is_written_through(self) -> None:
        target = self.home / "dotfiles" / "netrc"
        target.parent.mkdir()
        target.write_text(OTHER)
        (self.home / "hop").symlink_to("dotfiles/netrc")
        self.netrc.symlink_to("hop")
        self.store()
        self.assertTrue(self.netrc.is_symlink())
        self.assertEqual(os.readlink(str(self.netrc)), "hop")
        self.assertTrue(target.read_text().startswith(OTHER))
        self.assert_stored(self.netrc)
        self.assert_mode(target, 0o600)
        self.assertEqual(os.listdir(str(target.parent)), ["netrc"])
        self.assertTrue(netrc_file.remove(str(self.netrc), URL))
        self.assertEqual(target.read_text(), OTHER)

    def test_a_link_to_nothing_is_filled(self) -> None:
        self.netrc.symlink_to("later")
        self.store()
        self.assertTrue(self.netrc.is_symlink())
        self.assert_stored(self.home / "later")

    @unittest.skipUnless(hasattr(os, "geteuid") and os.geteuid() == 0, "only root can give files away")
    def test_root_leaves_the_file_to_its_owner(self) -> None:
        self.write_netrc(OTHER)
        os.chown(str(self.netrc), 12345, 12346)
        self.store()
        now = self.netrc.stat()
        self.assertEqual((now.st_uid, now.st_gid), (12345, 12346))


class Whole(StoreCase):
    def kill_at(self, where: str) -> None:
        program = (
            "import os, sys\nfrom pip_aide_login import netrc_file as n, files\n"
            "from pip_aide_login.gateway_url import GatewayUrl\n"
            "def die(*_): os._exit(9)\n%s = die\n"
            "n.store(n.path(), GatewayUrl.parse(%r), 'm1', %r, False)"
        ) % (where, URL.origin, TOKEN)
        environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
        code = subprocess.run([sys.executable, "-c", program], env=environment).returncode
        self.assertEqual(code, 9)

    def test_killed_before_the_file_is_replaced(self) -> None:
        for where in ("os.fsync", "n._verify_others", "os.replace"):
            with self.subTest(where):
                self.write_netrc(OTHER, 0o640)
                self.kill_at(where)
                self.assertEqual(self.netrc.read_text(), OTHER)
                self.assert_mode(self.netrc, 0o640)
                leftovers = [path for path in self.home.iterdir() if path != self.netrc]
                self.assertEqual(len(leftovers), 1)
                self.assert_mode(leftovers[0], 0o600)
                # The next run is not held up, and clears it away.
                self.store()
                self.assert_stored(self.netrc)
                self.assert_no_leftovers(".netrc")

    def test_a_failure_leaves_nothing_behind(self) -> None:
        self.write_netrc(OTHER)
        for error in (OSError(28, "No space left on device"), KeyboardInterrupt()):
            with mock.patch("os.replace", side_effect=error):
                with self.assertRaises((Failure, KeyboardInterrupt)):
                    self.store()
            self.assertEqual(self.netrc.read_text(), OTHER)
            self.assert_no_leftovers(".netrc")

    def test_the_text_is_on_the_disk_before_it_counts(self) -> None:
        calls = []
        fsync, replace = os.fsync, os.replace
        with mock.patch("os.fsync", lambda fd: (calls.append("fsync"), fsync(fd))):
            with mock.patch("os.replace", lambda a, b: (calls.append("replace"), replace(a, b))):
                self.store()
        self.assertEqual(calls[:2], ["fsync", "replace"])

    def test_another_program_in_between_loses_nothing(self) -> None:
        self.write_netrc(OTHER)
        late = "machine late login x password y\n"
        verify = netrc_file._verify_others
        texts = [late]

        def interfere(*arguments: object) -> object:
            if texts:
                with self.netrc.open("a") as file:
                    file.write(texts.pop())
            return verify(*arguments)  # type: ignore[arg-type]

        with mock.patch.object(netrc_file, "_verify_others", interfere):
            self.store()
        self.assertTrue(self.netrc.read_text().startswith(OTHER + late))
        self.assert_stored(self.netrc)

    def run_together(self, prelude: str) -> None:
        program = (
            "import sys\nfrom pip_aide_login import netrc_file as n, files\n"
            "from pip_aide_login.gateway_url import GatewayUrl\n%s\nsys.stdin.read()\n"
            "for i in range(8):\n"
            "    url = GatewayUrl.parse('https://h%%s-%%d.example.com' %% (sys.argv[1], i))\n"
            "    n.store(n.path(), url, 'm', %r, False)\n"
        ) % (prelude, TOKEN)
        environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
        runs = [
            subprocess.Popen(
                [sys.executable, "-c", program, str(i)], env=environment, stdin=subprocess.PIPE
            )
            for i in range(4)
        ]
        time.sleep(0.3)
        for run in runs:
            run.stdin.close()  # type: ignore[union-attr]
        self.assertEqual([run.wait() for run in runs], [0] * 4)
        self.assertEqual(len(netrc.netrc(str(self.netrc)).hosts), 32)
        self.assert_no_leftovers(".netrc")

    @POSIX
    def test_runs_at_once_lose_no_entry(self) -> None:
        self.run_together("")

    def test_nor_where_only_lock_files_work(self) -> None:
        self.run_together("files.fcntl = None")

    def test_a_lock_file_that_was_left_is_taken_over(self) -> None:
        lock = self.home / ".netrc.pip-aide-login.lock"
        lock.touch()
        os.utime(str(lock), (time.time() - 60, time.time() - 60))
        with mock.patch.object(files, "fcntl", None):
            self.store()
        self.assert_no_leftovers(".netrc")

    def test_a_lock_that_is_held_is_not_waited_for_forever(self) -> None:
        (self.home / ".netrc.pip-aide-login.lock").touch()
        with mock.patch.object(files, "LOCK_SECONDS", 0.2):
            with mock.patch.object(files, "fcntl", None):
                self.assert_refused("locked")
        if files.fcntl is None:
            return
        descriptor = os.open(str(self.home), os.O_RDONLY)
        self.addCleanup(os.close, descriptor)
        files.fcntl.flock(descriptor, files.fcntl.LOCK_EX)
        with mock.patch.object(files, "LOCK_SECONDS", 0.2):
            self.assert_refused("locked")


class Others(StoreCase):
    FOREIGN = OTHER + "machine gw.example.com login me password precious\n"

    def test_a_foreign_entry_is_only_replaced_on_demand(self) -> None:
        self.write_netrc(self.FOREIGN)
        self.assert_refused("entry_foreign")
        self.store(replace=True)
        self.assert_stored(self.netrc)
        # From now on it is ours.
        self.store("m2")
        self.assert_stored(self.netrc, "m2")

    def test_a_foreign_entry_is_not_removed(self) -> None:
        self.write_netrc(self.FOREIGN)
        with self.assertRaises(Failure) as caught:
            netrc_file.remove(str(self.netrc), URL)
        self.assertEqual(caught.exception.key, "entry_foreign_kept")
        self.assertEqual(self.netrc.read_text(), self.FOREIGN)

    def test_the_token_of_another_port_is_not_removed(self) -> None:
        self.store(url=GatewayUrl.parse("https://gw.example.com:8443"))
        before = self.netrc.read_text()
        with self.assertRaises(Failure) as caught:
            netrc_file.remove(str(self.netrc), URL)
        self.assertEqual(caught.exception.key, "entry_of_other")
        self.assertEqual(self.netrc.read_text(), before)

    def test_a_file_that_python_cannot_read_is_left_alone(self) -> None:
        texts = ["machine a login b pasword c\n", "secret\n" + OTHER]
        if sys.version_info >= (3, 11):
            texts.append(OTHER + "\n# a comment of several words\n")
        for text in texts:
            with self.subTest(text):
                self.write_netrc(text)
                self.assert_refused("netrc_broken")
                # Also without the check before.
                with self.assertRaises(Failure):
                    netrc_file.store(str(self.netrc), URL, "m1", TOKEN, False)
                self.assertEqual(self.netrc.read_text(), text)

    def test_a_file_that_would_read_otherwise_is_left_alone(self) -> None:
        """The last line of defence, for whatever is split into words otherwise than by Python."""
        self.write_netrc(OTHER)
        ours = netrc_text.put(b"", URL.host, URL.origin, "m1", TOKEN)
        for wrong in (
            b"",
            OTHER.encode(),
            OTHER.encode() + b"machine gw.example.com login m1 password x\n",
            ours,
            OTHER.replace("b", "B").encode() + ours,
            b"macdef x\ny\n\n" + OTHER.encode() + ours,
        ):
            with self.subTest(wrong), mock.patch("pip_aide_login.netrc_text.put", return_value=wrong):
                self.assert_refused("netrc_unclear")

    def test_find_gives_only_tokens(self) -> None:
        file = str(self.netrc)
        self.assertIsNone(netrc_file.find(file, URL.host))
        self.write_netrc(self.FOREIGN + "default login x password " + TOKEN)
        self.assertIsNone(netrc_file.find(file, URL.host))
        self.assertIsNone(netrc_file.find(file, "elsewhere.example.com"))
        self.write_netrc("machine gw.example.com login build-7 password " + TOKEN)
        self.assertEqual(netrc_file.find(file, URL.host), ("build-7", TOKEN, None))
        self.write_netrc("")
        self.store()
        self.assertEqual(netrc_file.find(file, URL.host), ("m1", TOKEN, URL.origin))


if __name__ == "__main__":
    unittest.main()
