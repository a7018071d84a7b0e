"""Starts of a broker over a folder that lies ready, again and again, killed in each call that changes a file, in three modes (crash.py). Where the folder comes from, and what must be
true once a start was let through, is said by who goes through them: upgrade.py, recovery.py.

    class Some(starts.Starts):
        def point(self, n, mode):
            place = self.kill(n, mode)
            self.must(self.broker.start())
            return {"place": place, "bad": [what is wrong]}

    with starts.workers(args) as pool:
        starts.go_through(pool, Some, {"name": folder}, args, tally, notes)     # tally.py

How many calls there are is what an undisturbed start makes until it serves; each of them is demanded: a point that was not reached is BAD.
"""
import argparse
import concurrent.futures
import contextlib
import multiprocessing
import os
import random
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from place import Broker, Place, die_with_parent  # noqa: E402
import crash  # noqa: E402
import harness  # noqa: E402

RUNS = 3       # undisturbed starts: the least number of their calls
TRIES = 3      # a start makes the same calls each time, but for what its threads do
SERVING_S = 5  # a call that may come when it serves is waited for


class NotReached(Exception):
    """The start had fewer calls."""


class Starts:
    """Of one folder, which stays as it is. `spot` is the point's own."""

    def __init__(self, spot, original, *settings):
        self.spot, self.original, self.broker = spot, original, Broker(spot, "broker", *settings)

    def begin(self, **how):
        """A start over the folder as it was found. False: it ended before it served."""
        shutil.rmtree(self.broker.disk)
        shutil.copytree(self.original, self.broker.disk)
        return self.broker.start(**how)

    def must(self, good):
        if not good:
            raise AssertionError(f"the broker does not start, status {self.broker.status}\n{self.spot.log()}")

    def calls(self):
        """How many a start makes until it serves."""
        counts = []
        for _ in range(RUNS):
            self.must(self.begin(shim=True))
            counts.append(self.broker.shim_state()[0])
            self.broker.kill()
        return min(counts)

    def kill(self, at, mode):
        """A start that the shim kills in its at-th call -> what call that was."""
        b = self.broker
        if self.begin(at=at, mode=mode):  # the call comes when it serves
            with contextlib.suppress(subprocess.TimeoutExpired):
                b.process.wait(SERVING_S)
            b.kill()
        b.must_be((-9,))
        calls = b.shim_state()[0]
        if calls < at:
            raise NotReached(f"not reached: this start had {calls} calls")
        return b.last_call()


def measure(of, original):
    with Place() as spot:
        return of(spot, original).calls()


def one(of, name, original, n, mode):
    """A point: again until it was reached, TRIES times at most."""
    for _ in range(TRIES):
        try:
            with Place() as spot:
                r = of(spot, original).point(n, mode)
            break
        except NotReached as e:
            r = {"place": "?", "bad": [str(e)]}
        except Exception as e:  # the driver's own trouble fails the point, with its replay
            r = {"place": "?", "bad": [f"{type(e).__name__}: {e}"]}
            break
    return {"of": name, "n": n, "mode": mode, **r}


def some_at_a_time(pool, at_once, jobs, deadline=None):
    """What the points came to, in the order in which they end; none is begun behind the deadline."""
    waiting, flying = iter(jobs), set()
    while True:
        while len(flying) < at_once and (deadline is None or time.monotonic() < deadline):
            job = next(waiting, None)
            if job is None:
                break
            flying.add(pool.submit(one, *job))
        if not flying:
            return
        done, flying = concurrent.futures.wait(flying, return_when=concurrent.futures.FIRST_COMPLETED)
        for f in done:
            yield f.result()


def go_through(pool, of, folders, args, tally, notes=None, seconds=None):
    """All calls of the starts over these folders, by name, but for what is noted; in so many seconds, as many as fit, drawn from all."""
    noted = notes.done if notes else []
    calls = {r["of"]: r["calls"] for r in noted if "calls" in r}
    known = {(r["of"], r["n"], r["mode"]): r for r in noted if "mode" in r}
    for name, f in {name: pool.submit(measure, of, folder) for name, folder in folders.items() if name not in calls}.items():
        calls[name] = f.result()
        if notes:
            notes.add({"of": name, "calls": calls[name]})
    tally.sum["calls"] = sum(calls[name] for name in folders)
    points = [(name, n, mode) for name in folders for mode in ([args.mode] if args.mode else crash.MODES)
              for n in range(args.first, min(args.first + args.points, calls[name] + 1))]
    deadline = None
    if seconds is not None:
        random.Random(args.seed).shuffle(points)
        deadline = time.monotonic() + seconds
    for point in points:
        if point in known:
            tally.add(known[point])
    jobs = [(of, name, folders[name], n, mode) for name, n, mode in points if (name, n, mode) not in known]
    for r in some_at_a_time(pool, args.jobs, jobs, deadline):
        tally.add(r)
        if notes:
            notes.add(r)


# ---------------------------------------------------------------- the command
def options(about):
    p = argparse.ArgumentParser(description=about)
    p.add_argument("--build")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--jobs", type=int, default=2)
    crash.point_options(p)
    return p


def every_point(args):
    return args.first == 1 and args.points == 1 << 30 and not args.mode


def workers(args):
    """Processes that make points, with the programs that are meant."""
    if args.build:
        harness.BUILD = os.path.abspath(args.build)
        os.environ["SUNLINE_BUILD"] = harness.BUILD
    return concurrent.futures.ProcessPoolExecutor(args.jobs, mp_context=multiprocessing.get_context("spawn"), initializer=die_with_parent)
