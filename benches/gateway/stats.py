"""The few statistics that are needed, in plain Python."""

import math
from dataclasses import dataclass


def quantile(ordered: list, share: float):
    """Of a sorted list; the nearest rank."""
    return ordered[min(len(ordered) - 1, max(0, math.ceil(share * len(ordered)) - 1))]


def median(values: list[float]) -> float:
    ordered = sorted(values)
    half, odd = divmod(len(ordered), 2)
    return ordered[half] if odd else (ordered[half - 1] + ordered[half]) / 2


def welch(a: list[float], b: list[float]) -> float:
    """Welch's t of mean(a) - mean(b)."""
    mean_a, mean_b = sum(a) / len(a), sum(b) / len(b)
    variance_a = sum((x - mean_a) ** 2 for x in a) / (len(a) - 1)
    variance_b = sum((x - mean_b) ** 2 for x in b) / (len(b) - 1)
    return (mean_a - mean_b) / math.sqrt(variance_a / len(a) + variance_b / len(b))


def mann_whitney(a: list[float], b: list[float]) -> float:
    """z of the Mann-Whitney U of a against b, ties corrected: positive where a tends to be larger."""
    values = sorted([(x, 0) for x in a] + [(x, 1) for x in b])
    count, rank_sum, ties, index = len(values), 0.0, 0.0, 0
    while index < count:
        end = index
        while end < count and values[end][0] == values[index][0]:
            end += 1
        rank = (index + end + 1) / 2
        rank_sum += rank * sum(1 for value in values[index:end] if value[1] == 0)
        ties += (end - index) ** 3 - (end - index)
        index = end
    n, m = len(a), len(b)
    u = rank_sum - n * (n + 1) / 2
    variance = n * m / 12 * ((count + 1) - ties / (count * (count - 1)))
    return (u - n * m / 2) / math.sqrt(variance)


def median_error(values: list[float]) -> float:
    """The standard error of a median, from the order statistics around it (McKean and Schrader)."""
    ordered, z = sorted(values), 1.96
    half = z * math.sqrt(len(ordered)) / 2
    low = ordered[max(0, math.floor(len(ordered) / 2 - half))]
    high = ordered[min(len(ordered) - 1, math.ceil(len(ordered) / 2 + half))]
    return (high - low) / (2 * z)


@dataclass(frozen=True)
class Comparison:
    """How two samples differ: a less b."""

    difference: float
    low: float
    high: float
    z: float
    # The t of largest size, and the share of the fastest answers that it is of.
    t: float
    kept: float
    # The t of everything, stalls and all.
    raw_t: float

    def tells(self, limit: float) -> bool:
        return abs(self.t) > limit or abs(self.z) > limit


def compare(a: list[float], b: list[float]) -> Comparison:
    """Stalls of the machine drown small differences of the mean, so t is taken again with the slowest
    cut off at several places, each the same for both, and the most telling one counts."""
    pooled = sorted(a + b)
    raw = welch(a, b)
    best, share = raw, 1.0
    for kept in (0.99, 0.95, 0.9, 0.75, 0.5, 0.25):
        limit = quantile(pooled, kept)
        t = welch([x for x in a if x <= limit], [x for x in b if x <= limit])
        if abs(t) > abs(best):
            best, share = t, kept
    difference = median(a) - median(b)
    error = 1.96 * math.hypot(median_error(a), median_error(b))
    return Comparison(difference, difference - error, difference + error, mann_whitney(a, b), best, share, raw)
