"""The table as a picture: requests/s at 16 connections, one bar a row. SVG, for the README."""

from html import escape

from variants import DURABLE, FLOOR, MODEL, RULE_BEARER

# What stands in the picture, by its name in the table and the words beside its bar.
BARS = {
    FLOOR: "the bare job, no gateway",
    "the bare job, KV write": "the bare job and a log record",
    RULE_BEARER: "this gateway, answered by a rule",
    "cache, Bearer": "this gateway, answered before",
    MODEL: "this gateway, answered by the model",
    DURABLE: "a durable gateway in JavaScript",
}
OURS = {RULE_BEARER, "cache, Bearer", MODEL}
CONNECTIONS = 16
WIDTH, LINE, LABEL, ROOM = 780, 34, 290, 80


def draw(section: dict) -> str:
    """Colours that are read on white and on black."""
    rates = {row["what"]: row["rate"] for row in section["rows"] if row["connections"] == CONNECTIONS}
    bars = [(name, words, rates[name]) for name, words in BARS.items() if name in rates]
    most = max(rate for _, _, rate in bars)
    height = LINE * len(bars) + 58
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        'aria-labelledby="title" font-family="system-ui, sans-serif" font-size="14" fill="#7a7f87">',
        f'<title id="title">Requests a second at {CONNECTIONS} connections, one core</title>',
        f'<text x="0" y="18" font-weight="600">Requests a second at {CONNECTIONS} connections, on one core</text>',
    ]
    for number, (name, words, rate) in enumerate(bars):
        top = 34 + number * LINE
        length = round(rate / most * (WIDTH - LABEL - ROOM), 1)
        colour = "#2f7ed8" if name in OURS else "#9aa3ad"
        parts.append(f'<text x="{LABEL - 10}" y="{top + 17}" text-anchor="end">{escape(words)}</text>')
        parts.append(f'<rect x="{LABEL}" y="{top}" width="{length}" height="{LINE - 10}" rx="3" fill="{colour}"/>')
        parts.append(f'<text x="{LABEL + length + 8}" y="{top + 17}">{rate:,.0f}</text>')
    parts.append(f'<text x="0" y="{height - 6}" font-size="12">{escape(section["machine"].split(";")[0])}</text></svg>')
    return "\n".join(parts) + "\n"
