"""The common workload under load and at a rate: lives a second of ours and its peers, latency, and what longer lines cost."""
import broker
import figures
import limits
import servers
from clients import client, frame_of, rounds, say, turn

WINDOWS = (1, 256, 1000)
OF_LIFE = ("per_s", "alone_share", "both_per_s", "server_cpu_us", "producer_cpu_us", "consumer_cpu_us", "rss_anon_mb", "ack_p50_ms", "ack_p99_ms", "received_p50_ms",
           "received_p99_ms", "disk_us", *broker.COUNTS)
LATENCIES = ("ack_p50_ms", "ack_p99_ms", "received_p50_ms", "received_p99_ms")


class SunlineKeys(servers.Sunline):
    mode, variant = "free keys", "keys"


def life(o):
    """Ours, ours with free keys, every peer; durable and not. Ours with what the broker counted meanwhile: the cost model is of these very rounds."""
    def one(kind, window, frame):
        with kind(o.build, o.base) as s:
            row = limits.probed(o, lambda: broker.counted(o, s, lambda: client(o, s, "life", seconds=o.seconds, window=window, frame=frame)))
        say(f"{row['queue']:<12}{row['mode']:<36}window {window:>5}, {frame:>4} a request {row['per_s']:>10,.0f}/s  server {row['server_cpu_us']:.1f} us")
        return row

    def work(kind):
        return [one(kind, window, frame) for window in WINDOWS for frame in kind.frames(window)]
    peers = [] if o.alone else [*servers.DURABLE, *servers.RELAXED]
    records, missing = rounds(o, [servers.Sunline, SunlineKeys, *peers], work)
    rows, others = better_frames(figures.gather(records, ("queue", "mode", "durable", "window", "frame"), OF_LIFE))
    return {"rows": rows, "others": others, "ratios": ratios(rows), "missing": missing}


def better_frames(rows):
    """Of those that differ in nothing but the tasks a request the one that did most lives a second; and the rest."""
    most = {}
    for r in rows:
        key = (r["queue"], r["mode"], r["window"])
        if key not in most or figures.median(r, "per_s") > figures.median(most[key], "per_s"):
            most[key] = r
    kept = list(most.values())
    return kept, [r for r in rows if not any(r is k for k in kept)]


def best(rows, window, durable):
    of_peers = [r for r in rows if r["queue"] != "sunline" and r["window"] == window and r["durable"] == durable]
    return max(of_peers, key=lambda r: figures.median(r, "per_s"), default=None)


def ratios(rows):
    """Ours, as shipped, by the peer that was best at each window, round by round."""
    out = []
    for window in WINDOWS:
        ours = next((r for r in rows if r["queue"] == "sunline" and r["mode"] == servers.Sunline.mode and r["window"] == window), None)
        for durable in (True, False):
            peer = best(rows, window, durable)
            if ours and peer:
                out.append({"window": window, "durable": durable, "peer": peer["queue"], "mode": peer["mode"], "ratio": figures.ratio(ours["per_s"], peer["per_s"])})
    return out


def latency(o):
    """200 tasks a second, one a request; ours beside the one peer that syncs each task."""
    def work(kind):
        with kind(o.build, o.base) as s:
            row = limits.probed(o, lambda: broker.counted(o, s, lambda: client(o, s, "rate", seconds=2 * o.seconds, rate=200, window=100)))
        say(f"{row['queue']:<12}ack {row['ack_p50_ms']} / {row['ack_p99_ms']} ms, received {row['received_p50_ms']} / {row['received_p99_ms']} ms")
        return [row]
    records, missing = rounds(o, [servers.Sunline] if o.alone else [servers.Sunline, servers.Beanstalkd], work)
    rows = figures.gather(records, ("queue", "mode"), OF_LIFE)
    ratio = {k: figures.ratio(rows[0][k], rows[1][k]) for k in LATENCIES} if len(rows) == 2 else {}
    return {"rows": rows, "ratios": ratio, "missing": missing}


def lines(o):
    """What more stations cost: five in a chain, 1 -> 8 -> 1, beside one. tasks: stations that a unit goes through."""
    tasks = {"": 1, "chain": 5, "wide": 10}
    records = []
    for i in range(o.rounds):
        for variant, n in turn(list(tasks.items()), i):
            with servers.Sunline(o.build, o.base) as s:
                row = client(o, s, "life", seconds=o.seconds, window=1000, frame=frame_of(s, 1000), variant=variant)
            row.update(line=variant or "one station", stations=n, tasks_per_s=row["per_s"] * n)
            say(f"{row['line']:<12}{row['per_s']:>10,.0f} units/s, {row['tasks_per_s']:>10,.0f} tasks/s")
            records.append(row)
    records.sort(key=lambda r: r["stations"])
    rows = figures.gather(records, ("line", "stations", "frame"), ("per_s", "tasks_per_s", "server_cpu_us"))
    for r in rows:
        r["cost"] = figures.ratio(rows[0]["per_s"], r["per_s"])
    return {"rows": rows}
