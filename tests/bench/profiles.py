"""The broker by function, under the common load at window 256: where its processor time goes (perf record; the processor's own cycles where they may be counted, else its clock)."""
import collections
import pathlib
import re
import subprocess
import tempfile

import servers
from clients import client, command, say, unless_missing
from figures import number, table
from schedule import figures_of, need_perf, threads_of

EVENTS = ("cycles", "cpu-clock")
WINDOW, FRAME, HZ = 256, 64, 4999
SHOWN = 0.006            # of the broker's time: what took less is told together
SAMPLE = re.compile(r"^\s*(\d+)\s+([0-9a-f]+) (.*) \(([^()]*(?:\([^()]*\))?)\)$")   # thread, address, symbol, object


def countable():
    """The first of these that this machine counts."""
    for event in EVENTS:
        counted = subprocess.run(["perf", "stat", "-e", event, "--", "true"], capture_output=True, text=True)  # record would take the clock in its place, and not say so
        if counted.returncode == 0 and "<not " not in counted.stderr:
            return event
    raise servers.Missing(f"perf counts none of {', '.join(EVENTS)} here")


def where(object_):
    """Whose code it is."""
    name = pathlib.PurePath(object_).name
    for whose, part in (("ours", "sunlined"), ("ZeroMQ", "libzmq"), ("LMDB", "liblmdb"), ("the C library", "libc.so"), ("the C++ library", "libstdc++")):
        if part in name:
            return whose
    return "the kernel" if object_.startswith("[kernel") or object_.startswith("[guest") else name


def samples(data, known):
    """(Thread, whose, function) -> how often it was found there."""
    found = collections.Counter()
    perf = subprocess.run(["perf", "script", "-F", "tid,ip,sym,dso", "-i", str(data)], capture_output=True, text=True)
    for line in perf.stdout.splitlines():
        m = SAMPLE.match(line)
        if m and int(m.group(1)) in known:
            whose = where(m.group(4))
            function = "" if whose == "the kernel" else re.sub(r"\+0x[0-9a-f]+$", "", m.group(3)).removeprefix("zmq::").split("(")[0]
            found[known[int(m.group(1))], whose, function] += 1
    return found


def measure(o):
    need_perf()
    event, known = countable(), {}
    options = {"seconds": o.seconds, "window": WINDOW, "frame": FRAME}
    with servers.Sunline(o.build, o.base) as s, tempfile.TemporaryDirectory(prefix="bench-perf-") as d:
        data = pathlib.Path(d) / "perf.data"
        without = client(o, s, "life", **options)
        threads_of(s.process.pid, "broker", known)
        args = ["perf", "record", "-q", "-F", str(HZ), "-e", event, "-p", str(s.process.pid), "-o", str(data), "--", *command(o, s, "life", **options)]
        r = subprocess.run(args, capture_output=True, text=True, timeout=600)
        if r.returncode != 0:
            raise servers.Missing(f"perf: {r.stderr.strip()[-300:]}")
        row, found = figures_of(r.stdout), samples(data, known)
    all_ = sum(found.values())
    if not all_:
        raise servers.Missing("perf found no sample of the broker's threads")
    us = {k: n / all_ * row["server_cpu_us"] for k, n in found.items()}
    say(f"profile: {all_:,} samples by {event}; {row['per_s']:,.0f} lives a second, {without['per_s']:,.0f} without perf")
    return {"event": event, "samples": all_, "per_s": row["per_s"], "without_perf": without["per_s"], "server_cpu_us": row["server_cpu_us"],
            "rows": [{"thread": t, "whose": w, "function": f, "us": round(v, 4)} for (t, w, f), v in sorted(us.items(), key=lambda x: -x[1])]}


def profile(o):
    missing = {}
    return {**(unless_missing(missing, "the broker by function, window 256", lambda: measure(o)) or {"rows": []}), "missing": missing}


def by(part, key):
    """us of a life, by thread, or by whose code it is."""
    found = collections.Counter()
    for r in part["rows"]:
        found[r[key]] += r["us"]
    return found.most_common()


def tables(part):
    whole = part["server_cpu_us"]
    rows = [[r["thread"], r["whose"], r["function"] or "-", r["us"], f"{r['us'] / whole:.1%}"] for r in part["rows"] if r["us"] >= SHOWN * whole]
    rest = whole - sum(r["us"] for r in part["rows"] if r["us"] >= SHOWN * whole)
    rows.append([f"all that took less than {SHOWN:.1%}", "", "", rest, f"{rest / whole:.1%}"])
    told = "; ".join(f"{name} {number(us)}" for key in ("thread", "whose") for name, us in by(part, key) if us >= SHOWN * whole)
    return (table(["the broker at window 256: thread", "code", "function, itself", "us of a life", "of its time"], rows)
            + f"\n\n{part['samples']:,} samples by {part['event']}, {number(part['per_s'])} lives a second, {number(part['without_perf'])} without perf. Together, us of a life: {told}.")
