"""`make deploy` without an account: npx, cargo and make are stand-ins that note how they were called."""

import os
import pty
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REAL_ID = "0123456789abcdef0123456789abcdef"
NOBODY = "0" * 32

# Notes its arguments; fails where it holds $FAIL; asked for the secrets, it lists $STORED as Wrangler does.
STAND_IN = f"""#!{sys.executable}
import json, os, sys
call = " ".join([os.path.basename(sys.argv[0]), *sys.argv[1:]])
with open(os.environ["CALLS"], "a") as calls:
    calls.write(call + "\\n")
fail = os.environ.get("FAIL")
if fail and fail in call:
    print("[]")
    print("the stand-in's own words", file=sys.stderr)
    sys.exit(1)
if "secret list" in call:
    names = os.environ["STORED"].split()
    print(json.dumps([{{"name": name, "type": "secret_text"}} for name in names], indent=2))
"""


class Deploy(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.home = Path(folder.name)
        self.tree = self.home / "tree"
        (self.tree / "scripts").mkdir(parents=True)
        for name in ("scripts/deploy.py", "scripts/environments.py", "wrangler.toml"):
            (self.tree / name).write_bytes((ROOT / name).read_bytes())
        self.set_ids(REAL_ID)
        programs = self.home / "programs"
        programs.mkdir()
        for name in ("npx", "cargo", "make"):
            (programs / name).write_text(STAND_IN)
            (programs / name).chmod(0o755)
        self.env = {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "HOME": str(self.home),
            "CALLS": str(self.home / "calls"),
            "STORED": "TOKEN_KEYS OPERATOR_KEYS API_KEY",
            "ENVIRONMENT": "production",
            "YES": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_NOSYSTEM": "1",
        }
        self.git("init", "--quiet")
        self.commit()

    def git(self, *arguments: str) -> str:
        who = ["-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false"]
        return subprocess.run(["git", *who, *arguments], cwd=self.tree, check=True, capture_output=True, text=True).stdout

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "all")

    def change(self, old: str, new: str, commit: bool = True) -> None:
        config = self.tree / "wrangler.toml"
        text = config.read_text()
        self.assertIn(old, text)
        config.write_text(text.replace(old, new))
        if commit:
            self.commit()

    def set_ids(self, id_: str) -> None:
        config = self.tree / "wrangler.toml"
        config.write_text(config.read_text().replace(NOBODY, id_))

    def secrets(self, text: str, mode: int = 0o600) -> str:
        path = self.home / "keys"
        path.write_text(text)
        path.chmod(mode)
        return str(path)

    def deploy(self, **changes: str) -> tuple[int, str]:
        calls = Path(self.env["CALLS"])
        calls.unlink(missing_ok=True)
        done = subprocess.run(
            [sys.executable, "-B", "scripts/deploy.py"],
            cwd=self.tree,
            env=self.env | changes,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        self.calls = calls.read_text().splitlines() if calls.exists() else []
        return done.returncode, done.stdout + done.stderr

    def assert_refused(self, *words: str, **changes: str) -> str:
        """It fails with these words, which are returned with all others, and nothing is deployed."""
        code, said = self.deploy(**changes)
        self.assertEqual(code, 1, said)
        for word in words:
            self.assertIn(word, said)
        real = [call for call in self.calls if "wrangler deploy" in call and "--dry-run" not in call]
        self.assertEqual(real, [], said)
        self.assertNotIn("Traceback", said)
        return said

    def test_the_steps_in_their_order(self) -> None:
        code, said = self.deploy()
        self.assertEqual(code, 0, said)
        commit = self.git("rev-parse", "--short=12", "HEAD").strip()
        self.assertEqual(
            self.calls,
            [
                "make --silent setup",
                "cargo run --quiet --locked --bin gatectl -- check --config wrangler.toml --deploy --env production",
                "npx --no-install wrangler secret list --env production --format json",
                "make --silent build",
                "npx --no-install wrangler deploy --dry-run --env production",
                "npx --no-install wrangler deploy --env production "
                f"--tag {commit} --message make deploy, {commit}",
            ],
        )

    def test_the_domain_that_was_deployed_is_named(self) -> None:
        route = 'routes = [{ pattern = "pip-aide.example.com", custom_domain = true }]'
        self.change(f"# {route}", route)
        code, said = self.deploy()
        self.assertEqual(code, 0, said)
        self.assertIn("curl https://pip-aide.example.com/readyz", said)

    def test_an_environment_has_to_be_named(self) -> None:
        for name in ("", "prod", "Production"):
            self.assert_refused("make deploy ENVIRONMENT=staging", ENVIRONMENT=name)
            self.assertEqual(self.calls, [])

    def test_a_placeholder_is_no_namespace(self) -> None:
        for id_ in (NOBODY, "put-it-here"):
            self.change(REAL_ID, id_)
            self.assert_refused("npx wrangler kv namespace create LOGS_KV --env production")
            self.change(id_, REAL_ID)

    def test_production_comes_from_a_commit(self) -> None:
        (self.tree / "note").write_text("not committed")
        self.assert_refused("not committed", "?? note", "ALLOW_DIRTY=1")
        code, said = self.deploy(ALLOW_DIRTY="1")
        self.assertEqual(code, 0, said)
        self.assertIn("-dirty", self.calls[-1])
        code, said = self.deploy(ENVIRONMENT="staging")
        self.assertEqual(code, 0, said)
        self.assertIn("Note: this tree has changes", said)

    def test_production_comes_from_a_checkout(self) -> None:
        (self.tree / ".git").rename(self.home / "gone")
        self.assert_refused("no git checkout", GIT_CEILING_DIRECTORIES=str(self.home))

    def test_a_setting_that_drifted_is_refused(self) -> None:
        self.change('[vars]\n', '[vars]\nSTRANGE = "1"\n')
        self.assert_refused("[env.production.vars] has no STRANGE", "make environments")
        self.assertEqual(self.calls, [])

    def test_a_domain_for_all_is_refused(self) -> None:
        self.change("[build]", 'routes = [{ pattern = "pip-aide.example.com", custom_domain = true }]\n\n[build]')
        self.assert_refused("routes at the top", ENVIRONMENT="staging")

    def test_each_step_that_fails_stops_it(self) -> None:
        for fail, word in (
            ("make --silent setup", "tools"),
            ("gatectl -- check", "settings are not in order"),
            ("make --silent build", "build failed"),
            ("deploy --dry-run", "Nothing was deployed"),
        ):
            self.assert_refused(word, "the stand-in's own words", FAIL=fail)
            self.assertIn(fail, self.calls[-1])

    def test_a_deployment_that_fails_is_told(self) -> None:
        code, said = self.deploy(FAIL="--tag")
        self.assertEqual(code, 1)
        self.assertIn("What ran before still runs", said)
        self.assertNotIn("Deployed.", said)

    def test_a_secret_that_is_missing_is_named(self) -> None:
        self.assert_refused("OPERATOR_KEYS is missing", "secret put NAME --env production", STORED="TOKEN_KEYS API_KEY")
        self.assert_refused("TOKEN_KEYS and OPERATOR_KEYS is missing", STORED="")
        code, said = self.deploy(STORED="TOKEN_KEYS OPERATOR_KEYS")
        self.assertEqual(code, 0, said)
        self.assertIn("Note: there is no API_KEY", said)

    def test_secrets_that_cannot_be_listed(self) -> None:
        self.assert_refused("npx wrangler login", "SECRETS=FILE", "the stand-in's own words", FAIL="secret list")
        path = self.secrets("TOKEN_KEYS=a=b\n")
        self.assert_refused("npx wrangler login", SECRETS=path, FAIL="secret list")

    def test_a_first_deployment_brings_its_secrets(self) -> None:
        path = self.secrets("# keys\nTOKEN_KEYS=a=b\nexport OPERATOR_KEYS='c=d'\n\nAPI_KEY_MISTRAL=x\n")
        code, said = self.deploy(SECRETS="~/keys", FAIL="secret list")
        self.assertEqual(code, 0, said)
        self.assertTrue(self.calls[1].endswith(f"--secrets {path}"), self.calls[1])
        self.assertTrue(self.calls[-1].endswith(f"--secrets-file {path}"), self.calls[-1])
        self.assertNotIn("--secrets-file", self.calls[-2])

    def test_a_file_of_secrets_holds_secrets_only(self) -> None:
        self.assert_refused("no such file", SECRETS=str(self.home / "nothing"))
        self.assert_refused("chmod 600", SECRETS=self.secrets("TOKEN_KEYS=a=b\n", mode=0o644))
        path = self.secrets("TOKEN_KEYS=a=b\nDAILY_USD=5\n")
        self.assert_refused("'DAILY_USD'", "wrangler.toml", SECRETS=path)
        for line in ("API_KEY: sk-secret", "API_KEY: c2VjcmV0=", "c2VjcmV0", "=c2VjcmV0"):
            path = self.secrets(f"# Keys\n{line}\n")
            said = self.assert_refused(f"{path}:2 is no line NAME=value", SECRETS=path)
            self.assertNotIn(line.split()[-1].strip("="), said)
        self.assertEqual(self.calls, [])

    def test_local_keys_do_not_come_to_production(self) -> None:
        made = (ROOT / "scripts/dev.mjs").read_text(encoding="utf-8")
        self.assertIn("`local=${randomBytes(32)", made)
        local = "local=c2VjcmV0"
        for line in (local, f"'{local}'", f'"{local}"', f"new=bmV3,{local}", f"new=bmV3, {local}"):
            for name in ("TOKEN_KEYS", "OPERATOR_KEYS"):
                path = self.secrets(f"API_KEY=local=x\nexport {name}={line}\n")
                said = self.assert_refused(f"{path}:2: {name} has the key 'local'", "docs/deploy.md", SECRETS=path)
                self.assertNotIn("c2VjcmV0", said)
                self.assertEqual(self.calls, [])
                code, said = self.deploy(SECRETS=path, ENVIRONMENT="staging")
                self.assertEqual(code, 0, said)
        code, said = self.deploy(SECRETS=self.secrets("TOKEN_KEYS=localhost=a,b=local\n"))
        self.assertEqual(code, 0, said)

    def test_without_a_terminal_it_does_not_ask(self) -> None:
        self.assert_refused("YES=1", YES="")
        self.assertIn("--dry-run", self.calls[-1])

    def test_it_deploys_only_after_a_yes(self) -> None:
        for answer, is_deployed in (("n", False), ("", False), ("yes", True)):
            Path(self.env["CALLS"]).unlink(missing_ok=True)
            code, said = self.answer(answer)
            self.assertIn("Deploy pip-aide-gateway to production? [y/N]", said)
            calls = Path(self.env["CALLS"]).read_text()
            self.assertEqual(("--tag" in calls, code), (is_deployed, 0 if is_deployed else 1), said)

    def answer(self, answer: str) -> tuple[int, str]:
        """Runs it on a terminal of its own, where somebody types."""
        child, terminal = pty.fork()
        if child == 0:
            os.chdir(self.tree)
            os.execve(sys.executable, [sys.executable, "-B", "scripts/deploy.py"], self.env | {"YES": ""})
        said, is_answered = "", False
        while True:
            try:
                chunk = os.read(terminal, 4096)
            except OSError:
                break
            if not chunk:
                break
            said += chunk.decode()
            if "[y/N]" in said and not is_answered:
                os.write(terminal, f"{answer}\n".encode())
                is_answered = True
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        os.close(terminal)
        return code, said


if __name__ == "__main__":
    unittest.main()
