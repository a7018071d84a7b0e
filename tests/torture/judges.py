"""Both judges over whole histories of one broker, at their end.

    judged = judges.whole(people.history, hub.history)     # those who worked with one broker; the last one has its events
    judged.wrong          # a text for whatever is wrong; [] is what is wanted
    judged.acknowledged, judged.accepted, judged.same     # what checker.py, and what the other one counted
    judged.sums()         # figures, by the names in SUMS
    print(judges.keep(folder, people.history, hub.history))    # for whoever looks into it

checker.py judges what only peers know: what they were promised. The checker of the simulated world (tests/sim/checker.h, here build/torture/judge) judges the
same histories as facts (facts.py): order, credit, who may do what, the matrix of states, leases, and all counters."""
import json
import os
import shlex
import shutil
import subprocess
from collections import Counter

import checker
import facts
import harness


FOUND = {"lost": ("lost",), "double": ("duplicated", "double_accept", "given_twice"), "phantom": ("unexpected",)}  # by these verdicts
SUMS = ("units", "results", "recovered", "events", "refusals judged", "refusals left out", "delays judged", "expiries judged", "histories without times", *FOUND)


class Judged:
    def __init__(self, verdicts, wrong, same, told=None):
        self.wrong, self.same, self.told = [v.story() for v in verdicts if v.bad] + wrong, same, told
        self.acknowledged, self.accepted = sum(v.acknowledged for v in verdicts), sum(v.accepted for v in verdicts)
        self.recovered = sum(len(v.found["recovered"]) for v in verdicts)
        by_verdict = Counter(same.get("verdicts", {}))
        for v in verdicts:
            by_verdict.update({name: len(texts) for name, texts in v.found.items()})
        self.found = {name: sum(by_verdict[verdict] for verdict in of) for name, of in FOUND.items()}

    def sums(self):
        t = self.told
        told = (t.refusals, t.refusals_left_out, t.delays, t.expiries, int(not t.times)) if t else (0,) * 5
        return dict(zip(SUMS, (self.acknowledged, self.accepted, self.recovered, self.same.get("events", 0), *told, *self.found.values()), strict=True))


def whole(*histories):
    verdicts = [checker.check(h) for h in histories]
    try:
        told = facts.whole(*histories)
    except facts.Untold as e:
        return Judged(verdicts, [f"untold: {e}"], {})
    return Judged(verdicts, *same_checker(told.lines), told)


def keep(folder, *histories):
    """The histories, a record a line, and the facts that are made of them -> where they are, and what tells them as a story"""
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    for n, history in enumerate(histories):
        with open(os.path.join(folder, f"history-{n}"), "w", encoding="utf-8") as f:
            f.writelines(json.dumps(record, default=repr) + "\n" for record in history)
    try:
        lines = facts.of(*histories)
    except (facts.Untold, LookupError) as e:  # it was broken off
        return f"kept in {folder}; no facts can be made of it: {type(e).__name__}: {e}"
    path = os.path.join(folder, "facts")
    with open(path, "w", encoding="utf-8") as f:
        f.write("\n".join(lines) + "\n")
    return f"kept in {folder}; told event by event by {shlex.join([*program(), '--story'])} < {shlex.quote(path)}"


def program():
    return [harness.program("torture/judge")]


def same_checker(lines):
    """-> (what is wrong, what it counted)"""
    done = subprocess.run(program(), input="\n".join(lines) + "\n", capture_output=True, text=True, check=False)
    words = done.stdout.splitlines()
    summary = words.pop() if words else ""
    if done.returncode != bool(words) or not summary:  # a sanitizer ends with 1 as well
        raise AssertionError(f"the judge ended with {done.returncode}, {len(words)} words: {done.stderr[-2000:]}")
    return words, json.loads(summary)
