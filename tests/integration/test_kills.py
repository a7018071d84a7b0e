"""Broker, agent and client are killed (SIGKILL) at random moments during a run of 100,000 units, and started again each time: every unit comes
out once, none is missing, each with its own result. SUNLINE_KILL_UNITS, SUNLINE_KILL_SEED and SUNLINE_KILLS choose another size, seed, and number
of kills."""
import csv
import os
import random
import unittest

import harness

ALONE = False  # tests/run

UNITS = int(os.environ.get("SUNLINE_KILL_UNITS", "100000"))
SEED = int(os.environ.get("SUNLINE_KILL_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 31)
KILLS = int(os.environ.get("SUNLINE_KILLS", "12"))

LINE = """line: squares
input:
  - {name: number, type: number, required: true}
stations:
  - name: square
    worker: {kind: robot}
    form:
      fields:
        - {name: square, type: number, required: true}
    attempts: 100
    backoff: 1s
"""
HUB = """hub: nairobi
zone: Africa/Nairobi
broker: {agents}
data: {data}
robots:
  - id: squarer
    runner: coprocess
    command: [{dir}/square.py]
    capacity: 500
"""
ROBOT = """#!/usr/bin/python3
import json, sys
for line in sys.stdin:
    task = json.loads(line)
    print(json.dumps({"id": task["id"], "values": {"square": int(task["fields"]["number"]) ** 2}}), flush=True)
"""


class Kills(harness.Case):
    def start_import(self):
        return self.world.spawn("run", "start", "squares", "--name", "r", "--input", self.world.path("in.csv"), name="import")

    def done(self):
        result = self.world.sunline("run", "show", "r", "--json", status=None)
        if result.status:
            return 0
        return result.json()["done"]

    def test_every_unit_comes_out_once_though_everything_is_killed(self):
        world, dice = self.world, random.Random(SEED)
        print(f"seed {SEED}: SUNLINE_KILL_SEED={SEED} repeats the choice of victims")
        world.write("in.csv", "number\n" + "".join(f"{n}\n" for n in range(UNITS)))
        world.write("square.py", ROBOT, 0o755)
        broker = world.broker()
        agent = world.agent("nairobi", HUB)
        world.sunline("line", "apply", world.write("squares.yml", LINE))
        importing = self.start_import()
        killed = {"broker": 0, "agent": 0, "import": 0}
        for kill in range(KILLS):
            # The next kill comes when a seeded share of the work is done, so kills are spread over the run whatever its speed.
            goal = int(UNITS * (kill + dice.random()) / (KILLS + 1))
            world.wait(lambda: self.done() >= goal or not importing.running() and importing.child.returncode != 0, 120,
                       lambda: f"{goal} units done; broker log:\n{broker.log()[-2000:]}\nagent log:\n{agent.log()[-2000:]}")
            victim = dice.choice(["broker", "agent", "import"])
            killed[victim] += 1
            if victim == "broker":
                broker.kill()
                broker.start()
            elif victim == "agent":
                agent.kill()
                agent.start()
            importing.kill()  # a client may also give up while the broker is away: it is simply run again
            importing = self.start_import()
        self.assertEqual(importing.wait_end(180), 0, importing.log(True))
        world.wait(lambda: self.done() == UNITS, 240, lambda: f"all units to be done; agent log:\n{agent.log()[-3000:]}")
        world.sunline("run", "watch", "r", timeout_s=60)
        world.sunline("run", "output", "r", "-o", world.path("out.csv"))
        with open(world.path("out.csv"), newline="") as f:
            rows = list(csv.DictReader(f))
        print(f"killed: {killed}")
        self.assertEqual(len(rows), UNITS)
        self.assertEqual([int(r["number"]) for r in rows], list(range(UNITS)))
        wrong = [r for r in rows if int(r["square.square"]) != int(r["number"]) ** 2]
        self.assertEqual(wrong[:5], [])


if __name__ == "__main__":
    unittest.main()
