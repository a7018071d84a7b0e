"""When each thread was woken, by whom, ran and slept, as the kernel's scheduler tells (perf, as root)."""
import bisect
import collections
import json
import os
import pathlib
import re
import shutil
import subprocess
import time

import servers

EVENTS = "sched:sched_waking,sched:sched_switch"
LINE = re.compile(r"^\s*(\d+)\s+(\d+)\.(\d{9}):\s+sched:(sched_\w+):\s+(.*)$")
WOKEN = re.compile(r"comm=.* pid=(\d+) prio=")
SWITCH = re.compile(r"prev_pid=(\d+) prev_prio=\d+ prev_state=(\S+) ==> .*next_pid=(\d+) ")
ZEROMQ = "ZMQbg/IO"
LONGEST = 60             # steps; a way that does not come to its beginning by then is given up


def need_perf():
    if os.geteuid() != 0 or not shutil.which("perf"):
        raise servers.Missing("it takes root, and perf (Debian: linux-perf)")


def figures_of(out):
    """Of a client, in what perf passes on of its output."""
    return json.loads(out[out.index("{"):])


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
        elif name == "broker":
            known[int(task.name)] = f"{name}'s {comm}"


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


class Run:
    """A thread on a processor, from when it came there until it left."""

    def __init__(self, begin, was, slept, woken, by):
        self.begin, self.end, self.state = begin, None, None
        self.was, self.slept = was, slept            # how it had left before (None: this is the first), and when
        self.woken, self.by = woken, by              # when, by which thread; None: it had been put aside, and not slept, or nobody told
        self.called = []                             # [(when, by whom)]: woken while it ran


def told(data):
    """perf's lines of what was recorded."""
    perf = subprocess.Popen(["perf", "script", "--ns", "--show-lost-events", "-F", "tid,time,event,trace", "-i", str(data)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    yield from perf.stdout
    perf.wait()


class Schedule:
    """Of the threads that are known, from perf's lines; in us."""

    def __init__(self, lines, known):
        self.known = known
        self.runs = collections.defaultdict(list)
        self.lost = 0
        woken, begun = {}, {}
        for line in lines:
            m = LINE.match(line)
            if not m:
                self.lost += "PERF_RECORD_LOST" in line
                continue
            when, by = int(m.group(2)) * 1e6 + int(m.group(3)) / 1e3, int(m.group(1))
            if m.group(4) == "sched_waking":
                who = int(WOKEN.search(m.group(5)).group(1))
                if who in begun:
                    begun[who].called.append((when, by))
                elif who in known:
                    woken.setdefault(who, (when, by))
                continue
            s = SWITCH.search(m.group(5))
            leaves, state, comes = int(s.group(1)), s.group(2), int(s.group(3))
            if leaves in begun:
                run = begun.pop(leaves)
                run.end, run.state = when, state
            if comes in known:
                before = self.runs[comes][-1] if self.runs[comes] else None
                if comes in begun:                   # nobody told that it left
                    before.end, before.state = when, "?"
                run = Run(when, before and before.state, before and before.end, *woken.pop(comes, (None, None)))
                self.runs[comes].append(run)
                begun[comes] = run
        for who in begun:
            self.runs[who].pop()                     # it runs to this day
        self.begins = {who: [r.begin for r in runs] for who, runs in self.runs.items()}
        if self.lost:
            raise servers.Missing(f"perf lost events {self.lost} times: what is left does not tell who woke whom")

    def named(self, name):
        return next((t for t, n in self.known.items() if n == name and self.runs.get(t)), None)

    def run_at(self, who, when):
        """Its number: the run in which it was on a processor then."""
        i = bisect.bisect_right(self.begins.get(who, []), when) - 1
        return i if i >= 0 and self.runs[who][i].end >= when else None

    def way(self, producer, i):
        """Of the acknowledgement that the producer's i-th run is for: [(who, what, us)], first things first. None: it cannot be followed.
        Who slept for the disk (state D) was woken by it, whatever thread the interrupt came upon; who was put aside for another waits for a processor."""
        steps, who, end = [], producer, self.runs[producer][i].begin
        for _ in range(LONGEST):
            run = self.runs[who][i]
            if end > run.begin:
                steps.append((who, "runs", end - run.begin))
            if run.was is None:
                return None
            called = [(when, by) for when, by in run.called if when <= end and by in self.known and by != who]
            if run.woken is None:                                          # put aside; or woken, and nobody told
                if called or not run.was.startswith("R"):
                    return None
                steps.append((who, "woken", run.begin - run.slept))
                i, end = i - 1, run.slept
                continue
            if run.was.startswith("D"):
                steps += [(who, "woken", run.begin - run.woken), (who, "disk", run.woken - run.slept)]
                i, end = i - 1, run.slept
                continue
            woken, by = run.woken, run.by
            if by not in self.known and called:                            # it ran for something else (a timer) when the message came
                woken, by = called[-1]
                steps[-1] = (who, "runs", end - woken)
            elif by not in self.known:
                return None
            else:
                steps.append((who, "woken", run.begin - woken))
            who, end, i = by, woken, self.run_at(by, woken)
            if i is None:
                return None
            if who == producer:
                run = self.runs[who][i]
                return [(who, "runs", end - run.begin), *reversed(steps)]
        return None

    def ways(self):
        """Of each acknowledgement that is seen: whom it passed through, hand-over by hand-over, and the us of each; those that cannot be followed are counted."""
        producer, found, unseen = self.named("producer"), collections.defaultdict(list), 0
        for i, run in enumerate(self.runs.get(producer, [])):
            if run.by not in self.known or run.by == producer:
                continue
            way = self.way(producer, i)
            if way is None:
                unseen += 1
                continue
            hops = []
            for who, what, us in way:
                if not hops or hops[-1]["who"] != self.known[who]:
                    hops.append({"who": self.known[who], "woken": 0.0, "runs": 0.0, "disk": 0.0})
                hops[-1][what] += us
            found[tuple(h["who"] for h in hops)].append(hops)
        return found, unseen

    def threads(self, per_s):
        """Of each, by life: how often it is woken, and where its time goes. All of a life are in it: what it runs, waits for a processor, for the disk, and for something to do.
        The first and the last tenth of the record are left out: there the clients come and go."""
        all_runs = [r for t, name in self.known.items() if name == "producer" for r in self.runs.get(t, [])]
        if not all_runs:
            raise servers.Missing("the producer was not seen to run")
        first, last = all_runs[0].begin, all_runs[-1].end
        begin, end = first + (last - first) / 10, last - (last - first) / 10
        lives = (end - begin) * per_s / 1e6
        out = []
        for thread, name in self.known.items():
            took = dict.fromkeys(("runs", "processor", "disk", "idle"), 0.0)
            wakes = 0

            def add(what, since, until):
                took[what] += max(0.0, min(until, end) - max(since, begin))
            for run in self.runs.get(thread, []):
                add("runs", run.begin, run.end)
                if run.was is None:
                    continue
                wakes += run.woken is not None and begin <= run.woken < end
                ready = run.woken if run.woken is not None else run.slept if run.was.startswith("R") else run.begin
                add("processor", ready, run.begin)
                add("disk" if run.was.startswith("D") else "idle", run.slept, ready)
            if wakes > lives / 20:
                out.append({"who": name, "wakes": round(wakes / lives, 2), **{k: round(v / lives, 1) for k, v in took.items()}})
        return out
