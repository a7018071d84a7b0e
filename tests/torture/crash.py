#!/usr/bin/python3
"""kill -9 in every call that changes a file: the n-th write, sync, rename, create ... of a fixed scenario, for n = 1, 2, 3 ... to its end. After each the
program is started again without the shim, the peers go on, and both judges look at the whole history (judges.py).

Two programs are tortured so: the broker (a line of two stations, a producer, two hubs, an operator who has a backup made: crew.py, one thing after the other) and
the agent (a robot, two people at their screens, a real broker that lives). Three modes: before the call, in the middle of a write's bytes, and when the call has
come back but nobody can have heard of it. A backup must be there whole, with all that was acknowledged before it was asked for, so that a broker starts on it, or not at all.

The n-th call is the n-th that the shim counts (shim.c), over all threads, in the order in which they begin. Who takes part does the same things in the same order each
time; threads and clocks still have some calls come earlier or later, a few more or fewer. So the scenario's end is the least number of calls of RUNS undisturbed runs, and below
it each n is demanded in each mode: a run that ended before its n-th call is made again, up to TRIES times; a point that was not reached then is BAD, and named. Behind the end it
goes on until OVER runs one after the other ended before their n-th call. And each place of the undisturbed runs (a kind of call on a file) must have been crashed at.

    crash.py [--build DIR] [--what broker|agent|both] [--seconds N] [--seed N] [--jobs N] [--from N] [--mode M] [--fresh]
--seconds: a seeded sample of the points, as many as fit; without it all of them, which may be broken off and taken up again by the same command (notebook.py).
The last line is JSON for the report.
"""
import argparse
import concurrent.futures
import json
import multiprocessing
import os
import random
import shutil
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import checker  # noqa: E402
import crew  # noqa: E402
import judges  # noqa: E402
from notebook import Notebook  # noqa: E402
from place import Broker, Child, Place, data_of, die_with_parent, place_of  # noqa: E402
from tally import Tally  # noqa: E402
from tape import read_recording  # noqa: E402
import harness  # noqa: E402
import sunline_wire as wire  # noqa: E402
import zmq  # noqa: E402

MODES = ("before", "half", "after")
UNITS = 200
AGENT_UNITS = 24
RUNS, TRIES, OVER = 5, 8, 3

AGENT_LINE = {"line": "torture", "input": [{"name": "text", "type": "text"}], "stations": [
    {"name": "first", "type": "work", "worker": {"kind": "robot"}, "backoff": "10ms", "attempts": 20,
     "form": {"title": "first", "fields": [{"name": "answer", "type": "long_answer", "required": True}]}},
    {"name": "second", "type": "work", "worker": {"kind": "human"},
     "form": {"title": "second", "fields": [{"name": "answer", "type": "long_answer", "required": True}]}}]}
HUB = """hub: nairobi
zone: Africa/Nairobi
broker: {agents}
data: {data}
local: {local}
workers:
  - {{id: ann}}
  - {{id: ben}}
robots:
  - id: echo
    runner: coprocess
    command: [{robot}]
    capacity: {capacity}
"""
# Of a real agent nobody is told what credit it grants.
STAFF = {"credit": "untold", "workers": [{"name": "ann", "kind": 0, "skills": {}}, {"name": "ben", "kind": 0, "skills": {}}, {"name": "echo", "kind": 1, "skills": {}}]}
ROBOT = """#!/usr/bin/python3 -IS
import json, sys
for line in sys.stdin:
    task = json.loads(line)
    print(json.dumps({"id": task["id"], "values": {"answer": "robot " + task["fields"]["text"]}}), flush=True)
"""


def judge(history, bad):
    verdict = judges.whole(history)
    bad += verdict.wrong
    return verdict


# ---------------------------------------------------------------- the broker
def people_of(broker, seed, **more):
    return crew.Crew(broker.endpoints, seed, UNITS, one_by_one=True, backup=os.path.join(broker.disk, "copy"), **more)


def judge_copy(place, people, bad):
    """The backup: whole, of everything that was acknowledged before it was asked for, and a broker starts on it."""
    copy = Broker(place, "copied")
    shutil.copytree(people.backup, copy.data)
    if not copy.start():
        bad.append(f"no broker starts on the backup, status {copy.status}\n{place.log()}")
        return
    client = wire.Client(copy.endpoints["clients"])
    verdict = checker.check(crew.at_backup(people.history, crew.run_rows(client.request)), drained=False)
    if verdict.bad:
        bad.append("the backup: " + verdict.story())
    client.close()
    copy.kill()


def play_out(place, broker, people, bad):
    """Over a broker that was started again the peers go on to the end; then all is judged."""
    if not people.play(broker.running):
        bad.append(f"the broker ended with {broker.status} after its restart\n{place.log()}")
    else:
        people.take_out()
        judge_copy(place, people, bad)
    people.close()
    return judge(people.history, bad)


def broker_undisturbed(place, seed, tape, *settings, **more):
    broker = Broker(place, "broker", *settings)
    if not broker.start(record=tape):
        raise AssertionError(f"the broker does not start\n{place.log()}")
    people = people_of(broker, seed, **more)
    if not people.play(broker.running):
        raise AssertionError(f"the broker ended\n{place.log()}")
    people.close()
    broker.stop()
    return broker


def broker_point(n, mode, seed):
    bad = []
    with Place() as place:
        broker = Broker(place)
        up = broker.start(at=n, mode=mode)
        people, over = None, False
        if up:
            people = people_of(broker, seed)
            over = people.play(broker.running)
            if over:
                broker.stop()  # the last calls are made at the end
        crashed = not broker.running()
        completed = crashed and broker.status == 0
        if crashed and broker.status not in (0, -9):
            bad.append(f"the broker ended with {broker.status}, not killed by the shim\n{place.log()}")
        where = broker.last_call()
        if not broker.start():
            bad.append(f"the broker does not start again, status {broker.status}\n{place.log()}")
            return dict(n=n, mode=mode, place=where, completed=completed, bad=bad)
        if people is None:
            people = people_of(broker, seed)
        else:
            people.meet(broker.endpoints)
        verdict = play_out(place, broker, people, bad)
    return dict(n=n, mode=mode, place=where, completed=completed, bad=bad, **verdict.sums())


# ---------------------------------------------------------------- the agent
class Screen:
    """A person who does what comes, keeps a draft of it, and goes on after the agent's death: a result that was not called kept is handed in again."""

    refusals = ("NOT_FOUND", "STALE", "RECALLED", "BAD_STATE", "GONE", "NOT_SIGNED_IN")  # and the person goes on

    def __init__(self, endpoint, worker, tell):
        self.endpoint, self.worker, self.tell = endpoint, worker, tell
        self.socket, self.last_id, self.waiting = None, 0, None
        self.drafts = {}   # assignment -> a draft that the agent called kept

    def meet(self):
        if self.socket is not None:
            self.socket.close()
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.connect(self.endpoint)
        self.task = self.waiting = None
        self.ask("sign_in")

    def ask(self, verb, **fields):
        self.last_id += 1
        self.waiting = (self.last_id, verb, fields)
        self.socket.send(json.dumps({"id": self.last_id, "verb": verb, "worker": self.worker, **fields}).encode())

    def idle(self):
        """In the middle of nothing."""
        return self.waiting is None or self.waiting[1] in ("sign_in", "next")

    def hear(self):
        """Take what came and do the next thing."""
        while self.socket.poll(0):
            answer = json.loads(self.socket.recv())
            if self.waiting is None or answer.get("id") != self.waiting[0]:
                continue  # a notice
            _, verb, fields = self.waiting
            self.waiting = None
            self.answered(verb, fields, answer)

    def answered(self, verb, fields, answer):
        if not answer["ok"] and answer["error"] not in self.refusals:
            raise AssertionError(f"{verb} was refused: {answer}")
        if not answer["ok"] and answer["error"] == "NOT_SIGNED_IN":
            return self.ask("sign_in")
        if verb == "next" and answer.get("task"):
            self.task = answer["task"]
            number = self.task["assignment"]
            self.tell({"op": "shown", "assignment": number, "station": "second", "key": self.key(), "worker": self.worker, "value": self.task["fields"]["text"]})
            if self.drafts.get(number) not in (None, self.task.get("draft")):
                self.tell({"op": "lost_draft", "assignment": number, "kept": self.drafts[number], "found": self.task.get("draft")})
            return self.ask("start", assignment=number) if self.task["state"] == "waiting" else self.write()
        if verb == "start" and answer["ok"]:
            return self.write()
        if verb == "draft" and answer["ok"]:
            self.drafts[fields["assignment"]] = fields["values"]
            self.tell({"op": "drafted", "assignment": fields["assignment"], "values": fields["values"]})
            return self.hand_in()
        if verb == "submit" and answer["ok"]:
            self.drafts.pop(fields["assignment"], None)
            self.tell({"op": "kept", "station": "second", "key": self.key(), "worker": self.worker, "assignment": fields["assignment"],
                       "result": fields["values"]["answer"]})
        self.ask("next", wait_ms=20)

    def key(self):
        return crew.key_of(self.task["fields"]["text"])

    def write(self):
        number = self.task["assignment"]
        self.tell({"op": "drafting", "assignment": number})
        self.ask("draft", assignment=number, values={"answer": f"draft {number}"})

    def hand_in(self):
        result = f"{self.worker} on " + self.task["fields"]["text"][:200]
        number = self.task["assignment"]
        self.tell({"op": "tried", "station": "second", "key": self.key(), "assignment": number, "result": result})
        self.ask("submit", assignment=number, values={"answer": result})


class AgentScene:
    """one_by_one: the robot does its tasks one after the other, then the people theirs, in turn: the agent makes the same calls each time (as far as its threads and
    clocks let it)."""

    def __init__(self, place, seed, screen=Screen, units=AGENT_UNITS, one_by_one=False):
        self.history, self.lost_drafts, self.on_tell, self.one_by_one = [], [], None, one_by_one
        self.broker = Broker(place)
        if not self.broker.start():
            raise AssertionError(f"the broker does not start\n{place.log()}")
        self.client = wire.Client(self.broker.endpoints["clients"])
        self.client.request("line_apply", definition=AGENT_LINE)
        self.run_id = self.client.request("run_start", line="torture", name=crew.RUN)["run_id"]
        self.tell({"op": "run", "name": crew.RUN, "line": AGENT_LINE, "producer": 0})
        self.tell({"op": "staff", **STAFF})
        self.tell(crew.clock())
        texts = [crew.payload(seed, n) for n in range(1, units + 1)]
        for text in texts:
            self.tell({"op": "put", "key": crew.key_of(text), "value": text})
            self.tell({"op": "tried", "station": "first", "key": crew.key_of(text), "result": "robot " + text})
        first = self.client.request("put", run_id=self.run_id, rows=[[t] for t in texts])["first_unit"]
        for i, text in enumerate(texts):
            self.tell({"op": "put_ok", "key": crew.key_of(text), "unit": first + i})
        self.client.request("run_set", run=crew.RUN, action=0)
        local = "ipc://" + place.path("local")
        hub = HUB.format(agents=self.broker.endpoints["agents"], data=data_of(place, "agent"), local=local, robot=place.write("robot.py", ROBOT, 0o755),
                         capacity=1 if one_by_one else 4)
        self.agent = Child(place, "agent", [harness.program("sunline-agent"), "--config", place.write("hub.yml", hub)])
        self.screens = [screen(local, w, self.tell) for w in ("ann", "ben")]

    def tell(self, record):
        if self.on_tell:
            self.on_tell(record)
        (self.lost_drafts if record["op"] == "lost_draft" else self.history).append(record)

    def wait_for_robot(self, deadline):
        """Until it did all that it has to do. False: the agent is gone."""
        while not all("first" in row["results"] for row in crew.run_rows(self.client.request)):
            time.sleep(0.02)
            if not self.agent.running():
                return False
            if time.monotonic() > deadline:
                raise wire.Timeout("the robot does not come to an end")
        return True

    def whose_turn(self):
        return [s for s in self.screens if not self.one_by_one or all(other is s or other.idle() for other in self.screens)]

    def play(self, timeout_s=180):
        """True: the run is done. False: the agent is gone."""
        deadline = time.monotonic() + timeout_s
        if self.one_by_one and not self.wait_for_robot(deadline):
            return False
        for screen in self.screens:
            screen.meet()
        asked = None
        while True:
            if asked is None:
                asked = self.client.send("run_get", run=crew.RUN)
            poller = zmq.Poller()
            for s in (self.client.socket, *(screen.socket for screen in self.screens)):
                poller.register(s, zmq.POLLIN)
            if not poller.poll(20) and not self.agent.running():
                return False
            while self.client.pump(0):
                pass
            if asked in self.client.replies:
                row = self.client.reply(asked)[1]["run"][0]
                asked = None
                if row["state"] == 2:
                    return True
                if not self.agent.running():
                    return False
            for screen in self.screens:
                if screen in self.whose_turn():
                    screen.hear()
            if time.monotonic() > deadline:
                raise wire.Timeout(f"the run is not done after {timeout_s} s: {row}")

    def take_out(self):
        people = crew.Crew.__new__(crew.Crew)  # only its end
        people.operator, people.alive, people.history, people.on_tell = self.client, self.broker.running, self.history, None
        people.take_out()


def agent_undisturbed(place, seed, tape):
    scene = AgentScene(place, seed, one_by_one=True)
    scene.agent.start(record=tape)
    if not scene.play():
        raise AssertionError(f"the agent ended\n{place.log()}")
    scene.agent.stop()
    scene.client.close()
    return scene.agent


def agent_point(n, mode, seed):
    bad = []
    with Place() as place:
        scene = AgentScene(place, seed, one_by_one=True)
        scene.agent.start(at=n, mode=mode)
        if scene.play():
            scene.agent.stop()
        completed = scene.agent.process.wait(120) == 0
        if scene.agent.status not in (0, -9):
            bad.append(f"the agent ended with {scene.agent.status}, not killed by the shim\n{place.log()}")
        where = scene.agent.last_call()
        scene.agent.start()
        if not scene.play():
            bad.append(f"the agent ended with {scene.agent.status} after its restart\n{place.log()}")
        scene.take_out()
        scene.client.close()
        bad += [f"a draft that was kept is gone: {d}" for d in scene.lost_drafts]
        verdict = judge(scene.history, bad)
    return dict(n=n, mode=mode, place=where, completed=completed, bad=bad, **verdict.sums())


# ---------------------------------------------------------------- all points, or a sample
POINTS = {"broker": broker_point, "agent": agent_point}
UNDISTURBED = {"broker": broker_undisturbed, "agent": agent_undisturbed}


def measure(what, seed, runs):
    """The scenario without a crash, `runs` times: {"end": the least number of its calls, "most": the greatest, "places": what they were}."""
    counts, places = [], set()
    for _ in range(runs):
        with Place() as place:
            tape = place.path("tape")
            counts.append(UNDISTURBED[what](place, seed, tape).shim_state()[0])
            places |= {place_of(op.kind, op.name) for op in read_recording(tape)}
    return {"end": min(counts), "most": max(counts), "places": sorted(places)}


def one(job):
    """A point: again until it was crashed at, `tries` times at most."""
    what, n, mode, seed, tries = job
    sums = dict.fromkeys(judges.SUMS, 0)
    for again in range(tries):
        try:
            r = POINTS[what](n, mode, seed)
        except Exception as e:  # the driver's own trouble fails the point, with its replay
            r = dict(n=n, mode=mode, place="?", completed=False, bad=[f"{type(e).__name__}: {e}"])
        for name in sums:
            sums[name] += r.get(name, 0)
        if r["bad"] or not r["completed"]:
            break
    return dict({**r, **sums}, of=what, runs=again + 1)


class Demanded(Tally):
    """Of a scenario, each of whose points below its end is demanded. end, places: of the undisturbed runs, None for a sample."""

    def __init__(self, what, seed):
        super().__init__(f"tests/torture/crash.py --seed {seed} --what {{}}".format, ("runs", *judges.SUMS), what=what, seed=seed, crashes=0)
        self.hit, self.end, self.places = set(), None, None
        self.below, self.below_crashed = 0, 0

    def measured(self, m):
        self.end, self.places = m["end"], set(m["places"])
        self.sum.update(calls_least=m["end"], calls_most=m["most"])

    def add(self, r):
        crashed, more = not r["completed"], []
        self.sum["crashes"] += crashed
        if crashed:
            self.hit.add(r["place"])
        if self.end is not None and r["n"] <= self.end:
            self.below += 1
            self.below_crashed += crashed
            if not crashed:
                more.append(f"not reached in {r['runs']} runs, though no undisturbed one had fewer than {self.end} calls")
        super().add(r, more)

    def over(self):
        """All points were gone through: was nothing passed over?"""
        missed = sorted(self.places - self.hit)
        if missed:
            self.wrong(f"{self.sum['what']}: no crash at " + ", ".join(missed))
        self.sum["points below the end"] = f"crashed at {self.below_crashed:,} of {self.below:,}"
        self.sum["places"] = f"crashed at {len(self.places) - len(missed)} of {len(self.places)}"


def every_point(pool, jobs, what, seed, modes, first, points, tally, notes):
    """n = first, first + 1 ... in each mode, to the scenario's end and a little over it. Part of them: as many tries, but nothing is demanded."""
    known = {(r["mode"], r["n"]): r for r in notes.done if "n" in r} if notes else {}
    end = first + points - 1
    if notes:
        m = next((r for r in notes.done if "end" in r), None)
        if m is None:
            m = pool.submit(measure, what, seed, RUNS).result()
            notes.add(m)
        tally.measured(m)
        end = m["end"]
    for mode in modes:
        n, over, flying = first, 0, {}
        while flying or over < OVER and n < first + points:
            while over < OVER and n < first + points and len(flying) < jobs:
                if (mode, n) in known:
                    r = known[mode, n]
                    over = over + 1 if r["completed"] and n > end else 0
                    tally.add(r)
                else:
                    flying[pool.submit(one, (what, n, mode, seed, TRIES if n <= end else 1))] = n
                n += 1
            if not flying:
                continue
            for f in concurrent.futures.wait(flying, return_when=concurrent.futures.FIRST_COMPLETED).done:
                del flying[f]
                r = f.result()
                over = over + 1 if r["completed"] and r["n"] > end else 0
                tally.add(r)
                if notes:
                    notes.add(r)
    if notes:
        tally.over()


def sample(pool, jobs, what, seed, seconds, tally):
    """Points drawn from all calls that the scenario makes, until the time is over."""
    dice, deadline = random.Random(seed), time.monotonic() + seconds
    calls = pool.submit(measure, what, seed, 1).result()["end"]
    flying = set()
    while flying or time.monotonic() < deadline:
        while time.monotonic() < deadline and len(flying) < jobs:
            flying.add(pool.submit(one, (what, dice.randrange(1, calls + 1), dice.choice(MODES), seed, 1)))
        for f in concurrent.futures.wait(flying, return_when=concurrent.futures.FIRST_COMPLETED).done:
            flying.remove(f)
            tally.add(f.result())


def point_options(p):
    """Which of the points, in which modes."""
    p.add_argument("--from", dest="first", type=int, default=1)
    p.add_argument("--points", type=int, default=1 << 30)
    p.add_argument("--mode", choices=MODES)
    p.add_argument("--fresh", action="store_true", help="begin again")


def main():
    p = argparse.ArgumentParser(description="kill -9 in every call that changes a file")
    p.add_argument("--build")
    p.add_argument("--what", choices=(*POINTS, "both"), default="both")
    p.add_argument("--seconds", type=float)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--jobs", type=int, default=2)
    point_options(p)
    args = p.parse_args()
    if args.build:
        harness.BUILD = os.path.abspath(args.build)
        os.environ["SUNLINE_BUILD"] = harness.BUILD
    whole = not args.seconds and not args.mode and args.first == 1 and args.points == 1 << 30
    good, whats = True, list(POINTS) if args.what == "both" else [args.what]
    with concurrent.futures.ProcessPoolExecutor(args.jobs, mp_context=multiprocessing.get_context("spawn"),
                                                initializer=die_with_parent) as pool:
        for what in whats:
            tally = Demanded(what, args.seed)
            if args.seconds:
                sample(pool, args.jobs, what, args.seed, args.seconds / len(whats), tally)
            else:
                notes = Notebook(harness.BUILD, "crash-" + what, {"seed": args.seed, "units": UNITS, "agent_units": AGENT_UNITS},
                                 ["sunlined", "sunline-agent"], args.fresh) if whole else None
                every_point(pool, args.jobs, what, args.seed, [args.mode] if args.mode else MODES, args.first, args.points, tally, notes)
                if whole:
                    notes.publish(tally.sum)
            good = tally.report() and good
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
