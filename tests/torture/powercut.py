#!/usr/bin/python3
"""Power cuts: a program does its work while the shim writes down every call that changes its files; then the disk is built as a cut could have left
it, at every place of the recording, and what is on it is opened and read by the program's own code. What had been acknowledged by then must be
there, nothing may be damaged, nothing may be there that nobody sent.

    powercut.py [--build DIR] [--what broker|agent|settle|restored|upgrade|all] [--seed N] [--units N] [--subsets N] [--seconds N] [--step N] [--jobs N] [--fresh]

What is recorded: recordings.py. Who looks and judges: looking.py. The disk's rules are tape.py's. Three kinds of pictures are made:
  prefixes  for each place: all that was written before it, in order, and nothing after it; the same with nothing but what was synced
  names     where names hang in the air: all that was written, under no name that no sync of its folder made certain
  subsets   at seeded places: a seeded choice among the sectors and the names in flight, the write that was under way among them
Of starts few sectors are in flight at most places, so many pictures are the same: `opened` counts those that differ from all others of their block of places.

A peer's acknowledgement belongs to the place that the recording had reached when the peer held it in its hands: it was sent before, so all
that it promises must stand in what is written by then. Of a broker that is what it acknowledged, and a backup: whole, or not there. Of an agent what it told its
person is kept: each result until the broker has it, each draft until its task is over, and who the agent is. Of a store that is taken over all that the old release
said of it. Of `--restored`, once it said so, that the store is one of its own; and the same command after the cut makes it one. --seconds bounds the subsets, and takes one
recording of several. The last line is JSON for the report.

checker.py alone judges here: a picture has no end, and the rest of the history is not what became of it.
"""
import argparse
import collections
import concurrent.futures
import json
import multiprocessing
import os
import pickle
import random
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import recordings  # noqa: E402
from looking import JUDGES, AgentJudge, kept_too_early  # noqa: E402
from notebook import Notebook  # noqa: E402
from place import Place, die_with_parent  # noqa: E402
from tape import Disk  # noqa: E402
import harness  # noqa: E402
import released  # noqa: E402

RESTORED = ("snapshot", "backup", "released")
BLOCK = 8  # places that are looked at in one go
STARTS_SHARE = 4  # of --subsets, for each that is but a start
START_WEIGHT = 8  # a place before it serves gets so many subsets for one behind that
COUNTS = ("prefixes", "names", "subsets", "opened", "bad")
PROGRAMS = {"agent": ["sunlined", "sunline-agent", "torture/open"]}


def record(what, args):
    """-> lives"""
    one = (lambda names: (random.Random(args.seed).choice(names),)) if args.seconds is not None else (lambda names: names)
    return {"broker": lambda: [recordings.broker(args.seed, args.units)], "agent": lambda: [recordings.agent(args.seed, args.units)],
            "settle": lambda: recordings.settled(args.seed, one(recordings.DEATHS), args.jobs), "restored": lambda: recordings.restored(args.seed, one(RESTORED), one(released.VERSIONS)),
            "upgrade": lambda: recordings.upgraded(one(released.VERSIONS))}[what]()


WHATS = tuple(JUDGES)


class Tape:
    """The lives, in the hands of each process that looks at a part of them."""

    def __init__(self, what, path, seed, units, subsets, step):
        with open(path, "rb") as f:
            self.lives = pickle.load(f)
        self.what, self.seed, self.units, self.step = what, seed, units, step
        self.subsets = subsets
        self.places = [(number, at) for number, life in enumerate(self.lives) for at in range(life.first, len(life.ops)) for _ in range(START_WEIGHT if at < life.served else 1)]
        self.share = collections.Counter()  # place -> how many subsets there
        for i, place in enumerate(self.places):
            self.share[place] += self.subsets_at(i)

    def subsets_at(self, place):
        """How many at this one of all places: evenly, and all of them together."""
        return (place + 1) * self.subsets // len(self.places) - place * self.subsets // len(self.places)

    def blocks(self):
        return [(number, first) for number, life in enumerate(self.lives) for first in range(life.first, max(len(life.ops), 1), BLOCK)]

    def block(self, number, first, deadline):
        """The places first .. first + BLOCK of a life: -> counts, texts"""
        done, texts, life = dict.fromkeys(COUNTS, 0), [], self.lives[number]
        name = f"{self.what} {life.name}".strip()

        def see(kind, at, tree):
            done[kind] += 1
            wrong = judge.bad(at, tree, lambda: [disk.all(), disk.all(*life.ops[at:at + 1])])
            if wrong:
                done["bad"] += 1
                texts.append(f"BAD {name} {kind} at {at} (seed {self.seed}, {self.units} units): {wrong}")

        def see_prefixes(at):
            written, names = disk.all(), disk.certain_names()
            see("prefixes", at, written)
            see("prefixes", at, disk.certain())
            if written.keys() != names.keys() or any(written[n] is not names[n] for n in names):
                see("names", at, names)

        with Place() as place:
            judge, disk = JUDGES[self.what](life, place), Disk(life.there)
            last = min(first + BLOCK, len(life.ops))
            for at, op in enumerate(life.ops[:last]):
                if at >= first:
                    if (at + 1) % self.step == 0:
                        see_prefixes(at)
                    dice = random.Random(f"{self.seed}/{life.name}/{at}")
                    for _ in range(self.share[number, at]):
                        if time.time() < deadline:
                            see("subsets", at, disk.subset(dice, op))
                disk.advance(op)
            if last == len(life.ops):
                see_prefixes(last)
            done["opened"] = judge.opened
            judge.end()
        return done, texts


def load(build, *how):
    global tape
    die_with_parent()
    harness.BUILD = build
    tape = Tape(*how)


def block(number, first, deadline):
    return number, first, *tape.block(number, first, deadline)


def play(what, args):
    """All pictures of one kind of life; prints what is wrong. -> was nothing?"""
    whole = args.seconds is None and args.step == 1
    subsets = args.subsets if what in ("broker", "agent") else args.subsets // STARTS_SHARE
    settings = {"seed": args.seed, "units": args.units, "subsets": subsets}
    begin = time.monotonic()
    with Place() as place:
        notes = Notebook(harness.BUILD if whole else place.dir, "powercut-" + what, settings, PROGRAMS.get(what, ["sunlined", "torture/look"]) if whole else [], args.fresh)
        path = os.path.join(notes.folder, f"powercut-{what}.tape")
        if not notes.done or not os.path.exists(path):
            with open(path, "wb") as f:
                pickle.dump(record(what, args), f)
        how = (what, path, args.seed, args.units, subsets, args.step)
        known = Tape(*how)
        ops = [op for life in known.lives for op in life.ops[life.first:]]
        texts, left = [], set(known.blocks())
        done = dict(what=what, seed=args.seed, recordings=len(known.lives), places=len(ops), writes=sum(op.kind == "write" for op in ops),
                    syncs=sum("sync" in op.kind for op in ops), **dict.fromkeys(COUNTS, 0))
        if what == "agent":
            judge = AgentJudge(known.lives[0], place)
            texts += kept_too_early(known.lives[0], judge)
            done.update(kept=len(judge.kept), drafts=len(judge.drafted), bad=len(texts))
            judge.end()
        for r in notes.done:
            left.discard((r["life"], r["first"]))
            texts += r["texts"]
            for name in COUNTS:
                done[name] += r["done"][name]
        with concurrent.futures.ProcessPoolExecutor(args.jobs, mp_context=multiprocessing.get_context("spawn"), initializer=load,
                                                    initargs=(harness.BUILD, *how)) as pool:
            deadline = time.time() + (args.seconds or 1e9)
            order = sorted(left)
            if args.seconds is not None:
                random.Random(args.seed).shuffle(order)  # a sample is of all of it
            for f in concurrent.futures.as_completed([pool.submit(block, number, first, deadline) for number, first in order]):
                number, first, counts, found = f.result()
                notes.add({"life": number, "first": first, "done": counts, "texts": found})
                texts += found
                for name in COUNTS:
                    done[name] += counts[name]
        if args.seconds is None and done["subsets"] != subsets:
            texts.insert(0, f"BAD {what}: {done['subsets']:,} subsets were made, {subsets:,} were asked for")
            done["bad"] += 1
        if texts:
            print("\n".join(texts[:20]), flush=True)
        if whole:
            notes.publish(done)
    print(json.dumps(dict(done, seconds=round(time.monotonic() - begin, 1))), flush=True)
    return done["bad"] == 0


def main():
    p = argparse.ArgumentParser(description="power cuts, played from a recording")
    p.add_argument("--build")
    p.add_argument("--what", choices=(*WHATS, "all"), default="all")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--units", type=int, default=200)
    p.add_argument("--subsets", type=int, default=10000)
    p.add_argument("--seconds", type=float)
    p.add_argument("--step", type=int, default=1, help="look at every STEP-th prefix only")
    p.add_argument("--jobs", type=int, default=2)
    p.add_argument("--fresh", action="store_true", help="begin again")
    args = p.parse_args()
    if args.build:
        harness.BUILD = os.path.abspath(args.build)
    sys.exit(0 if all([play(what, args) for what in (WHATS if args.what == "all" else [args.what])]) else 1)


if __name__ == "__main__":
    main()
