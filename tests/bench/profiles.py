"""The broker by function, under the common load at each window, and beanstalkd at window 1: where its processor time goes (perf record; the processor's own cycles where they may be counted, else its clock).
What the kernel takes is told by what it was asked for, or interrupted by, and once more by its own functions; for that each sample has the kernel's chain of calls."""
import collections
import pathlib
import re
import subprocess
import tempfile

import servers
from clients import client, command, frame_of, say, unless_missing
from lives import WINDOWS
from schedule import figures_of, need_perf, threads_of

EVENTS = ("cycles", "cpu-clock")
HZ = 4999
INLINED = "inlined"      # what perf says of a function whose code is part of the next one's: in the place of an object
IN_CHAIN = re.compile(r"^\s+([0-9a-f]+) (.*) \(([^()]*(?:\([^()]*\))?)\)$")   # address, symbol, object
CALL = re.compile(r"^(?:__(?:x64|ia32|arm64|se|riscv)_(?:compat_)?sys_|__do_sys_|ksys_)(\w+)$")
DOOR, BEHIND = ("do_syscall_64", "el0_svc", "invoke_syscall"), re.compile(r"^(?:do|__sys)_(\w+)$")   # where a call's own function is one with what it does: the one behind the door
ENTRIES = (("syscall", "entering and leaving calls"), ("el0_", "entering and leaving calls"), ("page_fault", "page faults"), ("exc_page", "page faults"), ("sysvec_", "interrupts"), ("common_interrupt", "interrupts"), ("ret_from_fork", "its own threads"))
UNKNOWN = "[unknown]"


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


def asked(chain):
    """For what the kernel is at work: a call, by name; else what it was interrupted by. "": it does not name its functions."""
    for i, function in enumerate(chain):
        call = CALL.match(function) or (BEHIND.match(function) if chain[i + 1:i + 2] and chain[i + 1] in DOOR else None)
        if call and function not in DOOR:
            return call.group(1) + "()"
    if chain[0] == UNKNOWN:
        return ""
    return next((what for function in chain for part, what in ENTRIES if part in function), "something else")


def name(symbol):
    return re.sub(r"\+0x[0-9a-f]+$", "", symbol).removeprefix("zmq::").split("(")[0]


def chains(lines):
    """(Thread, [(function, whose)], innermost first) of each sample of perf's."""
    thread, frames = None, []
    for line in [*lines, ""]:
        m = IN_CHAIN.match(line)
        if m:
            frames += [(name(m.group(2)), where(m.group(3)))] if m.group(3) != INLINED else []
        elif line.strip():
            thread, frames = int(line.split()[0]), []
        elif thread is not None:
            if frames:
                yield thread, frames
            thread = None


def samples(lines, known):
    """(Thread, whose, function) -> how often it was found there; and function of the kernel -> how often."""
    found, kernel = collections.Counter(), collections.Counter()
    for thread, frames in chains(lines):
        if thread not in known:
            continue
        function, whose = frames[0]
        if whose == "the kernel":
            kernel[function] += 1
            function = asked([f for f, w in frames if w == "the kernel"])
        found[known[thread], whose, function] += 1
    return found, kernel


def script(data):
    return subprocess.run(["perf", "script", "--no-inline", "-F", "tid,ip,sym,dso", "-i", str(data)], capture_output=True, text=True).stdout.splitlines()


def measure(o, kind, window):
    need_perf()
    event, known = countable(), {}
    options = {"seconds": o.seconds, "window": window, "frame": frame_of(kind, window)}
    with kind(o.build, o.base) as s, tempfile.TemporaryDirectory(prefix="bench-perf-") as d:
        data = pathlib.Path(d) / "perf.data"
        without = client(o, s, "life", **options)
        threads_of(s.process.pid, "broker" if kind is servers.Sunline else kind.name, known)
        args = ["perf", "record", "-q", "-F", str(HZ), "-e", event, "--call-graph", "fp", "-p", str(s.process.pid), "-o", str(data), "--", *command(o, s, "life", **options)]
        r = subprocess.run(args, capture_output=True, text=True, timeout=600)
        if r.returncode != 0:
            raise servers.Missing(f"perf: {r.stderr.strip()[-300:]}")
        row, (found, kernel) = figures_of(r.stdout), samples(script(data), known)
    all_ = sum(found.values())
    if not all_:
        raise servers.Missing("perf found no sample of its threads")
    us, of_kernel = ({k: n / all_ * row["server_cpu_us"] for k, n in x.items()} for x in (found, kernel))
    say(f"profile: {kind.name}, window {window}: {all_:,} samples by {event}; {row['per_s']:,.0f} lives a second, {without['per_s']:,.0f} without perf")
    return {"queue": kind.name, "window": window, "event": event, "samples": all_, "per_s": row["per_s"], "without_perf": without["per_s"], "server_cpu_us": row["server_cpu_us"],
            "functions": [{"thread": t, "whose": w, "function": f, "us": round(v, 4)} for (t, w, f), v in sorted(us.items(), key=lambda x: -x[1])],
            "kernel": [{"function": f, "us": round(v, 4)} for f, v in sorted(of_kernel.items(), key=lambda x: -x[1])]}


def profile(o):
    rows, missing = [], {}
    for kind, window in [*((servers.Sunline, w) for w in WINDOWS), *([] if o.alone else [(servers.Beanstalkd, min(WINDOWS))])]:
        row = unless_missing(missing, f"{kind.name} by function, window {window}", lambda: measure(o, kind, window))
        rows += [row] if row else []
    return {"rows": rows, "missing": missing}
