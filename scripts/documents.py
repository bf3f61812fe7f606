"""Looks whether the documents say what is so.

    documents.py [--gatectl PROGRAM] [--wrangler]

Always: relative links lead to files and headings that exist; a document in two languages has the same headings and
the same commands in both; every `make` target, metric and file under scripts/ that is named exists. With --gatectl:
every gatectl command and option that is named is one that the program has; with --wrangler the same of Wrangler.
"""

import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SKIPPED = {"node_modules", "target", "build", "dist", ".wrangler", ".venv", ".git"}
FENCE = re.compile(r"^ *(```+|~~~+)[ ]*(\S*)[^\n]*\n(.*?)^ *\1[ ]*$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
HEADING = re.compile(r"^(#{1,6}) +(.+?) *#*$", re.MULTILINE)
LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)|^\[[^\]]+\]:\s*(\S+)", re.MULTILINE)
TARGET = re.compile(r"(?:^|[\s;&|(])make ([a-z][a-z-]*)")
# The sources name metrics without what all begin with.
METRIC = re.compile(r"\bpip_aide_gateway_([a-z0-9_]+)")
SHELL = {"sh", "bash", "console", "shell"}
# What ends the words of a command.
ENDS = re.compile(r"[|;&()<>`{}\n]|\$\(|\s#")


class Document:
    """A Markdown file, and what of it is code."""

    def __init__(self, path: Path):
        self.path = path
        self.name = str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name
        text = path.read_text(encoding="utf-8")
        self.fences = [(language, body) for _, language, body in FENCE.findall(text)]
        self.prose = FENCE.sub("\n", text)
        self.spans = [span for _, span in SPAN.findall(self.prose)]
        self.links = [a or b for a, b in LINK.findall(SPAN.sub("", self.prose))]
        self.headings = HEADING.findall(self.prose)

    @property
    def levels(self) -> list[int]:
        return [len(marks) for marks, _ in self.headings]

    @property
    def code(self) -> list[str]:
        """All code, a command over several lines as one."""
        return [re.sub(r"\\\n\s*", " ", text) for text in [*(body for _, body in self.fences), *self.spans]]

    @property
    def shell(self) -> list[str]:
        """The commands to paste, without comments: these are the same in each language."""
        lines = [line for language, body in self.fences if language in SHELL for line in body.splitlines()]
        return [bare for line in lines if (bare := re.sub(r"(^|\s+)#.*$", "", line).strip())]

    @property
    def anchors(self) -> set[str]:
        """What GitHub makes of the headings."""
        found: set[str] = set()
        for _, title in self.headings:
            plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).replace("`", "").strip().lower()
            slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
            number, base = 0, slug
            while slug in found:
                number += 1
                slug = f"{base}-{number}"
            found.add(slug)
        return found


def documents(root: Path = ROOT) -> list[Document]:
    paths = (path for path in root.rglob("*.md") if not SKIPPED & set(path.relative_to(root).parts))
    return [Document(path) for path in sorted(paths)]


def broken_links(document: Document) -> list[str]:
    faults = []
    for link in document.links:
        if re.match(r"[a-z][a-z0-9+.-]*:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (document.path.parent / name).resolve() if name else document.path
        if not target.exists():
            faults.append(f"{document.name}: the link {link} leads nowhere.")
        elif anchor and target.suffix == ".md" and anchor not in Document(target).anchors:
            faults.append(f"{document.name}: {target.name} has no heading #{anchor}.")
    return faults


def languages_apart(all_: list[Document]) -> list[str]:
    by_path = {document.path: document for document in all_}
    faults = []
    for path, document in by_path.items():
        match = re.fullmatch(r"(.+)\.[a-z]{2}-[A-Z]{2}\.md", path.name)
        if not match:
            continue
        other = by_path.get(path.with_name(f"{match[1]}.md"))
        if not other:
            faults.append(f"{document.name}: there is no {match[1]}.md that it translates.")
            continue
        if document.levels != other.levels:
            faults.append(f"{document.name}: its headings are {document.levels}, those of {other.name} {other.levels}.")
        for mine, theirs in zip(document.shell, other.shell, strict=False):
            if mine != theirs:
                faults.append(f"{document.name}: `{mine}` stands where {other.name} has `{theirs}`.")
                break
        else:
            if len(document.shell) != len(other.shell):
                faults.append(f"{document.name} and {other.name} have not the same number of commands.")
    return faults


def make_targets(makefile: str) -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):.*## ", makefile, re.MULTILINE))


def unknown_targets(document: Document, known: set[str]) -> list[str]:
    named = {target for text in document.code for target in TARGET.findall(text)}
    return [f"{document.name}: there is no `make {target}`." for target in sorted(named - known)]


def unknown_names(name: str, text: str, sources: str) -> list[str]:
    """Metrics and scripts that nothing in the tree makes."""
    strings = set(re.findall(r'"[a-z0-9_]+"', sources))
    faults = [
        f"{name}: no source names the metric {metric}."
        for metric in sorted(set(METRIC.findall(text)))
        if not {f'"{metric}"', f'"{re.sub(r"_(bucket|sum|count)$", "", metric)}"'} & strings
    ]
    for script in sorted(set(re.findall(r"\bscripts/[a-z_-]+\.[a-z]+\b", text))):
        if not (ROOT / script).exists():
            faults.append(f"{name}: there is no {script}.")
    return faults


GATECTL = r"(?:(?<![\w./-])gatectl(?!\(\))|cargo run(?: -q| --quiet| --locked| --bin gatectl)* --)[ ]+"
# `revoke() { gatectl revoke --gateway https://... "$@"; }`: a function that a document defines for what follows.
FUNCTION = re.compile(rf"""^([a-z_]+)\(\) \{{\s*{GATECTL}([^"}}]*)"\$@"([^}};]*)""", re.MULTILINE)


def split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def invocations(texts: list[str], program: str) -> list[list[str]]:
    """The words behind each call of the program in pieces of code, also by functions that are defined there."""
    starts = {GATECTL: ("", "")} if program == "gatectl" else {r"npx wrangler[ ]+": ("", "")}
    if program == "gatectl":
        for name, before, after in (match for text in texts for match in FUNCTION.findall(text)):
            if name != "gatectl":
                starts[rf"(?:^|[|(;&] *|\$\( *){name}[ ]+(?![({{])"] = (before, after)
    found = []
    for start, (before, after) in starts.items():
        for match in (match for text in texts for match in re.finditer(start, text, re.MULTILINE)):
            rest = match.string[match.end() :]
            end = ENDS.search(rest)
            words = [*split(before), *split(rest[: end.start()] if end else rest), *split(after)]
            # The command of a function's body is known only where the function is called.
            if words and words[0] != "$@":
                found.append(words)
    return found


class Program:
    """What a program says of itself in its help."""

    def __init__(self, *command: str):
        self.command = command

    @cache
    def help(self, *words: str) -> str:
        done = subprocess.run([*self.command, *words, "--help"], capture_output=True, text=True, check=False, cwd=ROOT)
        return done.stdout + done.stderr

    @cache
    def commands(self, *words: str) -> frozenset[str]:
        """Subcommands: of clap one a line under `Commands:`, of Wrangler `wrangler a b` at the beginning of one."""
        text = self.help(*words)
        listed = re.search(r"^Commands:\n((?:^ .*\n?|^\n)*)", text, re.MULTILINE)
        names = re.findall(r"^ {2,4}([a-z][a-z-]*)(?= |$)", listed[1], re.MULTILINE) if listed else []
        path = " ".join(["wrangler", *words])
        names += re.findall(rf"^ *{re.escape(path)} ([a-z][a-z-]*)", text, re.MULTILINE)
        return frozenset(names)

    def fault(self, words: list[str]) -> str | None:
        """What the program would not take, as far as its help tells."""
        path: list[str] = []
        for word in words:
            names = self.commands(*path)
            if word in names:
                path.append(word)
            elif not path and not word.startswith("-"):
                return f"there is no command {word}"
            elif path and names and len(path) == 1 and re.fullmatch(r"[a-z][a-z-]*", word):
                return f"{' '.join(path)} has no command {word}"
            else:
                break
        text = self.help(*path)
        for word in words[len(path) :]:
            option = word.partition("=")[0]
            if re.fullmatch(r"--[a-z][a-z-]*", option) and not re.search(rf"{option}(?![a-z-])", text):
                return f"{' '.join(path) or 'it'} has no option {option}"
        return None


def unknown_commands(document: Document, name: str, program: Program) -> list[str]:
    faults = []
    for words in invocations(document.code, name):
        if fault := program.fault(words):
            faults.append(f"{document.name}: `{name} {' '.join(words)}`: {fault}.")
    return faults


def sources() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "src").rglob("*.rs")))


def main() -> int:
    arguments = sys.argv[1:]
    all_ = documents()
    known, made = make_targets((ROOT / "Makefile").read_text(encoding="utf-8")), sources()
    faults = languages_apart(all_)
    for document in all_:
        faults += broken_links(document) + unknown_targets(document, known)
        faults += unknown_names(document.name, document.path.read_text(encoding="utf-8"), made)
    alerts = ROOT / "docs/alerts.yml"
    if alerts.exists():
        text = alerts.read_text(encoding="utf-8")
        faults += unknown_names("docs/alerts.yml", text, made)
        anchors = Document(alerts.with_name("operations.md")).anchors
        missing = sorted(set(re.findall(r"operations\.md#(\S+)", text)) - anchors)
        faults += [f"docs/alerts.yml: operations.md has no heading #{anchor}." for anchor in missing]
    programs = []
    if "--gatectl" in arguments:
        programs.append(("gatectl", Program(arguments[arguments.index("--gatectl") + 1])))
    if "--wrangler" in arguments:
        programs.append(("wrangler", Program(str(ROOT / "node_modules/.bin/wrangler"))))
    for name, program in programs:
        if not program.help():
            faults.append(f"{name} does not answer --help.")
            continue
        for document in all_:
            faults += unknown_commands(document, name, program)
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
