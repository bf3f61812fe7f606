"""Keeps [env.staging] and [env.production] of wrangler.toml in step with its top level.

Wrangler hands neither [vars] nor bindings down to an environment, so each environment has its own copy. The top
level is the source: every line of an environment's vars is a copy of it, but for those that end in `# own`, which
are the environment's. Bindings may differ in their ids alone.

    environments.py [FILE]           says what differs; exit code 1 if anything does
    environments.py --write [FILE]   writes the copies anew; ids and `# own` lines stay as they are
"""

import re
import sys
from pathlib import Path

try:
    import tomllib
except ModuleNotFoundError:
    sys.exit("Python 3.11 or later is needed for this: install it, and put it first in PATH as python3.")

NAMES = ("staging", "production")

# What Wrangler hands down from the top level, or what has no meaning in an environment. All else is a binding:
# a key that is not here has to stand in each environment.
HANDED_DOWN = {
    "name", "main", "compatibility_date", "compatibility_flags", "send_metrics", "routes", "route", "workers_dev",
    "preview_urls", "build", "migrations", "observability", "assets", "limits", "placement", "logpush", "triggers",
    "rules", "minify", "upload_source_maps", "no_bundle", "account_id", "dev", "vars", "env", "$schema", "keep_vars",
}  # fmt: skip

# What tells one environment's resource from another's.
IDS = {"id", "preview_id", "database_id", "namespace_id", "dataset", "bucket_name", "database_name", "script_name"}

SETTING = re.compile(r"""^(?P<name>[A-Z][A-Z0-9_]*)\s*=\s*(?P<value>"[^"\\]*"|'[^']*')\s*(?:\#\s*(?P<note>.*))?$""")


class Unclear(Exception):
    """The file is not in the form that this can read; the text says where and what to do."""


def settings(lines: list[str], header: str) -> tuple[int, int, dict[str, tuple[str, bool]]]:
    """First line after the header, first line after the table, and its settings as name -> (value, is own)."""
    starts = [number for number, line in enumerate(lines) if line.split("#")[0].strip() == header]
    if len(starts) != 1:
        raise Unclear(f"{header} must stand in the file once, on a line of its own.")
    start = starts[0] + 1
    end = next((n for n in range(start, len(lines)) if lines[n].lstrip().startswith("[")), len(lines))
    found: dict[str, tuple[str, bool]] = {}
    for number in range(start, end):
        line = lines[number].strip()
        if not line or line.startswith("#"):
            continue
        match = SETTING.match(line)
        if not match:
            raise Unclear(f'line {number + 1}: {line!r} is not NAME = "value" on one line; all settings are texts.')
        words = (match["note"] or "").split()
        found[match["name"]] = (match["value"], words[:1] == ["own"])
    return start, end, found


def drifted_settings(lines: list[str], environment: str) -> list[str]:
    """What the environment's vars say otherwise than the top level, without `# own`."""
    table = f"[env.{environment}.vars]"
    top = settings(lines, "[vars]")[2]
    here = settings(lines, table)[2]
    faults = [f"{table} has no {name}, which [vars] has: run `make environments`." for name in top.keys() - here.keys()]
    for name, (value, is_own) in here.items():
        if is_own:
            continue
        if name not in top:
            faults.append(f"{table} has {name}, which [vars] does not have: add it there, or put `# own` behind it.")
        elif top[name][0] != value:
            faults.append(
                f"{name} is {top[name][0]} in [vars] and {value} in {table}: "
                "run `make environments` to copy it, or put `# own` behind the line if it is meant to differ."
            )
    return sorted(faults)


def without_ids(value: object) -> object:
    if isinstance(value, dict):
        return {key: without_ids(inner) for key, inner in value.items() if key not in IDS}
    if isinstance(value, list):
        return sorted((without_ids(inner) for inner in value), key=repr)
    return value


def drifted_bindings(config: dict, environment: str) -> list[str]:
    """What the environment binds otherwise than the top level, ids aside."""
    here = config.get("env", {}).get(environment, {})
    kinds = sorted((config.keys() | here.keys()) - HANDED_DOWN)
    return [
        f"{kind} is not the same in [env.{environment}] and at the top of the file, ids aside: "
        f"top {without_ids(config.get(kind))}, {environment} {without_ids(here.get(kind))}. Change one of them."
        for kind in kinds
        if without_ids(config.get(kind)) != without_ids(here.get(kind))
    ]


def shared_addresses(config: dict, environment: str) -> list[str]:
    """Addresses that would be handed down: staging would take production's domain."""
    here = config["env"][environment]
    return [
        f"{key} at the top of the file would also be that of [env.{environment}]: move it to the environment it is for."
        for key in ("route", "routes")
        if key in config and key not in here
    ]


def check(text: str, environments: tuple[str, ...] = NAMES) -> list[str]:
    """All that differs and is not said to be meant."""
    config = tomllib.loads(text)
    lines = text.splitlines()
    faults = []
    for environment in environments:
        if environment not in config.get("env", {}):
            faults.append(f"[env.{environment}] is missing.")
            continue
        faults += drifted_settings(lines, environment) + drifted_bindings(config, environment)
        faults += shared_addresses(config, environment)
    return faults


def write(text: str) -> str:
    """The file with the copies made anew. Everything else stays where it is; what is missing is added in order."""
    for environment in NAMES:
        lines = text.splitlines()
        top = settings(lines, "[vars]")[2]
        start, end, here = settings(lines, f"[env.{environment}.vars]")
        at = start
        for name, (value, _) in top.items():
            copy = f"{name} = {value}"
            line = next((n for n in range(start, end) if lines[n].split("=")[0].strip() == name), None)
            if line is None:
                lines.insert(at, copy)
                line, end = at, end + 1
            elif not here[name][1]:
                lines[line] = copy
            at = line + 1
        gone = {name for name, (_, is_own) in here.items() if not is_own and name not in top}
        lines[start:end] = [line for line in lines[start:end] if line.split("=")[0].strip() not in gone]
        text = "\n".join(lines) + "\n"
    return text


def main() -> int:
    arguments = sys.argv[1:]
    writes = "--write" in arguments
    paths = [argument for argument in arguments if argument != "--write"]
    path = Path(paths[0]) if paths else Path(__file__).resolve().parents[1] / "wrangler.toml"
    text = path.read_text(encoding="utf-8")
    try:
        if writes and (new := write(text)) != text:
            path.write_text(new, encoding="utf-8")
            text = new
            print(f"{path.name}: the environments' settings are copies of [vars] again, but for those marked `# own`.")
        faults = check(text)
    except (Unclear, tomllib.TOMLDecodeError) as error:
        faults = [str(error)]
    for fault in faults:
        print(f"{path.name}: {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
