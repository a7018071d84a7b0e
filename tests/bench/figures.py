"""Medians, spreads, ratios and tables of the bench's records; and the machine and the commit they are of."""
import os
import platform
import statistics

import commits


def machine():
    return {"cores": os.cpu_count(), "machine": platform.machine(), "kernel": platform.release().split("-")[0], "commit": commits.now()}


def spread(values):
    """Of several rounds: the median, how far it went, and each, in order."""
    each = [round(v, 4) for v in values]
    return {"median": round(statistics.median(each), 4), "min": min(each), "max": max(each), "rounds": len(each), "each": each}


def ratio(over, under):
    """Of two spreads: round by round, so that what disturbed both does not count."""
    return spread([a / b for a, b in zip(over["each"], under["each"])])


def gather(records, by, of):
    """Records that agree in the keys `by` become one, with the spread of each figure in `of` that they have."""
    groups = {}
    for r in records:
        groups.setdefault(tuple(r.get(k) for k in by), []).append(r)
    out = []
    for key, group in groups.items():
        row = dict(zip(by, key))
        for k in of:
            values = [r[k] for r in group if r.get(k) is not None]
            if values:
                row[k] = spread(values)
        out.append(row)
    return out


def median(row, key):
    return row[key]["median"]


def number(v):
    """As people read it: 97,000; 12.3; 0.48."""
    if v is None:
        return "-"
    if isinstance(v, dict):
        return number(v["median"])
    if isinstance(v, str):
        return v
    if abs(v) >= 1000:
        return f"{round(v, 1 - len(str(int(abs(v)))) + 2):,.0f}"
    if abs(v) >= 100:
        return f"{v:.0f}"
    if abs(v) >= 10:
        return f"{v:.1f}"
    text = f"{v:.2f}"
    return "0.00" if text == "-0.00" else text


def told_apart(v, limit):
    """v with so many digits that it does not look like a limit which it is not: 1.998, not 2.00, where that is asked."""
    text, digits = number(v), 3
    while v != limit and float(text.replace(",", "")) == limit:
        text, digits = f"{v:.{digits}f}", digits + 1
    return text


def shown(s, how=number):
    """A spread: median (least-most)."""
    return how(s["median"]) + (f" ({how(s['min'])}-{how(s['max'])})" if s["rounds"] > 1 else "")


def table(head, rows):
    """Markdown that also reads well on a terminal: the first column to the left, the others to the right."""
    cells = [[str(h) for h in head]] + [[number(c) for c in r] for r in rows]
    width = [max(len(c[i]) for c in cells) for i in range(len(head))]
    lines = ["| " + " | ".join(c[i].ljust(width[i]) if i == 0 else c[i].rjust(width[i]) for i in range(len(head))) + " |" for c in cells]
    rule = "|" + "|".join("-" * (w + 2) if i == 0 else "-" * (w + 1) + ":" for i, w in enumerate(width)) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])
