"""The results as text: for the terminal, and as docs/performance.md."""

import json
import platform
from pathlib import Path

import chart
from machine import ROOT, cores
from stats import median
from table import Samples, ratios
from variants import DURABLE, FLOOR, LARGE_MODEL, MODEL, NGINX, NULL_RUST, REFUSED, RULE_BEARER

COLUMNS = ["", "connections", "requests/s", "CPU s / 1,000", "core used", "efficiency"]
COLUMNS += ["p50 ms", "p90 ms", "p99 ms", "RSS MB"]


def number(value: float | None, form: str, scale: float = 1.0) -> str:
    return "" if value is None else format(value / scale, form)


def cells(row: dict) -> list[str]:
    return [
        row["what"],
        str(row["connections"]),
        number(row["rate"], ",.0f"),
        number(row["cpu"], ".3f"),
        number(row["cpu"] and row["cpu"] * row["rate"] / 1_000, ".0%"),
        number(row["efficiency"], ".2f"),
        number(row["p50"], ".2f", 1_000),
        number(row["p90"], ".2f", 1_000),
        number(row["p99"], ".2f", 1_000),
        number(row["rss"], ".0f", 2**20),
    ]


def markdown(heads: list[str], lines: list[list[str]]) -> str:
    """A Markdown table whose columns also line up as plain text: the first to the left, numbers to the right."""
    widths = [max(len(line[column]) for line in [heads, *lines]) for column in range(len(heads))]

    def render(line: list[str]) -> str:
        first, *rest = line
        numbers = [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
        return f"| {' | '.join([first.ljust(widths[0]), *numbers])} |"

    rule = "|".join(["-" * (widths[0] + 2), *("-" * (width + 1) + ":" for width in widths[1:])])
    return "\n".join([render(heads), f"|{rule}|", *map(render, lines)])


def targets(samples: Samples) -> list[dict]:
    """What was aimed at, what was reached: only what this run can say."""
    found = []

    def add(what: str, wanted: str, reached: float | None, form: str, met) -> None:
        if reached is not None:
            row = {"what": what, "wanted": wanted, "reached": form.format(reached), "met": bool(met(reached))}
            found.append(row)

    def at(name: str, connections: int = 16):
        return samples.get((name, connections), [])

    def rates(above: str, below: str) -> float | None:
        pairs = list(zip(at(above), at(below)))
        return median([a.rate / b.rate for a, b in pairs]) if pairs else None

    def less(name: str, other: str, connections: int) -> float | None:
        pairs = list(zip(at(name, connections), at(other, connections)))
        return median([a.p50 - b.p50 for a, b in pairs]) / 1_000 if pairs else None

    efficiency = ratios(at(FLOOR), at(MODEL))
    add("model path, efficiency", "0.40, the aim is 0.60", efficiency, "{:.2f}", lambda x: x >= 0.40)
    times = rates(MODEL, DURABLE)
    what = "model path, requests/s of the durable JavaScript gateway"
    add(what, "3.5 times", times, "{:.2f} times", lambda x: x >= 3.5)
    rule = median([sample.rate for sample in at(RULE_BEARER)]) if at(RULE_BEARER) else None
    add("answered by a rule, requests/s", "4,000", rule, "{:,.0f}", lambda x: x >= 4_000)
    over = rates(RULE_BEARER, MODEL)
    add("answered by a rule, requests/s of the model path", "1.3 times", over, "{:.2f} times", lambda x: x >= 1.3)
    refused = ratios(at(NULL_RUST), at(REFUSED))
    add("refused, CPU of the null Worker in Rust over its own", "0.75", refused, "{:.2f}", lambda x: x >= 0.75)
    share = less(MODEL, NGINX, 1)
    add("own share of the latency at 1 connection, p50", "under 1 ms", share, "{:.2f} ms", lambda x: x < 1)
    large = median([sample.cpu for sample in at(LARGE_MODEL)]) if at(LARGE_MODEL) else None
    add("CPU of a request with a 200 KB body", "under 10 ms", large, "{:.2f} ms", lambda x: x < 10)
    return found


def judged(section: dict) -> str:
    lines = [
        [row["what"], row["wanted"], row["reached"], "met" if row["met"] else "missed"] for row in section["targets"]
    ]
    return "\n\n" + markdown(["target", "wanted", "reached", ""], lines) if lines else ""


def table(section: dict) -> str:
    return markdown(COLUMNS, [cells(row) for row in section["rows"]]) + judged(section)


def shard(section: dict) -> str:
    lines = [
        [
            row["what"],
            number(row["rate"], ",.0f"),
            number(row["times"], ".1f"),
            number(row["cpu"], ".3f"),
            number(row["cpu"] * row["rate"] / 1_000, ".0%"),
            number(row["rows"], ".3f", 1_000),
            number(row["calls"], ".2f", 1_000),
            number(row["scaled"], ",.0f"),
        ]
        for row in section["rows"]
    ]
    heads = ["", "pairs/s", "times a row a step", "CPU s / 1,000", "core used", "rows written a pair"]
    heads += ["calls a pair", "pairs/s, scaled"]
    return markdown(heads, lines) + judged(section)


def authenticating(section: dict) -> str:
    lines = [
        [
            row["what"],
            f"{row['microseconds']:.1f}",
            "{:.1f} to {:.1f}".format(*row["confidence_interval_95"]),
            f"{row['undisturbed']:.1f}",
            "" if row["target"] is None else f"under {row['target']:.0f}: {'met' if row['met'] else 'missed'}",
        ]
        for row in section["rows"]
    ]
    return markdown(["authenticating with", "µs CPU", "95 %", "undisturbed", "target"], lines)


def times(section: dict) -> str:
    lines = [
        [
            row["what"],
            f"{row['median_difference_microseconds']:.2f}",
            "{:.2f} to {:.2f}".format(*row["confidence_interval_95"]),
            f"{row['t']:.2f}",
            f"{row['mann_whitney_z']:.2f}",
            "told apart" if row["tells_apart"] else "alike",
        ]
        for row in section["rows"]
    ]
    return markdown(["answers", "medians differ by µs", "95 %", "Welch's t", "Mann-Whitney z", ""], lines)


def spending(section: dict) -> str:
    names = list(section["rows"][0]["each"])
    lines = [
        [row["what"], row["traffic"], *(f"{row['each'][name]:.3f}" for name in names), f"{row['capacity']:,}", row["limit"]]
        for row in section["rows"]
    ]
    heads = ["each request", "traffic", *names, "requests a day", "limited by"]
    return markdown(heads, lines) + judged(section)


SECTIONS = {
    "table": ("The gateway and its peers", table),
    "ledger": ("One shard of the ledger", shard),
    "operations": ("What a request takes of the free plan", spending),
    "authenticate": ("What authenticating costs", authenticating),
    "timing": ("Whether the time of a 401 tells a kid that exists from one that does not", times),
}


def machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.split(": ")[1] for line in lines if line.startswith("model name")]
    version = json.loads((ROOT / "node_modules/workerd/package.json").read_text())["version"]
    server, load = cores()
    where = f"server on core {server}, load and upstream on core {load}"
    return f"{models[0] if models else platform.machine()}, {where}; workerd {version}"


def sections(document: str) -> dict[str, str]:
    """What a document says under each heading."""
    parts = [part.split("\n", 1) for part in document.split("\n## ")[1:]]
    return {title: text.strip("\n") for title, text in parts}


def document(results: dict, before: str = "") -> str:
    """docs/performance.md. What was not measured stays as it was."""
    text = "# Performance\n\nWritten by `make bench SAVE=1`; `benches/gateway/README.md` says how to read it.\n"
    for name, (title, render) in SECTIONS.items():
        if name in results:
            section = results[name]
            said = f"Commit {section['commit']}, {section['machine']}.\n\n{render(section)}"
        else:
            said = sections(before).get(title)
        text += f"\n## {title}\n\n{said}\n" if said else ""
    return text


def save(results: dict) -> Path:
    path = ROOT / "docs/performance.md"
    path.parent.mkdir(exist_ok=True)
    path.write_text(document(results, path.read_text() if path.exists() else ""))
    if "table" in results:
        path.with_suffix(".svg").write_text(chart.draw(results["table"]))
    return path
