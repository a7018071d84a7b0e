"""What is measured, part by part, in this order. Each part returns what goes into the JSON."""
import json
import subprocess

import figures
from counts import allocations, batch
from depth import depth
from files import csv
from handovers import alone
from lives import latency, life, lines


def limits(o):
    """Disk, LMDB and ZeroMQ alone, on the same disk in the same run."""
    records = []
    for _ in range(o.rounds):
        r = subprocess.run([str(o.build / "bench" / "bench_limits"), "--dir", str(o.base), "--seconds", str(o.seconds / 5)], capture_output=True,
                           text=True, timeout=600, check=True)
        records += [json.loads(line) for line in r.stdout.splitlines()]
    return {"rows": figures.gather(records, ("limit", "case"), ("per_s", "p50_us", "p99_us", "cpu_us"))}


PARTS = {"life": life, "latency": latency, "alone": alone, "depth": depth, "lines": lines, "csv": csv, "batch": batch, "allocations": allocations, "limits": limits}
