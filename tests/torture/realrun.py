"""A run whose work is brought in by a process, for the storm: `sunline run start` from a CSV, a producer that numbers its rows under an id of its own. It may be killed at any
moment and is started again with the same command. Here lies the history of its run, whoever works at it (real.py): one unit for each row.

    run = RealRun(place, "real-1", producer=2, seed=seed, units=60, priority=5, count=count)
    run.begin(endpoint)          # of clients, to a broker that serves
    run.turn()                   # one round
    run.kill()
"""
import csv
import random
import time

import crash
import crew
import harness
import sunline_wire as wire
from place import Child
from realhub import SKILLS

FAILED = (0, 1)  # sunline(1): done, or failed and the reason said: a broker that was away for long
# Leases that an agent which is frozen or cut off cannot renew in time: its work comes to the other one, and what it hands in after all is late.
TIMES = {"lease": "3s", "start_by": "2s", "backoff": "100ms", "attempts": 100}
LINE = dict(crash.AGENT_LINE, line="real", stations=[dict(s, **TIMES, worker=dict(s["worker"], skills=SKILLS)) for s in crash.AGENT_LINE["stations"]])


class RealRun:
    def __init__(self, place, name, producer, seed, units, priority, count):
        self.place, self.name, self.priority, self.count, self.dice = place, name, priority, count, random.Random(f"{name}/{seed}")
        self.history, self.client, self.polling, self.row, self.producer = [], None, None, {}, None
        self.imported = self.done = False
        self.csv = place.path(name + ".csv")
        with open(self.csv, "w", newline="", encoding="utf-8") as f:
            out = csv.writer(f)
            out.writerow(["text"])
            for n in range(1, units + 1):
                # a file of lines is not where odd line ends would survive every spreadsheet: they are not the point here
                text = crew.payload(f"{name}/{seed}", f"{n}-{name}").replace("\n", " ").replace("\r", " ")
                out.writerow([text])
                self.tell({"op": "put", "key": crew.key_of(text), "value": text})
                self.tell({"op": "tried", "station": "first", "key": crew.key_of(text), "result": "robot " + text})
        self.keys = {h["key"] for h in self.history}
        self.tell({"op": "run", "name": name, "line": LINE, "producer": producer})
        self.tell(crew.clock())

    def tell(self, record):
        self.history.append(record)

    def begin(self, endpoint):
        self.producer = Child(self.place, self.name + ".producer", [harness.program("sunline"), "--broker", endpoint, "--timeout", "30", "run", "start", LINE["line"],
                                                                    "--name", self.name, "--priority", str(self.priority), "--input", self.csv])
        self.producer.start()

    def meet(self, endpoint):
        """A fresh link to look with."""
        if self.client is not None:
            self.client.close()
        self.client, self.polling = wire.Client(endpoint), None

    def close(self):
        if self.client is not None:
            self.client.socket.setsockopt(wire.zmq.LINGER, 0)
            self.client.close()

    # ---- what is done to its producer
    def kill(self):
        if not self.imported:
            self.strike()

    def kill_soon(self):
        """A producer lives for some milliseconds: nothing later would hit it."""
        time.sleep(self.dice.random() * 0.03)
        if self.producer.running():
            self.strike()

    def strike(self):
        if self.producer.strike(FAILED):
            self.count("producer kills")
        self.producer.start()

    # ---- a round, and the end
    def turn(self):
        if not self.imported and not self.producer.running():
            if self.producer.status == 0:
                self.imported = True
                for h in [h for h in self.history if h["op"] == "put"]:
                    self.tell({"op": "put_ok", "key": h["key"], "unit": None})
            else:
                self.producer.must_be(FAILED)
                self.count("producer starts again")
                self.producer.start()
        if self.polling is None:
            self.polling = self.client.send("run_get", run=self.name)
        while self.client.pump(0):
            pass
        if self.polling in self.client.replies:
            name, fields = self.client.replies.pop(self.polling)
            self.polling = None
            if name == "run_info":
                self.row = fields["run"][0]
        self.done = self.imported and self.row.get("state") == 2

    def take_out(self):
        people = crew.Crew.__new__(crew.Crew)  # only its end
        people.operator, people.alive, people.history, people.on_tell = self.client, lambda: True, self.history, None
        people.take_out(self.name)
