"""The command line's import and export of a file, beside the library's own pipelined put of as many rows (client/examples/producer)."""
import random
import subprocess
import time

import broker
import figures
import servers
from clients import client, say

ROWS = 1_000_000
STAMP = "f" * 16     # of a backlog's tasks, see life.c
ROW_BYTES = 200


def rows_text(rows):
    """Each row its own letters, the same ones every time."""
    letters = random.Random(rows).randbytes(rows * (ROW_BYTES - len(STAMP)) // 2).hex()
    n = ROW_BYTES - len(STAMP)
    return "".join(f"{STAMP}{letters[i:i + n]}\n" for i in range(0, len(letters), n))


def one_round(o, rows, text):
    """Rows a second of each, once, on a fresh store."""
    out = {}
    with servers.Sunline(o.build, o.base) as s:
        client(o, s, "fill", tasks=1, window=1)
        file = s.directory / "rows.csv"

        def timed(name, *command, stdin=None):
            begun = time.monotonic()
            subprocess.run([str(c) for c in command], stdin=stdin, check=True, env=broker.environment(s), timeout=900, stdout=subprocess.DEVNULL)
            out[name] = rows / (time.monotonic() - begun)
            say(f"{name:<12}{out[name]:>10,.0f} rows/s")
        file.write_text(text)
        with open(file, "rb") as f:
            timed("library", o.build / "examples" / "producer", "bench", "library", stdin=f)
        file.write_text("payload\n" + text)
        timed("import", o.build / "sunline", "run", "start", "bench", "--name", "csv", "--input", file)
        client(o, s, "drain", tasks=2 * rows + 1, window=1000)
        timed("export", o.build / "sunline", "run", "output", "csv", "-o", s.directory / "out.csv")
        with open(s.directory / "out.csv", "rb") as f:
            lines = sum(1 for _ in f)
        if lines != rows + 1:
            raise RuntimeError(f"{lines - 1} rows came out, {rows} went in")
    return out


def csv(o):
    rows = ROWS // 20 if o.quick else ROWS
    text = rows_text(rows)
    records = [one_round(o, rows, text) for _ in range(o.rounds)]
    out = {"rows": rows, **{k: figures.spread([r[k] for r in records]) for k in records[0]}}
    for k in ("import", "export"):
        out[k + "_ratio"] = figures.ratio(out[k], out["library"])
    return out
