#!/usr/bin/python3 -B
"""coprocess robot on the jury of station `reply`: sees the entries in an order of its own, not whose they are, and names one by its place."""
import sys

import coprocess

# How much each juror likes a text.
TASTES = {
    "brief": lambda text, fields: (len(text) > 40, -len(text)),  # but not curt
    "warm": lambda text, fields: (fields["customer"].split()[0] in text, -len(text)),
    "exact": lambda text, fields: ("#" in text, fields["customer"].split()[0] in text, len(text)),
}


def choose(fields):
    entries = fields["reply.entries"]
    best = max(range(len(entries)), key=lambda i: TASTES[sys.argv[1]](entries[i]["text"], fields))
    return {"winner": str(best + 1)}


if __name__ == "__main__":
    coprocess.serve(choose)
