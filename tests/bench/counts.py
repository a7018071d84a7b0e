"""What is counted and not timed, so that no figure depends on how fast the machine is: a batch's B-tree operations, bytes, syncs, copies, allocations and
instructions, step by step (bench_batch.c); and the allocations of a loaded broker (preload/alloc_count.c)."""
import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import tempfile

import servers
from clients import client, frame_of, say, unless_missing
from lives import WINDOWS

# Tasks a frame, frames a batch, as the broker's batches are at these windows: it commits what is put and what is submitted in turn, and what is put waits for a submit's credit (the part
# compares what both count). At window 1 the producer is ahead of the consumer. The chain's come together: what is submitted of five stations at once would not fit the log.
TURNS = {"turns": 1, "queued": 1}
SHAPES = (("window 1", {"tasks": 1, "frames": 1, "turns": 1, "queued": 2}), ("window 256", {"tasks": 64, "frames": 4, **TURNS}), ("window 1,000", {"tasks": 250, "frames": 4, **TURNS}),
          ("window 1,000, free keys", {"tasks": 250, "frames": 4, "keys": 1, **TURNS}), ("window 1,000, five stations in a chain", {"tasks": 250, "frames": 2, "stations": 5}))
# What a broker's instructions are for: functions of the engine, each with all that it calls; the push is part of matching, and shown apart.
FUNCTIONS = (("decode", "slp_decode"), ("put", "on_put"), ("submit", "on_submit"), ("match", "match_run"), ("push", "assign_picks"), ("batch_end", "engine_batch_end"),
             ("commit", "store_commit"), ("settle", "store_settle"), ("all", "PROGRAM TOTALS"))
WITHIN = 4     # so often what takes most is told by what it calls


def inclusive(file):
    """Function -> its instructions and those of all that it calls, as callgrind counted them."""
    text = subprocess.run(["callgrind_annotate", "--inclusive=yes", "--auto=no", "--threshold=100", str(file)], capture_output=True, text=True, check=True).stdout
    found = {}
    for number, name in re.findall(r"^ *([\d,]+) \([^)]*\) +(?:\S*:)?(PROGRAM TOTALS|\w+)(?:'\d+)?(?: \[|$)", text, re.M):
        found[name] = max(found.get(name, 0), int(number.replace(",", "")))
    return found


def calls(file):
    """(Caller, callee) -> instructions of the callee and all that it calls, there; and function -> its own."""
    names, inner, own = {}, {}, {}

    def name(text):
        number, _, known = text.partition(" ")
        if known:
            names[number] = re.sub(r"'\d+$", "", known)
        return names[number]
    caller = callee = None
    for line in file.read_text(errors="replace").splitlines():
        key, _, value = line.partition("=")
        if key == "fn":
            caller = name(value)
        elif key == "cfn":
            callee = name(value)
        elif caller and re.match(r"[-+*\d]", line):
            n = int((line.split() + ["0"])[1])
            if callee:
                inner[caller, callee] = inner.get((caller, callee), 0) + n
                callee = None
            else:
                own[caller] = own.get(caller, 0) + n
    return inner, own


def inside(file, function, done):
    """What `function` spends, of one task: itself, and what it calls, most first; where one of these takes most of it, what that one calls in its place."""
    inner, own = calls(file)
    found = {function: own.get(function, 0)}
    found.update({callee: n for (caller, callee), n in inner.items() if caller == function})
    whole = sum(found.values())
    for _ in range(WITHIN):
        most = max(found, key=found.get, default=None)
        below = {callee: n for (caller, callee), n in inner.items() if caller == most and callee != most}
        if most == function or not below or sum(n for (_, callee), n in inner.items() if callee == most) != found[most]:  # called from elsewhere too: not to be told apart
            break
        found[most] = own.get(most, 0)
        for callee, n in below.items():
            found[callee] = found.get(callee, 0) + n
    return {name: round(n / done, 1) for name, n in sorted(found.items(), key=lambda x: -x[1]) if n > whole / 50}


def instructions(directory, args, steps):
    """Of one task: by function, by step of the batch, and within what takes results in; nothing where there is no valgrind."""
    if not shutil.which("valgrind") or not shutil.which("callgrind_annotate"):
        return {}, {}, {}
    out = directory / "callgrind"
    r = subprocess.run(["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={out}", "--toggle-collect=measured_*", *args, "--warm", "1", "--batches", "2"],
                       capture_output=True, text=True, timeout=900, check=True)
    done, found = json.loads(r.stdout)["done"], inclusive(out)
    counts = {name: round(found[function] / done) for name, function in FUNCTIONS if function in found}
    if "push" in counts and "match" in counts:
        counts["match"] -= counts["push"]
    return counts, {step: round(found["measured_" + step] / done, 1) for step in steps if "measured_" + step in found}, inside(out, "on_submit", done)


def counted(o, args):
    """With what it writes, syncs, allocates and copies."""
    preload = " ".join(str(o.build / "bench" / name) for name in ("copies.so", "calls.so"))
    return json.loads(subprocess.run(args, env={**os.environ, "LD_PRELOAD": preload}, capture_output=True, text=True, timeout=600, check=True).stdout)


def batch(o):
    rows = []
    for name, shape in SHAPES:
        with tempfile.TemporaryDirectory(prefix="bench-batch-", dir=o.base) as d:
            def args(where):
                return [str(o.build / "bench" / "bench_batch"), "--dir", os.path.join(d, where), *(str(x) for k, v in shape.items() for x in ("--" + k, v))]
            row = counted(o, args("counted"))
            by_function, by_step, submit = instructions(pathlib.Path(d), args("called"), row["steps"])
            for step, n in by_step.items():
                row["steps"][step]["instructions"] = n
            row = {"shape": name, **shape, **row, "instructions": by_function, "submit": submit}
        say(f"{name}: {row['done_a_commit']:.1f} tasks a commit, {row['log_kib_a_commit']:.1f} KiB of log, {row['pages_kib_a_commit']:.1f} KiB of pages; "
            f"{row['instructions'].get('all', '-')} instructions a task")
        rows.append(row)
    return {"rows": rows}


class Counted(servers.Sunline):
    def environment(self):
        return {**os.environ, "LD_PRELOAD": str(self.build / "bench" / "alloc_count.so"), "ALLOC_COUNT_FILE": str(self.directory / "allocations")}

    def counts(self):
        return struct.unpack("QQQ", (self.directory / "allocations").read_bytes())


def allocations_of(o, window, variant):
    with Counted(o.build, o.base) as s:
        def live():
            return client(o, s, "life", timeout=120, seconds=o.seconds, window=window, frame=frame_of(s, window), variant=variant)["tasks"]
        live()
        before = s.counts()
        lives = live()
        own, libc, libraries = (b - a for a, b in zip(before, s.counts()))
    say(f"window {window}{variant and ', ' + variant}: {own} of our own and {libc} of the C library in {lives:,} lives, {libraries / lives:.2f} a life of the libraries")
    return {"window": window, "variant": variant, "lives": lives, "own": own, "libc": libc, "libraries": libraries}


def allocations(o):
    """Of the broker, once it has run for a while: its own (none, it is said), the C library's (for us, or for others), and its other libraries'."""
    rows, missing = [], {}
    for window, variant in (*((w, "") for w in WINDOWS), (1000, "chain"), (1000, "review"), (1000, "keys"), (1000, "copies")):
        row = unless_missing(missing, f"{variant or 'one station'}, window {window}", lambda: allocations_of(o, window, variant))
        rows += [row] if row else []
    return {"rows": rows, "missing": missing}
