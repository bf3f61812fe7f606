"""What comes from elsewhere is pinned, has its reason, and is taken in by one way."""

import json
import re
import subprocess
import tempfile
import tomllib
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCKED = ("", "fuzz/", "benches/gateway/null-worker/")
OURS = {"pip-aide-gateway", "pip-aide-gateway-fuzz", "null-worker"}
CRATES_IO = "registry+https://github.com/rust-lang/crates.io-index"
# Tools whose own lock files newer compilers refuse: SECURITY.md names them.
WITHOUT_THEIR_LOCK = {"wasm-bindgen-cli", "twiggy"}
# A whole key, token or secret as some service or this gateway writes it.
SECRETS = (
    r"\bsk-[A-Za-z0-9]{32,}\b",
    r"\bgh[pousr]_[A-Za-z0-9]{36,}\b",
    r"\bAKIA[A-Z0-9]{16}\b",
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    r"^(?:TOKEN_KEYS|OPERATOR_KEYS|API_KEY\w*|CLOUDFLARE_API_TOKEN) *= *\"?[\w-]+=?[\w-]{20,}",
)


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def toml(name: str) -> dict:
    return tomllib.loads(text(name))


def dependencies(manifest: dict) -> set[str]:
    """The packages that a manifest names itself, by their own names."""
    tables = [manifest, *manifest.get("target", {}).values()]
    kinds = ("dependencies", "dev-dependencies", "build-dependencies")
    found = {}
    for table in tables:
        for kind in kinds:
            found |= table.get(kind, {})
    return {given.get("package", name) if isinstance(given, dict) else name for name, given in found.items()}


class SupplyChain(unittest.TestCase):
    def test_every_package_is_pinned_with_its_hash(self) -> None:
        for folder in LOCKED:
            for package in toml(f"{folder}Cargo.lock")["package"]:
                name = f"{folder}{package['name']} {package['version']}"
                if package["name"] in OURS:
                    self.assertNotIn("source", package, name)
                    continue
                self.assertEqual(package.get("source"), CRATES_IO, name)
                self.assertRegex(package.get("checksum", ""), r"^[0-9a-f]{64}$", name)
        lock = json.loads(text("package-lock.json"))
        for name, package in lock["packages"].items():
            if name:
                self.assertRegex(package.get("integrity", ""), r"^sha512-", name)
                self.assertRegex(package.get("resolved", "https://registry.npmjs.org/"), r"^https://registry\.npmjs\.org/", name)
        for name, version in json.loads(text("package.json"))["devDependencies"].items():
            self.assertRegex(version, r"^\d+\.\d+\.\d+$", name)
        for given in (ROOT / "tests/python_support").glob("*.in"):
            made = text(f"tests/python_support/{given.stem}.txt")
            # What follows a name and its version, up to the next: a condition, and its hashes.
            packages = re.split(r"(?m)^([\w.-]+==[\w.]+)", made)
            self.assertEqual([line for line in packages[0].splitlines() if not line.startswith("#")], [], given.name)
            for name, rest in zip(packages[1::2], packages[2::2], strict=True):
                self.assertRegex(rest, r"^( ; [^\n\\]*)?(?: \\\n    --hash=sha256:[0-9a-f]{64})+\n(?:    #[^\n]*\n)*$", name)
            for line in given.read_text(encoding="utf-8").splitlines():
                self.assertRegex(line, r"^(#.*|[\w.-]+==[\w.]+)$")
                self.assertTrue(line.startswith("#") or line in packages, line)
        self.assertIn('"--require-hashes", "--no-deps"', text("tests/python_support/mod.rs"))
        self.assertEqual([str(path) for path in (ROOT / "tests").glob("**/*.rs") if '"venv"' in path.read_text(encoding="utf-8") and path.parent.name != "python_support"], [])

    def test_what_builds_goes_by_the_lock_files(self) -> None:
        files = ["Makefile", ".github/workflows/ci.yml", ".ci/run", *(str(path.relative_to(ROOT)) for path in (ROOT / "scripts").iterdir())]
        for name in files:
            if Path(name).suffix in {"", ".sh", ".yml", ".mjs"} and (ROOT / name).is_file():
                code = re.sub(r"^\s*(#|//).*$", "", text(name), flags=re.MULTILINE)
                for command in re.findall(r"\bcargo (?:build|test|clippy|run|bench|metadata)\b[^\n|;]*", code):
                    self.assertIn("--locked", command, name)
                for command in re.findall(r'"\$WORKER_BUILD" --[^\n]*', code):
                    self.assertIn("-- --locked", command, name)
                self.assertNotRegex(code, r"\bnpm (install|i|update)\b", name)
                if Path(name).suffix != ".mjs":
                    self.assertNotRegex(code, r"\b(curl|wget)\b", name)

    def test_tools_have_one_version(self) -> None:
        makefile = text("Makefile")
        self.assertEqual(re.findall(r"cargo install[^\n]*", makefile), [])
        installs = re.findall(r"install-tool\.sh '\$\(CACHE\)' ([\w-]+) '\$\((\w+)\)' '[^']+'(.*)", makefile)
        self.assertGreaterEqual(len(installs), 5)
        for name, variable, options in installs:
            self.assertRegex(makefile, rf"(?m)^{variable} := (\d+\.\d+\.\d+$|\$\(shell )", name)
            self.assertTrue("--locked" in options or name in WITHOUT_THEIR_LOCK, name)
        self.assertIn('--version "=$version"', text("scripts/install-tool.sh"))
        row = next(line for line in text("SECURITY.md").splitlines() if line.startswith("| a binary from elsewhere |"))
        for name in WITHOUT_THEIR_LOCK:
            self.assertIn(f"`{name}`", row)

    def test_npms_install_scripts_are_not_run(self) -> None:
        self.assertEqual(re.findall(r"npm ci (\S+)", text("Makefile")), ["--ignore-scripts"])

    def test_each_direct_dependency_has_its_reason(self) -> None:
        architecture = text("ARCHITECTURE.md")
        section = architecture[architecture.index("## Direct dependencies") :]
        named = set(re.findall(r"`([\w@/-]+)`", section)) | set(re.findall(r"`([\w@/-]+)` \d", section))
        for folder in LOCKED:
            for name in dependencies(toml(f"{folder}Cargo.toml")) - OURS:
                self.assertIn(name, named, f"{folder}Cargo.toml")
        for name in json.loads(text("package.json"))["devDependencies"]:
            self.assertIn(name, named, "package.json")
        given = [path.read_text(encoding="utf-8") for path in (ROOT / "tests/python_support").glob("*.in")]
        from_pypi = set(re.findall(r"(?m)^([\w.-]+)==", "\n".join(given)))
        self.assertEqual(from_pypi - named, set(), "tests/python_support")
        # Nor has the table what is gone.
        rows = [row for row in re.findall(r"^\| (`[^|]+) \|", section, re.MULTILINE)]
        used = set().union(*(dependencies(toml(f"{folder}Cargo.toml")) for folder in LOCKED))
        used |= set(json.loads(text("package.json"))["devDependencies"]) | from_pypi
        for name in {name for row in rows for name in re.findall(r"`([\w@/-]+)`", row)}:
            self.assertIn(name, used, "ARCHITECTURE.md")

    def test_what_is_excused_has_its_reason(self) -> None:
        deny = toml("deny.toml")
        for excused in deny["advisories"].get("ignore", []):
            self.assertRegex(excused.get("reason", ""), r"\w+ \w+ \w+", excused["id"])
        for banned in deny["bans"]["deny"]:
            self.assertRegex(banned.get("reason", ""), r"\w+ \w+ \w+", banned["crate"])
        self.assertEqual(deny["advisories"]["yanked"], "deny")
        self.assertEqual(deny["bans"]["wildcards"], "deny")
        self.assertEqual((deny["sources"]["unknown-registry"], deny["sources"]["unknown-git"]), ("deny", "deny"))
        self.assertNotIn("GPL", " ".join(deny["licenses"]["allow"]))

    def test_ci_looks_at_all_dependencies_and_builds_twice(self) -> None:
        steps = re.findall(r"(?m)^ +- run: (make .*)$", text(".github/workflows/ci.yml"))
        for step in ("make supply-chain", "make reproducible"):
            self.assertIn(step, steps)
        # Nothing is left out, nor allowed to fail.
        self.assertNotRegex(text(".github/workflows/ci.yml"), r"WITHOUT|continue-on-error")
        self.assertIn("'') checks='advisories bans licenses sources' ;;", text("scripts/supply-chain.sh"))
        for folder in LOCKED:
            self.assertRegex(text("scripts/supply-chain.sh"), rf"(?m)^for manifest in .*\b{folder}Cargo\.toml")
        self.assertIn("echo 'The two builds differ.' >&2\n  exit 1\n", text("scripts/reproducible.sh"))

    def test_ci_names_actions_by_commit_and_may_only_read(self) -> None:
        for path in (ROOT / ".github/workflows").glob("*.yml"):
            workflow = path.read_text(encoding="utf-8")
            actions = re.findall(r"uses: *(\S+)", workflow)
            for action in actions:
                self.assertRegex(action, r"^[\w.-]+/[\w./-]+@[0-9a-f]{40}$", path.name)
            self.assertRegex(workflow, r"(?m)^permissions:\n  contents: read\n(?! )", path.name)
            self.assertEqual(workflow.count("permissions:"), 1, path.name)
            self.assertEqual(workflow.count("actions/checkout@"), workflow.count("persist-credentials: false"), path.name)
            self.assertNotRegex(workflow, r"pull_request_target|\$\{\{ *secrets\.", path.name)

    def test_a_release_has_its_list_of_packages(self) -> None:
        workflow = text(".github/workflows/ci.yml")
        self.assertIn('tags: ["v*"]', workflow)
        self.assertRegex(workflow, r"- run: make sbom\n +- uses: actions/upload-artifact@\S+ # \S+\n +with:\n +name: sbom\n +path: build/sbom/\n")
        self.assertIn("out=build/sbom\n", text("scripts/sbom.sh"))

    def test_no_secret_is_in_the_repository(self) -> None:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
        names = listed.stdout.split("\0")
        if listed.returncode != 0:
            # This is no git checkout.
            paths = (path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file())
            made = {"node_modules", "target", "build", ".wrangler", ".venv", ".dev.vars"}
            names = [str(path) for path in paths if not made & set(path.parts)]
        self.assertNotIn(".dev.vars", names)
        self.assertIn("/.dev.vars", text(".gitignore").splitlines())
        found = []
        for name in names:
            # Tests and documents of redaction are full of what only looks like secrets.
            if not name or name.startswith(("tests/", "src/analysis/", "clients/python/tests/", "benches/", "fuzz/")):
                continue
            try:
                content = text(name)
            except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
                continue
            found += [(name, match[0][:20]) for secret in SECRETS for match in re.finditer(secret, content, re.MULTILINE)]
        self.assertEqual(found, [])

    def test_local_secrets_are_readable_by_their_owner_only(self) -> None:
        # The function alone: the program starts a gateway.
        source = text("scripts/dev.mjs")
        function = re.search(r"^function writeSecretsOnce\(\) \{\n.*?^\}$", source, re.MULTILINE | re.DOTALL)
        imports = "\n".join(re.findall(r'^import .*"node:(?:crypto|fs)";$', source, re.MULTILINE))
        self.assertEqual(source.count(".dev.vars\","), 1, "it is written in one place")
        with tempfile.TemporaryDirectory() as folder:
            program = Path(folder, "write.mjs")
            program.write_text(f"process.umask(0);\n{imports}\n{function[0]}\nwriteSecretsOnce();\n", encoding="utf-8")
            subprocess.run(["node", str(program)], cwd=folder, capture_output=True, check=True)
            made = Path(folder, ".dev.vars")
            self.assertEqual(made.stat().st_mode & 0o777, 0o600)
            self.assertRegex(made.read_text(encoding="utf-8"), r"(?m)^TOKEN_KEYS=local=[\w-]{43}$")
        self.assertIn("`install -m 600 .dev.vars.example .dev.vars`", text(".dev.vars.example"))


if __name__ == "__main__":
    unittest.main()
