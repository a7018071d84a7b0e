"""Where the time of one task alone goes: from thread to thread, as the kernel's scheduler tells (perf, as root).

The way: at 200 tasks a second, from when the producer sends a task until it has the acknowledgement, walked backwards: who woke the producer, who had woken that one, and so on.
Each is a hand-over. A way counts only if it is as long as what the client of the same run measured.
The threads: at window 1, where the time of each goes, and of our committer what it is at meanwhile. Both with the data on the disk and in memory, and each beside the same run without perf: so it is seen
what perf itself takes."""
import pathlib
import statistics
import tempfile

import broker
import servers
from clients import client, command, say, unless_missing
from figures import number
from schedule import STATES, Schedule, figures_of, need_perf, record, told

MEMORY = pathlib.Path("/dev/shm")
SECONDS = 3              # of each run: perf keeps all of it
OFF = 0.2                # a way may be so much longer or shorter than what the client measured; a phase, than what the broker counted
CLOCK_US = 3             # ... and so much besides: to read a clock, and to tell an event
FOLLOWED = 0.8           # of all acknowledgements seen: if fewer can be followed, those do not stand for the others
FEW = 0.25               # of all acknowledgements seen: nor does a way that fewer took
SLOWER = 1 / 3           # by so much of its rate a run may be slower under perf: else something else held it up
TRIES = 4                # ... and it is run again, so many times in all


def usual(found, unseen, ack_us):
    """The most frequent way, means of each step, so that they add up."""
    seen, by_share = sum(map(len, found.values())), sorted(found.items(), key=lambda x: -len(x[1]))
    if seen < FOLLOWED * (seen + unseen) or not seen:
        raise servers.Missing(f"of {seen + unseen} acknowledgements {seen} could be followed, and it takes {FOLLOWED:.0%} of them")
    names, ways = by_share[0]
    share = len(ways) / (seen + unseen)
    if share < FEW:
        raise servers.Missing(f"the most frequent way, {' > '.join(names)}, was taken by {share:.0%} of the acknowledgements seen")
    totals = [long(w) for w in ways]
    median = statistics.median(totals)
    if abs(median - ack_us) > OFF * ack_us:
        raise servers.Missing(f"the way that was walked takes {number(median)} us, and the client of the same run measured {number(ack_us)}")
    kept = [w for w, us in zip(ways, totals) if us <= 2 * median]     # what the machine held up elsewhere is not of the way
    hops = [{"who": name, **{k: round(statistics.mean(w[i][k] for w in kept), 1) for k in ("woken", "runs", "disk")}} for i, name in enumerate(names)]
    return {"hops": hops, "share": round(share, 3), "next": next_usual(by_share, seen + unseen), "followed": round(seen / (seen + unseen), 3), "seen": seen + unseen,
            "all_us": round(sum(h[k] for h in hops for k in ("woken", "runs", "disk")), 1)}


def long(way_):
    """us, of one that was walked."""
    return sum(h[k] for h in way_ for k in ("woken", "runs", "disk"))


def next_usual(by_share, of_all):
    """Whom the second most frequent way passes through, its share, and its median in us. None: there is one way only."""
    if len(by_share) < 2:
        return None
    names, ways = by_share[1]
    return {"who": list(names), "share": round(len(ways) / of_all, 3), "median_us": round(statistics.median(map(long, ways)), 1)}


def way(o, server, data):
    args = {"seconds": min(o.seconds, SECONDS), "rate": 200, "window": 100}
    without = client(o, server, "rate", **args)
    out, known = record(command(o, server, "rate", **args), server, data)
    ack_us = figures_of(out)["ack_p50_ms"] * 1e3
    return {**usual(*Schedule(told(data), known).ways(), ack_us), "ack_p50_us": ack_us, "without_perf_us": without["ack_p50_ms"] * 1e3}


def undisturbed(run):
    """The first of (rate without perf, rate under perf, ...) that run() gives of which the one is not far below the other: else what is told of threads is not how the server runs."""
    told_ = []
    for _ in range(TRIES):
        without, under, *more = run()
        if under >= (1 - SLOWER) * without:
            return without, under, *more
        told_.append(f"{number(under)} to {number(without)}")
        say(f"under perf {told_[-1]} lives a second: once more")
    raise servers.Missing(f"under perf it does more than {SLOWER:.0%} less than without, {TRIES} times: {', '.join(told_)} lives a second")


def threads(o, server, data):
    without, _, row, known = undisturbed(lambda: one_of_threads(o, server, data))
    schedule = Schedule(told(data), known)
    return {"rows": schedule.threads(row["per_s"]), "per_s": row["per_s"], "without_perf": without, "phases": schedule.phases("broker's committer", row["per_s"]),
            **{k: row[k] for k in ("engine_us", "commit_us", "store_settle_us", "lives_a_commit") if k in row}}


def one_of_threads(o, server, data):
    args = {"seconds": min(o.seconds, SECONDS), "window": 1, "frame": 1}
    without = client(o, server, "life", **args)
    known = {}

    def run():
        out, who = record(command(o, server, "life", **args), server, data, marked=True)
        known.update(who)
        return figures_of(out)
    row = broker.counted(o, server, run)
    return without["per_s"], row["per_s"], row, known


def agree(threads_):
    """The phases, if the broker's own clock says the same of the same run."""
    if not threads_["phases"]:
        raise servers.Missing("the kernel has no probes for programs")
    took = {p["phase"]: sum(p[k] for k in STATES) for p in threads_["phases"]}
    for phase, us in (("engine", threads_["engine_us"]), ("commit", threads_["commit_us"])):
        if abs(took[phase] - us) > OFF * us + CLOCK_US:
            raise servers.Missing(f"the {phase} takes {number(took[phase])} us of a life by the kernel's events, and {number(us)} by the broker's clock")
    return threads_["phases"]


def measure(o, kind, base, missing):
    """The way and the threads of one server, with its data at `base`."""
    need_perf()
    where = "in memory" if base == MEMORY else "on the disk"
    row = {"queue": kind.name, "mode": kind.mode, "where": where}
    for name, work in (("way", way), ("threads", threads)):
        def one():
            with kind(o.build, base) as s, tempfile.TemporaryDirectory(prefix="bench-perf-", dir=MEMORY) as d:
                return work(o, s, pathlib.Path(d) / "perf.data")
        row[name] = unless_missing(missing, f"{kind.name} ({kind.mode}), data {where}, the {name} between threads", one)
    if row["threads"] and kind is servers.Sunline:
        row["threads"]["phases"] = unless_missing(missing, f"{kind.name} ({kind.mode}), data {where}, what the committer is at", lambda: agree(row["threads"]))
    if row["way"]:
        say(f"{kind.name:<12}{where}: {row['way']['all_us']} us, client {row['way']['ack_p50_us']:.0f}, without perf {row['way']['without_perf_us']:.0f}; taken by {row['way']['share']:.0%}, followed {row['way']['followed']:.0%}")
    return row


def alone(o):
    """Ours, and beanstalkd's."""
    rows, missing = [], {}
    for base in (o.base, MEMORY):
        for kind in [servers.Sunline] if o.alone else [servers.Sunline, servers.Beanstalkd]:
            row = unless_missing(missing, f"{kind.name} ({kind.mode}), from thread to thread", lambda: measure(o, kind, base, missing))
            rows += [row] if row else []
    return {"rows": rows, "missing": missing}
