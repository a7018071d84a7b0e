#!/usr/bin/python3
"""Planted bugs in a real broker: are the judges worth anything where processes are real? Mistakes that the simulated world has to find (tests/sim/mutants) are made in a copy of
the tree, sunlined is built there and put through rounds of the storm (storm.py --one), until the checker of the simulated world (facts.py, judge.c) gives the verdict that is demanded.
One that no round of the stated number finds is a hole: BAD. The unchanged broker must come through as many rounds as the worst of them without a word.

    planted.py [--build DIR] [--seed N] [--jobs N] [--fresh] [NAME ...]

With names, of these alone, and without figures; without, it may be broken off and taken up again by the same command (notebook.py). The last line is JSON for the report.
"""
import argparse
import concurrent.futures
import json
import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import notebook  # noqa: E402
import storm  # noqa: E402
from place import TOP  # noqa: E402
import harness  # noqa: E402
from scripts import program  # noqa: E402

MUTANTS = os.path.join(TOP, "tests", "sim", "mutants")
PLANTED = {  # the verdict, within so many rounds
    "credit-off-by-one": ("credit_negative", 4),
    "last-in-first-out": ("fifo", 4),
    "fresh-before-returned": ("fifo", 4),
    "decline-forgotten": ("not_eligible", 4),
    "kind-ignored": ("not_eligible", 4),
    "level-ignored": ("not_eligible", 4),
    "delay-ends-early": ("too_early", 4),
    "short-lease": ("too_early", 4),
    "output-leaves-out": ("lost", 4),
    "output-of-another": ("bytes_differ", 4),
    "any-session": ("stale_token_accepted", 6),
    "log-cut-short": ("event_gap", 6),
}
UNITS, ROUND_S = 600, 3
PATIENCE_S, PER_ROUND_S = 40, 150  # a mistake may keep the runs from their end


def patch_of(name):
    return os.path.join(MUTANTS, name + ".patch")


def make(tree):
    done = subprocess.run(["make", "-C", tree, "DEPS=no", "O=build", "build/sunlined"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError("does not build: " + done.stdout.strip()[-500:])


def a_tree(mutants, folder):
    """A copy in which sunlined is built, beside the other programs as they are."""
    mutants.copy_tree(folder, os.path.abspath(harness.BUILD))
    make(folder)
    for name in ("sunline-agent", "sunline", "torture"):
        os.symlink(os.path.join(os.path.abspath(harness.BUILD), name), os.path.join(folder, "build", name))
    return folder


def verdicts(build, seed, number):
    """A round -> the verdicts on it, by name, and all that was said"""
    said = storm.said_by(number, build, seed, UNITS, ROUND_S, "--patience", str(PATIENCE_S), timeout_s=PER_ROUND_S)
    return sorted(set(re.findall(r"^([a-z_]+) \d+: ", said, re.M))), said


def rounds(build, seed, wanted, most):
    """-> (the round that came to it or None, all verdicts until then)"""
    found = set()
    for number in range(most):
        some, _ = verdicts(build, seed, number)
        found |= set(some)
        if wanted in some:
            return number + 1, sorted(found)
    return None, sorted(found)


def hunt(mutants, tree, name, seed):
    """-> a record: {"name", "round", "found"}, or with "why" it could not be looked for"""
    with open(patch_of(name), encoding="utf-8") as f:
        changed = re.findall(r"^\+\+\+ b/(\S+)", f.read(), re.M)
    before = mutants.contents(tree, changed)
    try:
        ok, why = mutants.patch(tree, patch_of(name))
        if not ok:
            return {"name": name, "round": None, "found": [], "why": "does not apply: " + why}
        make(tree)
        number, found = rounds(os.path.join(tree, "build"), seed, *PLANTED[name])
        return {"name": name, "round": number, "found": found}
    except RuntimeError as e:
        return {"name": name, "round": None, "found": [], "why": str(e)}
    finally:
        for path, text in before.items():
            with open(os.path.join(tree, path), "wb") as f:
                f.write(text)


def unchanged(seed, most):
    """Nothing may be said of the broker as it is, and each round has its figures -> a text for each of which that is not so"""
    texts = (verdicts(os.path.abspath(harness.BUILD), seed, number)[1] for number in range(most))
    return [f"BAD the unchanged broker, round {number}: {said}" for number, said in enumerate(texts) if storm.figures_of(number, said)["bad"]]


class Sums:
    def __init__(self, seed):
        self.sum = dict(seed=seed, planted=0, found=0, rounds=0, verdicts={}, bad=0)

    def add(self, r):
        s, (wanted, most) = self.sum, PLANTED[r["name"]]
        s["planted"] += 1
        s["rounds"] += r["round"] or most
        if r["round"]:
            s["found"] += 1
            s["verdicts"][r["name"]] = f"{wanted}, round {r['round']} of {most}"
            print(f"{r['name']}: {wanted} in round {r['round']} of {most}" + "".join(f", {name}" for name in r["found"] if name != wanted), flush=True)
        else:
            self.wrong(f"BAD {r['name']}: " + (r.get("why") or f"no {wanted} in {most} rounds; found: {', '.join(r['found']) or 'nothing'}"))

    def wrong(self, text):
        self.sum["bad"] += 1
        print(text, flush=True)


def main():
    p = argparse.ArgumentParser(description="planted bugs in a real broker")
    p.add_argument("--build")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--jobs", type=int, default=2)
    p.add_argument("--fresh", action="store_true", help="begin again")
    p.add_argument("names", nargs="*", metavar="NAME", help=", ".join(PLANTED))
    args = p.parse_args()
    if args.build:
        harness.BUILD = os.path.abspath(args.build)
    if set(args.names) - PLANTED.keys():
        p.error("no such patch: " + ", ".join(sorted(set(args.names) - PLANTED.keys())))
    settings = {"seed": args.seed, "patches": {name: notebook.digest(patch_of(name)) for name in PLANTED}}
    notes = None if args.names else notebook.Notebook(harness.BUILD, "planted", settings, ["sunlined", "sunline-agent", "sunline"], args.fresh)
    tally, mutants = Sums(args.seed), program("sim", "mutants", "run")  # which knows how its patches are made
    done = {r["name"] for r in notes.done} if notes else set()
    for r in notes.done if notes else ():
        tally.add(r)
    left = [name for name in args.names or PLANTED if name not in done]
    with tempfile.TemporaryDirectory(prefix="sunline-planted-") as top:
        trees = queue.SimpleQueue()
        first = a_tree(mutants, os.path.join(top, "0")) if left else None
        for n in range(min(args.jobs, len(left))):
            trees.put(shutil.copytree(first, os.path.join(top, str(n)), symlinks=True) if n else first)

        def one(name):
            tree = trees.get()
            try:
                return hunt(mutants, tree, name, args.seed)
            finally:
                trees.put(tree)
        with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
            for f in concurrent.futures.as_completed([pool.submit(one, name) for name in left]):
                tally.add(f.result())
                if notes:
                    notes.add(f.result())
    for text in unchanged(args.seed, max(most for _, most in PLANTED.values())) if not args.names else ():
        tally.wrong(text)
    if notes:
        notes.publish(tally.sum)
    print(json.dumps(tally.sum))
    sys.exit(1 if tally.sum["bad"] else 0)


if __name__ == "__main__":
    main()
