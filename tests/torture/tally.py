"""What the points of a part came to (crash.py, starts.py): sums, and of each bad one what is wrong and the command that makes it again.

A point is {"of": what of, "n": the call, "mode": where in it, "place": what call that was, "bad": [what is wrong], "completed": True if it was not killed at all, ...}."""
import json
import time


class Tally:
    """again: of what it is -> that command, without mode and call. told: what a point tells beside those, to be added up."""

    def __init__(self, again, told=(), **figures):
        self.again, self.told, self.begin = again, told, time.monotonic()
        self.sum = dict(figures, points=0, **dict.fromkeys(told, 0), kinds={}, bad=0)

    def add(self, r, more=()):
        """more: what else is wrong with it."""
        self.sum["points"] += 1
        for name in self.told:
            self.sum[name] += r.get(name, 0)
        if not r.get("completed"):
            kind = r["place"].split(" ")[0]
            self.sum["kinds"][kind] = self.sum["kinds"].get(kind, 0) + 1
        texts = [*r["bad"], *more]
        if texts:
            self.wrong(f"{r['of']}, call {r['n']} ({r['place']}), {r['mode']}: again with {self.again(r['of'])} --mode {r['mode']} --from {r['n']} --points 1", texts)

    def wrong(self, what, texts=()):
        self.sum["bad"] += 1
        print("\n".join(["BAD " + what, *("  " + line for text in texts for line in text.splitlines())]), flush=True)

    def report(self):
        """The last line. True: nothing was wrong."""
        print(json.dumps(dict(self.sum, seconds=round(time.monotonic() - self.begin, 1))), flush=True)
        return self.sum["bad"] == 0
