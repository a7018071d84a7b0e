"""A day and an hour of three hubs, in seconds, on the real engine: work goes from Kathmandu to Nairobi to Medellín and back to Kathmandu, by shifts alone."""
import re
import subprocess
import unittest

import harness


def run(*args):
    return subprocess.run([harness.program("round-the-clock"), *args], capture_output=True, text=True, check=False, timeout=120)


class RoundTheClock(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.done = run("--facts")
        cls.facts = dict(re.findall(r"^(\w+) (\d+)$", cls.done.stdout, re.M))
        cls.hubs = {h: (int(w), int(i)) for h, w, i in re.findall(r"^hub (\w+) wrote (\d+) improved (\d+)$", cls.done.stdout, re.M)}
        cls.cells = {(h, p): c for h, p, c in re.findall(r"^person (\w+) (\w+) (\S+)$", cls.done.stdout, re.M)}

    def hours(self, hub):
        """Half hours in which somebody of the hub handed in a result, counted from 03:00 UTC."""
        return {i for (h, _), cells in self.cells.items() if h == hub for i, c in enumerate(cells) if c.isdigit()}

    def test_nobody_is_given_work_off_shift(self):
        self.assertEqual(self.done.returncode, 0, self.done.stderr)
        self.assertEqual(self.facts["off_shift"], "0")
        self.assertEqual(len(self.cells), 12)

    def test_work_passes_from_hub_to_hub_and_around(self):
        writers = {hub: {i for (h, p), cells in self.cells.items() if h == hub and p not in ("mina", "kamau", "ana")
                         for i, c in enumerate(cells) if c.isdigit()} for hub in self.hubs}
        self.assertEqual(min(writers["kathmandu"]), 0)     # 09:00 in Kathmandu is 03:15 UTC
        self.assertIn(max(i for i in writers["nairobi"]), range(32, 34))
        self.assertTrue(writers["kathmandu"] & set(range(48, 50)), "Kathmandu has it again the next morning")
        for hour in range(50):
            self.assertTrue(any(hour in w for w in writers.values()), f"nobody wrote in half hour {hour}")
        for hub, (wrote, _) in self.hubs.items():
            self.assertGreater(wrote, 150, hub)

    def test_the_night_shift_improves_what_the_day_made(self):
        improved = sum(i for _, i in self.hubs.values())
        self.assertGreater(improved, 150)
        self.assertGreater(int(self.facts["improved_elsewhere"]), 100)  # the rest is what the same hub wrote in its day
        for hub, reviewer in (("kathmandu", "mina"), ("nairobi", "kamau")):
            at = {who: {i for i, c in enumerate(cells) if c.isdigit()} for (h, who), cells in self.cells.items() if h == hub}
            for who in at:
                if who != reviewer:  # they may meet at the turn of the shifts
                    self.assertLessEqual(len(at[reviewer] & at[who]), 1, (reviewer, who))

    def test_what_reviewers_send_back_is_written_again(self):
        fact = {k: int(v) for k, v in self.facts.items()}
        self.assertEqual(fact["accepted"] + fact["changed"] + fact["sent_back"], sum(i for _, i in self.hubs.values()))
        for what in ("accepted", "changed", "sent_back", "again_by_author", "again_by_others"):
            self.assertGreater(fact[what], 2 if what.startswith("again") else 20, what)
        self.assertLessEqual(fact["again_by_author"] + fact["again_by_others"], fact["sent_back"])

    def test_what_a_shift_leaves_goes_back(self):
        self.assertGreater(int(self.facts["recalled"]), 0)

    def test_the_same_day_comes_out_every_time(self):
        self.assertEqual(run("--facts").stdout, self.done.stdout)

    def test_the_chart_shows_everybody(self):
        chart = run().stdout
        for _, person in self.cells:
            self.assertRegex(chart, rf"(?m)^\w+ +{person} +(write|improve) *[-.0-9]{{50}}$")
        self.assertIn("given to somebody off shift: 0", chart)
        back = self.facts["recalled"]
        self.assertIn("; 1 task was handed back" if back == "1" else f"; {back} tasks were handed back", chart)


if __name__ == "__main__":
    unittest.main()
