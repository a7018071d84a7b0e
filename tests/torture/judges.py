"""Both judges over whole histories of one broker, at their end.

    judged = judges.whole(people.history, hub.history)     # those who worked with one broker; the last one has its events
    judged.wrong          # a text for whatever is wrong; [] is what is wanted
    judged.acknowledged, judged.accepted, judged.same     # what checker.py, and what the other one counted
    judged.sums()         # figures, by the names in SUMS

checker.py judges what only peers know: what they were promised. The checker of the simulated world (tests/sim/checker.h, here build/torture/judge) judges the
same histories as facts (facts.py): order, credit, who may do what, the matrix of states, leases, and all counters."""
import json
import subprocess

import checker
import facts
import harness


SUMS = ("units", "results", "recovered", "events", "refusals judged", "refusals left out", "histories without times")


class Judged:
    def __init__(self, verdicts, wrong, same, told=None):
        self.wrong, self.same, self.told = [v.story() for v in verdicts if v.bad] + wrong, same, told
        self.acknowledged, self.accepted = sum(v.acknowledged for v in verdicts), sum(v.accepted for v in verdicts)
        self.recovered = sum(len(v.found["recovered"]) for v in verdicts)

    def sums(self):
        left_out = (self.told.refusals, self.told.refusals_left_out, int(not self.told.times)) if self.told else (0, 0, 0)
        return dict(zip(SUMS, (self.acknowledged, self.accepted, self.recovered, self.same.get("events", 0), *left_out), strict=True))


def whole(*histories):
    verdicts = [checker.check(h) for h in histories]
    try:
        told = facts.whole(*histories)
    except facts.Untold as e:
        return Judged(verdicts, [f"untold: {e}"], {})
    return Judged(verdicts, *same_checker(told.lines), told)


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
