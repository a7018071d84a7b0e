"""When each thread was woken, by whom, ran and slept, as the kernel's scheduler tells (perf, as root); and what our committer was at meanwhile.

Of what happens while a processor is idle a kernel may leave events out, and perf does not say so: whom an interrupt wakes then, and that the idle task gives way to a thread. So while this
records, no processor is idle: on each a loop runs that gives way to everything else (SCHED_IDLE). It is checked that the threads' comings were told."""
import bisect
import collections
import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

import servers

EVENTS = "sched:sched_waking,sched:sched_switch"
LINE = re.compile(r"^\s*(-?\d+)\s+(\d+)\.(\d{9}):\s+(sched|sunline_bench):(\w+):\s+(.*)$")   # -1: a thread that is at its end
WOKEN = re.compile(r"comm=.* pid=(\d+) prio=")
SWITCH = re.compile(r"prev_pid=(\d+) prev_prio=\d+ prev_state=(\S+) ==> .*next_pid=(\d+) ")
ZEROMQ = "ZMQbg/IO"
LONGEST = 1000           # steps; a way that does not come to its beginning by then is given up
UNTOLD = 0.02            # of a thread's comings, and no more, may be untold
# Gives way to everything on the processor named first, and ends with the process named second, however that one ends.
SPIN = """import os, sys
os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
os.sched_setaffinity(0, {int(sys.argv[1])})
print("gives way", flush=True)
while os.getppid() == int(sys.argv[2]):
    for _ in range(100000):
        pass
"""
# Where our committer goes from one thing to another: function -> what it is at from there, or from its return, on.
GROUP = "sunline_bench"
MARKS = {"engine": ("batch_begin", "engine"), "commit": ("store_commit", "commit"), "committed": ("store_commit%return", "sockets"),
         "settle": ("store_settle", "settle"), "settled": ("store_settle%return", "sockets")}
PHASES = ("sockets", "engine", "commit", "settle")
STATES = ("runs", "processor", "disk", "idle")


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


@contextlib.contextmanager
def loop_on(cpu):
    """That processor is not idle meanwhile."""
    loop = subprocess.Popen([sys.executable, "-c", SPIN, str(cpu), str(os.getpid())], stdout=subprocess.PIPE)
    try:
        if not loop.stdout.readline():               # it gives way from its first line on
            raise servers.Missing(f"the loop that keeps processor {cpu} from being idle did not begin")
        yield
        if loop.poll() is not None:
            raise servers.Missing(f"the loop that keeps processor {cpu} from being idle ended meanwhile")
    finally:
        loop.kill()
        loop.wait()
        loop.stdout.close()


@contextlib.contextmanager
def awake():
    """No processor is idle meanwhile."""
    with contextlib.ExitStack() as loops:
        for cpu in sorted(os.sched_getaffinity(0)):
            loops.enter_context(loop_on(cpu))
        yield


@contextlib.contextmanager
def marks(program):
    """The events that tell what the committer is at; of none where the kernel has no probes for programs."""
    def probe(*args):
        return subprocess.run(["perf", "probe", "-q", *args], capture_output=True, text=True).returncode == 0
    if program:
        probe("-d", f"{GROUP}:*")                    # of a run that was killed
    made = program and all(probe("-x", str(program), "-a", f"{GROUP}:{name}={function}") for name, (function, _) in MARKS.items())
    try:
        yield f",{GROUP}:*" if made else ""
    finally:
        if program:
            probe("-d", f"{GROUP}:*")


def record(args, server, data, marked=False):
    """Run a client under perf. Its output, and who is who. marked: what our committer is at is told, too."""
    program = server.build / "sunlined" if marked and isinstance(server, servers.Sunline) else None
    with awake(), marks(program) as events:
        return recorded(args, server, data, EVENTS + events)


def recorded(args, server, data, events):
    known = {}
    threads_of(server.process.pid, "broker" if isinstance(server, servers.Sunline) else server.name, known)
    perf = subprocess.Popen(["perf", "record", "-q", "-a", "-m", "16M", "-k", "CLOCK_MONOTONIC", "-e", events, "-o", str(data), "--", *args],
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
        self.marks = collections.defaultdict(list)   # thread -> [(when, what it is at from then on)]
        self.lost = 0
        self.untold = collections.Counter()          # thread -> how often it left and nobody had told that it came
        self.woken, self.begun = {}, {}
        for line in lines:
            m = LINE.match(line)
            if not m:
                self.lost += "PERF_RECORD_LOST" in line
                continue
            when, by = int(m.group(2)) * 1e6 + int(m.group(3)) / 1e3, int(m.group(1))
            if m.group(4) == GROUP:
                self.marks[by].append((when, MARKS[m.group(5).removesuffix("__return")][1]))
            elif m.group(5) == "sched_waking":
                self.wakes(when, by, int(WOKEN.search(m.group(6)).group(1)))
            else:
                s = SWITCH.search(m.group(6))
                self.switches(when, int(s.group(1)), s.group(2), int(s.group(3)))
        for who in self.begun:
            self.runs[who].pop()                     # it runs to this day
        self.begins = {who: [r.begin for r in runs] for who, runs in self.runs.items()}
        self.must_be_whole()

    def wakes(self, when, by, who):
        if who in self.begun:
            self.begun[who].called.append((when, by))
        elif who in self.known:
            self.woken.setdefault(who, (when, by))

    def switches(self, when, leaves, state, comes):
        if leaves in self.begun:
            run = self.begun.pop(leaves)
            run.end, run.state = when, state
        elif self.runs.get(leaves):
            self.untold[leaves] += 1
        if comes in self.known:
            before = self.runs[comes][-1] if self.runs[comes] else None
            if comes in self.begun:                  # nobody told that it left
                before.end, before.state = when, "?"
                self.untold[comes] += 1
            run = Run(when, before and before.state, before and before.end, *self.woken.pop(comes, (None, None)))
            self.runs[comes].append(run)
            self.begun[comes] = run

    def must_be_whole(self):
        if self.lost:
            raise servers.Missing(f"perf lost events {self.lost} times: what is left does not tell who woke whom")
        untold, runs = sum(self.untold.values()), sum(map(len, self.runs.values()))
        if untold > UNTOLD * (untold + runs):
            raise servers.Missing(f"of {untold / (untold + runs):.0%} of the times that a thread came to a processor the kernel told nothing: who woke whom cannot be followed")

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
            if run.was.startswith("D"):                                    # nobody told when the disk was done: it waited for it until it ran
                ready = run.begin if run.woken is None else run.woken
                steps += [(who, "woken", run.begin - ready), (who, "disk", ready - run.slept)]
                i, end = i - 1, run.slept
                continue
            called = [(when, by) for when, by in run.called if when <= end and by in self.known and by != who]
            if run.woken is None:                                          # put aside; or woken, and nobody told
                if called or not run.was.startswith("R"):
                    return None
                steps.append((who, "woken", run.begin - run.slept))
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
            if run.woken is None and run.was is not None and not run.was.startswith("R"):
                unseen += 1                          # it slept, and nobody told who woke it
                continue
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

    def middle(self, per_s):
        """From when to when, and how many lives. The first and the last tenth of the record are left out: there the clients come and go."""
        all_runs = [r for t, name in self.known.items() if name == "producer" for r in self.runs.get(t, [])]
        if not all_runs:
            raise servers.Missing("the producer was not seen to run")
        first, last = all_runs[0].begin, all_runs[-1].end
        begin, end = first + (last - first) / 10, last - (last - first) / 10
        return begin, end, (end - begin) * per_s / 1e6

    def spans(self, thread):
        """All its time, in order: (what, since, until)."""
        for run in self.runs.get(thread, []):
            if run.was is not None:
                ready = run.woken if run.woken is not None else run.slept if run.was.startswith("R") else run.begin
                yield "disk" if run.was.startswith("D") else "idle", run.slept, ready
                yield "processor", ready, run.begin
            yield "runs", run.begin, run.end

    def threads(self, per_s):
        """Of each, by life: how often it is woken, and where its time goes. All of a life are in it: what it runs, waits for a processor, for the disk, and for something to do."""
        begin, end, lives = self.middle(per_s)
        out = []
        for thread, name in self.known.items():
            took = dict.fromkeys(STATES, 0.0)
            for what, since, until in self.spans(thread):
                took[what] += max(0.0, min(until, end) - max(since, begin))
            wakes = sum(run.woken is not None and begin <= run.woken < end for run in self.runs.get(thread, []))
            if wakes > lives / 20:
                out.append({"who": name, "wakes": round(wakes / lives, 2), **{k: round(v / lives, 1) for k, v in took.items()}})
        return out

    def phases(self, name, per_s):
        """Of one thread, by life: what it is at, and how much of that it runs, waits for a processor, for the disk, and for something to do. None: it was not told."""
        thread = self.named(name)
        if not self.marks.get(thread):
            return None
        begin, end, lives = self.middle(per_s)
        took, at, coming = {phase: dict.fromkeys(STATES, 0.0) for phase in PHASES}, "sockets", collections.deque(self.marks[thread])
        for what, since, until in self.spans(thread):
            while coming and coming[0][0] < until:       # it goes on to something else while it runs
                when, then = coming.popleft()
                took[at][what] += max(0.0, min(when, end) - max(since, begin))
                since, at = max(since, when), then
            took[at][what] += max(0.0, min(until, end) - max(since, begin))
        return [{"phase": phase, **{k: round(v / lives, 2) for k, v in t.items()}} for phase, t in took.items()]
