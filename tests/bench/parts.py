"""What is measured, part by part, in this order. Each part returns what goes into the JSON."""
from counts import allocations, batch
from depth import depth
from files import csv
from handovers import alone
from limits import limits, syncs
from lives import latency, life, lines
from profiles import profile

PARTS = {"life": life, "latency": latency, "limits": limits, "syncs": syncs, "alone": alone, "profile": profile, "depth": depth, "lines": lines, "csv": csv, "batch": batch,
         "allocations": allocations}
