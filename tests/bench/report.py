"""The bench's tables, from its JSON."""
import goals
from figures import median, number, table


def named(missing):
    return "".join(f"\n\nNot measured: {k}: {v}" for k, v in missing.items())


def per_s_with_spread(row):
    s = row["per_s"]
    spread = f" ({number(s['min'])}-{number(s['max'])})" if s["rounds"] > 1 else ""
    return number(s["median"]) + spread


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
        rows.append([("" if q[2] else "not durable: ") + f"{q[0]}, {q[1]}", *(per_s_with_spread(at[w]) if w in at else "-" for w in windows), frames, cpu])
    head = ["lives a second: median (least-most)", *(f"window {w:,}" for w in windows), "tasks a request", "server CPU, us a life"]
    text = table(head, rows)
    rows = []
    for r in part["ratios"]:
        goal, floor = goals.LIFE.get((r["window"], r["durable"]), (None, None))
        rows.append([f"{r['window']:,}", "durable" if r["durable"] else "not durable", f"{r['peer']}, {r['mode']}", r["ratio"], goal, floor,
                     goals.verdict(r["ratio"], goal, floor) if goal else "-"])
    return text + "\n\n" + table(["window", "best peer that is", "", "ours / its", "goal", "floor", ""], rows) + named(part["missing"])


def latency(part):
    keys = ("ack_p50_ms", "ack_p99_ms", "received_p50_ms", "received_p99_ms")
    rows = [[f"{r['queue']}, {r['mode']}", *(f"{median(r, k):.3f}" for k in keys)] for r in part["rows"]]
    if part["ratios"]:
        goal, floor = goals.LATENCY
        rows.append(["ratio", *(f"{part['ratios'][k]:.2f}" for k in keys)])
        rows.append([f"goal: at most {goal}; floor: {floor}", *(goals.verdict(part["ratios"][k], goal, floor, more=False) for k in keys)])
    return table(["ms at 200 tasks/s", "acknowledged p50", "p99", "received p50", "p99"], rows) + named(part["missing"])


def depth(part):
    rows = [[f"{r['queue']}, {r['depth']:,} queued", r["per_s"], f"{r['ratio']:.2f}", f"{r['first_s']:.3f}", r["rss_anon_mb"], r["bytes_per_queued"],
             r["fill_per_s"], "-" if r["queue"] != "sunline" else "MISSED: " + ", ".join(goals.deep(r)) if goals.deep(r) else "met"] for r in part["rows"]]
    rows.append(["goal", "", f"at least {goals.DEPTH_RATIO}", f"under {goals.DEPTH_FIRST_S:g}", f"under {goals.DEPTH_RSS_MB}", f"at most {goals.DEPTH_BYTES}", "", ""])
    return table(["", "lives/s", "of the empty queue's", "first task after s", "RSS anon MB", "bytes a task", "filled/s", ""], rows) + named(part["missing"])


def lines(part):
    rows = [[r["line"], str(r["stations"]), r["per_s"], r["tasks_per_s"], f"{r['cost']:.2f}", f"at most {r['stations']}" if r["stations"] > 1 else "-",
             goals.verdict(r["cost"], r["stations"], more=False) if r["stations"] > 1 else "-"] for r in part["rows"]]
    return table(["line", "tasks a unit", "units/s", "tasks/s", "cost of a unit, one station = 1", "goal", ""], rows)


def csv(part):
    def shown(key):
        s = part.get("spread", {}).get(key)
        return per_s_with_spread({"per_s": s}) if s else part[key]

    def goal(key):
        return [f"{part[key]:.2f}", goals.CSV, goals.verdict(part[key], goals.CSV)]
    rows = [["library's pipelined put", shown("library"), "1.00", "", ""], ["run start --input", shown("import"), *goal("import_ratio")],
            ["run output", shown("export"), *goal("export_ratio")]]
    return table([f"{part['rows']:,} rows of 200 bytes", "rows/s", "of the library's", "goal", ""], rows)


def cost(part):
    figures = [("lives/s", "per_s"), ("lives a commit", "lives_a_commit"), ("commit, ms", "commit_ms"), ("engine before it, ms", "engine_ms"),
               ("broker CPU, us", "server_cpu_us"), ("producer CPU, us", "producer_cpu_us"), ("agent CPU, us", "consumer_cpu_us"),
               ("B-tree gets", "store_gets"), ("seeks", "store_seeks"), ("puts", "store_puts"), ("appends", "store_appends"),
               ("deletes", "store_dels"), ("bytes put", "store_put_bytes"), ("payload in, bytes", "payload_in_bytes"), ("copied on its way in", "payload_in_copied_bytes"),
               ("payload out, bytes", "payload_out_bytes"), ("copied on its way out", "payload_out_copied_bytes"), ("bytes written to the log", "store_wal_bytes"), ("commits of LMDB", "store_settles"), ("bytes the store grew", "stored_bytes"), ("frames in", "messages_in"),
               ("frames out", "messages_out"), ("bytes in", "bytes_in"), ("bytes out", "bytes_out")]
    rows = [[name, *(r.get(key) for r in part["rows"])] for name, key in figures]
    return table(["of one life, unless it says otherwise", *(f"window {r['window']:,}" for r in part["rows"])], rows)


def batch(part):
    figures = [("tasks a commit", "done_a_commit"), ("KiB written to the log, a commit", "log_kib_a_commit"), ("KiB of pages when settled, a commit", "pages_kib_a_commit"), ("bytes put", "put_bytes"),
               ("B-tree gets", "gets"), ("seeks", "seeks"), ("puts", "puts"), ("appends", "appends"), ("deletes", "dels"), ("copies of a payload on its way in", "copied")]
    steps = [("instructions", "all"), ("decode and check the frames", "decode"), ("take units in", "put"), ("take results in", "submit"), ("match", "match"),
             ("assign and push", "push"), ("end the batch: states, assignments, counters", "batch_end"), ("LMDB's commit, without the kernel", "commit")]
    rows = [[name, *(r[key] or "-" for r in part["rows"])] for name, key in figures]  # no pages: nothing was settled in so few batches
    rows += [[name, *(r["instructions"].get(key) for r in part["rows"])] for name, key in steps]
    text = table(["of one task, unless it says otherwise", *(r["shape"] for r in part["rows"])], rows)
    tables = sorted({name for r in part["rows"] for name in r.get("tables", {})}, key=lambda name: -part["rows"][-1]["tables"].get(name, {"bytes": 0})["bytes"])
    if tables:
        at = [[r["tables"].get(name) for r in part["rows"]] for name in tables]
        rows = [[name, *(f"{number(t['bytes'])} in {t['writes']:.3f}" if t else "-" for t in cells)] for name, cells in zip(tables, at)]
        text += "\n\n" + table(["bytes of one task, keys and values, in so many writes", *(r["shape"] for r in part["rows"])], rows)
    return text


def allocations(part):
    variants = {"": "", "chain": ", five stations in a chain", "review": ", each task reviewed", "keys": ", free keys", "copies": ", three answers to each task"}
    rows = [[f"window {r['window']:,}{variants.get(r.get('variant', ''), ', ' + r.get('variant', ''))}", f"{r['lives']:,}", str(r["own"]), str(r.get("libc", "-")), r["libraries"] / r["lives"]]
            for r in part["rows"]]
    return table(["allocations of the broker", "in lives", "our own", "of the C library", "of ZeroMQ, LMDB and others, a life"], rows) + named(part.get("missing", {}))


def limits(part):
    rows = [[f"{r['limit']}: {r['case']}", r.get("per_s"), r.get("p50_us"), r.get("p99_us"), r.get("cpu_us")] for r in part["rows"]]
    return table(["alone", "a second", "p50 us", "p99 us", "CPU us each"], rows)


def events(part):
    def met(good):
        return "met" if good else "MISSED"

    def costs(v):
        return f"{v:+.1%}"
    w, r, b = part["watching"], part["replay"], part["beside"]
    s = part["setting"]
    lives, cpu = goals.beside(b)
    rows = [[f"full load: engine CPU of a life, us, alone and with {part['subscribers']} subscribers and a frozen one", *w["engine_us"], costs(w["engine_us_costs"]),
             f"{goals.WATCHING:+.0%}", met(w["good"])],
            ["the same: lives a second", *w["per_s"], costs(w["per_s_costs"]), "", ""],
            [f"replay of {part['events']:,} events to one client, a second; and looking into each", r["per_s"], r["decoded_per_s"], "", f"{goals.REPLAY_PER_S:,}", met(r["good"])],
            [f"half of full load, alone and beside a replay: lives a second of {number(b['rate'])}", *b["per_s"], costs(b["per_s_costs"]), f"{-goals.BESIDE:+.0%}", met(lives)],
            ["the same: engine CPU of a life, us", *b["engine_us"], costs(b["engine_us_costs"]), f"{goals.BESIDE:+.0%}", met(cpu)],
            ["the same: received after, ms, p50", *b["received_p50_ms"], costs(b["received_p50_ms_costs"]), "", ""],
            ["the same: p99", *b["received_p99_ms"], costs(b["received_p99_ms_costs"]), "", ""]]
    return (table(["", "alone", "beside", "costs", "goal", ""], rows)
            + f"\n\n{s['cores']} cores, {s['machine']}, Linux {s['kernel']}; {s['rounds']} pairs of {s['seconds']:g} s; processors {s['busy_before']:.0%} busy before.")


def workers(part):
    text = table(["what", "figure", "limit", ""], [[r["what"], r["figure"], r["limit"] or "-", "holds" if r["holds"] else "**missed**"] for r in part["rows"]])
    note = f"{part['cores']} cores, {part['machine']}, Linux {part['kernel']}; load average {part['load']:.1f} meanwhile."
    need, large, real = part["needed_per_s"], part["large"], part["real"]

    def headroom(lives, what):
        left = lives["per_s"] / need - 1
        return (f"{number(lives['per_s'])} answers a second {what}: {f'{left:.0%} more than needed' if left >= 0 else f'{-left:.0%} too few'}; one took {lives['engine_cpu_us']:.1f} us of the "
                f"engine's thread, so that {number(need)} of them keep a processor busy for {need * lives['engine_cpu_us'] / 1e4:.0f}% of the time, and commits took {lives['commit_share']:.0%} of it"
                + (f"; {number(lives['put_bytes'])} bytes each were put, {number(need * lives['put_bytes'] / 1e6)} MB a second of them" if "put_bytes" in lives else ""))
    with_copies = large.get("copies_1000")
    carry = (f"A million tasks a minute, three answers to each, are {number(need)} answers a second. "
             f"The engine and its store, synced, 1,000 answers in a commit, did for the large company " + (headroom(with_copies, "with three copies of each task") + ". Without copies they did " if with_copies else "")
             + headroom(large["lives_1000"], "with one answer to each task, five tasks of a unit side by side") + f". Over the wire, {real['agents']} real agents with a robot each, the import and the broker did "
             f"{number(real['lives_per_s'])} lives a second together, all on {real['cores']} cores.")
    return text + "\n\n" + carry + "\n\n" + note + (f" A part only (scale {part['scale']}): these figures mean nothing." if part["scale"] != 1 else "")


SECTIONS = {"workers": workers, "events": events, "life": life, "latency": latency, "depth": depth, "lines": lines, "csv": csv, "cost": cost, "batch": batch, "allocations": allocations, "limits": limits}
