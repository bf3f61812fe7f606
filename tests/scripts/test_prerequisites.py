"""What is missing on the machine is named in a sentence before anything is built."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Prerequisites(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.programs = Path(folder.name, "programs")
        self.programs.mkdir()
        self.sysroot = Path(folder.name, "sysroot")
        (self.sysroot / "lib/rustlib/wasm32-unknown-unknown").mkdir(parents=True)
        for name, says in (("cargo", ""), ("cc", ""), ("npm", ""), ("node", "v20.1.0"), ("python3", "3.11")):
            self.program(name, says)
        self.program("rustc", str(self.sysroot))

    def program(self, name: str, says: str) -> None:
        """A stand-in that says this, whatever it is asked."""
        path = self.programs / name
        path.write_text(f"#!/bin/sh\necho '{says}'\n")
        path.chmod(0o755)

    def check(self) -> tuple[int, str]:
        # By its whole path: what is not among the programs is not there.
        bash = next(path for path in ("/bin/bash", "/usr/bin/bash", "/usr/local/bin/bash") if os.path.exists(path))
        script = str(ROOT / "scripts/prerequisites.sh")
        env = {"PATH": str(self.programs)}
        done = subprocess.run([bash, script], env=env, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def test_all_is_there(self) -> None:
        for version in ("3.11", "3.12", "3.20", "4.0"):
            self.program("python3", version)
            self.assertEqual(self.check(), (0, ""), version)

    def test_what_is_missing_is_named(self) -> None:
        for name, words in (
            ("cargo", "Rust is missing"),
            ("node", "Node.js is missing"),
            ("npm", "npm is missing"),
            ("python3", "install Python 3.11"),
            ("cc", "A C compiler is missing"),
        ):
            program = self.programs / name
            program.rename(program.with_suffix(".gone"))
            code, said = self.check()
            self.assertEqual((code, len(said.splitlines())), (1, 1), said)
            self.assertIn(words, said)
            program.with_suffix(".gone").rename(program)

    def test_what_is_too_old_is_named_with_its_version(self) -> None:
        for name, version, words in (
            ("node", "v18.20.0", "Node.js 20 or later is needed, and this is v18.20.0"),
            ("python3", "3.10", "Python 3.11 or later is needed, and python3 is 3.10"),
            ("python3", "3.9", "Python 3.11 or later is needed, and python3 is 3.9"),
            ("python3", "2.7", "Python 3.11 or later is needed, and python3 is 2.7"),
        ):
            before = (self.programs / name).read_text()
            self.program(name, version)
            code, said = self.check()
            self.assertEqual((code, len(said.splitlines())), (1, 1), said)
            self.assertIn(words, said)
            (self.programs / name).write_text(before)


if __name__ == "__main__":
    unittest.main()
