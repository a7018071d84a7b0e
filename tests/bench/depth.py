"""A deep queue: what it takes on disk, how soon after a crash its first task is assigned, how fast lives go on top of it."""
import signal
import subprocess
import time

import figures
import servers
from clients import client, frame_of, say, unless_missing

WINDOW = 1000
OF_DEPTH = ("per_s", "empty_per_s", "ratio", "first_s", "rss_anon_mb")


def killed_and_started(o, s):
    """Seconds from a start after a crash to the first task. RabbitMQ takes connections before its queue has a leader: until then it is asked again."""
    s.stop(signal.SIGKILL)
    s.start()
    while True:
        try:
            return client(o, s, "first", since=s.since, window=1)["seconds"]
        except servers.Missing:
            if s.process.poll() is not None or time.monotonic() - s.since > s.up_seconds:
                raise
            time.sleep(0.02)


def filled(o, s, depth, frame):
    try:
        return client(o, s, "fill", timeout=o.fill_seconds, tasks=depth, window=WINDOW, frame=frame)
    except subprocess.TimeoutExpired as e:
        raise servers.NotFilled(f"not filled: so many were not queued in {o.fill_seconds:g} s") from e


def deep_queue(o, kind, depth):
    """One row. The rounds share one backlog, which keeps its depth: what is done comes off its front, what is enqueued goes behind it. In each the server is
    killed and started again, and lives go on, on top of the backlog and, in turn with it, on an empty queue of a server beside."""
    records = []
    with kind(o.build, o.base) as s, kind(o.build, o.base) as beside:
        frame = frame_of(s, WINDOW)

        def run(server, op):
            return client(o, server, op, seconds=o.seconds, window=WINDOW, frame=frame)
        client(o, s, "fill", tasks=1, window=1)
        empty_bytes = s.store_bytes()
        fill = filled(o, s, depth, frame)
        bytes_per_queued = (s.store_bytes() - empty_bytes) / depth
        for i in range(o.rounds):
            first_s = killed_and_started(o, s)
            both = [(beside, "life"), (s, "deep")]
            row = {op: run(server, op) for server, op in (both if i % 2 == 0 else reversed(both))}
            records.append({**row["deep"], "depth": depth, "first_s": first_s, "empty_per_s": row["life"]["per_s"], "ratio": row["deep"]["per_s"] / row["life"]["per_s"]})
    row = figures.gather(records, ("queue", "mode", "depth", "frame"), OF_DEPTH)[0]
    say(f"{row['queue']:<12}depth {depth:>10,}: {figures.shown(row['per_s'])}/s, of the empty queue's {figures.shown(row['ratio'])}; "
        f"first {figures.shown(row['first_s'])} s; {bytes_per_queued:.0f} bytes each; {figures.shown(row['rss_anon_mb'])} MB, {fill['rss_anon_mb']:.0f} while it was filled")
    return {**row, "fill_per_s": fill["per_s"], "fill_rss_mb": fill["rss_anon_mb"], "bytes_per_queued": bytes_per_queued}


def depth(o):
    """Ours and the durable peers that were asked for, each at its own depths (o.depths, by name), alike. What takes too long to fill is told apart from what fails."""
    kinds = [k for k in (servers.Sunline, *([] if o.alone else servers.DURABLE)) if k.name in o.depths]
    rows, missing, not_filled = [], {}, []

    def measured(kind, d):
        begun = time.monotonic()
        try:
            row = deep_queue(o, kind, d)
        except servers.NotFilled as e:
            if kind is servers.Sunline:
                raise
            say(f"{kind.name}, {d:,} queued: {e}")
            not_filled.append({"queue": kind.name, "depth": d, "seconds": o.fill_seconds})
            return None
        return {**row, "took_s": round(time.monotonic() - begun, 1)}
    for d in sorted({d for k in kinds for d in o.depths[k.name]}):
        for kind in kinds:
            if d in o.depths[kind.name]:
                row = unless_missing(missing, f"{kind.name}, {d:,} queued", lambda: measured(kind, d))
                rows += [row] if row else []
    return {"rows": rows, "missing": missing, "not_filled": not_filled, "depths": {k.name: sorted(o.depths[k.name]) for k in kinds}}
