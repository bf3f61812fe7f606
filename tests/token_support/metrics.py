"""Reads a page of metrics as Prometheus' own client does: text in, its families out."""

import json
import sys

from prometheus_client.parser import text_string_to_metric_families

page = json.load(sys.stdin)
families = [
    {
        "name": family.name,
        "type": family.type,
        "help": family.documentation,
        "samples": [[sample.name, sample.labels, sample.value] for sample in family.samples],
    }
    for family in text_string_to_metric_families(page)
]
json.dump(families, sys.stdout)
