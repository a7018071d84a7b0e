"""A history of real processes as facts for the checker of the simulated world (tests/sim/checker.h): what peers did and heard, between the events of the
broker where it belongs.

    lines = facts.of(history, ...)       # of one broker, each of one run; for build/torture/judge (judge.c)

Beside what checker.py reads, a history has these:
    {"op": "run", "name": N, "line": DEFINITION, "producer": P}    the run that it is about; P 0: nobody who numbers his rows
    {"op": "staff", "credit": "told"|"untold", "workers": [{"name", "kind", "skills"}]}    who works for a hub, and whether its credit stands in the history
    {"op": "session", "hub": H, "session": S, "workers": {name: number}}    a hub was welcomed, and its roster taken
    {"op": "credit", "session": S, "totals": [[worker, total], ...]}       credit was sent
    {"op": "act_ok"|"submit_ok", ..., "heard_us": T}                       T: the wall clock when the answer was there
    {"op": "clock", "ahead_us": N}                                         how far the wall clock is ahead of the one that nobody sets
    and at the end {"op": "row"|"handed", ...}: what the run and its stations hand out; events with type, wall_us and data; {"op": "newest", "seq": N}

What is put where, so that nothing is put wrong:

Steps. The checker wants to know which events one input caused. Events of a batch bear one time, so what bears two was two. Within a batch a new step begins where an
event cannot be of the same frame as those before: a frame is one hub's, acts or results, and what it assigns comes last. More is not known: a step may be several
inputs, which makes the checker say less, never more.

Who knew what. What a peer sent, it sent after whatever it, or another peer of the same process, had been told by then: a push is an ASSIGNED, an act that was
answered OK a STARTED or RETURNED, a result a SUBMITTED, a session a HUB_SESSION. So credit comes right behind the newest event that was known when it was sent. That
is never later than it was: of credit that is told the judge may allow a little too much, and accuse nobody wrongly.

Acts. One that went through comes right before the event that it caused, with the answer that was heard, or where none was (its peer was cut off, or is a real agent)
with the one that the event implies. One that was answered OK and that no event tells of comes behind all events, where it cannot be right; where there is an event,
and whoever sent the act heard of refusals alone, it comes with the refusal. A touch causes no event: it comes where it was sent, so the lease that it renews may be
taken for a little shorter. One that was refused has no event either: it is told if nothing befell what its answer depends on (an act's the assignment, a result's
the unit and the run) from what was known when it was sent to what was done when the answer had been heard, and left out otherwise.

Results. Whatever a peer sends, or an agent's people and robots hand in, is good: that it was ever refused as a bad one is a fault, so no BAD_SENT is told.

Time. The broker's elapsed time is told by BROKER_STARTED alone; from there on it is as much as the wall clock went on. The broker reads the two one after the other,
and may be held up between them: so delays may end, and leases be told, SLACK_US early. Delays that are shorter are in fact not judged: the storm's line has longer ones. Where the wall clock was set
meanwhile, no times are judged, nor refusals.

A real agent. Who is on its roster and is signed in, events tell; its credit and its touches nobody: it is granted whatever it likes. The answers to its acts are
those that the events imply. Its robots' results, and its people's, are what they are known to have handed in, under whichever assignment."""
import bisect
import functools
import hashlib
import itertools
import re

import crew
import rebuild
import sunline_wire as wire

SLACK_US = 50000
BEFORE_START_US, LEASE_US, ATTEMPTS = 300000000, 600000000, 3  # docs/operating.md, docs/line-files.md: what holds where a line says nothing
WHATEVER = 1 << 40    # credit that nobody was told of
NOBODYS = 899999999   # a row that nobody sent
EXPIRED = 5           # why of RETURNED: a lease, or the time to start, was over
ACTS = ("start", "touch", "release", "decline", "fail", "bury", "submit")
RETURNS = {3: "release", 4: "decline", 6: "fail", 9: "bury"}  # why of RETURNED: the act that did it
KINDS = {None: 0, "human": 1, "robot": 2}
DURATION = {"ms": 1000, "s": 1000000, "m": 60000000, "h": 3600000000}
CODES = {name: number for number, name in wire.CATALOGUE.errors.items()}
NAMES = rebuild.event_names()
# What a frame of acts or results may cause, but for what it assigns, which comes last.
OF_A_FRAME = ("STARTED", "RETURNED", "SUBMITTED", "TASKS_READY", "TASKS_WAITING", "TASKS_DONE", "TASKS_SKIPPED", "TASKS_DEAD", "UNITS_DONE", "RUN_STATE", "WORKERS_PRESENT")
# Events that tell of units alone: their fact.
OF_UNITS = {"UNITS_ADDED": "UNITS_ADDED", "TASKS_READY": "READY", "TASKS_SKIPPED": "SKIPPED", "TASKS_DONE": "TASK_DONE", "TASKS_DEAD": "DEAD", "UNITS_DONE": "UNIT_DONE", "UNITS_DROPPED": "DROPPED"}
UNTRANSLATED = ("LINE_STATE", "STATION_STATE", "TASKS_HELD", "TASK_DECIDED", "TASK_WANTS", "TASK_PLACED", "REVIEWED", "TASKS_BLOCKED", "WORKER_STANDING", "WORKER_SKILL",
                "GOLD_ANSWERED", "ANSWERS_VOID", "LINE_STATIONS", "SHIFT", "HANDOVER")
PLAIN = ("ROSTER_CURRENT", "SWEPT")  # others tell all that these sum up


class Untold(Exception):
    """Something is not in the history without which it cannot be judged."""


@functools.lru_cache(1 << 16)
def digest(text):
    """0: there is nothing."""
    if text is None:
        return 0
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=8).digest(), "little") | 1


def microseconds(text):
    number, unit = re.fullmatch(r"(\d+)(ms|s|m|h)", text).groups()
    return int(number) * DURATION[unit]


def numbers(pairs):
    """Of ranges, one by one."""
    return itertools.chain.from_iterable(range(first, first + n) for first, n in zip(pairs[::2], pairs[1::2]))


def assigned(d):
    """Of ASSIGNED, each: number, unit, worker."""
    workers = itertools.chain.from_iterable(itertools.repeat(w, n) for w, n in zip(d["workers"][::2], d["workers"][1::2]))
    return zip(itertools.count(d["first"]), numbers(d["units"]), workers)


# ---------------------------------------------------------------- events
class Event:
    __slots__ = ("seq", "name", "wall_us", "data")

    def __init__(self, h):
        if h["type"] not in NAMES:
            raise Untold(f"event {h['seq']}: of type {h['type']}, which docs/events.md does not have")
        self.seq, self.name, self.wall_us, self.data = h["seq"], NAMES[h["type"]], h["wall_us"], h["data"]

    def by(self):
        """Which frame caused it, if a frame of acts or results must have."""
        if self.name == "STARTED" or self.name == "RETURNED" and self.data["why"] in RETURNS:
            return "acts", self.data["hub"]
        return ("submit", self.data["hub"]) if self.name == "SUBMITTED" else None

    def may_go_on(self):
        """Whether such a frame may cause more after it."""
        if self.name == "RETURNED":
            return self.data["why"] in RETURNS
        return self.name in OF_A_FRAME and not (self.name == "TASKS_READY" and self.data["why"] in (2, 7))


def steps(events):
    step, frame, over = [], None, False
    for e in events:
        by = e.by()
        if step and (e.wall_us != step[0].wall_us or by and (by != frame or over)):
            yield step
            step, frame, over = [], None, False
        frame = by or frame
        over = over or not e.may_go_on()
        step.append(e)
    if step:
        yield step


class Stream:
    """Where what is told."""

    def __init__(self, events):
        self.events = events
        self.runs, self.sessions, self.joined = {}, {}, {}    # name: number; session: sequence; (session, worker): sequence
        self.session = {}                                     # hub: session
        self.assignments, self.given = {}, {}                 # number: (run, station, unit, worker); number: sequence
        self.acts = {}                                        # (assignment, act): sequence
        self.befell = {}                                      # (run, unit), (run, None), assignment: sequences
        self.clock = [e.wall_us for e in events]
        for e in events:
            getattr(self, "on_" + e.name.lower(), self.on_units)(e.data, e.seq)

    def at(self, what, seq):
        self.befell.setdefault(what, []).append(seq)

    def on_units(self, d, seq):
        for unit in numbers(d["units"]) if "units" in d else ():
            self.at((d["run"], unit), seq)

    def on_run_started(self, d, seq):
        self.runs[d["name"]] = d["run"]

    def on_run_state(self, d, seq):
        self.at((d["run"], None), seq)

    def on_hub_session(self, d, seq):
        self.sessions.setdefault(d["session"], seq)
        if d["connected"]:
            self.session[d["hub"]] = d["session"]

    def on_roster_workers(self, d, seq):
        for number, _ in d["joined"]:
            self.joined.setdefault((self.session[d["hub"]], number), seq)

    def on_assigned(self, d, seq):
        for number, unit, worker in assigned(d):
            self.assignments[number] = (d["run"], d["station"], unit, worker)
            self.given[number] = seq
            self.at((d["run"], unit), seq)

    def act(self, number, what, seq):
        self.acts.setdefault((number, what), seq)
        self.at(number, seq)
        if number in self.assignments:
            run, _, unit, _ = self.assignments[number]
            self.at((run, unit), seq)

    def on_started(self, d, seq):
        for number in numbers(d["assignments"]):
            self.act(number, "start", seq)

    def on_returned(self, d, seq):
        self.act(d["assignment"], RETURNS.get(d["why"]), seq)

    def on_submitted(self, d, seq):
        for number in numbers(d["assignments"]):
            self.act(number, "submit", seq)

    def nothing_befell(self, number, what, after, until):
        """On what its answer depends: an act's on the assignment, a result's on the unit and the run."""
        run, _, unit, _ = self.assignments[number]
        about = ((run, unit), (run, None)) if what == "submit" else (number,)
        return all(bisect.bisect(seqs, after) == bisect.bisect(seqs, until) for seqs in (self.befell.get(thing, []) for thing in about))

    def newest_at(self, wall_us):
        """The newest event that can have been there then."""
        place = bisect.bisect(self.clock, wall_us)
        return self.events[place - 1].seq if place else 0


# ---------------------------------------------------------------- one history
class Told:
    """What one history has to say, by what it is about."""

    def __init__(self, history):
        self.by, self.history = {}, history
        for h in history:
            self.by.setdefault(h["op"], []).append(h)
        self.run = self.one("run")
        self.stations = [s["name"] for s in self.run["line"]["stations"]]
        self.keys = list(dict.fromkeys(h["key"] for h in self.all("put")))
        self.unit = {h["key"]: h["unit"] for h in self.all("put_ok") + self.all("end") if h["unit"]}

    def all(self, op):
        return self.by.get(op, [])

    def one(self, op):
        found = self.all(op)
        if not found:
            raise Untold(f"a history without {op!r}")
        return found[-1]


class Between:
    """What the peers of one history did between events: (known, what)."""

    def __init__(self, told, stream, clock_stood):
        self.stream, self.known = stream, 0
        self.pending, self.heard, self.sent, self.sends, self.refusals, self.left_out = [], {}, {}, {}, {}, 0
        for h in told.history:
            op = h["op"]
            if op == "push":
                self.knows(stream.given.get(h["assignment"]))
            elif op == "session":
                for seq in (stream.sessions.get(h["session"]), *(stream.joined.get((h["session"], worker)) for worker in h["workers"].values())):
                    self.knows(seq)
            elif op == "credit":
                self.pending += [(self.known, f"GRANT session={h['session']} worker={worker} count={total}") for worker, total in h["totals"]]
            elif op in ("act", "submit"):
                act = (h["assignment"], h.get("what", op))
                self.sent[act], self.sends[act] = self.known, self.sends.get(act, 0) + 1
            elif op in ("act_ok", "submit_ok"):
                self.answered(h, h.get("what", "submit"), clock_stood)

    def knows(self, seq):
        self.known = max(self.known, seq or 0)

    def only_refused(self, act):
        """Each time that it was sent it was refused: the first answer."""
        codes = self.refusals.get(act, [])
        return codes[0] if codes and len(codes) == self.sends[act] and act not in self.heard else None

    def answered(self, h, what, clock_stood):
        number, code = h["assignment"], h["code"]
        since = self.sent[number, what]
        if code == "OK" and what == "touch":
            self.pending.append((since, (number, what, code)))
        elif code == "OK" or code == "LATE" and what == "submit":
            self.heard.setdefault((number, what), []).append(code)
        else:
            self.refusals.setdefault((number, what), []).append(code)
            if clock_stood and number in self.stream.assignments:
                self.pending.append((since, (number, what, code, self.stream.newest_at(h["heard_us"]))))
            else:
                self.left_out += 1
        if code in ("OK", "DUPLICATE", "LATE"):
            self.knows(self.stream.acts.get((number, what)))


# ---------------------------------------------------------------- facts
def of(*histories):
    return whole(*histories).lines


def whole(*histories):
    """With what was left out of them."""
    told = [Told(h) for h in histories]
    events = max((t.all("event") for t in told), key=len)
    if not events:
        raise Untold("no event was taken out")
    return Facts(told, Stream([Event(h) for h in events]))


class Facts:
    def __init__(self, told, stream):
        self.told, self.stream, self.lines = told, stream, []
        ahead = [t.one("clock")["ahead_us"] for t in told] + [h["ahead_us"] for t in told for h in t.all("clock")]
        self.times = max(ahead) - min(ahead) < SLACK_US // 2
        self.definitions = {t.run["line"]["line"]: t.run["line"] for t in told}
        self.staff = {w["name"]: dict(w, credit=h["credit"]) for t in told for h in t.all("staff") for w in h["workers"]}
        self.skills = sorted({skill for w in self.staff.values() for skill in w["skills"]})
        self.first, self.session, self.names, self.members = {}, {}, {}, {}  # of lines; of hubs; of workers; of rosters
        self.start, self.at = None, 0
        self.between = [Between(t, stream, self.times) for t in told]
        self.refusals, self.refusals_left_out = 0, sum(b.left_out for b in self.between)
        self.delays = self.expiries = 0  # so long that they are judged
        self.heard = {}
        for b in self.between:
            self.heard.update(b.heard)
            self.heard.update((act, [b.only_refused(act)]) for act in b.refusals if act in stream.acts and b.only_refused(act))
        self.attempts_of_peers()
        self.play()
        self.the_end()

    def add(self, kind, **fields):
        self.lines.append(kind + "".join(f" {name}={int(value)}" for name, value in fields.items() if value))

    # ---- what was attempted
    def attempts_of_peers(self):
        """Rows and results, wherever they came in: that they were sent is all that counts."""
        for n, t in enumerate(self.told):
            t.number = self.stream.runs.get(t.run["name"])
            if t.number is None:
                raise Untold(f"no event tells of the run {t.run['name']}")
            t.rows = {key: 1 + i + n * 10000000 for i, key in enumerate(t.keys)}
            values = {h["key"]: h["value"] for h in t.all("put")}
            by = f"worker={t.run['producer']} flag={int(t.run['producer'] != 0)}"
            self.lines += [f"ROW_SENT run={t.number} row={t.rows[key]} digest={digest(values[key])} {by}" for key in t.keys]
            self.lines += [f"ROW_ACKED run={t.number} row={t.rows.get(h['key'], NOBODYS)} unit={h['unit'] or 0}" for h in t.all("put_ok")]
        by_task = {}
        for number, (run, station, unit, _) in self.stream.assignments.items():
            by_task.setdefault((run, station, unit), []).append(number)
        sent = set()
        for t in self.told:
            sent.update((h["assignment"], h["result"]) for op in ("submit", "tried", "kept") for h in t.all(op) if "assignment" in h)
            first = next((d["stations"][0][0] for d in self.applied(t.run["line"]["line"])), 0)
            for h in t.all("tried"):
                if "assignment" not in h:
                    task = (t.number, first + t.stations.index(h["station"]), t.unit.get(h["key"]))
                    sent.update((number, h["result"]) for number in by_task.get(task, ()))
        self.lines += [f"SUBMIT_SENT assignment={number} digest={digest(result)}" for number, result in sorted(sent)]

    def applied(self, line):
        return [e.data for e in self.stream.events if e.name == "LINE_APPLIED" and e.data["name"] == line]

    # ---- events, and what happened between them
    def play(self):
        pending = sorted((known, i, n, what) for i, b in enumerate(self.between) for n, (known, what) in enumerate(b.pending))
        pending.reverse()
        last = 0
        for step in steps(self.stream.events):
            while pending and pending[-1][0] <= last:
                self.did(pending.pop(), last)
            self.times_of(step[0])
            for e in step:
                self.acts(e)
            for e in step:
                self.event(e)
            self.lines.append("STEP")
            last = step[-1].seq
        while pending:
            self.did(pending.pop(), last)
        self.lines.append("STEP")
        for (number, what), codes in sorted(self.heard.items()):
            for code in codes:  # and no event tells of it
                self.act(number, what, code)
                self.lines.append("STEP")

    def did(self, entry, last):
        known, _, _, what = entry
        if isinstance(what, str):
            self.lines.append(what)
        elif len(what) == 3:
            self.act(*what)
        elif self.stream.nothing_befell(*what[:2], known, max(what[3], last)):
            self.act(*what[:3])
            self.refusals += 1
        else:
            self.refusals_left_out += 1

    def act(self, number, what, code):
        run, _, _, worker = self.stream.assignments.get(number, (0, 0, 0, 0))
        hub = next((hub for hub, members in self.members.items() if worker in members), 0)
        self.lines.append(f"ACT at={self.at} act={ACTS.index(what)} assignment={number} worker={worker} session={self.session.get(hub, 0)} code={CODES[code]}")

    def times_of(self, e):
        """The elapsed time, as the checker is told it."""
        if e.name == "BROKER_STARTED":
            self.start = (e.data["elapsed"], e.wall_us)
        elif self.start is None:
            raise Untold(f"event {e.seq}: the broker has not started")
        if self.times:
            self.at = max(self.at, self.start[0] + e.wall_us - self.start[1] + SLACK_US)

    def acts(self, e):
        """Those that caused it."""
        if e.name == "STARTED":
            for number in numbers(e.data["assignments"]):
                self.went_through(number, "start", "OK")
        elif e.name == "RETURNED" and e.data["why"] in RETURNS:
            self.went_through(e.data["assignment"], RETURNS[e.data["why"]], "OK")
        elif e.name == "SUBMITTED":
            late = set(numbers(e.data["late"]))
            for place, number in enumerate(numbers(e.data["assignments"])):
                self.went_through(number, "submit", "LATE" if place in late else "OK")

    def went_through(self, number, what, implied):
        heard = self.heard.get((number, what))
        self.act(number, what, heard.pop(0) if heard else implied)

    def event(self, e):
        head = f"seq={e.seq} at={self.at} wall={e.wall_us} run={e.data.get('run', 0)} hub={e.data.get('hub', 0)}"
        if e.name in UNTRANSLATED:
            raise Untold(f"event {e.seq}: {e.name}, which nothing here can cause")
        if e.name in OF_UNITS:
            self.units(OF_UNITS[e.name], e.data, head)
        elif e.name in PLAIN or not getattr(self, "on_" + e.name.lower())(e.data, head):
            self.lines.append("EVENT " + head)

    def units(self, kind, d, head):
        head = f"{kind} {head} station={d.get('station', 0)} why={d.get('why', 0)} due={d.get('due', 0) if self.times else 0}"
        self.lines += [f"{head} unit={unit}" for unit in numbers(d["units"])]

    # True: this event is told.
    def on_tasks_waiting(self, d, head):
        if self.times and d["due"] > self.at:
            self.delays += sum(d["units"][1::2])
        self.units("WAITING", d, head)
        return True

    def on_broker_started(self, d, head):
        self.lines.append("BOOT " + head)
        return True

    def on_hub_session(self, d, head):
        if d["connected"]:
            self.session[d["hub"]] = d["session"]
        self.lines.append(f"SESSION {head} session={d['session']} flag={int(d['connected'])}")
        return True

    def on_run_state(self, d, head):
        self.lines.append(f"RUN_STATE {head} state={d['state']} flag={int(d['paused'])} count={d['priority']}")
        return True

    def on_assigned(self, d, head):
        self.lines += [f"ASSIGNED {head} station={d['station']} unit={unit} assignment={number} worker={worker}" for number, unit, worker in assigned(d)]
        return True

    def on_started(self, d, head):
        self.lines += [f"STARTED {head} station={d['station']} assignment={number}" for number in numbers(d["assignments"])]
        return True

    def on_returned(self, d, head):
        self.expiries += self.times and d["why"] == EXPIRED
        self.lines.append(f"RETURNED {head} station={d['station']} assignment={d['assignment']} unit={d['unit']} why={d['why']}")
        return True

    def on_submitted(self, d, head):
        late = set(numbers(d["late"]))
        self.lines += [f"SUBMITTED {head} station={d['station']} assignment={number} result={d['first'] + i} flag={int(i in late)}"
                       for i, number in enumerate(numbers(d["assignments"]))]
        return True

    # And of these the checker knows the sequence alone, and what they bring.
    def on_line_applied(self, d, _):
        definition = self.definitions.get(d["name"])
        if definition is None:
            raise Untold(f"the definition of the line {d['name']}")
        first = self.first[d["line"], d["version"]] = d["stations"][0][0]
        for index, (s, (number, name)) in enumerate(zip(definition["stations"], d["stations"], strict=True)):
            beyond = s.keys() - {"name", "type", "form", "worker", "lease", "start_by", "backoff", "attempts"} | s["worker"].keys() - {"kind", "skills"}
            if beyond or s["name"] != name:
                raise Untold(f"the station {name} has {sorted(beyond)}, of which nothing is translated")
            less_us = SLACK_US if self.times else 1 << 62
            self.add("STATION", station=number, line=d["line"], index=index, stations=len(d["stations"]), first=first, wkind=KINDS[s["worker"].get("kind")],
                     after=1 << index - 1 if index else 0, when_on=-1, attempts=s.get("attempts", ATTEMPTS),
                     lease_us=max(0, self.duration(s, "lease", LEASE_US) - less_us), start_by_us=max(0, self.duration(s, "start_by", BEFORE_START_US) - less_us))
            self.levels(s["worker"].get("skills", {}))

    @staticmethod
    def duration(station, name, otherwise):
        return microseconds(station[name]) if name in station else otherwise

    def levels(self, skills):
        """Of the fact that was added last."""
        if skills:
            self.lines[-1] += " level=" + ",".join(str(skills.get(s, 0)) for s in self.skills)

    def on_run_started(self, d, _):
        self.add("RUN", run=d["run"], station=self.first[d["line_id"], d["version"]], count=d["priority"])

    def on_roster_workers(self, d, _):
        members = self.members.setdefault(d["hub"], {})
        self.names.update(d["joined"])
        for number in d["left"]:
            members.pop(number, None)
        members.update(d["joined"])
        if d["left"]:
            self.add("ROSTER", session=self.session[d["hub"]])
        for number, name in members.items() if d["left"] else d["joined"]:
            if name not in self.staff:
                raise Untold(f"who {name} is")
            self.add("WORKER", worker=number, session=self.session[d["hub"]], wkind=self.staff[name]["kind"])
            self.levels(self.staff[name]["skills"])

    def on_workers_present(self, d, _):
        for way, kind in (("in", "GRANT"), ("out", "SIGN_OFF")):
            for number in d[way]:
                if self.staff[self.names[number]]["credit"] == "untold":
                    self.add(kind, session=self.session[d["hub"]], worker=number, count=WHATEVER if way == "in" else 0)

    # ---- what is there at the end
    def the_end(self):
        for t in self.told:
            self.lines += [f"SEEN assignment={h['assignment']} row={t.rows.get(h['key'], NOBODYS)} digest={digest(h['value'])}" for h in t.all("push") + t.all("shown")]
        for t in self.told:
            self.run(t)
        newest = max(self.stream.events[-1].seq, *(h["seq"] for t in self.told for h in t.all("newest")))
        self.add("LAST_EVENT", seq=newest)
        self.lines.append("ALL_TOLD")

    def run(self, t):
        run, c = t.number, t.one("counters")
        self.add("RUN_COUNTS", run=run, state=c["state"], flag=True)
        self.lines[-1] += " counts=" + ",".join(str(c[name]) for name in ("units", "done", "dropped", "cancelled", "dead"))
        units = {}
        for h in t.all("end"):
            units[h["key"]] = h["unit"]
            self.add("STORY_UNIT", run=run, unit=h["unit"], state=crew.STATES.index(h["state"]), row=t.rows.get(h["key"], NOBODYS), digest=digest(h["value"]))
        for h in t.all("story"):
            unit, index = units[h["key"]], t.stations.index(h["station"])
            task = f"run={run} unit={unit} index={index}"
            self.lines.append(f"STORY_TASK {task} state={h['state']}")
            self.lines += [f"STORY_ASSIGNMENT {task} assignment={number} state={state} why={why} digest={digest(answer)}" for number, state, why, answer in h["all"]]
        for index, name in enumerate(t.stations):
            if name in c["stations"]:
                self.lines.append(f"COUNTS run={run} index={index} counts=" + ",".join(map(str, c["stations"][name])))
        for h in t.all("row"):
            self.add("OUTPUT", run=run, unit=h["unit"], row=t.rows.get(crew.key_of(h["value"]), NOBODYS), digest=digest(h["value"]))
            for index, name in enumerate(t.stations):
                self.answer("OUTPUT_ANSWER", run, h["unit"], index, h["results"].get(name))
        for h in t.all("handed"):
            self.answer("HANDED_OUT", run, h["unit"], t.stations.index(h["station"]), h["result"])

    def answer(self, kind, run, unit, index, result):
        self.lines.append(f"{kind} run={run} unit={unit} index={index} flag={int(result is None)} digest={digest(result)}")
