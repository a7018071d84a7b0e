"""Where the time of one task alone goes: from thread to thread, as the kernel's scheduler tells (perf, as root).

The way: at 200 tasks a second, from when the producer sends a task until it has the acknowledgement, walked backwards: who woke the producer, who had woken that one, and so
on. Each is a hand-over. Who sleeps and is woken by no thread of these waits for the disk.
The servers' data lie in memory, so that it is the way between threads alone that is seen: what the disk takes stands among the limits.
The threads: at window 1, how often a life wakes each, how long it then waits for a processor, and how long it runs."""
import bisect
import collections
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import tempfile
import time

import servers
from clients import command, unless_missing
from figures import number, table

EVENTS = "sched:sched_waking,sched:sched_switch"
LINE = re.compile(r"^\s*(\d+)\s+(\d+)\.(\d{9}):\s+sched:(sched_\w+):\s+(.*)$")
WOKEN = re.compile(r"comm=.* pid=(\d+) prio=")
SWITCH = re.compile(r"prev_pid=(\d+) prev_prio=\d+ prev_state=(\S+) ==> .*next_pid=(\d+) ")
ZEROMQ = "ZMQbg/IO"
MEMORY = pathlib.Path("/dev/shm")
SECONDS = 3              # of each run: perf keeps all of it
SHARE = 0.4              # of the tasks seen: a way that fewer took does not stand for the others
LONGEST = 40             # hand-overs; a way that does not come to its beginning by then is given up


def threads_of(pid, name, known):
    """Thread id -> what we call it."""
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*"):
        try:
            comm = (task / "comm").read_text().strip()
        except OSError:
            continue
        if comm.startswith(ZEROMQ):
            known[int(task.name)] = f"{name}'s ZeroMQ"
        elif comm == "engine":
            known[int(task.name)] = f"{name}'s committer"
        elif int(task.name) == pid:
            known[pid] = f"{name}'s sockets" if comm == "sunlined" else name


def children(pid):
    try:
        return [int(p) for p in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def record(args, server, data):
    """Run a client under perf. Its output, and who is who."""
    known = {}
    threads_of(server.process.pid, "broker" if isinstance(server, servers.Sunline) else server.name, known)
    perf = subprocess.Popen(["perf", "record", "-q", "-a", "-m", "16M", "-k", "CLOCK_MONOTONIC", "-e", EVENTS, "-o", str(data), "--", *args],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    sides = {}                                      # in the order in which they were forked
    while perf.poll() is None:
        for program in children(perf.pid):
            sides.update(dict.fromkeys(sorted(children(program))))
        for name, pid in zip(("producer", "consumer"), sides):
            threads_of(pid, name, known)
        time.sleep(0.1)
    out, error = perf.communicate()
    if perf.returncode != 0:
        raise servers.Missing(f"perf: {error.strip()[-300:]}")
    return out, known


class Schedule:
    """When each of these threads was woken, by whom, ran and stopped; in us."""

    def __init__(self, data, known):
        self.known = known
        self.woken = collections.defaultdict(list)    # thread -> [(when, by whom)]
        self.ran = collections.defaultdict(list)      # thread -> [when]
        self.stopped = collections.defaultdict(list)  # thread -> [when]
        perf = subprocess.Popen(["perf", "script", "--ns", "-F", "tid,time,event,trace", "-i", str(data)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for line in perf.stdout:
            m = LINE.match(line)
            if not m:
                continue
            when = int(m.group(2)) * 1e6 + int(m.group(3)) / 1e3
            if m.group(4) == "sched_waking":
                woken = int(WOKEN.search(m.group(5)).group(1))
                if woken in known:
                    self.woken[woken].append((when, int(m.group(1))))
            else:
                s = SWITCH.search(m.group(5))
                was, then = int(s.group(1)), int(s.group(3))
                if was in known:
                    self.stopped[was].append(when)
                if then in known:
                    self.ran[then].append(when)
        perf.wait()

    @staticmethod
    def last(of, when):
        """The last of these that is not after `when`."""
        i = bisect.bisect_right(of, when)
        return of[i - 1] if i else None

    @staticmethod
    def first(of, when):
        i = bisect.bisect_left(of, when)
        return of[i] if i < len(of) else None

    def way(self, producer, at):
        """Of the acknowledgement for which the producer was woken: [(who, what, us)], first things first. None: it cannot be followed."""
        steps, who, end = [], producer, self.first(self.ran[producer], at)
        for _ in range(LONGEST):
            i = bisect.bisect_right(self.woken[who], (end, 1 << 40)) - 1 if end is not None else -1
            if i < 0:
                return None
            woken, by = self.woken[who][i]
            runs = self.first(self.ran[who], woken)
            if runs is None or runs > end:
                return None
            if runs < end:
                steps.append((who, "runs", end - runs))
            steps.append((who, "woken", runs - woken))
            if by in self.known and by != who:
                who, end = by, woken
                if who == producer:
                    begins = self.last(self.ran[who], end)
                    return [(who, "runs", end - begins), *reversed(steps)] if begins else None
                continue
            slept = self.last(self.stopped[who], woken)   # no thread of these woke it: the disk, or the time
            if slept is None or who == producer:
                return None
            steps.append((who, "disk", woken - slept))
            end = slept
        return None

    def usual_way(self):
        """The most frequent one, hand-over by hand-over, medians; and what part of all tasks took it."""
        producer = next(t for t, name in self.known.items() if name == "producer")
        found = collections.defaultdict(list)
        for at, by in self.woken[producer]:
            way = self.way(producer, at) if by in self.known and by != producer else None
            if way:
                found[tuple((self.known[who], what) for who, what, _ in way)].append([us for _, _, us in way])
        if not found:
            raise servers.Missing("no way of a task was seen whole")
        names, times = max(found.items(), key=lambda x: len(x[1]))
        share = len(times) / sum(map(len, found.values()))
        if share < SHARE:
            raise servers.Missing(f"no way was taken by {SHARE:.0%} of the tasks: the kernel told too little of who woke whom")
        hops = []
        for i, (who, what) in enumerate(names):
            if not hops or hops[-1]["who"] != who:
                hops.append({"who": who, "woken": 0.0, "runs": 0.0, "disk": 0.0})
            hops[-1][what] = round(hops[-1][what] + statistics.median(t[i] for t in times), 1)
        return {"hops": hops, "share": round(share, 3), "all_us": round(statistics.median(map(sum, times)), 1)}

    def threads(self, lives):
        """Of each thread, by life."""
        out = []
        for thread, name in self.known.items():
            waits, running = [], 0.0
            for when, _ in self.woken[thread]:
                ran = self.first(self.ran[thread], when)
                if ran is not None:
                    waits.append(ran - when)
            for ran in self.ran[thread]:
                stopped = self.first(self.stopped[thread], ran)
                running += stopped - ran if stopped is not None else 0
            if len(waits) > lives / 20:
                out.append({"who": name, "wakes": round(len(waits) / lives, 2), "wait_us": round(statistics.median(waits), 1), "cpu_us": round(running / lives, 1)})
        return out


def measure(o, server, directory):
    """The way and the threads of one server."""
    if os.geteuid() != 0 or not shutil.which("perf"):
        raise servers.Missing("it takes root, and perf (Debian: linux-perf)")
    data = directory / "perf.data"
    _, known = record(command(o, server, "rate", seconds=min(o.seconds, SECONDS), rate=200, window=100), server, data)
    way = Schedule(data, known).usual_way()
    out, known = record(command(o, server, "life", seconds=min(o.seconds, SECONDS), window=1, frame=1), server, data)
    run = json.loads(out[out.index("{"):])
    threads = Schedule(data, known).threads(run["tasks"])
    data.unlink()
    return {"queue": server.name, "mode": server.mode, "way": way, "threads": threads, "per_s": run["per_s"]}


def alone(o):
    """Ours, and beanstalkd's."""
    rows, missing = [], {}
    for kind in [servers.Sunline] if o.alone else [servers.Sunline, servers.Beanstalkd]:
        def work():
            with kind(o.build, MEMORY) as s, tempfile.TemporaryDirectory(prefix="bench-perf-", dir=MEMORY) as d:
                return measure(o, s, pathlib.Path(d))
        rows.append(unless_missing(missing, f"{kind.name} ({kind.mode}), from thread to thread", work))
    return {"rows": [r for r in rows if r], "missing": missing}


def tables(part):
    """As the document shows them."""
    rows, threads = [], []
    for r in part["rows"]:
        hops = r["way"]["hops"]
        rows += [[f"{r['queue']}: {h['who']}", *(h[k] or "-" for k in ("woken", "runs", "disk"))] for h in hops]
        rows.append([f"{r['queue']}: all, {len(hops) - 1} hand-overs, {number(r['way']['all_us'])} us", *(sum(h[k] for h in hops) or "-" for k in ("woken", "runs", "disk"))])
        threads += [[f"{r['queue']}: {t['who']}", t["wakes"], t["wait_us"], t["cpu_us"]] for t in r["threads"]]
        threads.append([f"{r['queue']}: all", *(sum(t[k] for t in r["threads"]) for k in ("wakes",)), "-", sum(t["cpu_us"] for t in r["threads"])])
    shares = " and ".join(f"{r['way']['share']:.0%} of {r['queue']}'s" for r in part["rows"])
    return (table(["a task on its way to its acknowledgement, at 200 a second", "woken, until it runs, us", "runs, until the next is woken, us", "waits for the disk, us"], rows)
            + f"\n\nThe most frequent way, which {shares} tasks took; medians of each step.\n\n"
            + table(["a life at window 1", "wake-ups", "each, until it runs, us", "runs, us"], threads))


def sentence(part):
    """What a task of ours passes through, beside the peer's."""
    said = []
    for r in part["rows"]:
        hops = r["way"]["hops"]
        woken, runs, disk = (number(sum(h[k] for h in hops)) for k in ("woken", "runs", "disk"))
        said.append(f"{r['queue']}'s {len(hops) - 1} hand-overs ({woken} us from woken to running, {runs} us running, {disk} us for the disk)")
    return f" On its way to its acknowledgement a task alone passes through {' and '.join(said)}: the table of hand-overs has each of them."
