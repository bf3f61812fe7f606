"""Reads commands as a shell and pip would: JSON in, what each says out.

Input: {"commands": [...], "options": [...]} with the names of all options that a command may hold.
Output: for each command the requirements that it names, as [name, extras, specifiers], or what is wrong.
"""

import json
import re
import shlex
import sys

from packaging.requirements import InvalidRequirement, Requirement


def read(command, options):
    words = shlex.split(command)
    if " ".join(words) != command:
        return f"a shell reads it otherwise: {words}"
    for begin in (["pip", "install"], ["python", "-m", "pip", "install"]):
        if words[: len(begin)] == begin:
            arguments = words[len(begin) :]
            break
    else:
        return "it is no pip install command"
    named = []
    for word in arguments:
        if word.startswith("-"):
            if word.split("=", 1)[0] not in options:
                return f"an option that is not allowed: {word}"
            continue
        try:
            requirement = Requirement(word)
        except InvalidRequirement as error:
            return f"no requirement: {error}"
        if requirement.url or requirement.marker:
            return f"more than a name and a version: {word}"
        if any(clause.operator not in ("==", "~=") for clause in requirement.specifier):
            return f"a version in another form: {word}"
        # What pip would take for a path or a URL rather than a name.
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*(\[[A-Za-z0-9._,-]+\])?([=~]=[A-Za-z0-9.!+]+)?", word):
            return f"not one plain requirement: {word}"
        named.append([requirement.name, sorted(requirement.extras), str(requirement.specifier)])
    return named or "it names nothing"


given = json.load(sys.stdin)
json.dump([read(command, given["options"]) for command in given["commands"]], sys.stdout)
