"""What the bench should reach: a goal for each figure, and the floor, below which it is not enough by any count. Tables show both beside what was measured."""
from figures import median, number

# Ours by the best peer at that window: (goal, floor).
LIFE = {(1, True): (1.0, 0.3), (256, True): (2.5, 1.4), (1000, True): (2.0, 1.2), (256, False): (1.0, None), (1000, False): (1.0, None)}
LATENCY = (1.5, 2.5)            # by beanstalkd's, which syncs each task
DEPTH_RATIO = 0.8               # of the empty queue's rate
DEPTH_RSS_MB = 100
DEPTH_FIRST_S = 1.0
DEPTH_BYTES = 400
CSV = 0.5                       # of the library's pipelined put
WATCHING = 0.10                 # more CPU of the engine's thread for a life, at most, with subscribers
REPLAY_PER_S = 500000
BESIDE = 0.20                   # what a replay may cost, of the lives a second and of the CPU of each

NAMES = {"redis": "Redis", "postgresql": "PostgreSQL", "rabbitmq": "RabbitMQ", "nats": "NATS"}


def verdict(value, goal, floor=None, more=True):
    """met; missed, but above the floor; or below that, too."""
    def reaches(limit):
        return value >= limit if more else value <= limit
    if reaches(goal):
        return "met"
    return "MISSED" if floor is None or reaches(floor) else "BELOW THE FLOOR"


def deep(row):
    """Which of the four goals of a deep queue its row misses."""
    missed = [("rate", row["ratio"] < DEPTH_RATIO), ("memory", row["rss_anon_mb"] >= DEPTH_RSS_MB), ("start", row["first_s"] >= DEPTH_FIRST_S),
              ("bytes", row["bytes_per_queued"] > DEPTH_BYTES)]
    return [name for name, is_missed in missed if is_missed]


def beside(row):
    """Whether the lives a second beside a replay reach their goal, and the CPU of each its own."""
    return -row["per_s_costs"] <= BESIDE, row["engine_us_costs"] <= BESIDE


def at_window(result, part, window, **more):
    """The row of ours as shipped at that window."""
    for r in result.get(part, {}).get("rows", []):
        if r["window"] == window and r.get("queue", "sunline") == "sunline" and r.get("mode", "as shipped") == "as shipped":
            return r
    return None


def of_limits(result, limit, case):
    return next((r for r in result.get("limits", {}).get("rows", []) if r["limit"] == limit and r["case"] == case), None)


def where_a_life_goes(result, window):
    """A sentence: the time between two lives, and what of it is commit, engine and the rest. A commit is made by a thread of its own, while the next batch waits."""
    r = at_window(result, "cost", window)
    if r is None:
        return ""
    life_us = 1e6 / r["per_s"]
    commit_us, engine_us = r["commit_ms"] * 1e3 / r["lives_a_commit"], r["engine_ms"] * 1e3 / r["lives_a_commit"]
    rest = life_us - commit_us - engine_us
    tell_rest = (f"; what is left, {number(rest)} us, goes to hand-overs between threads and processes and to waiting for them" if rest > 0
                 else "; the rest is done meanwhile, on another processor")
    rows = [x for x in result.get("life", {}).get("rows", []) if x["queue"] == "sunline" and x["window"] == window and "free" not in x["mode"]]
    there = f" ({number(1e6 / median(rows[0], 'per_s'))} us in the rounds above)" if rows else ""
    return (f"{number(life_us)} us a life where it was taken apart{there}, of which the commit takes {number(commit_us)} ({number(r['lives_a_commit'])} lives in one of {number(r['commit_ms'] * 1e3)} us) and the engine "
            f"{number(engine_us)}{tell_rest}")


def of_the_disk(result, window):
    """A sentence: what the disk alone takes for as many bytes as a batch brings to the log, with nothing around it."""
    r, one = at_window(result, "cost", window), of_limits(result, "disk", "4 KiB where it was written before, synced")
    shape = next((x for x in result.get("batch", {}).get("rows", []) if x["shape"] == f"window {window:,}"), None)
    large = of_limits(result, "disk", "256 KiB where it was written before, synced")
    if not r or not one or not large or not shape:
        return ""
    one_us, large_us = median(one, "p50_us"), median(large, "p50_us")
    alone_us = one_us + (large_us - one_us) * max(0, shape["log_kib_a_commit"] - 4) / 252
    return (f" A batch brings {number(shape['log_kib_a_commit'])} KiB to the log, in one write and one sync: the disk alone takes some {number(alone_us)} us for that, of the commit's "
            f"{number(r['commit_ms'] * 1e3)}" + (f"; and {number(shape['pages_kib_a_commit'])} KiB of pages a batch follow when the store settles." if shape["pages_kib_a_commit"] else "."))


def missed(result):
    """What falls short, with the arithmetic of where the time goes, from the figures of this run."""
    out = []
    for r in result.get("life", {}).get("ratios", []):
        goal, floor = LIFE.get((r["window"], r["durable"]), (0, None))
        if r["ratio"] >= goal:
            continue
        text = f"**Window {r['window']:,}: {number(r['ratio'])} of {NAMES.get(r['peer'], r['peer'])}'s rate; the goal is {number(goal)}{f', the floor {number(floor)}' if floor else ''}.** "
        row = next(x for x in result["life"]["rows"] if x["window"] == r["window"] and x["queue"] == r["peer"] and x["mode"] == r["mode"])
        text += f"Ours: {where_a_life_goes(result, r['window'])}. {NAMES.get(r['peer'], r['peer'])}'s whole life takes {number(1e6 / median(row, 'per_s'))} us."
        ours = at_window(result, "cost", r["window"])
        if ours and r["window"] == 1:
            text += " Our life passes from process to thread to thread to process four times, where beanstalkd reads, writes and answers in one thread."
        elif ours:
            commit, engine = (ours[k] * 1e3 / ours["lives_a_commit"] for k in ("commit_ms", "engine_ms"))
            text += f" To reach the goal a life would have to take {number(1e6 / (goal * median(row, 'per_s')))} us."
            if commit + engine > 0.9 * 1e6 / ours["per_s"]:
                text += (" Commit and engine add up to the whole life: they take turns, since the window is out with one batch while the next has little to take in.")
        out.append(text + of_the_disk(result, r["window"]))
    over = {k: v for k, v in result.get("latency", {}).get("ratios", {}).items() if v > LATENCY[0]}
    if over:
        worst = max(over.values())
        rows = result["latency"]["rows"]
        ours, theirs = (median(r, "ack_p50_ms") for r in rows[:2])
        text = (f"**Latency: up to {number(worst)} times beanstalkd's; the goal is {LATENCY[0]}, the floor {LATENCY[1]}.** At the median the acknowledgement comes after {number(ours * 1e3)} us, "
                f"beanstalkd's after {number(theirs * 1e3)}.")
        r = at_window(result, "cost", 1)
        if r:
            text += f" Our commit alone takes {number(r['commit_ms'] * 1e3)} us: one write and one sync, as beanstalkd's; the rest is the way from process to thread to thread to process and back, of threads that all sleep at this rate. ZeroMQ's echo alone, one message at a time, stands among the limits."
        out.append(text)
    for r in result.get("depth", {}).get("rows", []):
        if r["queue"] == "sunline" and deep(r):
            out.append(f"**Depth {r['depth']:,}: {', '.join(deep(r))}.** The row above tells by how much.")
    for r in result.get("lines", {}).get("rows", []):
        if r["cost"] > r["stations"]:
            out.append(f"**Line, {r['line']}: a unit costs {number(r['cost'])} times one station's; the goal is {r['stations']}.** So a task of it costs {number(r['cost'] / r['stations'])} times one "
                       "station's" + (": the last station is shown eight results beside the input." if r["line"] == "wide" else "."))
    c = result.get("csv", {})
    for k in ("import", "export"):
        if c.get(k + "_ratio", 1) < CSV:
            out.append(f"**{k.capitalize()}: {number(c[k + '_ratio'])} of the library's pipelined put; the goal is {CSV}.** A row takes {number(1e6 / c[k])} us, the library's {number(1e6 / c['library'])}; "
                       "the import parses the whole file and checks every row before it puts the first, so the two add up.")
    return "\n\n".join(out) or "Nothing: every goal is met in this run."
