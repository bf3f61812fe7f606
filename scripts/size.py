"""Sums twiggy's list of a module's items by crate."""

import csv
import re
import sys
from collections import Counter

# A path's first word; what is generic or a trait's stands under the crate that it is implemented in.
CRATE = re.compile(r"(?:^|[<&( ])([a-z_][a-z0-9_]*)(?:\[[0-9a-f]+\])?::")
MOST = 25


def main() -> None:
    sizes: Counter[str] = Counter()
    for row in csv.DictReader(sys.stdin):
        name = row["Name"]
        # The names of functions are not in what is uploaded.
        if "function names" in name:
            continue
        found = CRATE.search(name)
        group = found[1] if found else ("data" if name.startswith("data segment") else "other")
        sizes[group] += int(row["ShallowSize"])
    whole = sum(sizes.values())
    for group, size in sizes.most_common(MOST):
        print(f"  {group:24} {size:9,} bytes {size / whole:6.1%}")


if __name__ == "__main__":
    main()
