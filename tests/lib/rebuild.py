"""The state of a broker, rebuilt from its events alone (docs/events.md, "Rebuilding the state"): from sequence 1, or from a snapshot and
the tail. Made from the document, nothing of the C code.

    world = rebuild.World()                      # or rebuild.snapshot(client)
    rebuild.follow(client, world)                # every event there is now
    rebuild.compare(client, world)               # a list of differences from what the broker says

The audit: the stream tells everything, or this does not come out right."""
import collections

BLOCKED, WAITING, READY, ASSIGNED, STARTED, DONE, SKIPPED, DEAD, ENDED = range(9)
OPEN, UNIT_DONE, DROPPED, CANCELLED = range(4)
HANDED, BEGUN, COUNTED, LATE, RETURNED = range(5)
RUN_OPEN, RUN_CLOSED, RUN_DONE, RUN_CANCELLED, RUN_DELETING = range(5)
WHY_EXPIRED, WHY_FAILED, WHY_REQUEUED, WHY_RECALLED, WHY_COPIES, WHY_REJECTED, WHY_SUSPENDED, SWEPT_DELETE = 5, 6, 7, 8, 11, 12, 17, 4
COUNTERS = ["blocked", "waiting", "ready", "assigned", "started", "done", "skipped", "dead", "ended"]


class Task:
    """A task in hand is as its assignments in hand are: started if one of them is. `live`: which are, and whether they were begun.
    `wanted`: so many answers, at a station with copies; 0: as its line says. `decided`: the data of TASK_DECIDED, if it was seen."""
    __slots__ = ("told", "attempts", "assignment", "result", "wanted", "live", "decided")

    def __init__(self, state=BLOCKED, attempts=0, assignment=0, result=0, wanted=0):
        self.told, self.attempts, self.assignment, self.result, self.wanted = state, attempts, assignment, result, wanted
        self.decided = None
        self.live = {assignment: state == STARTED} if state in (ASSIGNED, STARTED) else {}

    @property
    def state(self):
        if self.told not in (ASSIGNED, STARTED) or not self.live:
            return self.told
        return STARTED if any(self.live.values()) else ASSIGNED

    @state.setter
    def state(self, state):
        self.told = state


class Unit:
    __slots__ = ("state", "tasks", "seq")

    def __init__(self, state, tasks, seq):
        self.state, self.tasks, self.seq = state, tasks, seq

    def end(self, state):
        self.state = state
        for t in self.tasks:
            if t.state not in (DONE, SKIPPED):
                t.state = ENDED


class Run:
    def __init__(self, name, line, version, state, paused, priority, seq):
        self.name, self.line, self.version, self.state, self.paused, self.priority, self.seq = name, line, version, state, paused, priority, seq
        self.units = {}


class Assignment:
    __slots__ = ("run", "station", "hub", "unit", "worker", "state", "why", "result", "place", "seq")

    def __init__(self, run, station, hub, unit, worker, state, why, result, place, seq):
        self.run, self.station, self.hub, self.unit, self.worker = run, station, hub, unit, worker
        self.state, self.why, self.result, self.place, self.seq = state, why, result, place, seq


class Shift:
    """`returned`: how many of its hub's assignments were taken back since it was told that it is off; None: that was not told."""

    def __init__(self, hub, name, on, seq):
        self.hub, self.name, self.on, self.seq, self.returned = hub, name, on, seq, None


def ranges(pairs):
    for first, count in zip(pairs[::2], pairs[1::2]):
        yield from range(first, first + count)


class World:
    def __init__(self):
        self.seq = 0          # every event up to it is in
        self.from_snapshot = False
        self.lines = {}       # number -> {"name", "version", "state"}
        self.stations = {}    # number -> {"line", "version", "index", "name", "paused"}
        self.runs, self.assignments, self.workers, self.hubs = {}, {}, {}, {}
        self.signed_in = collections.defaultdict(set)  # hub -> workers
        self.shifts = {}                               # number -> Shift, of those that were told of
        self.standing = {}                             # (worker, line, station) -> what it is, where it is not good
        self.wrong = []                                # where events contradict each other
        self.presence_known = None                     # hubs of which it is known since a snapshot, which does not tell; None: all

    # ---- looking up
    def line_stations(self, line, version):
        found = [s for s in self.stations.values() if (s["line"], s["version"]) == (line, version)]
        return sorted(found, key=lambda s: s["index"])

    def task(self, run, station, unit):
        return self.runs[run].units[unit].tasks[self.stations[station]["index"]]

    def units(self, data, seq):
        """Units of an event that have not seen it yet."""
        run = self.runs.get(data["run"])
        for n in ranges(data["units"]) if run else ():
            unit = run.units.get(n)
            if unit is not None and unit.seq < seq:
                yield n, unit

    # ---- events, by name
    def apply(self, name, data, seq):
        assert seq == self.seq + 1, "event %d after %d" % (seq, self.seq)
        self.seq = seq
        getattr(self, "on_" + name.lower(), lambda d, s: None)(data, seq)

    def on_line_applied(self, d, seq):
        line = self.lines.setdefault(d["line"], {"state": 0})
        line["name"], line["version"] = d["name"], max(d["version"], line.get("version", 0))
        self.on_line_stations(d, seq)

    def on_line_stations(self, d, seq):
        at = len(self.line_stations(d["line"], d["version"])) if d.get("name") is None else 0
        for i, (number, name) in enumerate(d["stations"]):
            paused = any(s["paused"] for s in self.stations.values() if s["line"] == d["line"] and s["name"] in (name, name.removesuffix(".jury")))
            self.stations.setdefault(number, {"line": d["line"], "version": d["version"], "index": at + i, "name": name, "paused": paused})

    def on_line_state(self, d, seq):
        self.lines[d["line"]]["state"] = d["state"]

    def on_station_state(self, d, seq):
        for s in self.stations.values():
            if s["line"] == d["line"] and s["name"] == d["station"]:
                s["paused"] = d["paused"]

    def on_run_started(self, d, seq):
        if d["run"] not in self.runs:
            self.runs[d["run"]] = Run(d["name"], d["line_id"], d["version"], RUN_OPEN, False, d["priority"], seq)

    def on_run_state(self, d, seq):
        run = self.runs.get(d["run"])
        if run is None:
            return
        if run.seq < seq:
            run.state, run.paused, run.priority = d["state"], d["paused"], d["priority"]
        if d["state"] in (RUN_CANCELLED, RUN_DELETING):
            for unit in run.units.values():
                if unit.state == OPEN:
                    unit.end(CANCELLED)

    def on_swept(self, d, seq):
        if d["what"] == SWEPT_DELETE:
            self.runs.pop(d["run"], None)
            self.assignments = {n: a for n, a in self.assignments.items() if a.run != d["run"]}

    def on_units_added(self, d, seq):
        run = self.runs.get(d["run"])
        for n in ranges(d["units"]) if run else ():
            if n not in run.units:
                run.units[n] = Unit(OPEN, [Task() for _ in self.line_stations(run.line, run.version)], seq)

    def set_tasks(self, d, seq, state):
        index = self.stations[d["station"]]["index"]
        for _, unit in self.units(d, seq):
            unit.tasks[index].state = state
            if state == READY and d["why"] in (WHY_REQUEUED, WHY_REJECTED):
                unit.tasks[index].attempts = 0

    def on_tasks_ready(self, d, seq):
        self.set_tasks(d, seq, READY)

    def on_tasks_blocked(self, d, seq):
        index = self.stations[d["station"]]["index"]
        for _, unit in self.units(d, seq):
            unit.tasks[index].state, unit.tasks[index].attempts = BLOCKED, 0

    def on_tasks_waiting(self, d, seq):
        self.set_tasks(d, seq, WAITING)

    def on_tasks_skipped(self, d, seq):
        self.set_tasks(d, seq, SKIPPED)

    def on_tasks_done(self, d, seq):
        self.set_tasks(d, seq, DONE)

    def on_tasks_dead(self, d, seq):
        self.set_tasks(d, seq, DEAD)

    def on_units_done(self, d, seq):
        for _, unit in self.units(d, seq):
            unit.state = UNIT_DONE

    def on_units_dropped(self, d, seq):
        for _, unit in self.units(d, seq):
            unit.end(DROPPED)

    def on_assigned(self, d, seq):
        if d["run"] not in self.runs:
            return
        workers = [w for w, count in zip(d["workers"][::2], d["workers"][1::2]) for _ in range(count)]
        units = list(ranges(d["units"]))
        assert len(workers) == len(units), d
        index = self.stations[d["station"]]["index"]
        for no, (unit, worker) in enumerate(zip(units, workers), d["first"]):
            if no not in self.assignments:
                self.assignments[no] = Assignment(d["run"], d["station"], d["hub"], unit, worker, HANDED, 0, 0, 0, seq)
        for (n, unit) in self.units(d, seq):
            task = unit.tasks[index]
            task.state = ASSIGNED
        for no, n in enumerate(units, d["first"]):
            unit = self.runs[d["run"]].units.get(n)
            if unit is not None and unit.seq < seq:
                unit.tasks[index].assignment = no
                unit.tasks[index].live[no] = False

    def current(self, no, a, seq):
        """The task of this assignment, if it has not seen the event yet and still waits for this assignment."""
        run = self.runs.get(a.run)
        unit = run and run.units.get(a.unit)
        if not unit or unit.seq >= seq or unit.state != OPEN:
            return None
        task = unit.tasks[self.stations[a.station]["index"]]
        return task if task.state not in (DONE, SKIPPED, ENDED) else None

    def on_worker_standing(self, d, seq):
        who = (d["worker"], d["line"], d["station"])
        if d["standing"] == "good":
            self.standing.pop(who, None)
        else:
            self.standing[who] = d["standing"]

    def on_answers_void(self, d, seq):
        for no in d["assignments"]:
            a = self.assignments.get(no)
            if a is not None and a.seq < seq:
                a.state, a.why = LATE, WHY_SUSPENDED
        run = self.runs.get(d["run"])
        unit = run and run.units.get(d["unit"])
        if unit and unit.seq < seq:
            unit.tasks[self.stations[d["station"]]["index"]].wanted = d["wanted"]

    def on_started(self, d, seq):
        for no in ranges(d["assignments"]):
            a = self.assignments.get(no)
            if a is None:
                continue
            task = self.current(no, a, seq)
            if task:
                task.live[no] = True
            if a.seq < seq:
                a.state = BEGUN

    def on_returned(self, d, seq):
        a = self.assignments.get(d["assignment"])
        if a is None:
            return
        task = self.current(d["assignment"], a, seq)
        # was it started? A task that has not seen this event was in hand as the assignment was; its state tells
        if task:
            begun = task.live.pop(d["assignment"], task.told == STARTED)
            task.attempts += d.get("attempt", d["why"] == WHY_FAILED or (d["why"] == WHY_EXPIRED and begun))
        if a.seq < seq:
            a.state, a.why = RETURNED, d["why"]
        if d["why"] == WHY_RECALLED:
            for s in self.shifts.values():
                if s.hub == d["hub"] and s.returned is not None:
                    s.returned += 1

    def on_submitted(self, d, seq):
        late = set(ranges(d["late"]))
        for i, no in enumerate(ranges(d["assignments"])):
            a = self.assignments.get(no)
            if a is None:
                continue
            if i not in late:
                run = self.runs.get(a.run)
                unit = run and run.units.get(a.unit)
                if unit and unit.seq < seq:
                    task = unit.tasks[self.stations[a.station]["index"]]
                    task.live.pop(no, None)
                    task.result, task.assignment = d["first"] + i, max(task.assignment, no)
            if a.seq < seq:
                a.state, a.result = (LATE if i in late else COUNTED), d["first"] + i

    def on_tasks_held(self, d, seq):
        self.set_tasks(d, seq, ASSIGNED)

    def on_task_decided(self, d, seq):
        run = self.runs.get(d["run"])
        unit = run and run.units.get(d["unit"])
        if unit and unit.seq < seq:
            task = unit.tasks[self.stations[d["station"]]["index"]]
            task.result, task.decided = d["result"], d

    def on_task_wants(self, d, seq):
        run = self.runs.get(d["run"])
        unit = run and run.units.get(d["unit"])
        if d["why"] not in (WHY_COPIES, WHY_REQUEUED):
            self.wrong.append("event %d: an answer wanted for why %d" % (seq, d["why"]))
        if unit and unit.seq < seq:
            task = unit.tasks[self.stations[d["station"]]["index"]]
            jury = self.stations[d["station"]]["name"].endswith(".jury")  # may want several more
            if task.wanted and d["wanted"] != task.wanted + 1 and not (jury and d["wanted"] > task.wanted):
                self.wrong.append("event %d: %d answers wanted, %d before" % (seq, d["wanted"], task.wanted))
            task.wanted = d["wanted"]

    def on_task_placed(self, d, seq):
        for no, place, _ in d["places"]:
            a = self.assignments.get(no)
            if a is not None and a.seq < seq:
                a.place = place

    def on_hub_session(self, d, seq):
        self.hubs[d["hub"]] = {"name": d["name"], "zone": d["zone"], "connected": d["connected"]}
        if d["signed_in"] == 0:
            self.signed_in[d["hub"]].clear()
            if self.presence_known is not None:
                self.presence_known.add(d["hub"])

    def on_roster_workers(self, d, seq):
        for number, name in d["joined"]:
            self.workers[number] = {"name": name, "hub": d["hub"], "on_roster": True}
        for number in d["left"]:
            self.workers[number]["on_roster"] = False
            self.signed_in[d["hub"]].discard(number)

    def on_shift(self, d, seq):
        s = self.shifts.setdefault(d["shift"], Shift(d["hub"], d["name"], not d["on"], 0))
        if s.seq < seq:
            if (s.hub, s.name, s.on) != (d["hub"], d["name"], not d["on"]):
                self.wrong.append("event %d: shift %d of hub %d, %s, becomes %r; it was %s, %r" % (seq, d["shift"], d["hub"], d["name"], d["on"], s.name, s.on))
            s.on, s.returned = d["on"], None if d["on"] else 0

    def on_handover(self, d, seq):
        s = self.shifts.setdefault(d["shift"], Shift(d["hub"], d["name"], False, 0))  # somebody came into one that is off, and was never told
        if (s.hub, s.name) != (d["hub"], d["name"]):
            self.wrong.append("event %d: a handover of shift %d, which is not that" % (seq, d["shift"]))
        elif s.returned is not None:
            begun = sum(a.hub == d["hub"] and a.state == BEGUN for a in self.assignments.values())
            if s.on or d["returned"] > s.returned or (d["started"] > begun and not self.from_snapshot):
                self.wrong.append("event %d: %r; %d came back, %d are begun" % (seq, d, s.returned, begun))

    def on_workers_present(self, d, seq):
        self.signed_in[d["hub"]].update(d["in"])
        self.signed_in[d["hub"]].difference_update(d["out"])

    def on_broker_started(self, d, seq):
        self.signed_in.clear()
        self.presence_known = None
        for hub in self.hubs.values():
            hub["connected"] = False

    # ---- counters: counts of the above
    def run_counters(self, run):
        states = collections.Counter(u.state for u in run.units.values())
        dead = sum(u.state == OPEN and any(t.state == DEAD for t in u.tasks) for u in run.units.values())
        return {"units": len(run.units), "done": states[UNIT_DONE], "dropped": states[DROPPED], "cancelled": states[CANCELLED], "dead": dead}

    def station_counters(self, run, index):
        states = collections.Counter(u.tasks[index].state for u in run.units.values())
        return {word: states[i] for i, word in enumerate(COUNTERS)}


def snapshot(client, limit=None, between=lambda: None):
    """A World from snapshot_get, at the first page's sequence: rows of later pages know more, and say so. between() runs between pages."""
    world, cursor, first = World(), None, None
    world.presence_known, world.from_snapshot = set(), True
    while True:
        page = client.request("snapshot_get", after=cursor, limit=limit)
        first = page["seq"] if first is None else first
        for row in page["rows"]:
            take_row(world, row[0], row[1:], page["seq"])
        cursor = page.get("next")
        if cursor is None:
            world.seq = first
            return world
        between()


def take_row(world, kind, v, seq):
    if kind == "line":
        world.lines[v[0]] = {"name": v[1], "version": v[2], "state": v[3]}
    elif kind == "station":
        world.stations[v[0]] = dict(zip(("line", "version", "index", "name", "paused"), v[1:]))
    elif kind == "hub":
        world.hubs[v[0]] = {"name": v[1], "zone": v[2], "connected": None}
    elif kind == "worker":
        world.workers[v[0]] = {"name": v[1], "hub": v[2], "on_roster": v[4]}
    elif kind == "run":
        world.runs[v[0]] = Run(v[1], v[2], v[3], v[4], v[5], v[6], seq)
    elif kind == "unit":
        if v[0] in world.runs:  # else a run that came after the runs' page: its events tell
            world.runs[v[0]].units[v[1]] = Unit(v[2], [Task(*t) for t in v[3]], seq)
    elif kind == "assignment":
        if v[1] in world.runs:
            a = world.assignments[v[0]] = Assignment(*v[1:], seq)
            unit = world.runs[v[1]].units.get(a.unit)
            task = unit and unit.tasks[world.stations[a.station]["index"]]
            if task and a.state in (HANDED, BEGUN):
                task.live.setdefault(v[0], a.state == BEGUN)
            elif task:
                task.live.pop(v[0], None)
    elif kind == "standing":
        world.standing[tuple(v[:3])] = v[3]
    elif kind == "shift":
        world.shifts[v[0]] = Shift(*v[1:], seq)
    else:
        raise AssertionError("a snapshot row of kind " + kind)


def follow(client, world, types=None):
    """Apply every event there is now."""
    types = types or event_names()
    while True:
        page = client.request("events_get", since=world.seq + 1)
        for e in page["events"]:
            world.apply(types.get(e["type"], "unknown"), e["data"], e["seq"])
        if not page.get("more"):
            return world


def event_names():
    import os
    import re
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "events.md")
    with open(path, encoding="utf-8") as f:
        return {int(n): name for name, n in re.findall(r"^### (\w+), type (\d+)$", f.read(), re.M)}


def compare(client, world, units=True):
    """Differences between the world and what the broker says of it; the broker must be at rest. units: every unit's story, too."""
    wrong = list(world.wrong)
    now = snapshot(client)

    def same(what, mine, theirs):
        if mine != theirs:
            wrong.append("%s: rebuilt %r, the broker says %r" % (what, mine, theirs))
    listed = {r["run_id"]: r for r in client.pages("runs_get", cursor="after", key="run_id")}
    living = {n: r for n, r in world.runs.items() if r.state != RUN_DELETING}
    same("runs", sorted(living), sorted(listed))
    lines = {r["name"]: r for r in client.pages("lines_get", cursor="after", key="name")}
    for line in world.lines.values():
        if line["state"] != 2:
            same("line " + line["name"], (line["version"], line["state"]), (lines[line["name"]]["version"], lines[line["name"]]["state"]))
    for s in client.pages("stations_get", cursor="after", key="station_id"):
        same("station %d" % s["station_id"], (world.stations[s["station_id"]]["name"], world.stations[s["station_id"]]["paused"]), (s["name"], s["paused"]))
    shifts = {s["shift"]: s for s in client.pages("shifts_get", cursor="after", key="shift")}
    hubs = {number: h["name"] for number, h in world.hubs.items()}
    same("shifts of a snapshot", {n: (hubs[s.hub], s.name, s.on) for n, s in now.shifts.items()}, {n: (s["hub"], s["name"], s["on"]) for n, s in shifts.items()})
    for number in set(world.shifts) | set(shifts):  # one that was never told is off, and so is one that is no more
        mine, theirs = world.shifts.get(number), shifts.get(number)
        same("shift %d" % number, bool(mine and mine.on), bool(theirs and theirs["on"]))
        if mine and theirs:
            same("shift %d" % number, (hubs[mine.hub], mine.name), (theirs["hub"], theirs["name"]))
    same("standings", {k: v for k, v in world.standing.items() if world.lines[k[1]]["state"] != 2}, {k: v for k, v in now.standing.items() if world.lines[k[1]]["state"] != 2})
    results = {n: a.result for n, a in now.assignments.items()}
    same("places", {n: a.place for n, a in world.assignments.items() if n in results and a.place}, {n: a.place for n, a in now.assignments.items() if a.place})
    same("results", {n: a.result for n, a in world.assignments.items() if n in results and a.state != RETURNED}, {n: r for n, r in results.items() if now.assignments[n].state != RETURNED})
    for number in sorted(set(living) & set(listed)):
        run = living[number]
        info = client.request("run_get", run=run.name)
        row = info["run"][0]
        mine = dict(world.run_counters(run), name=run.name, line=world.lines[run.line]["name"], version=run.version, state=run.state,
                    paused=run.paused, priority=run.priority)
        same("run " + run.name, mine, {key: row[key] for key in mine})
        for index, s in enumerate(info["stations"]):
            mine = dict(world.station_counters(run, index), name=world.line_stations(run.line, run.version)[index]["name"])
            same("run %s, station %d" % (run.name, index), mine, {key: s[key] for key in mine})
        definition = client.request("line_get", line=world.lines[run.line]["name"], version=run.version)["definition"]
        least = [s.get("copies", {}).get("min", 0) or s.get("contestants", 0) for s in definition["stations"]]
        juries = [s["jury"] for s in definition["stations"] if s.get("type") == "tournament"]
        least += [(j["max"] + 1) // 2 if j["ties"] == "first" else j["max"] // 2 + 1 for j in juries]
        for n in sorted(run.units) if units else ():
            compare_unit(client, world, run, n, least, now.runs[number].units[n], same, definition["stations"])
    for w in client.pages("workers_get", cursor="after", key="worker"):
        hub = world.workers[w["worker"]]["hub"]
        same("worker " + w["name"], (w["name"], True), (world.workers[w["worker"]]["name"], world.workers[w["worker"]]["on_roster"]))
        if world.presence_known is None or hub in world.presence_known:
            same("worker %s signed in" % w["name"], w["worker"] in world.signed_in[hub], w["signed_in"])
        holding = sum(a.worker == w["worker"] and a.state in (HANDED, BEGUN) for a in world.assignments.values())
        same("what %s holds" % w["name"], holding, w["holding"])
    return wrong


def compare_unit(client, world, run, n, least, now, same, stations):
    """least: answers by station, as the line says; now: the unit in a snapshot, which has what a story does not tell."""
    unit, story = run.units[n], client.request("unit_get", run=run.name, unit=n)["story"]
    what = "unit %s/%d" % (run.name, n)
    same(what, unit.state, story["state"])
    for task, told, fewest, row in zip(unit.tasks, story["stations"], least, now.tasks):
        here = what + ", " + told["name"]
        same(here, (task.state, task.attempts, task.assignment),
             (told["state"], told["attempts"], max((a["assignment"] for a in told["assignments"]), default=0)))
        standing = [a["assignment"] for a in told["assignments"] if a["state"] == COUNTED]
        numbers = [a["assignment"] for a in told["assignments"]]
        entries = any(s.get("type") == "tournament" and s["name"] == told["name"] for s in stations)
        if entries and told["state"] == DONE:  # its jury's station has the outcome
            same(here + ", the answers that count", [no for no in numbers if world.assignments[no].state == COUNTED], standing)
            same(here + ", the outcome", None, told["outcome"])
            same(here + ", the outcome in a snapshot", 0, row.result)
            same(here + ", the places", [world.assignments[no].place for no in standing], [a["place"] or 0 for a in told["assignments"] if a["state"] == COUNTED])
        elif "outcome" in told:
            same(here + ", the answers that count", [no for no in numbers if world.assignments[no].state == COUNTED], standing)
            same(here + ", whether there is an outcome", told["state"] == DONE, bool(task.result) and task.state == DONE)
            if told["state"] in (SKIPPED, ENDED):
                same(here + ", the answers wanted", 0, row.wanted)
            elif told["state"] == DONE:
                same(here + ", the answers wanted", 0, row.wanted)
                same(here + ", the number of the outcome", task.result, row.result)
                compare_outcome(world, here, task.decided, told, same)
            else:
                mine = (task.wanted or fewest, len(standing), len(task.live))
                same(here + ", the answers wanted, counted, in hand", mine, tuple(told["outcome"][key] for key in ("wanted", "counted", "in_hand")))
                same(here + ", the answers wanted in a snapshot", mine[0], row.wanted)
        else:
            mine = [no for no in numbers if task.result and world.assignments[no].result == task.result]
            if any("stands" in a for a in told["assignments"]):  # what a review sent back counted, and does not stand
                mine, standing = mine if task.state == DONE else [], [a["assignment"] for a in told["assignments"] if a["stands"]]
            same(here + ", the result that stands", mine, standing)
            same(here + ", the number of the result and the answers wanted", (task.result if task.state == DONE else 0, 0), (row.result, row.wanted))
        for a in told["assignments"]:
            known = world.assignments.get(a["assignment"])
            same("assignment %d" % a["assignment"], known and (known.state, world.workers[known.worker]["name"], known.result != 0),
                 (a["state"], a["worker"], a["result"] is not None))
            if known and known.state == RETURNED:
                same("why assignment %d came back" % a["assignment"], known.why, a["why"])


def compare_outcome(world, here, decided, told, same):
    """What TASK_DECIDED said, and what the unit's story says; a world from a snapshot may not have seen the event."""
    if decided is None:
        same(here + ", whether it was decided", world.from_snapshot, True)
        return
    outcome = told["outcome"]
    if told["name"].endswith(".jury"):  # it follows an entry, told at another station
        same(here + ", the place of the entry it follows", world.assignments[decided["assignment"]].place, 1)
        for a in told["assignments"]:
            same(here + ", whether a vote stands", a["entry"] == decided["assignment"] if a["state"] == COUNTED else False, a["stands"])
    else:
        followed = [a["result"] for a in told["assignments"] if a["assignment"] == decided["assignment"] and a["stands"]]
        same(here + ", the answer it follows", [{key: outcome[key] for key in result} for result in followed], followed)
        same(here + ", how often it is followed", len(followed), 1)
    mine = {"decided": decided["decided"], "answers": decided["answers"], "votes": decided["votes"], "confidence": decided["confidence"]}
    same(here + ", what it came to", mine, dict({key: outcome[key] for key in ("decided", "answers", "votes")}, confidence=round(float(outcome["confidence"]) * 1000000)))
