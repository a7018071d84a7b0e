"""What is measured, part by part. Each part returns what goes into the JSON."""
import json
import os
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

import figures
import servers

WINDOWS = (1, 256, 1000)
OF_LIFE = ("per_s", "server_cpu_us", "producer_cpu_us", "consumer_cpu_us", "rss_anon_mb", "ack_p50_ms", "ack_p99_ms", "received_p50_ms",
           "received_p99_ms")


def say(text):
    print(text, file=sys.stderr, flush=True)


def client(o, server, op, timeout=900, **options):
    """Run a queue's client once; its figures. Raises Missing if it cannot."""
    program = o.build / "bench" / server.client
    if not program.exists():
        raise servers.Missing(f"{program} was not built: its library is not installed")
    options = {"variant": server.variant, "where": server.where(), "port": server.port, "pid": server.process.pid, **options}
    args = [str(program), "--op", op]
    for k, v in options.items():
        if v not in ("", None):
            args += ["--" + k, str(v)]
    r = subprocess.run(args, capture_output=True, text=True, timeout=timeout, cwd=o.base)
    if r.returncode != 0:
        raise servers.Missing(f"{server.name} ({server.mode}): {r.stderr.strip()[-300:]}")
    return {**json.loads(r.stdout), "mode": server.mode, "durable": server.durable}


class SunlineKeys(servers.Sunline):
    mode, variant = "free keys", "keys"


def frame_of(server, window):
    """Tasks a request: PostgreSQL takes a whole window, ours a quarter of one; the others have no such requests."""
    if isinstance(server, servers.Postgres):
        return window
    return max(1, window // 4) if isinstance(server, servers.Sunline) else 1


def rounds(o, kinds, work):
    """work(server, round) for each kind, round by round; what it yields, and who could not be measured, with the reason."""
    records, missing = [], {}
    for r in range(o.rounds):
        for kind in kinds:
            name = f"{kind.name} ({kind.mode})"
            if name in missing:
                continue
            try:
                for record in work(kind):
                    records.append(record)
            except (servers.Missing, OSError, subprocess.TimeoutExpired) as e:
                missing[name] = str(e)
                say(f"NOT MEASURED: {name}: {e}")
    return records, missing


def life(o):
    """The common workload: ours, ours with free keys, every peer; durable and not."""
    def work(kind):
        for window in WINDOWS:
            with kind(o.build, o.base) as s:
                row = client(o, s, "life", seconds=o.seconds, window=window, frame=frame_of(s, window))
            say(f"{row['queue']:<12}{row['mode']:<36}window {window:>5} {row['per_s']:>10,.0f}/s  server {row['server_cpu_us']:.1f} us")
            yield row
    peers = [] if o.alone else [*servers.DURABLE, *servers.RELAXED]
    records, missing = rounds(o, [servers.Sunline, SunlineKeys, *peers], work)
    rows = figures.gather(records, ("queue", "mode", "durable", "window", "frame"), OF_LIFE)
    return {"rows": rows, "ratios": ratios(rows), "missing": missing}


def best(rows, window, durable):
    of_peers = [r for r in rows if r["queue"] != "sunline" and r["window"] == window and r["durable"] == durable]
    return max(of_peers, key=lambda r: figures.median(r, "per_s"), default=None)


def ratios(rows):
    """Ours, as shipped, by the best peer at each window."""
    out = []
    for window in WINDOWS:
        ours = next((r for r in rows if r["queue"] == "sunline" and r["mode"] == servers.Sunline.mode and r["window"] == window), None)
        for durable in (True, False):
            peer = best(rows, window, durable)
            if ours and peer:
                out.append({"window": window, "durable": durable, "peer": peer["queue"], "mode": peer["mode"],
                            "ratio": round(figures.median(ours, "per_s") / figures.median(peer, "per_s"), 3)})
    return out


def latency(o):
    """200 tasks a second, one a request; ours beside the one peer that syncs each task."""
    def work(kind):
        with kind(o.build, o.base) as s:
            row = client(o, s, "rate", seconds=2 * o.seconds, rate=200, window=100)
        say(f"{row['queue']:<12}ack {row['ack_p50_ms']} / {row['ack_p99_ms']} ms, received {row['received_p50_ms']} / {row['received_p99_ms']} ms")
        yield row
    records, missing = rounds(o, [servers.Sunline] if o.alone else [servers.Sunline, servers.Beanstalkd], work)
    rows = figures.gather(records, ("queue", "mode"), OF_LIFE)
    ratio = {}
    if len(rows) == 2:
        ratio = {k: round(figures.median(rows[0], k) / figures.median(rows[1], k), 3)
                 for k in ("ack_p50_ms", "ack_p99_ms", "received_p50_ms", "received_p99_ms")}
    return {"rows": rows, "ratios": ratio, "missing": missing}


def deep_queue(o, kind, depth):
    """A queue of that depth: what it takes on disk, how soon after a crash its first task is assigned, how fast lives go on top of it."""
    with kind(o.build, o.base) as s:
        client(o, s, "fill", timeout=3600, tasks=1, window=1)
        empty = s.store_bytes()
        frame = frame_of(s, 1000)
        fill = client(o, s, "fill", timeout=3600, tasks=depth, window=1000, frame=frame)
        stored = s.store_bytes()
        s.stop(signal.SIGKILL)
        s.start()
        first = client(o, s, "first", since=s.since, window=1)
        row = client(o, s, "life", seconds=o.seconds, window=1000, frame=frame)
    return {**row, "depth": depth, "fill_per_s": fill["per_s"], "bytes_per_queued": (stored - empty) / depth, "first_s": first["seconds"]}


def depth(o):
    """Ours, at each depth; the durable peers that were asked for, alike at the first depth. The empty queue is measured beside each."""
    records, missing = [], {}
    for depth in o.depths:
        for kind in (servers.Sunline, *([k for k in servers.DURABLE if k.name in o.depth_peers] if depth == o.depths[0] and not o.alone else [])):
            try:
                with kind(o.build, o.base) as s:
                    empty = client(o, s, "life", seconds=o.seconds, window=1000, frame=frame_of(s, 1000))
                row = deep_queue(o, kind, depth)
            except (servers.Missing, OSError, subprocess.TimeoutExpired) as e:
                missing[f"{kind.name} at {depth}"] = str(e)
                say(f"NOT MEASURED: {kind.name} at {depth}: {e}")
                continue
            row["empty_per_s"], row["ratio"] = empty["per_s"], round(row["per_s"] / empty["per_s"], 3)
            say(f"{row['queue']:<12}depth {depth:>10,}: {row['per_s']:,.0f}/s, of the empty queue's {row['ratio']:.2f}; first {row['first_s']:.3f} s; "
                f"{row['bytes_per_queued']:.0f} bytes each; {row['rss_anon_mb']:.0f} MB")
            records.append(row)
    return {"rows": records, "missing": missing}


def lines(o):
    """What more stations cost: five in a chain, 1 -> 8 -> 1, beside one. tasks: stations that a unit goes through."""
    tasks = {"": 1, "chain": 5, "wide": 10}
    records = []
    for _ in range(o.rounds):
        for variant, n in tasks.items():
            with servers.Sunline(o.build, o.base) as s:
                row = client(o, s, "life", seconds=o.seconds, window=1000, frame=frame_of(s, 1000), variant=variant)
            row.update(line=variant or "one station", stations=n, tasks_per_s=row["per_s"] * n)
            say(f"{row['line']:<12}{row['per_s']:>10,.0f} units/s, {row['tasks_per_s']:>10,.0f} tasks/s")
            records.append(row)
    rows = figures.gather(records, ("line", "stations"), ("per_s", "tasks_per_s", "server_cpu_us"))
    one = figures.median(rows[0], "per_s")
    for r in rows:
        r["cost"] = round(one / figures.median(r, "per_s"), 3)
    return {"rows": rows}


def allocations(o):
    """Allocations a life once it has run for a while: the broker's own (none, it is said), the C library's (for us, or for others), and its other libraries'. Counted by preload/alloc_count.c."""
    class Counted(servers.Sunline):
        def environment(self):
            return {**os.environ, "LD_PRELOAD": str(o.build / "bench" / "alloc_count.so"), "ALLOC_COUNT_FILE": str(self.directory / "allocations")}

        def counts(self):
            return struct.unpack("QQQ", (self.directory / "allocations").read_bytes())
    rows, missing = [], {}
    for window, variant in (*((w, "") for w in WINDOWS), (1000, "chain"), (1000, "review"), (1000, "keys"), (1000, "copies")):
        try:
            with Counted(o.build, o.base) as s:
                def live():
                    return client(o, s, "life", timeout=120, seconds=o.seconds, window=window, frame=frame_of(s, window), variant=variant)["tasks"]
                live()
                before = s.counts()
                lives = live()
                own, libc, libraries = (b - a for a, b in zip(before, s.counts()))
        except (servers.Missing, OSError, subprocess.TimeoutExpired) as e:
            missing[f"{variant or 'one station'}, window {window}"] = str(e)
            say(f"NOT MEASURED: {variant or 'one station'}, window {window}: {e}")
            continue
        rows.append({"window": window, "variant": variant, "lives": lives, "own": own, "libc": libc, "libraries": libraries})
        say(f"window {window}{variant and ', ' + variant}: {own} of our own and {libc} of the C library in {lives:,} lives, {libraries / lives:.2f} a life of the libraries")
    return {"rows": rows, "missing": missing}


CSV_ROWS = 1_000_000


def csv_round(o, rows):
    """Rows a second of each, once, on a fresh store."""
    row = "f" * 16 + "abcdefgh" * 23   # 200 bytes; the stamp of a backlog's tasks, see life.c
    out = {}
    with servers.Sunline(o.build, o.base) as s:
        client(o, s, "fill", tasks=1, window=1)
        env = {**os.environ, "SUNLINE_BROKER": dict(x.split("=", 1) for x in pathlib.Path(s.where()).read_text().split())["clients"]}
        file = s.directory / "rows.csv"

        def timed(name, *command, stdin=None):
            begun = time.monotonic()
            subprocess.run([str(c) for c in command], stdin=stdin, check=True, env=env, timeout=900, stdout=subprocess.DEVNULL)
            out[name] = round(rows / (time.monotonic() - begun), 1)
            say(f"{name:<12}{out[name]:>10,.0f} rows/s")
        file.write_text((row + "\n") * rows)
        with open(file, "rb") as f:
            timed("library", o.build / "examples" / "producer", "bench", "library", stdin=f)
        file.write_text("payload\n" + (row + "\n") * rows)
        timed("import", o.build / "sunline", "run", "start", "bench", "--name", "csv", "--input", file)
        client(o, s, "drain", tasks=2 * rows + 1, window=1000)
        timed("export", o.build / "sunline", "run", "output", "csv", "-o", s.directory / "out.csv")
        with open(s.directory / "out.csv", "rb") as f:
            lines = sum(1 for _ in f)
        if lines != rows + 1:
            raise RuntimeError(f"{lines - 1} rows came out, {rows} went in")
    return out


def csv(o):
    """The command line's import and export of a file, beside the library's own pipelined put of as many rows (client/examples/producer); medians."""
    rows = CSV_ROWS // 20 if o.quick else CSV_ROWS
    records = [csv_round(o, rows) for _ in range(o.rounds)]
    spread = {k: figures.spread([r[k] for r in records]) for k in records[0]}
    out = {"rows": rows, "spread": spread, **{k: v["median"] for k, v in spread.items()}}
    out["import_ratio"], out["export_ratio"] = round(out["import"] / out["library"], 3), round(out["export"] / out["library"], 3)
    return out


# What the broker counts of the store's work, and we divide by lives.
PER_LIFE = ("store_gets_total", "store_puts_total", "store_appends_total", "store_dels_total", "store_seeks_total", "store_steps_total",
            "store_put_bytes_total", "payload_in_bytes_total", "payload_in_copied_bytes_total", "payload_out_bytes_total", "payload_out_copied_bytes_total", "store_wal_bytes_total", "store_settles_total", "store_commits_total", "commit_us_total", "batch_us_total", "messages_in_total", "messages_out_total",
            "bytes_in_total", "bytes_out_total")


def cost(o):
    """What one life costs the broker: its own figures (STATS), by window."""
    def stats(s):
        env = {**os.environ, "SUNLINE_BROKER": dict(x.split("=", 1) for x in pathlib.Path(s.where()).read_text().split())["clients"]}
        return json.loads(subprocess.run([str(o.build / "sunline"), "--json", "stats"], env=env, capture_output=True, check=True).stdout)
    rows = []
    for window in WINDOWS:
        with servers.Sunline(o.build, o.base) as s:
            client(o, s, "life", seconds=1, window=window, frame=frame_of(s, window))
            before, stored = stats(s), s.store_bytes()
            run = client(o, s, "life", seconds=o.seconds, window=window, frame=frame_of(s, window))
            after, lives = stats(s), run["tasks"]
            row = {"window": window, "frame": run["frame"], "lives": lives, "per_s": run["per_s"], "server_cpu_us": run["server_cpu_us"],
                   "producer_cpu_us": run["producer_cpu_us"], "consumer_cpu_us": run["consumer_cpu_us"],
                   "stored_bytes": (s.store_bytes() - stored) / lives}
            row.update({k.removesuffix("_total"): round((after[k] - before[k]) / lives, 4) for k in PER_LIFE if k in after})
            commits = after["store_commits_total"] - before["store_commits_total"]
            row["lives_a_commit"] = round(lives / commits, 2)
            row["commit_ms"] = round((after["commit_us_total"] - before["commit_us_total"]) / commits / 1e3, 3)
            row["engine_ms"] = round((after["batch_us_total"] - before["batch_us_total"]) / commits / 1e3 - row["commit_ms"], 3)
        say(f"window {window}: {row['lives_a_commit']} lives a commit of {row['commit_ms']} ms, the engine {row['engine_ms']} ms before it")
        rows.append(row)
    return {"rows": rows}


def limits(o):
    """Disk, LMDB and ZeroMQ alone, on the same disk in the same run."""
    records = []
    for _ in range(o.rounds):
        r = subprocess.run([str(o.build / "bench" / "bench_limits"), "--dir", str(o.base), "--seconds", str(o.seconds / 5)], capture_output=True,
                           text=True, timeout=600, check=True)
        records += [json.loads(line) for line in r.stdout.splitlines()]
    return {"rows": figures.gather(records, ("limit", "case"), ("per_s", "p50_us", "p99_us", "cpu_us"))}


# Tasks a frame, frames a batch of each kind: what a commit holds at these windows when two batches take turns.
SHAPES = (("window 1", {"tasks": 1, "frames": 1}), ("window 256", {"tasks": 64, "frames": 2}), ("window 1,000", {"tasks": 250, "frames": 2}),
          ("window 1,000, free keys", {"tasks": 250, "frames": 2, "keys": 1}), ("window 1,000, five stations in a chain", {"tasks": 250, "frames": 2, "stations": 5}))
# What a broker's instructions are for: functions of the engine, each with all that it calls; the push is part of matching, and shown apart.
STEPS = (("decode", "slp_decode"), ("put", "on_put"), ("submit", "on_submit"), ("match", "match_run"), ("push", "assign_picks"), ("batch_end", "engine_batch_end"),
         ("commit", "store_commit"), ("all", "PROGRAM TOTALS"))


def instructions(o, directory, args):
    """Of one task, by step, as callgrind counts them; nothing where there is no valgrind."""
    if not shutil.which("valgrind") or not shutil.which("callgrind_annotate"):
        return {}
    out = directory / "callgrind"
    toggles = ["--toggle-collect=measured_receive", "--toggle-collect=measured_end"]
    r = subprocess.run(["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={out}", *toggles, *args, "--warm", "20", "--batches", "30"], capture_output=True, text=True,
                       timeout=900, check=True)
    done = json.loads(r.stdout)["done"]
    text = subprocess.run(["callgrind_annotate", "--inclusive=yes", "--auto=no", "--threshold=100", str(out)], capture_output=True, text=True, check=True).stdout
    found = {}
    for number, name in re.findall(r"^ *([\d,]+) \([^)]*\) +(?:\S*:)?(PROGRAM TOTALS|\w+)(?:'\d+)?(?: \[|$)", text, re.M):
        found[name] = max(found.get(name, 0), int(number.replace(",", "")))
    counts = {step: round(found[function] / done) for step, function in STEPS if function in found}
    if "push" in counts and "match" in counts:
        counts["match"] -= counts["push"]
    return counts


def batch(o):
    """What a batch takes of the engine and the store, counted: bytes written, B-tree operations, copies and instructions of a task. No figure here
    depends on how fast the machine is."""
    rows = []
    for name, shape in SHAPES:
        with tempfile.TemporaryDirectory(prefix="bench-batch-", dir=o.base) as d:
            def args(where):
                return [str(o.build / "bench" / "bench_batch"), "--dir", os.path.join(d, where), *(str(x) for k, v in shape.items() for x in ("--" + k, v))]
            row = json.loads(subprocess.run(args("counted"), capture_output=True, text=True, timeout=600, check=True).stdout)
            row = {"shape": name, **row, "instructions": instructions(o, pathlib.Path(d), args("called"))}
        say(f"{name}: {row['done_a_commit']:.0f} tasks a commit, {row['log_kib_a_commit']:.1f} KiB of log, {row['pages_kib_a_commit']:.1f} KiB of pages; "
            f"{row['instructions'].get('all', '-')} instructions a task")
        rows.append(row)
    return {"rows": rows}


PARTS = {"life": life, "latency": latency, "depth": depth, "lines": lines, "csv": csv, "cost": cost, "batch": batch, "allocations": allocations,
         "limits": limits}
