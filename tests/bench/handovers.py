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
from figures import number, table
from schedule import PHASES, STATES, Schedule, figures_of, need_perf, record, told

MEMORY = pathlib.Path("/dev/shm")
SECONDS = 3              # of each run: perf keeps all of it
OFF = 0.2                # a way may be so much longer or shorter than what the client measured; a phase, than what the broker counted
CLOCK_US = 3             # ... and so much besides: to read a clock, and to tell an event
FOLLOWED = 0.8           # of all acknowledgements seen: if fewer can be followed, those do not stand for the others
# What the page says of these tables: it stands with them alone.
OF_ALL = """Measured with the data on the disk as everywhere, and once more in memory, where a sync takes no time; by what the kernel's scheduler tells.
Of what happens while a processor is idle a kernel may leave events out: whom an interrupt wakes then, and that the idle task gives way. So during these runs, and no others, each processor has a loop that gives way to
everything at once (SCHED_IDLE); the run fails if the scheduler then does not tell of more than one in fifty of the times that a thread came to a processor. What perf and the loop take is in the figures; the same without either stands beside."""
OF_WAYS = """The way is walked backwards, from the producer that is woken by its acknowledgement: who woke it, who had woken that one, and so on. Who slept for the disk was woken by it, whatever thread its interrupt came upon;
who was put aside waits for a processor. A way stands here only if four in five acknowledgements could be followed, if it is as long as what the client of the same run measured, within a fifth, and if perf lost no event."""
OF_THREADS = "In the table of threads all that a life takes is in each row: what the thread runs, waits for a processor, for the disk, and for something to do. Waits for a processor lie in all rows of the cost model, too."
OF_PHASES = """The life at window 1 as the broker's own thread spends it, by what it is at: from probes at the functions where it goes from one thing to another. It stands here only if engine and commit take as long by the broker's own
clock, in the same run. A sync is work as well as waiting: what the thread runs in the commit is mostly the kernel's, which gives the write to the disk."""
FEW = 0.25               # of all acknowledgements seen: nor does a way that fewer took


def usual(found, unseen, ack_us):
    """The most frequent way, means of each step, so that they add up."""
    seen = sum(map(len, found.values()))
    if seen < FOLLOWED * (seen + unseen) or not seen:
        raise servers.Missing(f"of {seen + unseen} acknowledgements {seen} could be followed, and it takes {FOLLOWED:.0%} of them")
    names, ways = max(found.items(), key=lambda x: len(x[1]))
    share = len(ways) / (seen + unseen)
    if share < FEW:
        raise servers.Missing(f"the most frequent way, {' > '.join(names)}, was taken by {share:.0%} of the acknowledgements seen")
    totals = [sum(h[k] for h in w for k in ("woken", "runs", "disk")) for w in ways]
    median = statistics.median(totals)
    if abs(median - ack_us) > OFF * ack_us:
        raise servers.Missing(f"the way that was walked takes {number(median)} us, and the client of the same run measured {number(ack_us)}")
    kept = [w for w, us in zip(ways, totals) if us <= 2 * median]     # what the machine held up elsewhere is not of the way
    hops = [{"who": name, **{k: round(statistics.mean(w[i][k] for w in kept), 1) for k in ("woken", "runs", "disk")}} for i, name in enumerate(names)]
    return {"hops": hops, "share": round(share, 3), "followed": round(seen / (seen + unseen), 3), "seen": seen + unseen,
            "all_us": round(sum(h[k] for h in hops for k in ("woken", "runs", "disk")), 1)}


def way(o, server, data):
    args = {"seconds": min(o.seconds, SECONDS), "rate": 200, "window": 100}
    without = client(o, server, "rate", **args)
    out, known = record(command(o, server, "rate", **args), server, data)
    ack_us = figures_of(out)["ack_p50_ms"] * 1e3
    return {**usual(*Schedule(told(data), known).ways(), ack_us), "ack_p50_us": ack_us, "without_perf_us": without["ack_p50_ms"] * 1e3}


def threads(o, server, data):
    args = {"seconds": min(o.seconds, SECONDS), "window": 1, "frame": 1}
    without = client(o, server, "life", **args)
    known = {}

    def run():
        out, who = record(command(o, server, "life", **args), server, data, marked=True)
        known.update(who)
        return figures_of(out)
    row = broker.counted(o, server, run)
    schedule = Schedule(told(data), known)
    return {"rows": schedule.threads(row["per_s"]), "per_s": row["per_s"], "without_perf": without["per_s"], "phases": schedule.phases("broker's committer", row["per_s"]),
            **{k: row[k] for k in ("engine_us", "commit_us", "store_settle_us", "lives_a_commit") if k in row}}


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


def of(part, queue, what, where="on the disk"):
    """Of one queue: its way, or its threads; None if it was not measured."""
    return next((r[what] for r in (part or {}).get("rows", []) if r["queue"] == queue and r["where"] == where), None)


def spent(threads_):
    """us of a life of ours at window 1 as its committer spends it: phase -> state -> us, and "life" under perf. They add up to it but for "residue". None: not to be told."""
    if not threads_ or not threads_.get("phases"):
        return None
    out = {p["phase"]: {k: p[k] for k in STATES} for p in threads_["phases"]}
    life = 1e6 / threads_["per_s"]
    return {**out, "life": life, "residue": life - sum(map(together, out.values()))}


def together(states):
    return sum(states[k] for k in STATES)


def in_state(spent_, state):
    """us of a life, whatever it was at."""
    return sum(spent_[phase][state] for phase in PHASES)


def totals(way_):
    return {k: sum(h[k] for h in way_["hops"]) for k in ("woken", "runs", "disk")}


def tables(part):
    """As the document shows them, each with what is to be known of it. "": there are none."""
    ways, threads_, notes = [], [], []
    for r in part["rows"]:
        who = f"{r['queue']}, {r['where']}"
        if r["way"]:
            w = r["way"]
            ways += [[f"{who}: {h['who']}", *(h[k] or "-" for k in ("woken", "runs", "disk"))] for h in w["hops"]]
            ways.append([f"{who}: all, {len(w['hops']) - 1} hand-overs, {number(w['all_us'])} us", *(v or "-" for v in totals(w).values())])
            notes.append(f"{who}: {w['followed']:.0%} of the tasks could be followed, {w['share']:.0%} took this way, the client measured {number(w['ack_p50_us'])} us at the median, and {number(w['without_perf_us'])} without perf")
        if r["threads"]:
            t = r["threads"]
            threads_ += [[f"{who}: {x['who']}", *(x[k] for k in ("wakes", *STATES)), together(x)] for x in t["rows"]]
            threads_.append([f"{who}: all, {number(t['per_s'])} lives a second, {number(t['without_perf'])} without perf", *(sum(x[k] for x in t["rows"]) for k in ("wakes", "runs", "processor")), "-", "-", 1e6 / t["per_s"]])
    text = [OF_ALL] if ways or threads_ else []
    if ways:
        text += [OF_WAYS, table(["a task on its way to its acknowledgement, at 200 a second", "woken, until it runs, us", "runs, until the next is woken, us", "waits for the disk, us"], ways),
                 "The most frequent way, means of each step, but for those who took twice as long as the median. " + "; ".join(notes) + "."]
    if threads_:
        text.append(OF_THREADS)
        text.append(table(["a life at window 1", "wake-ups", "runs, us", "waits for a processor, us", "for the disk, us", "for something to do, us", "together: a life, us"], threads_))
    s = spent(of(part, "sunline", "threads"))
    if s:
        names = {"sockets": "at the sockets: receives, decodes, answers, wakes others; waits for something to do", "engine": "the engine: a batch begins, is applied, ends",
                 "commit": "the commit: puts the log together, writes it, syncs it", "settle": "settling"}
        rows = [[names[phase], *(s[phase][k] for k in STATES), together(s[phase])] for phase in PHASES]
        rows.append(["rounding, and what the record does not tell", *"-" * len(STATES), s["residue"]])
        rows.append(["together: a life", *(in_state(s, k) for k in STATES), s["life"]])
        text.append(OF_PHASES)
        text.append(table(["us of a life at window 1, as the broker's committer spends it, data on the disk, under perf", "runs", "waits for a processor", "for the disk", "for something to do", "together"], rows))
    return "\n\n".join(text)


def sentence(part):
    """What a task of ours passes through, beside the peer's."""
    said = []
    for r in part["rows"]:
        if r["way"] and r["where"] == "on the disk":
            woken, runs, disk = map(number, totals(r["way"]).values())
            said.append(f"{r['queue']}'s {len(r['way']['hops']) - 1} hand-overs ({woken} us from woken to running, {runs} us running, {disk} us for the disk, {number(r['way']['all_us'])} together)")
    return f" On its way to its acknowledgement a task alone passes through {' and '.join(said)}: the table of hand-overs has each of them." if said else ""
