"""The peers around a broker under torture: a numbered producer, two hubs of people, an operator. They speak through sunline_wire, write everything they
do and hear into a history for the checker, and go on where they were when the broker has died and comes back: the producer sends again what was not
acknowledged, the hubs say hello with what they hold and send again what was not answered.

    crew = Crew(endpoints, seed=1, units=200)
    while not crew.play(alive=broker.running):   # False: the broker is gone
        broker.start(); crew.meet(endpoints)
    crew.take_out()                              # the ends, stories, output, counters and events, and what a check of the store names
    wrong = judges.whole(crew.history).wrong

What each worker does with each task comes from the seed and the unit, not from the order of events, so that every crash of a series meets the same
scenario. With one_by_one there is also one order: each frame waits for its answer, and whoever comes next for the pushes that it brought, so that the
broker commits the same batches each time (as far as its own threads and clocks let it). A key is the first word of the payload.
"""
import os
import random
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "lib"))
import sunline_wire as wire  # noqa: E402

STATIONS = ("first", "second")
LINE = {"line": "torture", "input": [{"name": "text", "type": "text"}], "stations": [
    {"name": name, "type": "work", "worker": {"skills": {"craft": 1}}, "lease": "10m", "backoff": "10ms", "attempts": 5,
     "form": {"title": name, "fields": [{"name": "answer", "type": "long_answer"}]}} for name in STATIONS]}
RUN = "r"
STATES = ("open", "done", "dropped", "cancelled")
TASK_STATES = ("blocked", "waiting", "ready", "assigned", "started", "done", "skipped", "dead", "ended")
STORIES_WAITING = 32  # asked for at a time: the broker bounds how many reads wait
ATTEMPTS = ("put", "push", "submit", "tried", "act", "drop")
COUNTED = 2  # an assignment's state: its result counts
SIT = ("sit",)


def payload(seed, n, big=0.03):
    """Unit n's text: its key, then letters of several alphabets; a few are so large that the store must cut them into pieces."""
    dice = random.Random(f"{seed}/{n}")
    letters = "abcdefghijklmnopqrstuvwxyz ,.\n\"'äßñçéøनेपालкириллица漢字😀"
    length = dice.randrange(2000, 12000) if dice.random() < big else dice.randrange(5, 60)
    return f"u{n} " + "".join(dice.choices(letters, k=length))


def key_of(text):
    return text.split(" ", 1)[0]


def clock(reads=5):
    """How far the wall clock is ahead of the one that nobody sets: by that reading in which the least time went by, since whoever reads may be held up."""
    def read():
        before, wall, after = map(time.clock_gettime_ns, (time.CLOCK_BOOTTIME, time.CLOCK_REALTIME, time.CLOCK_BOOTTIME))
        return after - before, wall - (before + after) // 2
    return {"op": "clock", "ahead_us": min(read() for _ in range(reads))[1] // 1000}


def output_pages(request, **what):
    after = 0
    while True:
        page = request("output_get", after_unit=after, **what)
        yield page
        if not page["more"]:
            return
        after = page["next_after"]


def run_rows(request, run=RUN, **more):
    """Every row of the run's output, finished or not: {text, unit, results}."""
    return [row for page in output_pages(request, run=run, all_units=True, **more) for row in decode_rows(page)]


def decode_rows(page):
    at = {name: i for i, name in enumerate(page["columns"])}
    return [{"unit": row[at["unit"]], "text": row[at["text"]],
             "results": {s: row[at[s + ".answer"]] for s in STATIONS if row[at[s + ".answer"]] is not None}} for row in page["rows"]]


def ends(rows):
    """The units of a picture in the middle, for the checker."""
    return [{"op": "end", "key": key_of(r["text"]), "unit": r["unit"], "state": "open", "value": r["text"], "results": r["results"]} for r in rows]


def results_of(station):
    """Of a station in a unit's story: the results that count, and those that came when another one did."""
    return {"counted": [[a["assignment"], a["worker"], a["result"]["answer"]] for a in station["assignments"] if a["state"] == COUNTED],
            "late": [a["result"]["answer"] for a in station["assignments"] if a["state"] != COUNTED and a.get("result")]}


def at_backup(history, rows):
    """A history as a backup with these rows may show it: whatever was attempted until its end, what was acknowledged before it was first asked for."""
    first = next(i for i, h in enumerate(history) if h["op"] == "backup")
    return history[:first] + [h for h in history[first:] if h["op"] in ATTEMPTS] + ends(rows)


def named(page):
    """What a page of a check names: damage, or runs whose counters are not what was counted, if it has them whole."""
    wrong = ["check: " + text for text in page.get("damage", [])]
    for _, name, _, first, units, ends, kept, stations in page.get("counts", []):
        if first == 1 and units == kept[0] and (ends != kept[1:] or any(counted != told for _, counted, told in stations)):
            wrong.append(f"recount: run {name}: counted {ends}, kept {kept[1:]}; stations {stations}")
        elif first == 1 and units != kept[0] and page.get("next") is None:
            wrong.append(f"recount: run {name} has {kept[0]} units, counted {units}")
    return wrong


def check(request):
    """All that a check of the store names, and then a recount."""
    wrong = []
    for recount in (False, True):
        after, more = None, True
        while more:
            page = request("check_get", recount=recount, after=after)
            wrong += named(page)
            after = page.get("next")
            more = after is not None
    return wrong


class Gone(Exception):
    """The broker is not there any more."""


def ask(peer, message, alive, timeout_s, /, **fields):
    """A request and its reply; Gone when the broker dies meanwhile."""
    request_id = peer.send(message, **fields)
    deadline = time.monotonic() + timeout_s
    while request_id not in peer.replies:
        if not peer.pump(0.02):
            if not alive():
                raise Gone
            if time.monotonic() > deadline:
                raise wire.Timeout(f"waited {timeout_s} s for the answer to {message}")
    return peer.reply(request_id, 0)[1]


class Link(wire.Agent):
    """A push may be lost: a broker does not wait for a link that takes nothing. The number shows the hole."""
    hole = False

    def unasked(self, name, request_id, fields):
        if name == "push" and fields["session"] == self.session and fields["push_no"] != self.last_push + 1:
            self.hole = True
        else:
            super().unasked(name, request_id, fields)


class Hub:
    """One hub's agent, as far as it outlives a broken link: what it holds, and what it sent and was not answered."""

    def __init__(self, crew, name, workers):
        self.crew, self.name, self.workers = crew, name, workers
        self.data_id, self.incarnation = random.Random(f"data/{crew.seed}/{name}").randbytes(16), 0
        self.held = {}       # assignment -> push: not finished
        self.steps = {}      # assignment -> steps to do: ("start",), ("submit", result), ("release",) ...
        self.waiting = {}    # request id -> [(assignment, step)]
        self.link, self.up = None, False

    def meet(self, endpoint):
        if self.link is not None:
            self.link.close()
        self.incarnation += 1
        self.waiting, self.up = {}, False
        self.link = Link(endpoint, self.name, incarnation=self.incarnation, data_id=self.data_id)

    def hello(self):
        """A session, the roster, and credit for the free slots."""
        crew = self.crew
        self.link.pushed, self.waiting, self.up = [], {}, False
        self.link.hole, self.link.last_push, self.link.session = False, 0, 0
        welcome = crew.ask(self.link, "hello", hub=self.name, incarnation=self.incarnation, data_id=self.data_id, zone="Africa/Nairobi",
                           roster_digest=self.link.digest, held=sorted(self.held), wall_us=time.time_ns() // 1000)
        self.link.session, self.link.totals = welcome["session"], {}
        for number in welcome["recalled"]:
            self.drop(number)
        skills = [{"name": name, "level": level} for name, level in crew.skills.items()]
        roster = [{"name": w, "kind": 0, "capacity": crew.credit, "skills": skills} for w in self.workers]
        done = crew.ask(self.link, "roster", session=self.link.session, digest=bytes([crew.credit]) * 32, workers=roster, last=True)
        self.link.workers = dict(zip(self.workers, done["workers"]))
        crew.tell({"op": "session", "hub": self.name, "session": self.link.session, "workers": dict(self.link.workers)})
        self.up = True
        self.grant({w: crew.credit - sum(p["worker"] == w for p in self.held.values()) for w in self.workers})

    def grant(self, grants):
        more = {w: n for w, n in grants.items() if n > 0}
        if more:
            self.link.credit(more)
            self.crew.tell({"op": "credit", "session": self.link.session,
                            "totals": [[number, self.link.totals[number]] for number in map(self.link.number, more)]})

    def __getstate__(self):
        return {**self.__dict__, "link": None}

    def drop(self, number):
        """A recalled assignment: forget it, unless its result is under way, which may count all the same."""
        steps = self.steps.get(number, [])
        if not any(step[0] == "submit" and len(step) > 2 for step in steps):
            self.held.pop(number, None)
            self.steps.pop(number, None)

    def take(self):
        """New pushes -> history, and a plan for each."""
        names = {number: name for name, number in self.link.workers.items()}
        for a in self.link.pushed:
            text, number = a["fields"][0], a["assignment"]
            station = self.crew.station_of.get(a["push"]["station_id"], "of another line")  # the judges will say that it is
            push = {"op": "push", "assignment": number, "station": station, "key": key_of(text), "worker": names[a["worker"]], "value": text}
            self.crew.tell(push)
            if number not in self.held:
                self.held[number] = dict(push, number=a["worker"])
                self.steps[number] = self.crew.plan(push)
        self.link.pushed = []
        freed = {}
        for number, _ in self.link.recalled:
            worker = self.held.get(number, {}).get("worker")
            self.drop(number)
            if worker and number not in self.held:
                freed[worker] = freed.get(worker, 0) + 1
        self.link.recalled = []
        self.grant(freed)

    def send(self):
        """The next step of everything that waits for no answer: acts in one frame, results in another. Whoever sits on a task waits until it is taken from him."""
        busy = {number for batch in self.waiting.values() for number, _ in batch}
        acts, results = [], []
        for number, steps in self.steps.items():
            if number not in busy and steps and steps[0] != SIT:
                (results if steps[0][0] == "submit" else acts).append((number, steps[0]))
        if acts and len(self.waiting) < self.crew.frames:
            for number, (what, *_) in acts:
                self.crew.tell({"op": "act", "what": what, "assignment": number})
            items = [self.link.act(what, self.item(n), **({"delay_us": self.crew.fail_us} if what == "fail" and self.crew.fail_us else {})) for n, (what, *_) in acts]
            self.waiting[self.link.send("acts", session=self.link.session, acts=items)] = acts
        if results and len(self.waiting) < self.crew.frames:
            sent = []
            for number, step in results:
                push = self.held[number]
                self.crew.tell({"op": "submit", "assignment": number, "station": push["station"], "key": push["key"], "worker": push["worker"],
                                "result": step[1]})
                self.steps[number][0] = ("submit", step[1], "sent")
                sent.append((number, self.steps[number][0]))
            items = [self.link.result(self.item(n), [step[1]]) for n, step in sent]
            self.waiting[self.link.send("submit", session=self.link.session, results=items)] = sent

    def item(self, number):
        return {"assignment": number, "worker": self.held[number]["number"]}

    def hear(self):
        """Answers to what was sent. False: the session is over, or a push was lost: hello again."""
        if self.link.hole:
            return False
        free = {}
        for request_id in [r for r in self.waiting if r in self.link.replies]:
            name, fields = self.link.replies.pop(request_id)
            batch = self.waiting.pop(request_id)
            if name == "error":
                error = wire.SunlineError(fields)
                if error.code == "NO_SESSION":
                    return False
                if error.retry not in (1, 2):
                    raise error
                continue  # sent again in the next round
            codes = {o["assignment"]: wire.CATALOGUE.errors[o["code"]] for o in fields.get("outcomes", [])}
            for number, step in batch:
                self.answered(number, step, codes.get(number, "OK"), free)
        for request_id, (name, fields) in list(self.link.replies.items()):
            if name == "error":  # of a credit
                del self.link.replies[request_id]
                if wire.CATALOGUE.errors[fields["code"]] == "NO_SESSION":
                    return False
        self.grant(free)
        return True

    def answered(self, number, step, code, free):
        answer = {"assignment": number, "code": code, "heard_us": time.time_ns() // 1000}
        self.crew.tell({"op": "submit_ok", **answer} if step[0] == "submit" else {"op": "act_ok", "what": step[0], **answer})
        if number not in self.steps:
            return
        self.steps[number].pop(0)
        over = code not in ("OK", "DUPLICATE")
        if not self.steps[number] or over and step[0] != "start":
            worker = self.held.pop(number)["worker"]
            del self.steps[number]
            free[worker] = free.get(worker, 0) + 1
        elif over:  # a start that was refused: the number is over, but a result may still be offered
            self.steps[number] = [s for s in self.steps[number] if s[0] == "submit"]


class Crew:
    """credit: of each worker; skills: {name: level}; frame: rows of a put; window: puts on their way; backup: where the operator has a copy of the store made, once half of all
    is in; looks: he looks in every so many-th round alone; line: with the same stations as LINE; fail_us: what fails is tried again after so long, None: as the line says;
    sitters: so many of the rounds that come to nothing at the second station do since somebody sits on the task until his time is over. Pickled, it is who they are and what
    they know, without links: they meet() the next broker."""

    def __init__(self, endpoints, seed, units=200, frame=15, credit=8, window=2, hubs=2, noise=0.12, on_tell=None, one_by_one=False, backup=None, skills=None, looks=1,
                 line=None, fail_us=10000, sitters=0.0):
        self.seed, self.units, self.frame, self.credit, self.noise = seed, units, frame, credit, noise
        self.one_by_one, self.backup, self.copies_asked, self.copied = one_by_one, backup, 0, backup is None
        self.window, self.frames = (1, 1) if one_by_one else (window, 4)  # on their way: puts, a hub's frames
        self.looks, self.turns = looks, 0
        self.line, self.fail_us, self.sitters = line or LINE, fail_us, sitters
        self.history, self.on_tell, self.skills = [], on_tell, skills or {"craft": 1}
        self.producer_id = random.Random(f"producer/{seed}").randbytes(16)
        self.acked_rows = 0      # rows 1..n are acknowledged
        self.flying = {}         # request id -> (first row, count)
        self.put = self.operator = None
        self.run_id, self.station_of, self.ready = None, {}, False
        self.counters, self.polling, self.closed = {}, None, None
        self.rounds = {}
        self.hubs = [Hub(self, f"hub{i}", [f"h{i}-ann", f"h{i}-ben"]) for i in range(hubs)]
        self.alive = lambda: True
        self.tell({"op": "run", "name": RUN, "line": self.line, "producer": 1})
        for hub in self.hubs:
            self.tell({"op": "staff", "credit": "told", "workers": [{"name": w, "kind": 0, "skills": self.skills} for w in hub.workers]})
        self.tell(clock())
        self.meet(endpoints)

    def __getstate__(self):
        return {**self.__dict__, "put": None, "operator": None, "alive": None, "on_tell": None}

    # ---- what all of them need
    def tell(self, record):
        self.history.append(record)
        if self.on_tell:
            self.on_tell(record)

    def meet(self, endpoints):
        """Fresh links to a broker that has just started."""
        for peer in (self.put, self.operator):
            if peer is not None:
                peer.close()
        self.put, self.operator = wire.Client(endpoints["clients"]), wire.Client(endpoints["clients"])
        self.flying, self.ready, self.polling, self.closed = {}, False, None, None
        for hub in self.hubs:
            hub.meet(endpoints["agents"])

    def close(self):
        for peer in (self.put, self.operator, *(hub.link for hub in self.hubs)):
            if peer is not None:
                peer.socket.setsockopt(wire.zmq.LINGER, 0)
                peer.close()

    def ask(self, peer, message, /, timeout_s=20, **fields):
        return ask(peer, message, self.alive, timeout_s, **fields)

    # ---- the plan
    def plan(self, push):
        """The first rounds of a task may come to nothing, so that it is assigned again; not the fourth: of four workers one never declined."""
        task = (push["key"], push["station"])
        attempt = self.rounds[task] = self.rounds.get(task, 0) + 1
        dice = random.Random(f"plan/{self.seed}/{push['key']}/{push['station']}/{attempt}")
        result = f"{push['key']} {push['station']} by {push['worker']} {push['assignment']} " + payload(self.seed, f"{push['assignment']}", 0.01)
        finish = [("start",), ("submit", result)] if dice.random() < 0.7 else [("submit", result)]
        if attempt > 3 or dice.random() >= self.noise:
            return finish
        if self.sitters and push["station"] == STATIONS[1] and dice.random() < self.sitters:
            return dice.choice([[SIT], [("start",), SIT], [("start",), ("touch",), SIT]])
        return dice.choice([[("release",)], [("start",), ("release",)], [("start",), ("touch",), *finish[-1:]], [("start",), ("fail",)], [("fail",)],
                            [("start",), ("bury",)], [("decline",)]])

    # ---- playing
    def prepare(self):
        self.ask(self.operator, "line_apply", definition=self.line)
        self.run_id = self.ask(self.operator, "run_start", line=self.line["line"], name=RUN)["run_id"]
        rows = self.ask(self.operator, "line_get", line=self.line["line"])["stations"]
        self.station_of = {row["station_id"]: row["name"] for row in rows}
        for hub in self.hubs:
            hub.hello()
        self.ready = True

    def send_rows(self):
        row = self.acked_rows + sum(n for _, n in self.flying.values())
        while row < self.units and len(self.flying) < self.window:
            n = min(self.frame, self.units - row)
            texts = [payload(self.seed, i) for i in range(row + 1, row + n + 1)]
            for text in texts:
                self.tell({"op": "put", "key": key_of(text), "value": text})
            request_id = self.put.send("put", run_id=self.run_id, rows=[[t] for t in texts], producer=self.producer_id, epoch=1, first_seq=row + 1)
            self.flying[request_id] = (row + 1, n)
            row += n

    def hear_rows(self):
        for request_id in [r for r in self.flying if r in self.put.replies]:
            first, n = self.flying[request_id]
            if first != self.acked_rows + 1:
                continue  # its turn comes
            name, fields = self.put.replies.pop(request_id)
            del self.flying[request_id]
            if name == "error":
                error = wire.SunlineError(fields)
                if error.retry not in (1, 2) and error.code != "SEQUENCE_GAP":
                    raise error
                self.flying = {}  # all again from here, in order
                self.refused(error)
                return
            for i in range(n):
                new = i - fields["duplicates"]
                unit = fields["first_unit"] + new if fields["first_unit"] and new >= 0 else None
                self.tell({"op": "put_ok", "key": f"u{first + i}", "unit": unit})
            self.acked_rows += n

    def refused(self, error):
        """A put was refused for now. Tests with a full disk look here."""

    def back_up(self):
        """Asked for until it was answered, like everything: what is there then is an earlier request's, whose answer nobody heard."""
        self.tell({"op": "backup"})
        self.copies_asked += 1
        try:
            self.ask(self.operator, "backup", path=self.backup)
        except wire.SunlineError:
            if self.copies_asked == 1 or not os.path.exists(self.backup):
                raise
        self.copied = True
        self.tell({"op": "backup_ok"})

    def operate(self):
        """The operator: have a copy made, close the run once all is in, requeue the dead, look how far it is."""
        self.turns += 1
        if self.turns % self.looks:
            return
        if not self.copied and 2 * self.acked_rows >= self.units:
            self.back_up()
        replies = self.operator.replies
        if self.polling in replies:
            name, fields = replies.pop(self.polling)
            self.polling = None
            if name == "error":
                raise wire.SunlineError(fields)
            self.counters = fields["run"][0]
            if self.counters["dead"]:
                for number in self.station_of:
                    self.operator.send("tasks_set", station_id=number, action=0)
        for request_id in [r for r, (name, _) in replies.items() if name == "done"]:
            del replies[request_id]
        if self.acked_rows == self.units and self.closed is None:
            self.closed = self.operator.send("run_set", run=RUN, action=0)
        if self.polling is None:
            self.polling = self.operator.send("run_get", run=RUN)

    def wait(self, peer, request_ids):
        """Until they are answered; the answers stay where they are."""
        deadline = time.monotonic() + 20
        while not all(r in peer.replies for r in request_ids):
            if not peer.pump(0.02):
                if not self.alive():
                    raise Gone
                if time.monotonic() > deadline:
                    raise wire.Timeout(f"waited 20 s for answers to {list(request_ids)}")

    def meet_pushes(self):
        """Whatever the broker did by now has come to the hubs."""
        for hub in self.hubs:
            self.wait(hub.link, [hub.link.send("heartbeat", session=hub.link.session, last_push=hub.link.last_push, held=len(hub.held),
                                               wall_us=time.time_ns() // 1000)])
            hub.take()

    def step(self):
        """A round in which everybody waits for everybody."""
        self.send_rows()
        self.wait(self.put, self.flying)
        self.hear_rows()
        for hub in self.hubs:
            for _ in range(2):  # acts, and results
                self.meet_pushes()
                hub.send()
                self.wait(hub.link, hub.waiting)
                if any(step[0] == "fail" for batch in hub.waiting.values() for _, step in batch):
                    time.sleep(0.015)  # what failed is tried again by then
                if not hub.hear():
                    hub.hello()
        closed = self.closed
        self.operate()
        self.wait(self.operator, {self.polling, self.closed} - {closed})

    def turn(self, pause_s=0.005):
        """One round of everybody. True: all is done."""
        if not self.ready:
            self.prepare()
        if self.one_by_one:
            self.step()
            return self.counters.get("state") == 2
        self.send_rows()
        for hub in self.hubs:
            hub.send()
        poller = wire.zmq.Poller()
        peers = [self.put, self.operator, *(hub.link for hub in self.hubs)]
        for peer in peers:
            poller.register(peer.socket, wire.zmq.POLLIN)
        if not poller.poll(int(pause_s * 1000)) and not self.alive():
            raise Gone
        for peer in peers:
            while peer.pump(0):
                pass
        self.hear_rows()
        for hub in self.hubs:
            hub.take()
            if not hub.hear():
                hub.hello()
        self.operate()
        return self.counters.get("state") == 2

    def play(self, alive, timeout_s=120):
        """True when the run is done; False when the broker is gone."""
        self.alive = alive
        deadline = time.monotonic() + timeout_s
        try:
            while not self.turn():
                if time.monotonic() > deadline:
                    raise wire.Timeout(f"the run is not done after {timeout_s} s: {self.counters}, rows {self.acked_rows}, flying {self.flying}, "
                                       f"closed {self.closed}, held {[len(h.held) for h in self.hubs]}, waiting {[h.waiting for h in self.hubs]}")
        except Gone:
            return False
        return True

    # ---- the end
    def take_out(self, run=RUN):
        """Everything the broker has, into the history."""
        def request(name, **fields):
            return self.ask(self.operator, name, **fields)
        rows, ids = run_rows(request, run), []
        for i, row in enumerate(rows):
            ids += [self.operator.send("unit_get", run=run, unit=r["unit"]) for r in rows[len(ids):i + STORIES_WAITING]]
            story = self.operator.reply(ids[i], 120)[1]["story"]
            key = key_of(row["text"])
            self.tell({"op": "end", "key": key, "unit": row["unit"], "state": STATES[story["state"]], "value": row["text"], "results": row["results"]})
            for station in story["stations"]:
                every = [[a["assignment"], a["state"], a.get("why") or 0, a["result"]["answer"] if a.get("result") else None] for a in station["assignments"]]
                self.tell({"op": "story", "key": key, "station": station["name"], "state": station.get("state") or 0, **results_of(station), "all": every})
        self.take_output(request, run)
        info = self.ask(self.operator, "run_get", run=run)
        row = info["run"][0]
        self.tell({"op": "counters", **{name: row[name] for name in ("units", "done", "dropped", "cancelled", "dead", "state")},
                   "stations": {s["name"]: [s[state] for state in TASK_STATES] for s in info["stations"]}})
        self.take_events(row["run_id"])
        self.tell(clock())
        self.tell({"op": "check", "wrong": check(lambda name, **fields: self.ask(self.operator, name, timeout_s=60, **fields))})

    def take_output(self, request, run):
        """What the run hands out, and each of its stations."""
        for page in output_pages(request, run=run):
            for r in decode_rows(page):
                self.tell({"op": "row", "unit": r["unit"], "value": r["text"], "results": r["results"]})
        for station in STATIONS:
            for page in output_pages(request, run=run, station=station):
                unit, answer = page["columns"].index("unit"), page["columns"].index(station + ".answer")
                for r in page["rows"]:
                    self.tell({"op": "handed", "station": station, "unit": r[unit], "result": r[answer]})

    def take_events(self, run_id):
        since, units_done = 1, 16
        newest = self.ask(self.operator, "info_get")["event_seq"]
        while True:
            page = self.ask(self.operator, "events_get", since=since)
            for e in page["events"]:
                done = []
                if e["type"] == units_done and e["data"]["run"] == run_id:
                    ranges = e["data"]["units"]
                    done = [u for first, n in zip(ranges[::2], ranges[1::2]) for u in range(first, first + n)]
                self.tell({"op": "event", "seq": e["seq"], "done": done, "type": e["type"], "wall_us": e["wall_us"], "data": e["data"]})
            if not page.get("more"):
                return self.tell({"op": "newest", "seq": newest})
            since = page["next_since"]
