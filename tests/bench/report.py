"""The bench's tables, from its JSON."""
import json
import pathlib

import budget as budgets
import commits
import goals
import report_alone
import report_profile
import why
from figures import median, number, shown, table, told_apart


OF_TABLES = "A delete is a write of as many bytes as its key has. It is none of what the other tables count as *bytes put*: without the deletes, the sums of this one are that."
OF_COPIED = "In the chain a payload comes in once for five tasks, and goes out with each: so it is copied 1.2 times a task."
RECORDS = pathlib.Path(__file__).parent / "records.json"
NOT_YET = "Not measured yet: `make bench-peers`."
# What the page says of the disk's limits: it stands with them alone.
OF_LIMITS = """The disk's limit for a commit is measured as our log is written: as many bytes at a time, in turn over a file of 8 MiB that was written before, `pwrite` and `fdatasync`, while no processor is idle (a loop on each gives way at
once), as none is under load. The disk is not the same from minute to minute: how long 2 KiB took it, a quarter of a second before each run and another one behind it, stands in the row where that was asked, and the limit is put in proportion by it.
Where a limit still lies above what ours took, the disk was quicker during the run than around it: it is marked, and is none."""
OF_ABOVE = "\\* More than ours took: no limit. It tells how the disk was before and after the run, and while it ran it was quicker."
ASSIGNMENT = 1.5         # an assignment's cost in the large company by that in the small one: `workers` has the same limit
SCATTERED = 4            # a ratio of which one round is so many times another says little
OF_COMMITS = "The column of commits has what the broker counted, that of syncs what the library saw of the same run; a settling has two more, once in thousands of lives."


def named(missing):
    return "".join(f"\n\nNot measured: {k}: {v}" for k, v in missing.items())


def ms(v):
    return f"{v:.3f}"


def setting(result):
    """The machine and the run, in a sentence."""
    s = result["setting"]
    told = [f"{s['cores']} cores, {s['machine']}, Linux {s['kernel']}", f"{s['rounds']} rounds of {s['seconds']:g} s each", f"load average before {s['load_before']}"]
    told += [f"commit {s['commit']}"] if s["commit"] else []
    told += [s["filesystem"]] if s["filesystem"] else []
    told += [f"measured in {s['took_s'] / 60:.0f} minutes"] if s.get("took_s") else []
    told += [f"{k} {v}" for k, v in s["versions"].items()]
    return "; ".join(told) + (" (a quick run: these figures mean nothing)" if s["quick"] else "") + "." + of_later(commits.others(result))


def records(result):
    """The ratios that have goals, of each record that was taken over (`check --record`)."""
    kept = json.loads(RECORDS.read_text()) if RECORDS.exists() else []
    names = [k for k in (kept[-1] if kept else {}) if k != "commit"]
    return table(["by the best durable peer; latency by beanstalkd's; at commit", *names], [[r["commit"], *(number(r[n]) if n in r else "-" for n in names)] for r in kept]) if kept else "Nothing is recorded yet."


def of_later(others):
    """Parts that were measured at other commits."""
    return f" Measured later, of the same product: {', '.join(f'{part} at commit {commit}' for part, commit in others.items())}." if others else ""


def life(part):
    queues = []
    for r in part["rows"]:
        if (r["queue"], r["mode"], r["durable"]) not in queues:
            queues.append((r["queue"], r["mode"], r["durable"]))
    windows = sorted({r["window"] for r in part["rows"]})
    rows = []
    for q in sorted(queues, key=lambda q: (q[0] != "sunline", not q[2])):
        at = {r["window"]: r for r in part["rows"] if (r["queue"], r["mode"], r["durable"]) == q}
        cpu = " / ".join(number(at[w].get("server_cpu_us")) if w in at else "-" for w in windows)
        frames = " / ".join(str(at[w]["frame"]) if w in at else "-" for w in windows)
        rows.append([("" if q[2] else "not durable: ") + f"{q[0]}, {q[1]}", *(shown(at[w]["per_s"]) if w in at else "-" for w in windows), frames, cpu])
    head = ["lives a second: median (least-most)", *(f"window {w:,}" for w in windows), "tasks a request", "server CPU, us a life"]
    text = table(head, rows)
    rows = []
    for r in part["ratios"]:
        goal, floor = goals.LIFE.get((r["window"], r["durable"]), (None, None))
        rows.append([f"{r['window']:,}", "durable" if r["durable"] else "not durable", f"{r['peer']}, {r['mode']}", shown(r["ratio"], lambda v, goal=goal: told_apart(v, goal)), goal, floor,
                     goals.verdict(median(r, "ratio"), goal, floor) if goal else "-"])
    text += "\n\n" + table(["window", "best peer that is", "", "ours / its, of each round", "goal", "floor", ""], rows)
    return text + by_other_frames(part.get("others", [])) + both_at_work(part["rows"]) + named(part["missing"])


def by_other_frames(rows):
    """Of queues that were measured with several numbers of tasks a request: the ones that did less."""
    if not rows:
        return ""
    told = "; ".join(f"{r['queue']}, {r['mode']}, window {r['window']:,}, {r['frame']:,} a request: {shown(r['per_s'])}" for r in rows)
    return f"\n\nMeasured with other numbers of tasks a request, too, of which the better one stands in the table at each window: {told}."


def both_at_work(rows):
    """At window 1, where a producer may run ahead of its consumer: what that does to the rate."""
    rows = [r for r in rows if r["window"] == 1 and "both_per_s" in r]
    if not rows:
        return ""
    cells = [[("" if r["durable"] else "not durable: ") + f"{r['queue']}, {r['mode']}", shown(r["per_s"]), f"{median(r, 'alone_share'):.0%}", shown(r["both_per_s"])] for r in rows]
    return "\n\n" + table(["window 1", "lives a second, until all are done", "of the time the consumer alone", "lives a second while both were at work"], cells)


def latency(part):
    keys = ("ack_p50_ms", "ack_p99_ms", "received_p50_ms", "received_p99_ms")
    rows = [[f"{r['queue']}, {r['mode']}", *(shown(r[k], ms) for k in keys)] for r in part["rows"]]
    if part["ratios"]:
        goal, floor = goals.LATENCY
        rows.append(["ratio, of each round", *(shown(part["ratios"][k]) for k in keys)])
        rows.append([f"goal: at most {goal}; floor: {floor}", *(goals.verdict(median(part["ratios"], k), goal, floor, more=False) for k in keys)])
    text = table(["ms at 200 tasks/s", "acknowledged p50", "p99", "received p50", "p99"], rows)
    for r in part["rows"]:
        if "lives_a_commit" in r:
            text += (f"\n\nCommits of {r['queue']} at this rate: {1 / median(r, 'lives_a_commit'):.2f} a life, of which one is its completion's: the rest, "
                     f"{1 / median(r, 'lives_a_commit') - 1:.2f}, is what a task alone takes from enqueue to assignment.")
    return text + named(part["missing"])


def depth(part):
    def cells(r):
        met = "-" if r["queue"] != "sunline" else "MISSED: " + ", ".join(goals.deep(r)) if goals.deep(r) else "met"
        return [shown(r["per_s"]), shown(r["ratio"]), shown(r["first_s"], ms), shown(r["rss_anon_mb"]), r["fill_rss_mb"], r["bytes_per_queued"], r["fill_per_s"], str(r["frame"]), met]
    at = {(r["depth"], r["queue"]): cells(r) for r in part["rows"]}
    at.update({(r["depth"], r["queue"]): [f"not filled in {r['seconds']:g} s", *"-" * 8] for r in part["not_filled"]})
    names = list(part["depths"])
    rows = [[f"{name}, {depth:,} queued", *cells_] for (depth, name), cells_ in sorted(at.items(), key=lambda x: (x[0][0], names.index(x[0][1])))]
    rows.append(["goal", "", f"at least {goals.DEPTH_RATIO}", f"under {goals.DEPTH_FIRST_S:g}", *[f"under {goals.DEPTH_RSS_MB}"] * 2, f"at most {goals.DEPTH_BYTES}", "", "", ""])
    scattered = [f"{r['queue']}'s at {r['depth']:,} from {number(r['ratio']['min'])} to {number(r['ratio']['max'])}, as its empty queue did {number(r['empty_per_s']['min'])} to {number(r['empty_per_s']['max'])} lives a second"
                 for r in part["rows"] if r["ratio"]["max"] > SCATTERED * r["ratio"]["min"] and "empty_per_s" in r]
    text = table(["", "lives/s", "of the empty queue's", "first task after s", "RSS anon MB, the most", "while it was filled", "bytes a task", "filled/s", "tasks a request", ""], rows)
    alike = {}
    for name, depths in part["depths"].items():
        alike.setdefault(", ".join(f"{d:,}" for d in depths), []).append("ours" if name == "sunline" else name)
    return text + "\n\nMeasured alike: " + "; ".join(f"{' and '.join(who)} at {where}" for where, who in alike.items()) + "." + deeper(part) + again(part) + (f" Ratios whose rounds scatter: {'; '.join(scattered)}." if scattered else "") + named(part["missing"])


def again(part):
    """Who was not measured in turn with the others, but by himself, after them."""
    found = part.get("again", {})
    return f" Measured again after the others, alone: {', '.join(f'{name} ({commit})' for name, commit in found.items())}." if found else ""


def deeper(part):
    """Who is not measured as deep as ours, and how long it would take to fill."""
    most = max(part["depths"].get("sunline", [0]))
    filled = {r["queue"]: r["fill_per_s"] for r in part["rows"]}
    told = [f"{name} {number(most / filled[name] / 60)} minutes" for name, depths in part["depths"].items() if max(depths) < most and name in filled]
    return f" To fill {most:,} would take, at the rate of the column *filled*, {' and '.join(told)}." if told else ""


def lines(part):
    names = {"chain": "chain: five, one behind another", "wide": "wide: one, eight side by side, one"}
    rows = [[names.get(r["line"], r["line"]), str(r["stations"]), shown(r["per_s"]), shown(r["tasks_per_s"]), shown(r["cost"]), f"at most {r['stations']}" if r["stations"] > 1 else "-",
             goals.verdict(median(r, "cost"), r["stations"], more=False) if r["stations"] > 1 else "-"] for r in part["rows"]]
    return table(["line", "tasks a unit", "units/s", "tasks/s", "cost of a unit, one station = 1", "goal", ""], rows)


def csv(part):
    def goal(key):
        return [shown(part[key]), goals.CSV, goals.verdict(median(part, key), goals.CSV)]
    rows = [["library's pipelined put", shown(part["library"]), "1.00", "", ""], ["run start --input", shown(part["import"]), *goal("import_ratio")],
            ["run output", shown(part["export"]), *goal("export_ratio")]]
    return table([f"{part['rows']:,} rows of 200 bytes", "rows/s", "of the library's", "goal", ""], rows)


def cost(result):
    figures = [("lives a commit", "lives_a_commit"), ("commit, ms", "commit_ms"), ("engine before it, ms", "engine_ms"), ("batches a settling", "commits_a_settling"),
               ("a settling, ms", "settle_ms"), ("commits, us", "commit_us"), ("engine, us", "engine_us"), ("settling, us", "store_settle_us"),
               ("broker CPU, us", "server_cpu_us"), ("producer CPU, us", "producer_cpu_us"), ("agent CPU, us", "consumer_cpu_us"),
               ("B-tree gets", "store_gets"), ("seeks", "store_seeks"), ("puts", "store_puts"), ("appends", "store_appends"),
               ("deletes", "store_dels"), ("bytes put", "store_put_bytes"), ("payload in, bytes", "payload_in_bytes"), ("copied on its way in", "payload_in_copied_bytes"),
               ("payload out, bytes", "payload_out_bytes"), ("copied on its way out", "payload_out_copied_bytes"), ("bytes written to the log", "store_wal_bytes"),
               ("bytes the store grew", "stored_bytes"), ("frames in", "messages_in"), ("frames out", "messages_out"), ("bytes in", "bytes_in"), ("bytes out", "bytes_out")]
    at = [budgets.ours(result, "life", w) for w in sorted({r["window"] for r in result["life"]["rows"]})]
    rows = [["lives/s", *(shown(r["per_s"]) for r in at)]] + [[name, *(r.get(key) for r in at)] for name, key in figures]
    return table(["of one life, unless it says otherwise", *(f"window {r['window']:,}" for r in at)], rows) + of_free_keys(result["life"]["rows"])


def of_free_keys(rows):
    """What keys in no order cost, by what numbered rows cost."""
    both = [[next((r for r in rows if r["queue"] == "sunline" and r["mode"] == mode and r["window"] == w), None) for mode in ("as shipped", "free keys")] for w in sorted({r["window"] for r in rows})]

    def times(numbered, keys, *of):
        return number(sum(median(keys, k) for k in of) / sum(median(numbered, k) for k in of))
    told = [f"at window {n['window']:,} engine and settling take {times(n, k, 'engine_us', 'store_settle_us')} times as much, the broker's CPU {times(n, k, 'server_cpu_us')} times" for n, k in both
            if n and k and "engine_us" in k]
    return f"\n\nFree keys, by numbered rows: {'; '.join(told)}." if told else ""


def budget(part):
    names = (("the engine", "engine"), ("its commit", "commit"), ("taken off: the engine at the next batch while one is written, which is in both", "twice"), ("its settling", "settle"),
             ("left: between threads and processes, at the sockets, nothing to do", "left"), ("together: a life", "life"), ("commits a life, not us", "commits"),
             ("beside the commit: the disk alone, for as many bytes and a sync", "commit_disk"), ("beside settling: the disk alone, for as many pages side by side", "settle_disk"),
             ("beside the engine: LMDB alone, CPU, for as many changes, appended", "engine_lmdb"), ("the broker's CPU, all threads", "server_cpu"),
             ("beside it: ZeroMQ alone, CPU, for as many frames", "server_zeromq"), ("producer's and agent's CPU", "clients_cpu"))
    taken = {"commit_disk": "commit", "settle_disk": "settle"}     # a limit -> what ours took
    above = [(r["window"], limit) for r in part["rows"] for limit, ours in taken.items() if r.get(limit) and r[limit] > r[ours]]

    def cell(r, key):
        return number(r.get(key)) + (" *" if (r["window"], key) in above else "")
    part = {"rows": [{**r, "twice": -r["beside"]} for r in part["rows"]]}
    return table(["us of one life", *(f"window {r['window']:,}" for r in part["rows"])], [[name, *(cell(r, key) for r in part["rows"])] for name, key in names]) + ("\n\n" + OF_ABOVE if above else "")


def of_steps(row):
    """The steps of a batch: what each takes, of one task."""
    names = {"begin": "the batch begins", "put": "a put frame comes in: units, matching, pushes", "submit": "a submit frame comes in: results, credit, matching, pushes",
             "end": "the batch ends: states, assignments, events, counters", "commit": "the commit: to the log", "settle": "settling: LMDB's commit"}
    keys = ("instructions", "gets", "seeks", "puts", "appends", "dels", "put_bytes", "copied_bytes", "payload_copied_bytes", "written_bytes", "payload_written_bytes", "syncs", "allocations")

    def cell(v):
        return "-" if not v else f"{v:.4f}" if v < 0.01 else number(v)
    rows = [[names[step], *(cell(taken.get(k)) for k in keys)] for step, taken in row["steps"].items()]
    sums = {k: sum(t.get(k, 0) for t in row["steps"].values()) for k in keys}
    rows.append(["together", *(cell(sums[k]) for k in keys)])
    return table([f"{row['shape']}, of one task", "instructions", "gets", "seeks", "puts", "appends", "deletes", "bytes put", "copied", "payload copied", "written", "payload written", "syncs", "allocations"], rows)


def of_tables(rows):
    """Bytes and writes of one task, by table of the store."""
    tables = sorted({name for r in rows for name in r["tables"]}, key=lambda name: (-rows[-1]["tables"].get(name, {"bytes": 0})["bytes"], name))
    cells = [[r["tables"].get(name) for r in rows] for name in tables]
    return table(["bytes of one task, keys and values, in so many writes", *(r["shape"] for r in rows)],
                 [[name, *(f"{number(t['bytes'])} in {t['writes']:.3f}" if t else "-" for t in row)] for name, row in zip(tables, cells)]) + "\n\n" + OF_TABLES


def alone(part):
    return (report_alone.tables(part) or NOT_YET) + named(part["missing"])


def batch(part):
    figures = [("tasks a put frame", "tasks"), ("tasks a commit", "done_a_commit"), ("batches a settling", "commits_a_settling"), ("KiB written to the log, a commit", "log_kib_a_commit"),
               ("KiB of pages, a settling", "pages_kib_a_settling"), ("so, a commit", "pages_kib_a_commit"), ("syncs, a commit", "syncs_a_commit"), ("bytes put", "put_bytes"),
               ("B-tree gets", "gets"), ("seeks", "seeks"), ("puts", "puts"), ("appends", "appends"), ("deletes", "dels"), ("a payload copied, in and out, times", "copied")]
    steps = [("instructions", "all"), ("decode and check the frames", "decode"), ("take units in", "put"), ("take results in", "submit"), ("match", "match"),
             ("assign and push", "push"), ("end the batch: states, assignments, counters", "batch_end"), ("the commit, without the kernel", "commit"), ("settling, without the kernel", "settle")]
    rows = [[name, *(r[key] for r in part["rows"])] for name, key in figures]
    rows += [[name, *(r["instructions"].get(key) for r in part["rows"])] for name, key in steps]
    rows.append(["the rest: what is around these in a step, and where the batch begins", *(i.get("all") and 2 * i["all"] - sum(i.values()) for i in (r["instructions"] for r in part["rows"]))])
    text = table(["of one task, unless it says otherwise", *(r["shape"] for r in part["rows"])], rows)
    plain = [r for r in part["rows"] if not r.get("keys") and r["stations"] == 1]
    text += "\n\n" + OF_COPIED if any(r["stations"] == 5 for r in part["rows"]) else ""
    return "\n\n".join([text, *of_submit(plain), *map(of_steps, plain), of_tables(part["rows"])])


def of_submit(rows):
    """What takes results in, taken apart."""
    rows = [r for r in rows if r.get("submit")]
    if not rows:
        return []
    names = sorted({n for r in rows for n in r["submit"]}, key=lambda n: (-rows[-1]["submit"].get(n, 0), n))
    rest = [r["instructions"]["submit"] - sum(r["submit"].values()) for r in rows]
    return [table(["take results in: instructions of one task, by function, with all that it calls but for what stands by itself", *(r["shape"] for r in rows)],
                  [[n, *(r["submit"].get(n) for r in rows)] for n in names] + [["what took less than a fiftieth", *rest]])]


def compared(result):
    """bench_batch beside the broker under the life rounds."""
    windows, rows = budgets.compared(result)
    return table(["of one life: bench_batch / the broker", *(f"window {w:,}" for w in windows)], [[name, *(f"{number(b)} / {number(r)}" for b, r in pairs)] for name, pairs in rows])


def syncs(part):
    rows = [[f"{r['queue']}, {r['at']}", r["per_s"], median(r, "ack_p50_ms") * 1e3, 1 / median(r, "lives_a_commit") if "lives_a_commit" in r else None, r["syncs"], r["sync_us"], r["write_us"], r["written"], f"{median(r, 'disk_share'):.0%}", r["disk_us"], r["server_cpu_us"]]
            for r in part["rows"]]
    return table(["counted and timed alike", "lives a second", "acknowledged p50, us", "commits a life, as it counts them", "syncs a life", "each, us", "writes, us a life", "bytes a life", "of the time at the disk", "2 KiB synced before and after, us", "server CPU, us"],
                 rows) + ("\n\n" + OF_COMMITS if any("lives_a_commit" in r for r in part["rows"]) else "") + named(part["missing"])


def profile(part):
    return (report_profile.tables(part) or NOT_YET) + named(part["missing"])


def allocations(part):
    variants = {"": "", "chain": ", five stations in a chain", "review": ", each task reviewed", "keys": ", free keys", "copies": ", three answers to each task"}
    rows = [[f"window {r['window']:,}{variants[r['variant']]}", f"{r['lives']:,}", str(r["own"]), str(r["libc"]), r["libraries"] / r["lives"]] for r in part["rows"]]
    return table(["allocations of the broker", "in lives", "our own", "of the C library", "of ZeroMQ, LMDB and others, a life"], rows) + named(part["missing"])


def limits(part):
    rows = [[f"{r['limit']}: {r['case']}", *(r.get(k) for k in ("per_s", "mean_us", "p50_us", "p99_us", "cpu_us"))] for r in part["rows"]]
    return OF_LIMITS + "\n\n" + table(["alone", "a second", "mean us", "p50 us", "p99 us", "CPU us each"], rows)


def events(part):
    def met(good):
        return "met" if good else "MISSED"

    def costs(of, key):
        each = of[key + "_more"]
        return f"{round(of[key + '_costs'], 3) + 0:+.1%} ({min(each):+.0%} to {max(each):+.0%})"
    w, r, b = part["watching"], part["replay"], part["beside"]
    s = part["setting"]
    lives, cpu = goals.beside(b)
    rows = [[f"full load: engine CPU of a life, us, alone and with {part['subscribers']} subscribers and a frozen one", *w["engine_us"], costs(w, "engine_us"),
             f"{goals.WATCHING:+.0%}", met(w["good"])],
            ["the same: lives a second", *w["per_s"], costs(w, "per_s"), "", ""],
            [f"replay of {part['events']:,} events to one client, a second; and looking into each", f"{number(r['per_s'])} ({number(min(r['rounds']))}-{number(max(r['rounds']))})", r["decoded_per_s"], "", f"{goals.REPLAY_PER_S:,}", met(r["good"])],
            [f"half of full load at one task a request, alone and beside a replay: lives a second of {number(b['rate'])}", *b["per_s"], costs(b, "per_s"), f"{-goals.BESIDE:+.0%}", met(lives)],
            ["the same: engine CPU of a life, us", *b["engine_us"], costs(b, "engine_us"), f"{goals.BESIDE:+.0%}", met(cpu)],
            ["the same: received after, ms, p50", *b["received_p50_ms"], costs(b, "received_p50_ms"), "", ""],
            ["the same: p99", *b["received_p99_ms"], costs(b, "received_p99_ms"), "", ""]]
    return (table(["", "alone", "beside", "costs", "goal", ""], rows)
            + f"\n\n{s['cores']} cores, {s['machine']}, Linux {s['kernel']}; {s['rounds']} pairs of {s['seconds']:g} s; processors {s['busy_before']:.0%} busy before; commit {s['commit']}. "
            f"Full load: window {part['window']}, {part['frame']} tasks a request. *costs* is the median of what each pair costs (the least and the most of them), and not the quotient of the two medians beside it. A replay that looks into each event is one run.")


def headroom(need, workers, lives, what):
    """A sentence: what one broker's engine and store did, synced; how many workers that is enough for; and the headroom, which is what that is above what is needed, and nothing else."""
    left = lives["per_s"] / need - 1
    ran = lives["per_s"] * lives["engine_cpu_us"] / 1e6
    return (f"{what} its engine and store did {number(lives['per_s'])} answers a second, synced, 1,000 a commit: enough for {number(lives['per_s'] / need * workers)} workers, "
            f"{f'a headroom of {left:.0%}' if left >= 0 else f'{-left:.0%} too few'}. At that rate the engine's thread ran for {ran:.0%} of the time, "
            f"{lives['engine_cpu_us']:.1f} us an answer, and commits took {lives['commit_share']:.0%}; the rest, {max(0, round(1 - ran - lives['commit_share'], 3)):.0%} (the bench's own frames, settling, waits), is not told apart; {number(lives['put_bytes'])} bytes each were put. "
            f"{number(need)} answers a second would take the engine's thread {need * lives['engine_cpu_us'] / 1e6:.0%} of a core.")


def carries(part):
    """What one broker carries for the million workers, and the headroom."""
    tasks, need, large, real = part["tasks_per_s"], part["needed_per_s"], part["large"], part["real"]
    return (f"**What one broker carries.** A million workers, a task a minute for each of them, are {number(tasks)} tasks a second, and with three copies of each {number(need)} answers. "
            + headroom(need, 1e6, large["copies_1000"], "With three copies") + " "
            + headroom(tasks, 1e6, large["lives_1000"], "With one answer to each, five tasks of a unit side by side,")
            + " Neither has the wire in it: no sockets, no ZeroMQ, no hand-overs, and nobody else on the processors."
            + over_the_wire(real) + on_paper(need, large["copies_1000"], real))


def over_the_wire(real):
    """Of another company: one station that asks for no skill, one answer a task, a robot a hub. It says what the way costs, not what the million take."""
    return (f" Over the wire, {real['agents']} real agents with a robot each, the import and the broker did {number(real['lives_per_s'])} lives a second together, all on {real['cores']} cores, "
            "at one station that asks for no skill, with one answer to each task: less work for the engine than above. "
            f"The broker took {real['broker_cpu_us']} us of CPU a life there, in all its threads; the rest of the cores were the agents' and the import's.")


def on_paper(need, lives, real):
    """Both together, as if the way cost as much beside the million's rules as it does beside fewer: the work that the engine does in both is in it twice."""
    us = lives["engine_cpu_us"] + real["broker_cpu_us"]
    return (f" On paper, both together, {lives['engine_cpu_us']:.1f} and {real['broker_cpu_us']} us, are {number(us)} us an answer at most, since there is an engine in both: {number(need)} answers a second would take the broker "
            f"{need * us / 1e6:.2f} processors, in several threads. The million's own rules were not tried over the wire.")


def workers(part):
    text = table(["what", "figure", "limit", ""], [[r["what"], r["figure"], r["limit"] or "-", "**missed**" if not r["holds"] else "holds" if r["limit"] else "-"] for r in part["rows"]])
    load = f"before {part['load_before']}" if "load_before" in part else f"{part['load']:.1f} at its end, behind the 200 agents"
    note = f"{part['cores']} cores, {part['machine']}, Linux {part['kernel']}; load average {load}; commit {part['commit']}."
    return text + "".join("\n\n" + t for t in scatter(part)) + "\n\n" + carries(part) + "\n\n" + note + (f" A part only (scale {part['scale']}): these figures mean nothing." if part["scale"] != 1 else "")


def scatter(part):
    """Of assignments whose rounds lie on both sides of their limit."""
    unit = "instructions" if part["large"]["counts"] else "cpu_us"
    for what, name in (("asking", "who asks"), ("arriving", "of work that comes")):
        each = [b / a for a, b in zip(part["small"][what]["rounds"][unit], part["large"][what]["rounds"][unit])]
        if min(each) <= ASSIGNMENT < max(each):
            yield (f"An assignment {'to one ' if what == 'asking' else ''}{name}: its rounds scatter from {min(each):.2f} to {max(each):.2f} times, {sum(e > ASSIGNMENT for e in each)} of {len(each)} above the limit of {ASSIGNMENT}. "
                   "What is held against the limit is the quotient of the medians.")


def of_part(name, tell):
    return (name,), lambda result: tell(result[name])


# Section of the document -> the parts of the result that it needs, and its text from the result.
SECTIONS = {"setting": (("setting",), setting), "life": of_part("life", life), "latency": of_part("latency", latency), "alone": of_part("alone", alone), "depth": of_part("depth", depth), "lines": of_part("lines", lines), "csv": of_part("csv", csv),
            "limits": of_part("limits", limits), "cost": (("life",), cost), "budget": of_part("budget", budget), "records": (("life",), records), "batch": of_part("batch", batch),
            "syncs": of_part("syncs", syncs), "profile": of_part("profile", profile), "compared": (("batch", "life"), compared),
            "allocations": of_part("allocations", allocations), "missed": (("life",), why.missed), "events": of_part("events", events), "workers": of_part("workers", workers)}


def section(name, result):
    """Its text; None where something that it needs was not measured."""
    needs, tell = SECTIONS[name]
    if not all(n in result for n in needs):
        return None
    later = {part: commit for part, commit in commits.others(result).items() if (part,) == needs and part == name}
    return tell(result) + ("\n\n" + of_later(later).strip() if later else "")
