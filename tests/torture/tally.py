"""What the points of a part came to (crash.py, starts.py, memory.py): sums, and of each bad one what is wrong and the command that makes it again.

Of a Tally a point is {"of": what of, "n": the call, "mode": where in it, "place": what call that was, "bad": [what is wrong], "completed": True if it was not killed at all, ...}."""
import json
import time


class Sums:
    """told: what a point tells, to be added up."""

    def __init__(self, told=(), **figures):
        self.told, self.begin = told, time.monotonic()
        self.sum = dict(figures, points=0, **dict.fromkeys(told, 0), bad=0)

    def add_up(self, r):
        self.sum["points"] += 1
        for name in self.told:
            self.sum[name] += r.get(name, 0)

    def wrong(self, what, texts=()):
        self.sum["bad"] += 1
        print("\n".join(["BAD " + what, *("  " + line for text in texts for line in text.splitlines())]), flush=True)

    def report(self):
        """The last line. True: nothing was wrong."""
        print(json.dumps(dict(self.sum, seconds=round(time.monotonic() - self.begin, 1))), flush=True)
        return self.sum["bad"] == 0


class Tally(Sums):
    """again: of what it is -> that command, without mode and call."""

    def __init__(self, again, told=(), **figures):
        super().__init__(told, **figures, kinds={})
        self.again = again

    def add(self, r, more=()):
        """more: what else is wrong with it."""
        self.add_up(r)
        if not r.get("completed"):
            kind = r["place"].split(" ")[0]
            self.sum["kinds"][kind] = self.sum["kinds"].get(kind, 0) + 1
        texts = [*r["bad"], *more]
        if texts:
            self.wrong(f"{r['of']}, call {r['n']} ({r['place']}), {r['mode']}: again with {self.again(r['of'])} --mode {r['mode']} --from {r['n']} --points 1", texts)
