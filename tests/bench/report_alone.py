"""What handovers.py has measured, as the page shows it."""
from figures import number, table
from schedule import PHASES, STATES

SELDOM = 0.05            # of the acknowledgements: a second way that fewer took is not worth a word
# What the page says of these tables: it stands with them alone.
OF_ALL = """Measured with the data on the disk as everywhere, and once more in memory, where a sync takes no time; by what the kernel's scheduler tells.
Of what happens while a processor is idle a kernel may leave events out: whom an interrupt wakes then, and that the idle task gives way. So during these runs, and no others, each processor has a loop that gives way to
everything at once (SCHED_IDLE); the run fails if the scheduler then does not tell of more than one in fifty of the times that a thread came to a processor. What perf and the loop take is in the figures; the same without either stands beside.
Each of these is one run, and no median of rounds; a run at window 1 that does more than a third less under perf than without is not taken, but made again."""
OF_WAYS = """The way is walked backwards, from the producer that is woken by its acknowledgement: who woke it, who had woken that one, and so on. Who slept for the disk was woken by it, whatever thread its interrupt came upon;
who was put aside waits for a processor. A way stands here only if four in five acknowledgements could be followed, if it is as long as what the client of the same run measured, within a fifth, and if perf lost no event."""
OF_THREADS = "In the table of threads all that a life takes is in each row: what the thread runs, waits for a processor, for the disk, and for something to do. Waits for a processor lie in all rows of the cost model, too. The rows *all* add up threads that run and wait side by side: they are no parts of a life."
OF_PHASES = """The life at window 1 as the broker's own thread spends it, by what it is at: from probes at the functions where it goes from one thing to another. It stands here only if engine and commit take as long by the broker's own
clock, in the same run. A sync is work as well as waiting: what the thread runs in the commit is mostly the kernel's, which gives the write to the disk."""


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
    ways, threads_, notes, seconds = [], [], [], []
    for r in part["rows"]:
        who = f"{r['queue']}, {r['where']}"
        if r["way"]:
            w = r["way"]
            ways += [[f"{who}: {h['who']}", *(h[k] or "-" for k in ("woken", "runs", "disk"))] for h in w["hops"]]
            ways.append([f"{who}: all, {len(w['hops']) - 1} hand-overs, {number(w['all_us'])} us", *(v or "-" for v in totals(w).values())])
            notes.append(f"{who}: {w['followed']:.0%} of the tasks could be followed, {w['share']:.0%} took this way, the client measured {number(w['ack_p50_us'])} us at the median, and {number(w['without_perf_us'])} without perf")
            seconds += [f"{who}: {' > '.join(w['next']['who'])}, {w['next']['share']:.0%}, {number(w['next']['median_us'])} us at the median"] if w.get("next") and w["next"]["share"] >= SELDOM else []
        if r["threads"]:
            t = r["threads"]
            threads_ += [[f"{who}: {x['who']}", *(x[k] for k in ("wakes", *STATES)), together(x)] for x in t["rows"]]
            threads_.append([f"{who}: all, {number(t['per_s'])} lives a second, {number(t['without_perf'])} without perf", *(sum(x[k] for x in t["rows"]) for k in ("wakes", "runs", "processor")), "-", "-", 1e6 / t["per_s"]])
    text = [OF_ALL] if ways or threads_ else []
    if ways:
        text += [OF_WAYS, table(["a task on its way to its acknowledgement, at 200 a second", "woken, until it runs, us", "runs, until the next is woken, us", "waits for the disk, us"], ways),
                 "The most frequent way, means of each step, but for those who took twice as long as the median. " + "; ".join(notes) + "."]
        text += ["The second most frequent way. " + "; ".join(seconds) + "."] if seconds else []
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
    return f" On its way to its acknowledgement a task alone passes through {' and '.join(said)}: the table of hand-overs has each of them." + asleep(part) if said else ""


def asleep(part):
    """What no row of a way has: a task alone takes longer where no loop keeps the processors awake."""
    more = [(r["queue"], r["way"]) for r in part["rows"] if r["way"] and r["where"] == "on the disk" and r["way"]["without_perf_us"] > r["way"]["ack_p50_us"]]
    if not more:
        return ""
    told = "; ".join(f"{queue}'s {number(w['ack_p50_us'])} us at the median, and {number(w['without_perf_us'])} without perf and the loops" for queue, w in more)
    return f" As the ways were followed, the clients measured {told}: {' and '.join(number(w['without_perf_us'] - w['ack_p50_us']) for _, w in more)} us are not in the ways: with perf and the loops both differ; that it is the processors, which sleep between two tasks where no loop keeps them awake, is inferred, not measured."
