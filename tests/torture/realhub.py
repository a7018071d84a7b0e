"""A hub as it is in life, for the storm: `sunline-agent` with a robot and two people at their screens, and its work brought in by `sunline run start` from a
CSV. All three are processes that may be killed at any moment and are started again with the same command. Its history is judged with the peers' (judges.py):
one unit for each row, every result that a person was told is kept.

    hub = RealHub(place, seed, units=60)
    hub.begin(endpoints)         # through these, to a broker that serves
    hub.turn()                   # one round; True: its run is done
    hub.kill_agent(), hub.freeze_agent(), hub.kill_producer()
"""
import csv
import random
import signal
import time

import crash
import crew
import harness
import sunline_wire as wire
from place import Child, data_of

RUN = "real"
FAILED = (0, 1)  # sunline(1): done, or failed and the reason said: a broker that was away for long
LINE = dict(crash.AGENT_LINE, line="real", stations=[dict(s, worker=dict(s["worker"], skills={"real": 2})) for s in crash.AGENT_LINE["stations"]])
HUB = (crash.HUB.replace("{{id: ann}}", "{{id: ann, skills: {{real: 2}}}}").replace("{{id: ben}}", "{{id: ben, skills: {{real: 2}}}}")
       .replace("    runner:", "    skills: {{real: 2}}\n    runner:"))  # the peers have it at level 1: too little


class Person(crash.Screen):
    refusals = (*crash.Screen.refusals, "OFFLINE", "NO_TASK", "NOT_STARTED", "BUSY", "DISK")

    def key(self):
        return crew.key_of(self.task["fields"]["text"])


class RealHub:
    def __init__(self, place, seed, units, count):
        self.place, self.units, self.count, self.dice = place, units, count, random.Random(f"hub/{seed}")
        self.history, self.lost_drafts = [], []
        self.client, self.polling, self.row = None, None, {}
        self.local = "ipc://" + place.path("local")
        path = place.path("real.csv")
        with open(path, "w", newline="", encoding="utf-8") as f:
            out = csv.writer(f)
            out.writerow(["text"])
            for n in range(1, units + 1):
                # a file of lines is not where odd line ends would survive every spreadsheet: they are not the point here
                text = crew.payload(f"real/{seed}", n).replace("\n", " ").replace("\r", " ")
                out.writerow([text])
                self.tell({"op": "put", "key": crew.key_of(text), "value": text})
                self.tell({"op": "tried", "station": "first", "key": crew.key_of(text), "result": "robot " + text})
        self.tell({"op": "run", "name": RUN, "line": LINE, "producer": 2})
        self.tell({"op": "staff", **crash.STAFF, "workers": [dict(w, skills={"real": 2}) for w in crash.STAFF["workers"]]})
        self.tell(crew.clock())
        self.csv = path
        self.screens = [Person(self.local, w, self.tell) for w in ("ann", "ben")]
        self.agent = self.producer = None
        self.imported = self.done = False

    def tell(self, record):
        (self.lost_drafts if record["op"] == "lost_draft" else self.history).append(record)

    def begin(self, endpoints):
        """The line is applied by whoever holds a link; the rest goes through these endpoints."""
        hub = HUB.format(agents=endpoints["agents"], data=data_of(self.place, "agent"), local=self.local,
                               robot=self.place.write("robot.py", crash.ROBOT, 0o755), capacity=4)
        self.agent = Child(self.place, "agent", [harness.program("sunline-agent"), "--config", self.place.write("hub.yml", hub)])
        self.producer = Child(self.place, "producer", [harness.program("sunline"), "--broker", endpoints["clients"], "--timeout", "30", "run", "start", "real",
                                                       "--name", RUN, "--input", self.csv])
        self.agent.start()
        self.producer.start()
        for _ in range(3):  # a producer lives for some milliseconds: nothing later would hit it
            time.sleep(self.dice.random() * 0.03)
            if self.producer.running():
                self.strike_producer()
        for screen in self.screens:
            screen.meet()

    def meet(self, endpoints):
        """A fresh link to look with."""
        if self.client is not None:
            self.client.close()
        self.client, self.polling = wire.Client(endpoints["clients"]), None

    def close(self):
        for screen in self.screens:
            if screen.socket is not None:
                screen.socket.close()
        if self.client is not None:
            self.client.socket.setsockopt(wire.zmq.LINGER, 0)
            self.client.close()

    # ---- what is done to it
    def kill_agent(self):
        self.agent.strike()
        self.count("agent kills")
        self.again()

    def again(self):
        self.agent.start()
        for screen in self.screens:
            screen.meet()

    def freeze_agent(self):
        self.count("agent freezes")
        self.agent.process.send_signal(signal.SIGSTOP)

    def thaw_agent(self):
        self.agent.process.send_signal(signal.SIGCONT)

    def kill_producer(self):
        if not self.imported:
            self.strike_producer()

    def strike_producer(self):
        if self.producer.strike(FAILED):
            self.count("producer kills")
        self.producer.start()

    # ---- a round
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
        if not self.agent.running():
            self.agent.must_be(())
        for screen in self.screens:
            screen.hear()
        if self.polling is None:
            self.polling = self.client.send("run_get", run=RUN)
        while self.client.pump(0):
            pass
        if self.polling in self.client.replies:
            name, fields = self.client.replies.pop(self.polling)
            self.polling = None
            if name == "run_info":
                self.row = fields["run"][0]
        self.done = self.imported and self.row.get("state") == 2
        return self.done

    def take_out(self):
        people = crew.Crew.__new__(crew.Crew)  # only its end
        people.operator, people.alive, people.history, people.on_tell = self.client, lambda: True, self.history, None
        people.take_out(RUN)

    def remains(self):
        """What a person was told is kept must not lie in the outbox any more when all is done and the agent was told to stop."""
        status = self.agent.stop()
        return [] if status == 0 else [f"the agent ended with {status}\n{self.place.log()}"]


