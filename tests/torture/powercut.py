"""Power cuts: a broker does its work while the shim writes down every write and sync of its files; then the disk is built as a cut could have left
it, at every place of the recording, and the store on it is opened and read (look.c). What had been acknowledged by then must be there, nothing may be damaged,
nothing may be there that nobody sent.

    powercut.py [--build DIR] [--seed N] [--units N] [--subsets N] [--seconds N] [--step N] [--jobs N] [--fresh]

The disk's rules: what was written is on it for certain once a sync of its file that began later has come back (or the write itself, through a descriptor with
O_DSYNC: LMDB's meta pages). Until then any part of it may be, in units of 512 bytes, whatever the order of writing; a file that grew may have its
new length or not. Two kinds of pictures are made:
  prefixes  for each place: all that was written before it, in order, and nothing after it; and the same with nothing but what was synced
  subsets   at seeded places: a seeded choice among the sectors in flight, the write that was under way among them

A peer's acknowledgement belongs to the place that the recording had reached when the peer held it in its hands: it was sent before, so all
that it promises must stand in what is written by then. --seconds bounds the subsets. The last line is JSON for the report.
"""
import argparse
import concurrent.futures
import json
import mmap
import multiprocessing
import os
import pickle
import random
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import checker  # noqa: E402
import crew  # noqa: E402
from notebook import Notebook  # noqa: E402
from place import KINDS, Broker, Place, die_with_parent  # noqa: E402
import harness  # noqa: E402
import sunline_wire as wire  # noqa: E402

SECTOR = 512
HEAD = struct.Struct("<IIQQIIQ")
FILES = ("data.mdb", "wal", "lock")  # what a store is; lock.mdb is made anew by whoever opens first
ACKS = ("put_ok", "submit_ok", "act_ok")


class Op:
    __slots__ = ("kind", "synced", "off", "n", "name", "data")

    def __init__(self, kind, synced, off, n, name, data):
        self.kind, self.synced, self.off, self.n, self.name, self.data = KINDS[kind], synced, off, n, name, data


def read_recording(path):
    ops = []
    with open(path, "rb") as f:
        while head := f.read(HEAD.size):
            kind, synced, off, n, name_n, to_n, data_n = HEAD.unpack(head)
            name = f.read(name_n).decode()
            f.read(to_n)
            ops.append(Op(kind, bool(synced), off, n, name, f.read(data_n)))
    return ops


def record(seed, units):
    """The scenario -> (operations, history with "at" in each acknowledgement)."""
    with Place() as place:
        broker = Broker(place)
        tape = place.path("tape")
        if not broker.start(record=tape):
            raise AssertionError(f"the broker does not start\n{place.log()}")
        with open(broker.state_path, "r+b") as f:
            counts = mmap.mmap(f.fileno(), 24)

        def stamp(h):
            h["at"] = struct.unpack_from("<Q", counts, 8)[0]
        people = crew.Crew(broker.endpoints, seed, units, on_tell=stamp)
        if not people.play(broker.running, 60):
            raise AssertionError(f"the broker ended\n{place.log()}")
        people.close()
        broker.stop()
        return read_recording(tape), people.history


class Disk:
    """The files as a cut could leave them. advance() goes through the recording; `synced` is what is on the disk for certain."""

    def __init__(self):
        self.written = {name: bytearray() for name in FILES}
        self.synced = {name: bytearray() for name in FILES}
        self.exists = set()
        self.flying = {name: [] for name in FILES}  # writes that no sync has covered yet, in order

    @staticmethod
    def put(image, off, data):
        if len(image) < off:
            image.extend(bytes(off - len(image)))
        image[off:off + len(data)] = data

    def advance(self, op):
        if op.name not in FILES:
            return
        self.exists.add(op.name)
        written, synced, flying = self.written[op.name], self.synced[op.name], self.flying[op.name]
        if op.kind == "write":
            self.put(written, op.off, op.data)
            if op.synced:
                self.put(synced, op.off, op.data)
            else:
                flying.append((op.off, op.data))
        elif op.kind in ("fdatasync", "fsync"):
            for off, data in flying:
                self.put(synced, off, data)
            if len(synced) < len(written):
                synced.extend(bytes(len(written) - len(synced)))
            flying.clear()
        elif op.kind in ("ftruncate", "fallocate"):
            size = op.off if op.kind == "ftruncate" else max(len(written), op.off + op.n)
            del written[size:]
            written.extend(bytes(size - len(written)))
        else:
            raise AssertionError(f"{op.kind} of {op.name}: the disk has no rule for it")

    def subset(self, dice, under_way):
        """One choice among what is in flight. under_way: the operation that the cut interrupts, or None."""
        out = {}
        share = dice.choice((0.1, 0.5, 0.9, 1.0))
        for name in self.exists:
            image, flying = bytearray(self.synced[name]), list(self.flying[name])
            if under_way is not None and under_way.name == name and under_way.kind == "write":
                flying.append((under_way.off, under_way.data))
            for off, data in flying:
                at = 0
                while at < len(data):
                    n = min(len(data) - at, SECTOR - (off + at) % SECTOR)
                    if dice.random() < share:
                        self.put(image, off + at, data[at:at + n])
                    at += n
            if dice.random() < 0.5 and flying:
                size = max(off + len(data) for off, data in flying)
                image.extend(bytes(max(0, size - len(image))))
            out[name] = image
        return out


class Looker:
    """look.c, started again when a store makes it crash."""

    def __init__(self, place):
        self.place, self.process = place, None

    def look(self, files):
        """{name: bytes} -> (rows or None when there is no such run, what it complained of)"""
        path = self.place.path("cut")
        os.makedirs(path, exist_ok=True)
        for name in os.listdir(path):
            os.unlink(os.path.join(path, name))
        for name, image in files.items():
            with open(os.path.join(path, name), "wb") as f:
                f.write(image)
        return self.look_at(path)

    def look_at(self, path):
        if self.process is None or self.process.poll() is not None:
            self.process = subprocess.Popen([harness.program("torture/look")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                            stderr=subprocess.DEVNULL, preexec_fn=die_with_parent)
        try:
            self.process.stdin.write(f"{path} {crew.RUN}\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        rows, complaints = [], []
        for line in self.process.stdout:
            word, _, rest = line.rstrip("\n").partition(" ")
            if word == "end":
                return rows, complaints
            if word == "page":
                rows += crew.decode_rows(wire.decode(bytes.fromhex(rest), {"B2C"})[2])
            elif word == "error":
                complaints.append("error " + wire.CATALOGUE.errors[wire.decode(bytes.fromhex(rest), {"B2C"})[2]["code"]])
            elif word == "missing":
                rows = None
            else:
                complaints.append(line.rstrip("\n"))
        complaints.append(f"crashed with {self.process.wait()}")
        return None, complaints

    def end(self):
        if self.process is not None:
            self.process.stdin.close()
            self.process.wait(10)


class Judge:
    def __init__(self, history):
        self.attempts = [h for h in history if h["op"] not in ACKS]
        self.acks = [h for h in history if h["op"] in ACKS]  # in order, and so is "at"

    def bad(self, at, rows, complaints):
        """What is wrong with the picture of a cut at this place of the recording: a text, or ""."""
        acks = [h for h in self.acks if h["at"] <= at]
        if complaints and not (at_rest(complaints) and not acks):
            return "; ".join(complaints)
        ends = [{"op": "end", "key": crew.key_of(r["text"]), "unit": r["unit"], "state": "open", "value": r["text"], "results": r["results"]}
                for r in rows or ()]
        return checker.check(self.attempts + acks + ends, drained=False).story(3)


def at_rest(complaints):
    """A store that was being made: nothing was promised yet, it may be refused by name, but not read wrong."""
    return all(c.startswith("refused ") for c in complaints)


BLOCK = 40  # places that are looked at in one go
COUNTS = ("prefixes", "subsets", "refused_when_new", "bad")


class Tape:
    """The recording, in the hands of each process that looks at a part of it."""

    def __init__(self, path, seed, units, subsets, step):
        with open(path, "rb") as f:
            self.ops, history = pickle.load(f)
        self.judge, self.seed, self.units, self.step = Judge(history), seed, units, step
        self.places = [at for at, op in enumerate(self.ops) if op.name in FILES]
        self.share = subsets / max(1, len(self.places))

    def block(self, first, deadline):
        """The places first .. first + BLOCK: -> counts, texts"""
        done, texts = dict.fromkeys(COUNTS, 0), []

        def see(what, at, files):
            done[what] += 1
            rows, complaints = looker.look(files)
            wrong = self.judge.bad(at, rows, complaints)
            if wrong:
                done["bad"] += 1
                texts.append(f"BAD {what} at {at} (seed {self.seed}, {self.units} units): {wrong}")
            elif complaints:
                done["refused_when_new"] += 1

        with Place() as place:
            looker, disk = Looker(place), Disk()
            seen = last = first
            for at, op in enumerate(self.ops):
                if seen == min(first + BLOCK, len(self.places)):
                    break
                if at >= self.places[first] and op.name in FILES:
                    seen += 1
                    if seen % self.step == 0:
                        see("prefixes", at, {name: disk.written[name] for name in disk.exists})
                        see("prefixes", at, {name: disk.synced[name] for name in disk.exists})
                    dice = random.Random(f"{self.seed}/{at}")
                    for _ in range(int(seen * self.share) - int((seen - 1) * self.share)):
                        if time.time() < deadline:
                            see("subsets", at, disk.subset(dice, op))
                disk.advance(op)
                last = at
            if last >= self.places[-1]:
                see("prefixes", len(self.ops), {name: disk.written[name] for name in disk.exists})
            looker.end()
        return done, texts


def load(build, *how):
    global tape
    die_with_parent()
    harness.BUILD = build
    tape = Tape(*how)


def block(first, deadline):
    return first, *tape.block(first, deadline)


def main():
    p = argparse.ArgumentParser(description="power cuts, played from a recording")
    p.add_argument("--build")
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
    whole = args.seconds is None and args.step == 1
    settings = {"seed": args.seed, "units": args.units, "subsets": args.subsets}
    with Place() as place:
        notes = Notebook(harness.BUILD if whole else place.dir, "powercut", settings, ["sunlined", "torture/look"] if whole else [], args.fresh)
        path = os.path.join(notes.folder, "powercut.tape")
        if not notes.done or not os.path.exists(path):
            with open(path, "wb") as f:
                pickle.dump(record(args.seed, args.units), f)
        known = Tape(path, args.seed, args.units, args.subsets, args.step)
        ops = [known.ops[at] for at in known.places]
        done = dict(seed=args.seed, places=len(ops), writes=sum(op.kind == "write" for op in ops), syncs=sum("sync" in op.kind for op in ops),
                    **dict.fromkeys(COUNTS, 0))
        firsts = set(range(0, len(ops), BLOCK))
        texts = []
        for r in notes.done:
            firsts.discard(r["first"])
            texts += r["texts"]
            for name in COUNTS:
                done[name] += r["done"][name]
        begin = time.monotonic()
        with concurrent.futures.ProcessPoolExecutor(args.jobs, mp_context=multiprocessing.get_context("spawn"), initializer=load,
                                                    initargs=(harness.BUILD, path, args.seed, args.units, args.subsets, args.step)) as pool:
            deadline = time.time() + (args.seconds or 1e9)
            order = sorted(firsts)
            if args.seconds is not None:
                random.Random(args.seed).shuffle(order)  # a sample is of all of it
            for f in concurrent.futures.as_completed([pool.submit(block, first, deadline) for first in order]):
                first, counts, found = f.result()
                notes.add({"first": first, "done": counts, "texts": found})
                texts += found
                for name in COUNTS:
                    done[name] += counts[name]
        print("\n".join(texts[:20]), flush=True)
        done["seconds"] = round(time.monotonic() - begin, 1)
        if whole:
            notes.publish({k: v for k, v in done.items() if k != "seconds"})
    print(json.dumps(done))
    sys.exit(1 if done["bad"] else 0)


if __name__ == "__main__":
    main()
