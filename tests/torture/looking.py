"""Who looks at a disk as a cut of power left it, and says what is wrong with it. A program of ours opens it by the broker's or the agent's own code (look.c, open.c).

    judge = JUDGES[what](life, place)           # recordings.py
    text = judge.bad(at, tree, written)

text is "" when all is well. Nothing may be refused, even if nothing was promised yet. One that was looked at is not opened again (of an agent each is): opened counts.

    BrokerJudge    what the peers were acknowledged is there
    OwnJudge       ... and the store is one of its own, or the command makes it one
    AnswersJudge   the store says what the old release said of it
"""
import hashlib
import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import checker  # noqa: E402
import crew  # noqa: E402
import harness  # noqa: E402
import released  # noqa: E402
import sunline_wire as wire  # noqa: E402
import upgrade  # noqa: E402
from place import Broker, die_with_parent  # noqa: E402
from tape import Disk, lay_out, tree_of  # noqa: E402

ACKS = ("put_ok", "submit_ok", "act_ok", "backup_ok")
SPARE = 1 << 36  # assignments that a copy goes on behind those that it knows of, at least (operating.md)


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


def fingerprint(tree):
    told = hashlib.blake2b(repr(sorted((name, image is None or len(image)) for name, image in tree.items())).encode())
    for name in sorted(tree):
        if tree[name] is not None:
            told.update(tree[name])
    return told.digest()


class Looker:
    """look.c"""

    def __init__(self, place):
        self.place, self.helper = place, Helper("torture/look")

    def look(self, files):
        """{name: bytes} -> (rows that were handed out, or None when there is no such run; what it complained of)"""
        return self.look_at(lay_out(self.place.path("cut"), files))

    def look_at(self, path, records=False):
        """whole: the output was read to its end. records: told are also `sum`, which is the same for stores that hold the same, `id`, and the `newest` assignment."""
        lines, complaints = self.helper.ask(f"{path} {crew.RUN}" + (" records" if records else ""))
        rows, self.sum, self.whole = [], None, False
        for line in lines:
            word, _, rest = line.partition(" ")
            if word == "page":
                rows += crew.decode_rows(wire.decode(bytes.fromhex(rest), {"B2C"})[2])
            elif word == "error":
                complaints.append("error " + wire.CATALOGUE.errors[wire.decode(bytes.fromhex(rest), {"B2C"})[2]["code"]])
            elif word == "check":
                complaints += crew.named(wire.decode(bytes.fromhex(rest), {"B2C"})[2])
            elif word == "records":
                self.sum, self.id, newest = rest.split(" ")
                self.newest = int(newest)
            elif word == "whole":
                self.whole = True
            elif word == "missing" and not rows:
                rows = None
            else:
                complaints.append(line)
        return rows, complaints

    def end(self):
        self.helper.end()


class BrokerJudge:
    def __init__(self, life, place):
        history = life.history
        self.life, self.place, self.path, self.looker = life, place, place.path("cut"), Looker(place)
        self.history = history
        self.attempts = [h for h in history if h["op"] not in ACKS]
        self.acks = [h for h in history if h["op"] in ACKS]  # in order, and so is "at"
        self.copies, self.known, self.opened = {}, {}, 0

    def due(self, at):
        """Of two places with the same due the same is demanded."""
        return sum(h["at"] <= at for h in self.acks)

    def bad(self, at, tree, written=None):
        key = self.due(at), fingerprint(tree)
        if key not in self.known:
            self.known[key] = self.look(at, tree)
            self.opened += 1
        return self.known[key]

    def look(self, at, tree):
        acks = self.acks[:self.due(at)]
        lay_out(self.path, tree)
        wrong = self.bad_copy(tree, any(h["op"] == "backup_ok" for h in acks))
        if wrong:
            return wrong
        rows, complaints = self.looker.look_at(os.path.join(self.path, "data")) if "data" in tree else (None, [])
        return "; ".join(complaints) or self.misses(acks, rows)

    def misses(self, acks, rows):
        return checker.check(self.attempts + acks + crew.ends(rows or ()), drained=False).story(3)

    def bad_copy(self, tree, promised):
        if "copy" not in tree:
            return "a backup that was answered is not there" if promised else ""
        files = {name: image for name, image in tree.items() if name.startswith("copy/")}
        key = fingerprint(files)
        if key not in self.copies:  # after its last sync it is always the same
            rows, complaints = self.looker.look_at(os.path.join(self.path, "copy"))
            self.copies[key] = "; ".join(complaints) or checker.check(crew.at_backup(self.history, rows or ()), drained=False).story(3)
        return self.copies[key] and "the backup: " + self.copies[key]

    def end(self):
        self.looker.end()


DONE = {}  # what the programs themselves made of a store, by what it holds: for all judges of this process


class OwnJudge(BrokerJudge):
    """Of `sunlined --restored`: until it says that it is done the store is as it was, or its own already; the command again makes it one in either case."""

    def due(self, at):
        return super().due(at) + (at >= self.life.told["own_at"])

    def look(self, at, tree):
        self.tree = tree
        lay_out(self.path, tree)
        wrong = self.seen(at)
        key = self.life.name, self.looker.sum, at >= self.life.told["own_at"]  # more is demanded from there on
        if not wrong and key not in DONE:
            DONE[key] = self.again(at, tree)
        return wrong or DONE[key]

    def seen(self, at):
        """What is wrong with what lies there, as the next start finds it."""
        acks, told = [h for h in self.acks if h["at"] <= at], self.life.told
        rows, complaints = self.looker.look_at(os.path.join(self.path, "data"), records=True)
        return "; ".join(complaints) or self.not_own(at >= told["own_at"]) or self.misses(acks, rows)

    def not_own(self, must_be):
        told, looker = self.life.told, self.looker
        own = looker.id != told["was"]
        if own and looker.newest < told["newest"] + SPARE:
            return f"given twice: it is store {looker.id}, not {told['was']}, and goes on behind assignment {looker.newest}; {told['newest']} was given"
        if must_be and (not own or looker.newest + 1 < told["own_from"]):
            return f"told was that it is a store of its own and goes on at {told['own_from']}; it is {looker.id}, was {told['was']}, and goes on behind {looker.newest}"
        return ""

    def again(self, at, tree):
        """The command once more."""
        data = os.path.join(lay_out(self.path, tree), "data")
        done = subprocess.run([harness.program("sunlined"), "--restored", "--data", data], capture_output=True, text=True, check=False, timeout=60)
        first = re.search(r"assignments go on at (\d+)\n$", done.stdout)
        if done.returncode != 0 or not first:
            return f"--restored again ends with {done.returncode}: {done.stdout}{done.stderr}"
        if at >= self.life.told["own_at"] and int(first[1]) <= self.life.told["own_from"]:
            return f"given twice: --restored again goes on at {first[1]}, the first time at {self.life.told['own_from']}"
        self.tree = tree_of(self.path)
        was, wrong = self.looker.id, self.seen(at)
        return wrong and "--restored again: " + wrong or ("--restored again, and it is the same store" if self.looker.id == was else "")


class AnswersJudge(BrokerJudge):
    """Where the looker finds the same records, the broker says the same: it is asked once."""

    def __init__(self, life, place):
        super().__init__(life, place)
        said = upgrade.said_by(life.told["version"])
        answers = [s for s in said[life.told["which"]]["answers"] if s["ask"] != "info_get" or "own_at" not in life.told]  # its id is another then
        self.said = {"facts": said["facts"], "store": {"answers": answers}}

    def misses(self, acks, rows):
        key = self.life.name, self.looker.sum, "says"
        if key not in DONE:
            DONE[key] = self.asked()
        return DONE[key]

    def look(self, at, tree):
        self.tree = tree
        rows, complaints = self.looker.look_at(os.path.join(lay_out(self.path, tree), "data"), records=True)
        return "; ".join(complaints) or self.misses([], rows)

    def asked(self):
        """A real broker, over what is there."""
        broker = Broker(self.place, "found", *released.SETTINGS)
        lay_out(broker.disk, self.tree)
        if not broker.start():
            return f"the broker does not start, status {broker.status}: {broker.said()}"
        client = wire.Client(broker.endpoints["clients"])
        try:
            return "; ".join(upgrade.sound(client, self.said, True))
        finally:
            client.close()
            broker.kill()


class OwnAnswersJudge(OwnJudge, AnswersJudge):
    """Both, of a copy of a released version's store."""


def own_judge(life, place):
    return (OwnAnswersJudge if "version" in life.told else OwnJudge)(life, place)


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

    def __init__(self, life, place):
        history = life.history
        self.path, self.helper, self.seen, self.opened = place.path("cut"), Helper("torture/open"), (None, None), 0
        self.kept = [h for h in history if h["op"] == "kept"]
        self.drafted = [h for h in history if h["op"] == "drafted"]
        self.tried = [h["result"].encode() for h in history if h["op"] == "tried"]

    def open(self, tree):
        return Folder(*self.helper.ask(os.path.join(lay_out(self.path, tree), "data")))

    def bad(self, at, tree, written):
        if self.seen[0] != at:
            self.seen = (at, [self.open(t) for t in written()])
        now, folder = self.seen[1], self.open(tree)
        self.opened += 1
        kept, drafted = ([h for h in many if h["at"] <= at] for many in (self.kept, self.drafted))
        wrong = list(folder.complaints)
        if (kept or drafted) and folder.agent != now[0].agent:
            wrong.append(f"the agent was {now[0].agent}, and is {folder.agent}")
        wrong += [f"lost: a result of {h['assignment']} that was called kept" for h in kept if all(n.has_result(h) for n in now) and not folder.has_result(h)]
        wrong += [f"lost: a draft of {h['assignment']} that was called kept" for h in drafted if all(n.has_draft(h) for n in now) and not folder.has_draft(h)]
        wrong += [f"unexpected: a result of {n}" for n, items in folder.results.items() for item in items if not any(t in item for t in self.tried)]
        return "; ".join(wrong[:5])

    def end(self):
        self.helper.end()


def kept_too_early(life, judge):
    """What was called kept before any place at which it was written."""
    begun, wanted, ops = {}, [], life.ops
    for h in life.history:
        if h["op"] in ("tried", "drafting") and "assignment" in h:  # of a person
            begun[h["op"], h["assignment"]] = h["at"]
        elif h["op"] in ("kept", "drafted"):
            wanted.append((begun["tried" if h["op"] == "kept" else "drafting", h["assignment"]], h["at"], h))
    disk, found = Disk(life.there), set()
    for at in range(len(ops) + 1):
        due = [i for i, (first, last, _) in enumerate(wanted) if first <= at <= last and i not in found]
        if due:
            folder = judge.open(disk.all())
            found |= {i for i in due if (folder.has_result if wanted[i][2]["op"] == "kept" else folder.has_draft)(wanted[i][2])}
        if at < len(ops):
            disk.advance(ops[at])
    return [f"BAD agent: {h['op']} {h['assignment']} at {h['at']}, and it was written nowhere before" for i, (_, _, h) in enumerate(wanted) if i not in found]


JUDGES = {"broker": BrokerJudge, "agent": AgentJudge, "settle": BrokerJudge, "restored": own_judge, "upgrade": AnswersJudge}
