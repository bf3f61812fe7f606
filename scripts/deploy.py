"""`make deploy`: looks that everything is in order, tries the deployment dry, asks, and deploys.

Reads from the environment: ENVIRONMENT (staging or production), YES=1 (do not ask), SECRETS (a file of NAME=value
lines, checked and uploaded with the deployment), ALLOW_DIRTY=1 (production from a tree that is not committed).
What is cheap to find out comes first. Every refusal says what to do; nothing is deployed after one.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import environments
from environments import tomllib

CONFIG = "wrangler.toml"
REQUIRED = ("TOKEN_KEYS", "OPERATOR_KEYS")
SECRET = re.compile(r"TOKEN_KEYS|OPERATOR_KEYS|API_KEY(_[A-Z0-9_]+)?")
NAME = re.compile(r"[A-Za-z0-9_]+")
NAMESPACE_ID = re.compile(r"[0-9a-f]{32}")
NOBODY = "0" * 32
# What `make dev` calls the keys that it makes.
LOCAL = "local"


class Refusal(Exception):
    """Why nothing is deployed, and what to do."""


def say(text: str) -> None:
    print(text, flush=True)


def run(*command: str) -> int:
    return subprocess.run(command, env=surroundings(), check=False).returncode


def surroundings() -> dict[str, str]:
    """Without make's own variables: Wrangler calls make again, outside of this one."""
    env = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    return env | {"WRANGLER_SEND_METRICS": "false"}


def wrangler(*arguments: str) -> list[str]:
    # Only the version that package-lock.json names: npx would fetch another one if it were not there.
    return ["npx", "--no-install", "wrangler", *arguments]


def chosen_environment() -> str:
    name = os.environ.get("ENVIRONMENT", "")
    if name not in environments.NAMES:
        given = f"ENVIRONMENT is {name!r}" if name else "ENVIRONMENT is not set"
        raise Refusal(f"{given}: say `make deploy ENVIRONMENT=staging` or `make deploy ENVIRONMENT=production`.")
    return name


def read_config(environment: str) -> dict:
    """The environment's section of wrangler.toml."""
    text = Path(CONFIG).read_text(encoding="utf-8")
    try:
        faults = environments.check(text, (environment,))
    except (environments.Unclear, tomllib.TOMLDecodeError) as error:
        faults = [str(error)]
    if faults:
        raise Refusal("\n".join(f"{CONFIG}: {fault}" for fault in faults))
    return tomllib.loads(text)["env"][environment]


def refuse_placeholders(section: dict, environment: str) -> None:
    for namespace in section.get("kv_namespaces", []):
        binding, id_ = namespace.get("binding", "?"), namespace.get("id", "")
        if id_ == NOBODY or not NAMESPACE_ID.fullmatch(id_):
            raise Refusal(
                f"{binding} of [env.{environment}] has no namespace yet: its id in {CONFIG} is {id_!r}. Run "
                f"`npx wrangler kv namespace create {binding} --env {environment}` and put the id there that it prints "
                f"(`npx wrangler kv namespace list` shows those that exist)."
            )


def git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def commit_to_deploy(environment: str) -> str:
    """What the version is tagged with. Production is deployed from a commit, so that it can be built again."""
    commit, changes = git("rev-parse", "--short=12", "HEAD"), git("status", "--porcelain")
    if commit and changes == "":
        return commit
    problem = "this tree has changes that are not committed" if commit else "this is no git checkout with a commit"
    if environment == "production" and os.environ.get("ALLOW_DIRTY") != "1":
        raise Refusal(f"Nobody could build this again: {problem}. Commit first, or say ALLOW_DIRTY=1. {changes or ''}".strip())
    say(f"Note: {problem}.")
    return f"{commit or 'no-commit'}-dirty"


def key_ids(setting: str) -> list[str]:
    """What the keys of a TOKEN_KEYS or OPERATOR_KEYS are called."""
    return [key.partition("=")[0].strip() for key in setting.strip().strip("\"'`").split(",")]


def read_secrets(path: str | None, environment: str) -> set[str]:
    """The names in the file; of the values only what keys are called: `gatectl check` looks at the rest."""
    if not path:
        return set()
    file = Path(path).expanduser()
    if not file.is_file():
        raise Refusal(f"SECRETS is {path}: there is no such file. docs/deploy.md says how to write one.")
    if file.stat().st_mode & 0o077:
        raise Refusal(f"{path} can be read by others than you: run `chmod 600 {path}`.")
    names = set()
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        name, _, value = line.removeprefix("export ").partition("=")
        name = name.strip()
        if "=" not in line or not NAME.fullmatch(name):
            # Not a word of it: it may be a secret.
            raise Refusal(f"{path}:{number} is no line NAME=value, as in TOKEN_KEYS=...")
        if not SECRET.fullmatch(name):
            raise Refusal(
                f"{path} has {name!r}, which is no secret of the gateway: it takes TOKEN_KEYS, OPERATOR_KEYS, API_KEY and "
                f"API_KEY_<NAME>. Settings belong in {CONFIG}."
            )
        if name in REQUIRED and environment == "production" and LOCAL in key_ids(value):
            raise Refusal(
                f"{path}:{number}: {name} has the key {LOCAL!r}, which is what `make dev` calls those that it makes for one "
                f"machine. Production has keys of its own, by other names: docs/deploy.md says how to make one."
            )
        names.add(name)
    return names


def stored_secrets(environment: str) -> set[str] | None:
    """The names that the deployed Worker has; `None` where Wrangler cannot tell."""
    command = wrangler("secret", "list", "--env", environment, "--format", "json")
    done = subprocess.run(command, env=surroundings(), capture_output=True, text=True, check=False)
    try:
        if done.returncode == 0:
            return {entry["name"] for entry in json.loads(done.stdout)}
    except (ValueError, TypeError, KeyError):
        pass
    sys.stderr.write(done.stdout + done.stderr)
    return None


def refuse_missing_secrets(environment: str, given: set[str]) -> None:
    stored = stored_secrets(environment)
    put = f"npx wrangler secret put NAME --env {environment}"
    if stored is None:
        if set(REQUIRED) <= given:
            say("Wrangler cannot list the Worker's secrets, as before a first deployment; SECRETS has what is required.")
            stored = set()
        else:
            raise Refusal(
                "Wrangler cannot list the Worker's secrets (its words are above). Not logged in: `npx wrangler login`, or "
                "set CLOUDFLARE_API_TOKEN. No Worker of that name yet: give the secrets with SECRETS=FILE, or one by one "
                f"with `{put}`, which makes the Worker."
            )
    missing = [name for name in REQUIRED if name not in stored | given]
    if missing:
        raise Refusal(f"The secret {' and '.join(missing)} is missing: `{put}`, or SECRETS=FILE. docs/deploy.md says how.")
    if not any(name.startswith("API_KEY") for name in stored | given):
        say("Note: there is no API_KEY, so no model is asked and only the built-in rules answer.")


def confirm(section: dict, environment: str) -> None:
    if os.environ.get("YES") == "1":
        return
    if not sys.stdin.isatty():
        raise Refusal("Nobody is there to be asked: say YES=1 to deploy without a question.")
    answer = input(f"Deploy {section.get('name')} to {environment}? [y/N] ")
    if answer.strip().lower() not in ("y", "yes"):
        raise Refusal("Nothing was deployed.")


def step(title: str, command: list[str], otherwise: str) -> None:
    say(f"== {title}")
    if run(*command):
        raise Refusal(otherwise)


def deploy() -> None:
    environment = chosen_environment()
    section = read_config(environment)
    refuse_placeholders(section, environment)
    commit = commit_to_deploy(environment)
    secrets = os.environ.get("SECRETS") or None
    given = read_secrets(secrets, environment)
    path = str(Path(secrets).expanduser()) if secrets else None

    step("tools", ["make", "--silent", "setup"], "The tools could not be installed: the reason is above.")
    check = ["cargo", "run", "--quiet", "--locked", "--bin", "gatectl", "--", "check", "--config", CONFIG]
    check += ["--deploy", "--env", environment, *(["--secrets", path] if path else [])]
    step("settings", check, f"The settings are not in order: set right in {CONFIG} what is named above, then run this again.")
    say("== secrets")
    refuse_missing_secrets(environment, given)
    step("build", ["make", "--silent", "build"], "The build failed: the reason is above.")
    target = ["--env", environment]
    dry = wrangler("deploy", "--dry-run", *target)
    step("dry run", dry, "Wrangler does not take the project: its words are above. Nothing was deployed.")
    confirm(section, environment)
    real = wrangler("deploy", *target, "--tag", commit, "--message", f"make deploy, {commit}")
    real += ["--secrets-file", path] if path else []
    step("deploy", real, "Wrangler did not deploy: its words are above. What ran before still runs.")

    domains = [route["pattern"] for route in section.get("routes", []) if isinstance(route, dict) and "pattern" in route]
    url = f"https://{domains[0]}" if domains else "the address above"
    say(f"Deployed. Now look: `curl {url}/readyz`" if domains else f"Deployed. Now look at {url} with /readyz behind it.")
    say(f"Back again: `npx wrangler rollback --env {environment}`, but read about rollbacks in docs/deploy.md first.")


def main() -> int:
    try:
        deploy()
    except Refusal as refusal:
        print(refusal, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. If Wrangler was deploying, `npx wrangler deployments list` says what runs.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
