"""Both judges over whole histories of one broker, at their end.

    judged = judges.whole(people.history, hub.history)     # those who worked with one broker; the last one has its events
    judged.wrong          # a text for whatever is wrong; [] is what is wanted
    judged.acknowledged, judged.accepted, judged.recovered, judged.events     # figures

checker.py judges what only peers know: what they were promised. The checker of the simulated world (tests/sim/checker.h, here build/torture/judge) judges the
same histories as facts (facts.py): order, credit, who may do what, the matrix of states, leases, and all counters."""
import json
import subprocess

import checker
import facts
import harness


class Judged:
    def __init__(self, verdicts, wrong, same):
        self.wrong, self.same = [v.story() for v in verdicts if v.bad] + wrong, same  # same: what the other checker counted
        self.events = same.get("events", 0)
        self.acknowledged, self.accepted = sum(v.acknowledged for v in verdicts), sum(v.accepted for v in verdicts)
        self.recovered = sum(len(v.found["recovered"]) for v in verdicts)


def whole(*histories):
    verdicts = [checker.check(h) for h in histories]
    try:
        lines = facts.of(*histories)
    except facts.Untold as e:
        return Judged(verdicts, [f"untold: {e}"], {})
    return Judged(verdicts, *same_checker(lines))


def same_checker(lines):
    """-> (what is wrong, what it counted)"""
    done = subprocess.run([harness.program("torture/judge")], input="\n".join(lines) + "\n", capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise AssertionError(f"the judge ended with {done.returncode}: {done.stderr[-2000:]}")
    *words, summary = done.stdout.splitlines()
    return words, json.loads(summary)
