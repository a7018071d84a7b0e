#!/usr/bin/python3
"""Memory runs out in real processes: each allocation that broker and agent ask for by themselves (not ZeroMQ's: it ends a process by its own word) is refused, at
each place of the code that asks, in a fixed scenario. What may come of it: an answer that says so, something that is asked for again, or an end with a word and
an exit status; never a signal, never silence. Then the program is started again without the shim, the peers go on, and both judges look at the whole history
(judges.py; crash.py has the scenario and the peers).

Places are counted first (memory.c): who asks, by the last four calls in the program's own text. Each is refused at its first call and at a seeded later one, once
(`once`), and with the fifty allocations behind it (`spell`). Which call finds a buffer full is chance, so a run may not come to each place: those that none has refused
are tried again with other seeds, up to TRIES times. A place that was still not refused is named in the figures, and BAD if CHANCE does not say why. So is
a call that tests/alloc_sites leaves to this part, and that was refused nowhere here.

    memory.py [--build DIR] [--what broker|agent|both] [--seconds N] [--seed N] [--jobs N] [--fresh]
    memory.py --what WHAT --site HEX --nth N --more N     one point
--seconds: a seeded sample; without it all points, which may be broken off and taken up again by the same command (notebook.py). The last line is JSON for the report.
"""
import argparse
import concurrent.futures
import multiprocessing
import os
import random
import re
import signal
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import crash  # noqa: E402
import crew  # noqa: E402
import judges  # noqa: E402
from notebook import Notebook  # noqa: E402
from place import PAGE_LOST, STORE_FAILED, Broker, Place, die_with_parent  # noqa: E402
import harness  # noqa: E402
from scripts import program  # noqa: E402
from tally import Sums  # noqa: E402
import sunline_wire as wire  # noqa: E402

UNITS = 45
SPELL = 50
CLEAN = {"broker": (0, 1, STORE_FAILED), "agent": (0, 1)}  # done; a start that was refused, or the agent's end; the broker's end without an answer
TRIES = 24          # of a place that no run has come to yet
ANYWHERE = {("scratch_of", "sort.c")}  # that it is refused is no failure: which function called is the same to it
CHANCE = {          # who asks: why a run may never come to one of its places. Another place of it, with the same function that called, must have been refused
    ("scratch_of", "sort.c"): "which sort is the first that needs more room than all before it depends on how much there was to be sorted",
    ("may_send", "engine.c"): "which answer finds the list of a batch's frames full depends on what came into the batch",
    ("grow", "encode.c"): "which write of a message finds its buffer full depends on what stands in it",
    ("grow", "engine.c"): "which step of a batch finds its list full depends on what came into the batch",
}
QUIET_S = 2         # whoever was not answered for so long asks again
PROGRAMS = {"broker": "sunlined", "agent": "sunline-agent"}
HEAD, SITE = struct.Struct("<3Q"), struct.Struct("<6Q")


# ---------------------------------------------------------------- the shim
def starve(place, site=0, nth=0, more=0):
    return {"LD_PRELOAD": harness.program("torture/memory.so"), "STARVE_STATE": place.path("starve"), "STARVE_SITE": f"{site:x}", "STARVE_NTH": str(nth),
            "STARVE_MORE": str(more)}


def starved(place):
    """(allocations, refused, {site: (calls, callers)})"""
    with open(place.path("starve"), "rb") as f:
        bytes_ = f.read()
    calls, refused, overflow = HEAD.unpack_from(bytes_)
    assert overflow == 0, "more places than memory.c counts"
    rows = (SITE.unpack_from(bytes_, at) for at in range(HEAD.size, len(bytes_) - SITE.size + 1, SITE.size))
    return calls, refused, {r[0]: (r[1], [a for a in r[2:] if a]) for r in rows if r[0]}


def frames(what, callers):
    """[(function, "path:line")], where binutils are there to tell; else []"""
    try:
        done = subprocess.run(["addr2line", "-f", "-e", harness.program(PROGRAMS[what]), *(hex(a - 1) for a in callers)], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return []
    lines = [line.split(" (disc")[0] for line in done.stdout.splitlines()]
    return list(zip(lines[::2], lines[1::2]))


def names(what, callers):
    return " < ".join(f"{f} ({os.path.basename(at)})" for f, at in frames(what, callers)) or " < ".join(hex(a) for a in callers)


def asks(what, callers):
    """Who asks, as CHANCE names it, and the function that called."""
    told = frames(what, callers[:2])
    if len(told) < 2:
        return (None, None)
    who = (told[0][0], os.path.basename(told[0][1]).split(":")[0])
    return (who, None if who in ANYWHERE else told[1][0])


def line_of(at):
    """ "worker-agent/local.c:7", wherever the source lay."""
    found = re.search(r"(?:^|/)(worker-agent/[^/]+:[0-9]+)$", at)
    return found and found[1]


def left_to_us():
    """The agent's calls that tests/alloc_sites leaves out because they are refused here."""
    sites = program("alloc_sites")
    ours, sites.ours, sites.ARCHIVES = sites.PROCESS, line_of, ("libagent.a",)
    return {line for line in map(line_of, sites.all_calls(harness.BUILD)) if line and line.split(":")[0] in ours}


# ---------------------------------------------------------------- the broker
class Patient(crew.Crew):
    """Peers who ask again, over new links, where an answer does not come."""

    def ask(self, peer, message, /, timeout_s=QUIET_S, **fields):
        return super().ask(peer, message, timeout_s, **fields)

    def play_on(self, broker, timeout_s=60):
        """True: the run is done. False: the broker is gone."""
        self.alive = broker.running
        deadline, seen, last = time.monotonic() + timeout_s, None, time.monotonic()
        while time.monotonic() < deadline:
            again = False
            try:
                if self.turn():
                    return True
            except crew.Gone:
                return False
            except wire.Timeout:
                again = True
            except wire.SunlineError as e:
                if e.retry not in (1, 2):
                    raise
                again = True
            now = (len(self.history), str(self.counters))
            if now != seen:
                seen, last = now, time.monotonic()
            if again or time.monotonic() - last > QUIET_S:
                if not broker.running():
                    return False
                self.meet(broker.endpoints)
                last = time.monotonic()
        raise wire.Timeout(f"the run is not done after {timeout_s} s: {self.counters}, rows {self.acked_rows}, flying {self.flying}")


READS = (("stats_get", {}), ("events_get", {"since": 1}), ("output_get", {"run": crew.RUN, "after_unit": 0, "all_units": True}), ("unit_get", {"run": crew.RUN, "unit": 1}),
         ("run_get", {"run": crew.RUN}), ("line_get", {"line": crew.LINE["line"]}), ("info_get", {}))


def look_around(place, broker):
    """Every kind of reader, a monitor, a backup, a reload. What is answered, or not, is as it may be; false: the broker is gone."""
    monitor = wire.Monitor(broker.endpoints["events"], "")
    client = wire.Client(broker.endpoints["clients"])
    os.kill(broker.process.pid, signal.SIGHUP)
    for name, fields in (*READS, ("backup", {"path": place.path("backup")})):
        asked, until = client.send(name, **fields), time.monotonic() + QUIET_S
        while asked not in client.replies and broker.running() and time.monotonic() < until:
            client.pump(0.02)
    for peer in (monitor, client):
        peer.close()
    return broker.running()


def ended(child, place, bad):
    """By itself, or at SIGTERM: with a word, and soon."""
    try:
        status = child.stop(60)
    except subprocess.TimeoutExpired:
        bad.append(f"it does not end at SIGTERM\n{place.log()}")
        child.kill()
        return
    if status not in CLEAN[child.name]:
        bad.append(f"it ended with {status}\n{place.log()}")
    elif status == STORE_FAILED and child.failure() in (None, PAGE_LOST):  # no disk was full here
        bad.append(f"it ended with {status}, and said {child.failure()}\n{place.log()}")


def broker_point(site, nth, more, seed):
    bad, sites = [], {}
    with Place() as place:
        broker = Broker(place)
        up = broker.start(env=starve(place, site, nth, more))
        people = crew_of(broker, seed) if up else None
        try:
            if up and people.play_on(broker):
                look_around(place, broker)
        except wire.Timeout as e:
            bad.append(f"it hangs: {e}\n{place.log()}")
        ended(broker, place, bad)
        over = broker.status == 0
        calls, refused, sites = starved(place)
        if not broker.start():
            bad.append(f"it does not start again, status {broker.status}\n{place.log()}")
            return dict(calls=calls, refused=refused, sites=sites, ended=not over, bad=bad)
        if people is None:
            people = crew_of(broker, seed)
        else:
            people.meet(broker.endpoints)
        if people.play_on(broker):
            people.take_out()
        else:
            bad.append(f"it ended with {broker.status} after its restart\n{place.log()}")
        people.close()
        verdict = crash.judge(people.history, bad)
    return dict(calls=calls, refused=refused, sites=sites, ended=not over, bad=bad, **verdict.sums())


def crew_of(broker, seed):
    return Patient(broker.endpoints, seed, UNITS)


# ---------------------------------------------------------------- the agent
class Screen(crash.Screen):
    refusals = (*crash.Screen.refusals, "BUSY", "DISK")

    has_nothing = False  # was told so, and why: for that the agent asks the broker

    def meet(self):
        super().meet()
        self.heard = time.monotonic()

    def answered(self, verb, fields, answer):
        self.has_nothing |= verb == "next" and answer["ok"] and not answer.get("task")
        super().answered(verb, fields, answer)

    def hear(self):
        if self.socket.poll(0):
            self.heard = time.monotonic()
        elif time.monotonic() - self.heard > QUIET_S:
            self.meet()
        super().hear()


def ask_once_more(scene, timeout_s):
    """Whoever asks when all is done is told why there is nothing: in the run itself it may never come to that."""
    deadline = time.monotonic() + timeout_s
    while scene.agent.running() and not all(screen.has_nothing for screen in scene.screens):
        for screen in scene.screens:
            screen.socket.poll(20)
            screen.hear()
        if time.monotonic() > deadline:
            raise wire.Timeout("whoever asks when all is done is not answered")


def agent_point(site, nth, more, seed):
    bad = []
    with Place() as place:
        scene = crash.AgentScene(place, seed, Screen)
        scene.agent.start(env=starve(place, site, nth, more))
        try:
            if scene.play(60):
                ask_once_more(scene, 30)
        except wire.Timeout as e:
            bad.append(f"it hangs: {e}\n{place.log()}")
        ended(scene.agent, place, bad)
        over = scene.agent.status == 0
        calls, refused, sites = starved(place)
        scene.agent.start()
        if not scene.play(60):
            bad.append(f"it ended with {scene.agent.status} after its restart\n{place.log()}")
        scene.take_out()
        scene.client.close()
        bad += [f"a draft that was kept is gone: {d}" for d in scene.lost_drafts]
        verdict = crash.judge(scene.history, bad)
    return dict(calls=calls, refused=refused, sites=sites, ended=not over, bad=bad, **verdict.sums())


# ---------------------------------------------------------------- all points, or a sample
POINTS = {"broker": broker_point, "agent": agent_point}


def one(job):
    what, site, nth, more, seed = job
    try:
        r = POINTS[what](site, nth, more, seed)
    except Exception as e:  # the driver's own trouble fails the point, with its replay
        r = dict(calls=0, refused=0, sites={}, ended=False, bad=[f"{type(e).__name__}: {e}"])
    return {**r, "site": site, "nth": nth, "more": more, "seed": seed}


class Tally(Sums):
    def __init__(self, what, seed, sites):
        super().__init__(("refused", *judges.SUMS), what=what, seed=seed, places=len(sites), places_refused=0, ends=0)
        self.what, self.seed, self.sites, self.refused_at = what, seed, sites, set()

    def add(self, r):
        self.add_up(r)
        self.sum["ends"] += r["ended"]
        if r["refused"]:
            self.refused_at.add(r["site"])
        self.sum["places_refused"] = len(self.refused_at)
        if r["bad"]:
            self.wrong(f"{self.what}, allocation {r['nth']} of {r['site']:x}, {r['more']} behind it: {names(self.what, self.sites.get(r['site'], (0, []))[1])}",
                       [f"again with tests/torture/memory.py --what {self.what} --site {r['site']:x} --nth {r['nth']} --more {r['more']} --seed {r['seed']}", *r["bad"]])

    def missed(self):
        return sorted(self.sites.keys() - self.refused_at)

    def callers(self, site):
        return self.sites[site][1]

    def over(self):
        """All was tried: was nothing passed over?"""
        missed, s = self.missed(), self.sum
        refused = {asks(self.what, self.callers(site)) for site in self.refused_at} if missed else ()
        by_chance = []
        for site in missed:
            who = asks(self.what, self.callers(site))
            if who[0] in CHANCE and who in refused:
                by_chance.append(names(self.what, self.callers(site)))
            else:
                self.wrong(f"{self.what}, never refused: {site:x}: {names(self.what, self.callers(site))}")
        del s["places_refused"]
        s["places"] = f"refused at {len(self.refused_at):,} of {len(self.sites):,}"
        if by_chance:
            s["places that no run came to again"] = "; ".join(by_chance)
        if self.what == "agent":
            self.compare(left_to_us())

    def compare(self, calls):
        """Those that are refused here, because no unit test can."""
        here = {line_of(frame[1]) for site in self.refused_at for frame in frames(self.what, self.callers(site)[:1])}
        for call in sorted(calls - here):
            self.wrong(f"{self.what}, never refused: {call}, which tests/alloc_sites leaves to this part")
        if not calls:
            self.wrong(f"{self.what}, tests/alloc_sites leaves no call to this part, or they were not found")
        self.sum["calls of its own process"] = f"refused at {len(calls & here)} of {len(calls)}"


def count(what, seed, times):
    """The places, and how often each asks, at the most of several whole scenarios without a refusal."""
    sites = {}
    for _ in range(times):
        r = one((what, 0, 0, 0, seed))
        if r["bad"]:
            raise SystemExit("BAD " + "\n".join(r["bad"]))
        for site, (calls, callers) in r["sites"].items():
            sites[site] = (max(calls, sites.get(site, (0, []))[0]), callers)
    return sites


def points(sites, seed):
    out = []
    for site in sorted(sites):
        dice = random.Random(f"{seed}/{site}")
        for nth in sorted({1, dice.randint(1, sites[site][0])}):
            out += [(site, nth, 0, seed), (site, nth, SPELL, seed)]
    return out


def counted(what, seed, notes):
    """The places of a whole run; of the first call, where it was broken off."""
    known = next((r for r in notes.done if "counted" in r), None)
    if known is None:
        known = {"counted": [[site, *more] for site, more in count(what, seed, 3).items()]}
        notes.add(known)
    return {site: (calls, callers) for site, calls, callers in known["counted"]}


def go_through(pool, jobs, wanted, tally, notes, deadline=None):
    done = {(r["site"], r["nth"], r["more"], r["seed"]): r for r in notes.done if "site" in r} if notes else {}
    flying = set()
    for point in wanted:
        if point in done:
            tally.add(done[point])
            continue
        if deadline and time.monotonic() > deadline:
            break
        flying.add(pool.submit(one, (tally.what, *point)))
        while len(flying) >= jobs:
            flying = collect(flying, tally, notes)
    while flying:
        flying = collect(flying, tally, notes)


def whole(pool, jobs, tally, notes):
    """Each place, and once more those that chance kept from us."""
    go_through(pool, jobs, points(tally.sites, tally.seed), tally, notes)
    for more in range(1, TRIES + 1):
        go_through(pool, jobs, [(site, 1, 0, tally.seed + more) for site in tally.missed()], tally, notes)
    tally.over()
    notes.publish(tally.sum)


def main():
    p = argparse.ArgumentParser(description="memory runs out")
    p.add_argument("--build")
    p.add_argument("--what", choices=(*POINTS, "both"), default="both")
    p.add_argument("--seconds", type=float)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--jobs", type=int, default=2)
    p.add_argument("--site", type=lambda text: int(text, 16))
    p.add_argument("--nth", type=int, default=1)
    p.add_argument("--more", type=int, default=0)
    p.add_argument("--fresh", action="store_true", help="begin again")
    args = p.parse_args()
    if args.build:
        harness.BUILD = os.path.abspath(args.build)
        os.environ["SUNLINE_BUILD"] = harness.BUILD
    good = True
    with concurrent.futures.ProcessPoolExecutor(args.jobs, mp_context=multiprocessing.get_context("spawn"), initializer=die_with_parent) as pool:
        for what in POINTS if args.what == "both" else [args.what]:
            if args.seconds or args.site:
                tally = Tally(what, args.seed, count(what, args.seed, 1))
                wanted = [(args.site, args.nth, args.more, args.seed)] if args.site else points(tally.sites, args.seed)
                random.Random(args.seed).shuffle(wanted)
                share = args.seconds / (2 if args.what == "both" else 1) if args.seconds else None
                go_through(pool, args.jobs, wanted, tally, None, time.monotonic() + share if share else None)
            else:
                notes = Notebook(harness.BUILD, "memory-" + what, {"seed": args.seed, "units": UNITS}, list(PROGRAMS.values()), args.fresh)
                tally = Tally(what, args.seed, counted(what, args.seed, notes))
                whole(pool, args.jobs, tally, notes)
            good = tally.report() and good
    sys.exit(0 if good else 1)


def collect(flying, tally, notes):
    over = concurrent.futures.wait(flying, return_when=concurrent.futures.FIRST_COMPLETED)
    for f in over.done:
        r = f.result()
        tally.add(r)
        if notes:
            notes.add({**r, "sites": {}})
    return set(over.not_done)


if __name__ == "__main__":
    main()
