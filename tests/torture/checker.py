"""A judge of the tortures: was anything lost, doubled, made up or changed? It knows nothing of the broker: its input is a history, the list of what the
peers did, saw, and at the end took out, in the order in which it happened to them. It holds the broker to what it promised to each of them; the order of all things, and whether
each was right, is the other judge's, at the end of a whole history (judges.py). Pictures in the middle (a power cut, damage, a backup) are its alone.

    {"op": "put", "key": K, "value": V}                       a unit was offered; K is unique, V its payload
    {"op": "put_ok", "key": K, "unit": N}                     the broker acknowledged it
    {"op": "push", "assignment": A, "station": S, "key": K, "worker": W, "value": V}      a worker was shown V
    {"op": "submit", "assignment": A, "station": S, "key": K, "worker": W, "result": R}   a result was sent (each time it was)
    {"op": "submit_ok", "assignment": A, "code": C}           and answered: OK, DUPLICATE, LATE, STALE, NOT_FOUND, ...
    {"op": "tried", "station": S, "key": K, "result": R}      somebody may have sent this result: a robot behind an agent, a person who was not answered
    {"op": "kept", "station": S, "key": K, "worker": W, "result": R}    instead of the two, with an agent between: it promised to bring this in
    {"op": "act", "what": "start"|"release"|..., "assignment": A}    an act was sent
    {"op": "act_ok", "what": ..., "assignment": A, "code": C}
    {"op": "shown", "assignment": A, "station": S, "key": K, "worker": W, "value": V}     a person was shown V by an agent
    {"op": "backup"}, {"op": "backup_ok"}, {"op": "drafting"|"drafted", ...}    places for other judges: a copy was asked for and answered, a draft was sent and called kept
    {"op": "run"|"staff"|"session"|"credit"|"clock"|"row"|"handed"|"newest", ...}    for the other judge of whole histories (facts.py)
    {"op": "drop", "key": K}                                  an operator asked for this unit to be dropped
    {"op": "end", "key": K, "unit": N, "state": "done"|"open"|"dropped"|"cancelled", "value": V, "results": {S: R}}    at the end: each unit there is
    {"op": "story", "key": K, "station": S, "counted": [[A, W, R], ...], "late": [R, ...]}    at the end: the results that count, by the unit's story,
                                                              and (none if left out) those that are kept without counting
    {"op": "counters", "units": n, "done": n, "dropped": n, "cancelled": n}    at the end: what the broker says of the run
    {"op": "event", "seq": n, "done": [unit, ...]}            at the end: every event, in the order it was handed out, and the units it calls done
    {"op": "check", "wrong": [text, ...]}                     at the end: what a check of the store and a recount named

Verdicts, each with its examples; all but `recovered` must be empty:
    lost                  acknowledged (or kept), and not there in a terminal state, or not with this result; LATE, too, is an acknowledgement: the story has it
    untold                taken out were no counters, no events, no check, or not the story of a unit's result: nothing could be judged by them
    unsound               a check of the store, or a recount, named something
    unexpected            there, but never attempted
    duplicated            one key in two units, or one unit done twice
    double_accept         two results count for one task, or two workers were told so (stations here want one)
    stale_token_accepted  a result was called OK though another assignment of the task had been started or accepted before it was first sent
    bytes_differ          a payload or a result is not what was sent
    recovered             there, never acknowledged: allowed
    unbalanced            counters do not equal a recount, or events call other units done than those that are
    event_gap             the sequence has a hole, goes back, or does not begin at 1
"""
VERDICTS = ("lost", "unexpected", "duplicated", "double_accept", "stale_token_accepted", "bytes_differ", "unbalanced", "event_gap", "untold", "unsound")
ENDED = ("done", "dropped", "cancelled")


class Verdict:
    """What the checker found: lists of sentences by name; figures for the report."""

    def __init__(self):
        self.found = {name: [] for name in (*VERDICTS, "recovered")}
        self.acknowledged = self.accepted = 0

    def add(self, name, text):
        self.found[name].append(text)

    @property
    def bad(self):
        return {name: self.found[name] for name in VERDICTS if self.found[name]}

    def line(self):
        counts = ", ".join(f"{name} {len(self.found[name])}" for name in (*VERDICTS, "recovered"))
        return f"{self.acknowledged} units and {self.accepted} results acknowledged: {counts}"

    def story(self, most=5):
        return "\n".join(f"{name}: {len(texts)}\n" + "\n".join("  " + t for t in texts[:most]) for name, texts in self.bad.items())


class Assignment:
    def __init__(self, number, push):
        self.number, self.station, self.key, self.worker = number, push["station"], push["key"], push["worker"]
        self.tried = []          # results that were sent
        self.first_sent = None   # place in the history of the first submit
        self.said_ok = None      # place where OK or DUPLICATE was heard
        self.said_late = None    # place where LATE was heard: it does not count, but is kept
        self.started = None      # place where a start was heard to have gone through


class Book:
    """What the history says was attempted, promised and seen."""

    def __init__(self, history):
        self.tried, self.acked, self.unit_of = {}, {}, {}
        self.assignments, self.kept, self.others, self.drops = {}, [], {}, set()
        self.ends, self.stories, self.counters, self.events, self.checks = [], [], None, [], []
        self.shown = []
        for place, h in enumerate(history):
            getattr(self, "on_" + h["op"])(place, h)

    def on_put(self, place, h):
        if h["key"] in self.tried and self.tried[h["key"]] != h["value"]:
            raise ValueError(f"the history offers two payloads under the key {h['key']!r}")
        self.tried[h["key"]] = h["value"]

    def on_put_ok(self, place, h):
        self.acked.setdefault(h["key"], set()).add(h.get("unit"))

    def on_push(self, place, h):
        self.shown.append(h)
        known = self.assignments.get(h["assignment"])
        if known is None:
            self.assignments[h["assignment"]] = Assignment(h["assignment"], h)

    def on_submit(self, place, h):
        a = self.assignments.setdefault(h["assignment"], Assignment(h["assignment"], h))
        a.tried.append(h["result"])
        a.first_sent = place if a.first_sent is None else a.first_sent

    def on_submit_ok(self, place, h):
        a = self.assignments[h["assignment"]]
        if h["code"] in ("OK", "DUPLICATE") and a.said_ok is None:
            a.said_ok = place
        if h["code"] == "LATE" and a.said_late is None:
            a.said_late = place

    def on_tried(self, place, h):
        self.others.setdefault((h["key"], h["station"]), []).append(h["result"])

    def on_kept(self, place, h):
        self.kept.append(h)

    def on_act(self, place, h):
        pass

    def on_act_ok(self, place, h):
        if h["what"] == "start" and h["code"] in ("OK", "DUPLICATE"):
            self.assignments[h["assignment"]].started = place

    def on_backup(self, place, h):
        pass

    on_backup_ok = on_drafting = on_drafted = on_run = on_staff = on_session = on_credit = on_clock = on_row = on_handed = on_newest = on_backup

    def on_shown(self, place, h):
        self.shown.append(h)

    def on_drop(self, place, h):
        self.drops.add(h["key"])

    def on_end(self, place, h):
        self.ends.append(h)

    def on_story(self, place, h):
        self.stories.append(h)

    def on_counters(self, place, h):
        self.counters = h

    def on_event(self, place, h):
        self.events.append(h)

    def on_check(self, place, h):
        self.checks.append(h)


def brief(value, most=60):
    text = repr(value)
    return text if len(text) <= most else text[:most] + f"... ({len(text)})"


def check(history, drained=True):
    """drained False: a picture in the middle, after a cut: units may be open, and there are no stories, counters and events; what was acknowledged must be there
    all the same."""
    book, v = Book(history), Verdict()
    v.acknowledged = len(book.acked)
    units = check_units(book, v, drained)
    check_results(book, v, units, drained)
    check_tokens(book, v)
    check_shown(book, v)
    check_stories(book, v, units)
    if drained:
        check_told(book, v)
    if book.counters is not None:
        check_counters(book, v)
    if book.events:
        check_events(book, v)
    for check in book.checks:
        v.found["unsound"] += check["wrong"]
    return v


def check_told(book, v):
    """What the verdicts need."""
    if book.counters is None:
        v.add("untold", "the run's counters were not taken out")
    if not book.events:
        v.add("untold", "no event was taken out")
    if not book.checks:
        v.add("untold", "the store was not checked")
    told = {(s["key"], s["station"]) for s in book.stories}
    for end in book.ends:
        for station in end["results"]:
            if (end["key"], station) not in told:
                v.add("untold", f"{brief(end['key'])} at {station} has a result, and no story of it was taken out")
    for a in book.assignments.values():
        if a.said_late is not None and (a.key, a.station) not in told:
            v.add("untold", f"{brief(a.key)} at {a.station}: assignment {a.number} was called late, and no story of it was taken out")


def check_units(book, v, drained):
    """A and C for units; returns the ends by key."""
    by_key, by_unit = {}, {}
    for end in book.ends:
        key = end["key"]
        if key not in book.tried:
            v.add("unexpected", f"unit {end['unit']} has the key {brief(key)}, which nobody put")
            continue
        if key in by_key:
            v.add("duplicated", f"{brief(key)} is unit {by_key[key]['unit']} and unit {end['unit']}")
        if end["unit"] in by_unit:
            v.add("duplicated", f"unit {end['unit']} was handed out twice")
        by_key[key] = by_unit[end["unit"]] = end
        if end["value"] != book.tried[key]:
            v.add("bytes_differ", f"unit {end['unit']} {brief(key)} holds {brief(end['value'])}, put was {brief(book.tried[key])}")
        if drained and end["state"] not in ENDED:
            v.add("lost", f"unit {end['unit']} {brief(key)} came to no end: {end['state']}")
        if end["state"] == "dropped" and key not in book.drops:
            v.add("lost", f"unit {end['unit']} {brief(key)} was dropped, and nobody asked for it")
        if key not in book.acked:
            v.add("recovered", f"unit {end['unit']} {brief(key)}")
    for key, numbers in book.acked.items():
        if key not in by_key:
            v.add("lost", f"{brief(key)} was acknowledged as unit {sorted(numbers, key=str)} and is not there")
        elif numbers - {None, by_key[key]["unit"]}:
            v.add("duplicated", f"{brief(key)} was acknowledged as unit {sorted(numbers, key=str)} and is unit {by_key[key]['unit']}")
    return by_key


def check_results(book, v, units, drained):
    """A, C and D for results."""
    sent = {task: list(tried) for task, tried in book.others.items()}  # (key, station) -> results that were sent
    for a in book.assignments.values():
        sent.setdefault((a.key, a.station), []).extend(a.tried)
    for k in book.kept:
        sent.setdefault((k["key"], k["station"]), []).append(k["result"])
    for key, end in units.items():
        for station, result in end["results"].items():
            tried = sent.get((key, station), [])
            if result is None or result in tried:
                continue
            name = "bytes_differ" if tried else "unexpected"
            v.add(name, f"{brief(key)} at {station} has the result {brief(result)}; sent were {brief(tried)}")
    accepted = {}
    for a in book.assignments.values():
        if a.said_ok is not None:
            accepted.setdefault((a.key, a.station), []).append(a)
    for (key, station), many in accepted.items():
        v.accepted += 1
        if len(many) > 1:
            v.add("double_accept", f"{brief(key)} at {station}: assignments {[a.number for a in many]} were all called accepted")
        demand(v, units, key, station, [r for a in many for r in a.tried])
    by_task = {}
    for k in book.kept:
        v.accepted += 1
        by_task.setdefault((k["key"], k["station"]), []).append(k["result"])
    for (key, station), results in by_task.items() if drained else ():
        demand(v, units, key, station, results)


def demand(v, units, key, station, results):
    end = units.get(key)
    got = end and end["results"].get(station)
    if got is None:
        if end is None or end["state"] in ("done", "open"):
            v.add("lost", f"a result of {brief(key)} at {station} was accepted and is not there")
    elif got not in results:
        v.add("bytes_differ", f"{brief(key)} at {station}: accepted was {brief(results)}, there is {brief(got)}")


def check_tokens(book, v):
    by_task = {}
    for a in book.assignments.values():
        by_task.setdefault((a.key, a.station), []).append(a)
    for (key, station), many in by_task.items():
        for a in many:
            for other in many:
                if a is other or a.said_ok is None or a.first_sent is None or other.number < a.number:
                    continue
                if any(at is not None and at < a.first_sent for at in (other.started, other.said_ok)):
                    v.add("stale_token_accepted", f"{brief(key)} at {station}: {a.number} was accepted after {other.number} had taken its place")


def check_shown(book, v):
    whose = {}
    for p in book.shown:
        if p["key"] not in book.tried:
            v.add("unexpected", f"assignment {p['assignment']} showed {brief(p['value'])}, which nobody put")
        elif p["value"] != book.tried[p["key"]]:
            v.add("bytes_differ", f"assignment {p['assignment']} showed {brief(p['value'])}, put was {brief(book.tried[p['key']])}")
        task = (p["key"], p["station"], p["worker"])
        if whose.setdefault(p["assignment"], task) != task:
            v.add("duplicated", f"the number {p['assignment']} was given to {whose[p['assignment']]} and {task}")


def check_stories(book, v, units):
    told = {(s["key"], s["station"]): [c[2] for c in s["counted"]] + s.get("late", []) for s in book.stories}
    for a in book.assignments.values():
        results = told.get((a.key, a.station))
        if a.said_late is not None and results is not None and not set(a.tried) & set(results):
            v.add("lost", f"{brief(a.key)} at {a.station}: {brief(a.tried)} of {a.number} came late and was taken all the same; the story has {brief(results)}")
    for k in book.kept:  # whatever was promised to be brought in is there: one result of a task counts, the others are kept as late
        results = told.get((k["key"], k["station"]))
        if results is not None and k["result"] not in results:
            v.add("lost", f"{brief(k['key'])} at {k['station']}: {brief(k['result'])} was promised to be brought in; the story has {brief(results)}")
    for s in book.stories:
        if len(s["counted"]) > 1:
            v.add("double_accept", f"{brief(s['key'])} at {s['station']}: results of {[c[0] for c in s['counted']]} count")
        for number, worker, result in s["counted"]:
            a = book.assignments.get(number)
            end = units.get(s["key"])
            if a is not None and result not in a.tried:
                v.add("bytes_differ" if a.tried else "unexpected", f"{brief(s['key'])} at {s['station']}: {number} of {worker} counts with {brief(result)}, "
                      f"sent were {brief(a.tried)}")
            if end is not None and end["results"].get(s["station"]) not in (None, result):
                v.add("bytes_differ", f"{brief(s['key'])} at {s['station']}: the story has {brief(result)}, the output {brief(end['results'][s['station']])}")


def check_counters(book, v):
    states = [end["state"] for end in book.ends]
    for name, count in [("units", len(states))] + [(state, states.count(state)) for state in ENDED]:
        if book.counters[name] != count:
            v.add("unbalanced", f"the run says {name} {book.counters[name]}, counted were {count}")


def check_events(book, v):
    done, expected = {}, 1
    for e in book.events:
        if e["seq"] != expected:
            v.add("event_gap", f"after event {expected - 1} came {e['seq']}")
        expected = e["seq"] + 1
        for unit in e["done"]:
            done[unit] = done.get(unit, 0) + 1
    there = {end["unit"] for end in book.ends}
    for unit in done.keys() - there:
        v.add("unbalanced", f"unit {unit} was announced as done, and is not there")
    for unit, times in done.items():
        if times > 1:
            v.add("duplicated", f"unit {unit} was announced as done {times} times")
    for end in book.ends:
        if (end["state"] == "done") != (end["unit"] in done):
            v.add("unbalanced", f"unit {end['unit']} is {end['state']}, and {'' if end['unit'] in done else 'not '}announced as done")
