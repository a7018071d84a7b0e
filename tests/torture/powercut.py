#!/usr/bin/python3
"""Power cuts: a broker, or an agent, does its work while the shim writes down every call that changes its files; then the disk is built as a cut could have left
it, at every place of the recording, and what is on it is opened and read by the program's own code (look.c, open.c). What had been acknowledged by then must be
there, nothing may be damaged, nothing may be there that nobody sent.

    powercut.py [--build DIR] [--what broker|agent|both] [--seed N] [--units N] [--subsets N] [--seconds N] [--step N] [--jobs N] [--fresh]

The disk's rules are tape.py's. Three kinds of pictures are made:
  prefixes  for each place: all that was written before it, in order, and nothing after it; the same with nothing but what was synced
  names     where names hang in the air: all that was written, under no name that no sync of its folder made certain
  subsets   at seeded places: a seeded choice among the sectors and the names in flight, the write that was under way among them

A peer's acknowledgement belongs to the place that the recording had reached when the peer held it in its hands: it was sent before, so all
that it promises must stand in what is written by then. Of a broker that is what it acknowledged, and a backup: whole, or not there. Of an agent what it told its
person is kept: each result until the broker has it, each draft until its task is over, and who the agent is. --seconds bounds the subsets. The last line is JSON for the
report.

checker.py alone judges here: a picture has no end, and the rest of the history is not what became of it.
"""
import argparse
import concurrent.futures
import hashlib
import json
import mmap
import multiprocessing
import os
import pickle
import random
import shutil
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
from tape import Disk, read_recording  # noqa: E402
import harness  # noqa: E402
import sunline_wire as wire  # noqa: E402

ACKS = ("put_ok", "submit_ok", "act_ok", "backup_ok")


class Stamp:
    """Each record of a history gets the place that the recording had reached: "at"."""

    def __init__(self, path):
        with open(path, "r+b") as f:
            self.counts = mmap.mmap(f.fileno(), 24)

    def __call__(self, h):
        h["at"] = struct.unpack_from("<Q", self.counts, 8)[0]


# ---------------------------------------------------------------- recordings
def record_broker(seed, units):
    """-> (operations, history with "at" in each record)."""
    with Place() as place:
        broker = Broker(place)
        tape = place.path("tape")
        if not broker.start(record=tape):
            raise AssertionError(f"the broker does not start\n{place.log()}")
        people = crew.Crew(broker.endpoints, seed, units, on_tell=Stamp(broker.state_path), backup=os.path.join(broker.disk, "copy"))
        if not people.play(broker.running, 60):
            raise AssertionError(f"the broker ended\n{place.log()}")
        people.close()
        broker.stop()
        return read_recording(tape), people.history


def record_agent(seed, units):
    """The agent's folder is there, and empty, as an installation leaves it."""
    with Place() as place:
        scene = crash.AgentScene(place, seed, units=units // AGENT_SHARE)
        tape = place.path("tape")
        os.mkdir(scene.agent.data)
        scene.agent.start(record=tape)
        while not os.path.exists(scene.agent.state_path) or os.path.getsize(scene.agent.state_path) < 64:
            time.sleep(0.001)
        scene.on_tell = Stamp(scene.agent.state_path)
        if not scene.play():
            raise AssertionError(f"the agent ended\n{place.log()}")
        scene.agent.stop()
        scene.client.close()
        return read_recording(tape), [dict({"at": 0}, **h) for h in scene.history]


AGENT_SHARE = 4  # of --units


# ---------------------------------------------------------------- who looks at a picture
class Helper:
    """A program that answers a line with lines up to `end`; started again when what it looks at makes it crash."""

    def __init__(self, program):
        self.program, self.process = program, None

    def ask(self, line):
        """-> (lines, complaints)"""
        if self.process is None or self.process.poll() is not None:
            self.process = subprocess.Popen([harness.program(self.program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                            stderr=subprocess.DEVNULL, preexec_fn=die_with_parent)
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        lines = []
        for said in self.process.stdout:
            if said == "end\n":
                return lines, []
            if said.endswith("\n"):  # else it died in the middle of it
                lines.append(said[:-1])
        return lines, [f"crashed with {self.process.wait()}"]

    def end(self):
        if self.process is not None:
            self.process.stdin.close()
            self.process.wait(10)


def lay_out(path, tree):
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    for name, image in tree.items():
        if image is None:
            os.makedirs(os.path.join(path, name), exist_ok=True)
        else:
            with open(os.path.join(path, name), "wb") as f:
                f.write(image)
    return path


class Looker:
    """look.c"""

    def __init__(self, place):
        self.place, self.helper = place, Helper("torture/look")

    def look(self, files):
        """{name: bytes} -> (rows that were handed out, or None when there is no such run; what it complained of)"""
        return self.look_at(lay_out(self.place.path("cut"), files))

    def look_at(self, path):
        lines, complaints = self.helper.ask(f"{path} {crew.RUN}")
        rows = []
        for line in lines:
            word, _, rest = line.partition(" ")
            if word == "page":
                rows += crew.decode_rows(wire.decode(bytes.fromhex(rest), {"B2C"})[2])
            elif word == "error":
                complaints.append("error " + wire.CATALOGUE.errors[wire.decode(bytes.fromhex(rest), {"B2C"})[2]["code"]])
            elif word == "check":
                complaints += crew.named(wire.decode(bytes.fromhex(rest), {"B2C"})[2])
            elif word == "missing" and not rows:
                rows = None
            else:
                complaints.append(line)
        return rows, complaints

    def end(self):
        self.helper.end()


class BrokerJudge:
    """bad() says what is wrong with a picture: a text, or "" and whether the store was refused before anything was promised."""

    def __init__(self, history, place):
        self.history, self.path, self.looker = history, place.path("cut"), Looker(place)
        self.attempts = [h for h in history if h["op"] not in ACKS]
        self.acks = [h for h in history if h["op"] in ACKS]  # in order, and so is "at"
        self.copies = {}

    def bad(self, at, tree, written):
        acks = [h for h in self.acks if h["at"] <= at]
        lay_out(self.path, tree)
        wrong = self.bad_copy(tree, any(h["op"] == "backup_ok" for h in acks))
        if wrong:
            return wrong, False
        rows, complaints = self.looker.look_at(os.path.join(self.path, "data")) if "data" in tree else (None, [])
        if complaints and not acks and all(c.startswith("refused ") for c in complaints):
            return "", True  # a store that was being made: it may be refused by name, but not read wrong
        if complaints:
            return "; ".join(complaints), False
        return checker.check(self.attempts + acks + crew.ends(rows or ()), drained=False).story(3), False

    def bad_copy(self, tree, promised):
        if "copy" not in tree:
            return "a backup that was answered is not there" if promised else ""
        files = {name: image for name, image in tree.items() if name.startswith("copy/")}
        key = hashlib.sha256(repr(sorted(files)).encode() + b"".join(files[name] for name in sorted(files))).digest()
        if key not in self.copies:  # after its last sync it is always the same
            rows, complaints = self.looker.look_at(os.path.join(self.path, "copy"))
            self.copies[key] = "; ".join(complaints) or checker.check(crew.at_backup(self.history, rows or ()), drained=False).story(3)
        return self.copies[key] and "the backup: " + self.copies[key]

    def end(self):
        self.looker.end()


class Folder:
    """What open.c found in an agent's folder."""

    def __init__(self, lines, complaints):
        self.agent, self.results, self.tasks, self.drafts, self.complaints = None, {}, set(), {}, complaints
        for line in lines:
            word, *rest = line.split(" ")
            if word == "agent":
                self.agent = tuple(rest)
            elif word == "result":
                self.results.setdefault(int(rest[0]), []).append(bytes.fromhex(rest[1]))
            elif word == "task":
                self.tasks.add(int(rest[0]))
            elif word == "draft":
                self.drafts[int(rest[0])] = json.loads(bytes.fromhex(rest[1]))
            else:
                complaints.append(line)

    def has_result(self, kept):
        return any(kept["result"].encode() in item for item in self.results.get(kept["assignment"], ()))

    def has_draft(self, drafted):
        return self.drafts.get(drafted["assignment"]) == drafted["values"]


class AgentJudge:
    """What was promised must be in a picture as long as all that was written has it, the write under way included: what is not there any more the agent took out
    itself, which it may when the broker has it (that it does so no earlier is crash.py's)."""

    def __init__(self, history, place):
        self.path, self.helper, self.seen = place.path("cut"), Helper("torture/open"), (None, None)
        self.kept = [h for h in history if h["op"] == "kept"]
        self.drafted = [h for h in history if h["op"] == "drafted"]
        self.tried = [h["result"].encode() for h in history if h["op"] == "tried"]

    def open(self, tree):
        return Folder(*self.helper.ask(os.path.join(lay_out(self.path, tree), "data")))

    def bad(self, at, tree, written):
        if self.seen[0] != at:
            self.seen = (at, [self.open(t) for t in written()])
        now, folder = self.seen[1], self.open(tree)
        kept, drafted = ([h for h in many if h["at"] <= at] for many in (self.kept, self.drafted))
        if folder.complaints and not kept and not drafted and all(c.startswith("refused ") for c in folder.complaints):
            return "", True
        wrong = list(folder.complaints)
        if (kept or drafted) and folder.agent != now[0].agent:
            wrong.append(f"the agent was {now[0].agent}, and is {folder.agent}")
        wrong += [f"lost: a result of {h['assignment']} that was called kept" for h in kept if all(n.has_result(h) for n in now) and not folder.has_result(h)]
        wrong += [f"lost: a draft of {h['assignment']} that was called kept" for h in drafted if all(n.has_draft(h) for n in now) and not folder.has_draft(h)]
        wrong += [f"unexpected: a result of {n}" for n, items in folder.results.items() for item in items if not any(t in item for t in self.tried)]
        return "; ".join(wrong[:5]), False

    def end(self):
        self.helper.end()


def kept_too_early(ops, history, judge):
    """What was called kept before any place at which it was written."""
    begun, wanted = {}, []
    for h in history:
        if h["op"] in ("tried", "drafting") and "assignment" in h:  # of a person
            begun[h["op"], h["assignment"]] = h["at"]
        elif h["op"] in ("kept", "drafted"):
            wanted.append((begun["tried" if h["op"] == "kept" else "drafting", h["assignment"]], h["at"], h))
    disk, found = Disk(there=("data",)), set()
    for at in range(len(ops) + 1):
        due = [i for i, (first, last, _) in enumerate(wanted) if first <= at <= last and i not in found]
        if due:
            folder = judge.open(disk.all())
            found |= {i for i in due if (folder.has_result if wanted[i][2]["op"] == "kept" else folder.has_draft)(wanted[i][2])}
        if at < len(ops):
            disk.advance(ops[at])
    return [f"BAD agent: {h['op']} {h['assignment']} at {h['at']}, and it was written nowhere before" for i, (_, _, h) in enumerate(wanted) if i not in found]


WHATS = {"broker": (record_broker, BrokerJudge, ()), "agent": (record_agent, AgentJudge, ("data",))}


BLOCK = 40  # places that are looked at in one go
COUNTS = ("prefixes", "names", "subsets", "refused_when_new", "bad")


class Tape:
    """The recording, in the hands of each process that looks at a part of it."""

    def __init__(self, what, path, seed, units, subsets, step):
        with open(path, "rb") as f:
            self.ops, self.history = pickle.load(f)
        self.what, self.seed, self.units, self.step = what, seed, units, step
        self.subsets = subsets

    def subsets_at(self, at):
        """How many at this place: evenly, and all of them together."""
        return (at + 1) * self.subsets // len(self.ops) - at * self.subsets // len(self.ops)

    def block(self, first, deadline):
        """The places first .. first + BLOCK: -> counts, texts"""
        done, texts = dict.fromkeys(COUNTS, 0), []
        _, judge_of, there = WHATS[self.what]

        def see(kind, at, tree):
            done[kind] += 1
            wrong, refused = judge.bad(at, tree, lambda: [disk.all(), disk.all(*self.ops[at:at + 1])])
            done["refused_when_new"] += refused
            if wrong:
                done["bad"] += 1
                texts.append(f"BAD {self.what} {kind} at {at} (seed {self.seed}, {self.units} units): {wrong}")

        def see_prefixes(at):
            written, names = disk.all(), disk.certain_names()
            see("prefixes", at, written)
            see("prefixes", at, disk.certain())
            if written.keys() != names.keys() or any(written[n] is not names[n] for n in names):
                see("names", at, names)

        with Place() as place:
            judge, disk = judge_of(self.history, place), Disk(there)
            last = min(first + BLOCK, len(self.ops))
            for at, op in enumerate(self.ops[:last]):
                if at >= first:
                    if (at + 1) % self.step == 0:
                        see_prefixes(at)
                    dice = random.Random(f"{self.seed}/{at}")
                    for _ in range(self.subsets_at(at)):
                        if time.time() < deadline:
                            see("subsets", at, disk.subset(dice, op))
                disk.advance(op)
            if last == len(self.ops):
                see_prefixes(last)
            judge.end()
        return done, texts


def load(build, *how):
    global tape
    die_with_parent()
    harness.BUILD = build
    tape = Tape(*how)


def block(first, deadline):
    return first, *tape.block(first, deadline)


def play(what, args):
    """All pictures of one recording; prints what is wrong. -> figures"""
    whole = args.seconds is None and args.step == 1
    settings = {"seed": args.seed, "units": args.units, "subsets": args.subsets}
    programs = ["sunlined", "torture/look"] if what == "broker" else ["sunlined", "sunline-agent", "torture/open"]
    begin = time.monotonic()
    with Place() as place:
        notes = Notebook(harness.BUILD if whole else place.dir, "powercut-" + what, settings, programs if whole else [], args.fresh)
        path = os.path.join(notes.folder, f"powercut-{what}.tape")
        if not notes.done or not os.path.exists(path):
            with open(path, "wb") as f:
                pickle.dump(WHATS[what][0](args.seed, args.units), f)
        how = (what, path, args.seed, args.units, args.subsets, args.step)
        known = Tape(*how)
        ops = known.ops
        texts, firsts = [], set(range(0, len(ops), BLOCK))
        done = dict(what=what, seed=args.seed, places=len(ops), writes=sum(op.kind == "write" for op in ops), syncs=sum("sync" in op.kind for op in ops),
                    **dict.fromkeys(COUNTS, 0))
        if what == "agent":
            judge = AgentJudge(known.history, place)
            texts += kept_too_early(ops, known.history, judge)
            done.update(kept=len(judge.kept), drafts=len(judge.drafted), bad=len(texts))
            judge.end()
        for r in notes.done:
            firsts.discard(r["first"])
            texts += r["texts"]
            for name in COUNTS:
                done[name] += r["done"][name]
        with concurrent.futures.ProcessPoolExecutor(args.jobs, mp_context=multiprocessing.get_context("spawn"), initializer=load,
                                                    initargs=(harness.BUILD, *how)) as pool:
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
        if args.seconds is None and done["subsets"] != args.subsets:
            texts.insert(0, f"BAD {what}: {done['subsets']:,} subsets were made, {args.subsets:,} were asked for")
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
    p.add_argument("--what", choices=(*WHATS, "both"), default="both")
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
    sys.exit(0 if all([play(what, args) for what in (WHATS if args.what == "both" else [args.what])]) else 1)


if __name__ == "__main__":
    main()
