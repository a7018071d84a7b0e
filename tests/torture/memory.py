"""Memory runs out in real processes: each allocation that broker and agent ask for by themselves (not ZeroMQ's: it ends a process by its own word) is refused, at
each place of the code that asks, in a fixed scenario. What may come of it: an answer that says so, something that is asked for again, or an end with a word and
an exit status; never a signal, never silence. Then the program is started again without the shim, the peers go on, and the checker judges (crash.py has
the scenario and the peers).

Places are counted first (memory.c): who asks, by the last four calls in the program's own text. Each is refused at its first call and at a seeded later one, once
(`once`), and with the fifty allocations behind it (`spell`).

    memory.py [--build DIR] [--what broker|agent|both] [--seconds N] [--seed N] [--jobs N] [--fresh]
    memory.py --what WHAT --site HEX --nth N --more N     one point
--seconds: a seeded sample; without it all points, which may be broken off and taken up again by the same command (notebook.py). The last line is JSON for the report.
"""
import argparse
import concurrent.futures
import json
import multiprocessing
import os
import random
import signal
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import checker  # noqa: E402
import crash  # noqa: E402
import crew  # noqa: E402
from notebook import Notebook  # noqa: E402
from place import Broker, Place, die_with_parent  # noqa: E402
import harness  # noqa: E402
import sunline_wire as wire  # noqa: E402

UNITS = 45
SPELL = 50
CLEAN = (0, 1, 70)  # done; a start that was refused, or the agent's end; the broker's end without an answer
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


def names(what, callers):
    """Of functions, where binutils are there to tell."""
    try:
        done = subprocess.run(["addr2line", "-s", "-f", "-e", harness.program(PROGRAMS[what]), *(hex(a - 1) for a in callers)], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return " < ".join(hex(a) for a in callers)
    lines = done.stdout.splitlines()
    return " < ".join(f"{f} ({at})" for f, at in zip(lines[::2], lines[1::2]))


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
    if status not in CLEAN:
        bad.append(f"it ended with {status}\n{place.log()}")


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
        verdict = crash.judge(place, people.history, bad)
    return dict(calls=calls, refused=refused, sites=sites, ended=not over, bad=bad, units=verdict.acknowledged, results=verdict.accepted)


def crew_of(broker, seed):
    return Patient(broker.endpoints, seed, UNITS)


# ---------------------------------------------------------------- the agent
class Screen(crash.Screen):
    refusals = (*crash.Screen.refusals, "BUSY", "DISK")

    def meet(self):
        super().meet()
        self.heard = time.monotonic()

    def hear(self):
        if self.socket.poll(0):
            self.heard = time.monotonic()
        elif time.monotonic() - self.heard > QUIET_S:
            self.meet()
        super().hear()


def agent_point(site, nth, more, seed):
    bad = []
    with Place() as place:
        scene = crash.AgentScene(place, seed, Screen)
        scene.agent.start(env=starve(place, site, nth, more))
        try:
            scene.play(60)
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
        verdict = crash.judge(place, scene.history, bad)
    return dict(calls=calls, refused=refused, sites=sites, ended=not over, bad=bad, units=verdict.acknowledged, results=verdict.accepted)


# ---------------------------------------------------------------- all points, or a sample
POINTS = {"broker": broker_point, "agent": agent_point}


def one(job):
    what, site, nth, more, seed = job
    try:
        r = POINTS[what](site, nth, more, seed)
    except Exception as e:  # the driver's own trouble fails the point, with its replay
        r = dict(calls=0, refused=0, sites={}, ended=False, bad=[f"{type(e).__name__}: {e}"])
    return {**r, "site": site, "nth": nth, "more": more}


class Tally:
    def __init__(self, what, seed, sites):
        self.what, self.seed, self.sites, self.refused_at = what, seed, sites, set()
        self.sum = dict(what=what, seed=seed, places=len(sites), places_refused=0, points=0, refused=0, ends=0, units=0, results=0, bad=0)

    def add(self, r):
        s = self.sum
        s["points"] += 1
        s["refused"] += r["refused"]
        s["ends"] += r["ended"]
        for name in ("units", "results"):
            s[name] += r.get(name, 0)
        if r["refused"]:
            self.refused_at.add(r["site"])
        s["places_refused"] = len(self.refused_at)
        if r["bad"]:
            s["bad"] += 1
            print(f"BAD {self.what}, allocation {r['nth']} of {r['site']:x}, {r['more']} behind it: {names(self.what, self.sites.get(r['site'], (0, []))[1])}\n"
                  f"  again with tests/torture/memory.py --what {self.what} --site {r['site']:x} --nth {r['nth']} --more {r['more']} --seed {self.seed}")
            print("\n".join("  " + line for text in r["bad"] for line in text.splitlines()), flush=True)


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
            out += [(site, nth, 0), (site, nth, SPELL)]
    return out


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
            sites = count(what, args.seed, 1 if args.seconds or args.site else 3)
            tally, notes = Tally(what, args.seed, sites), None
            wanted = [(args.site, args.nth, args.more)] if args.site else points(sites, args.seed)
            deadline = time.monotonic() + args.seconds / (2 if args.what == "both" else 1) if args.seconds else None
            if args.seconds:
                random.Random(args.seed).shuffle(wanted)
            elif not args.site:
                notes = Notebook(harness.BUILD, "memory-" + what, {"seed": args.seed, "units": UNITS}, list(PROGRAMS.values()), args.fresh)
            done = {(r["site"], r["nth"], r["more"]): r for r in notes.done} if notes else {}
            flying = set()
            for point in wanted:
                if point in done:
                    tally.add(done[point])
                    continue
                if deadline and time.monotonic() > deadline:
                    break
                flying.add(pool.submit(one, (what, *point, args.seed)))
                while len(flying) >= args.jobs:
                    flying = collect(flying, tally, notes)
            while flying:
                flying = collect(flying, tally, notes)
            if notes:
                notes.publish(tally.sum)
            print(json.dumps(tally.sum), flush=True)
            good = good and tally.sum["bad"] == 0
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
