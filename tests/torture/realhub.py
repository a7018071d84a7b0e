"""A hub as it is in life, for the storm: `sunline-agent` with a hub file, outbox and journal of its own, a robot, and two people at their screens. It may be killed or
frozen at any moment and is started again with the same command; what people are told is kept must come in all the same (real.py).

    hub = RealHub(place, "nairobi", tell, count)     # tell(record): of what its people see and do
    hub.begin(endpoint)                              # of agents, to a broker that serves
    hub.turn()                                       # one round
    hub.kill(), hub.freeze(), hub.thaw()
"""
import signal

import crash
import crew
import harness
from place import Child, data_of

SKILLS = {"real": 2}  # the peers have it at level 1: too little
HUB = """hub: {name}
zone: Africa/Nairobi
broker: {agents}
data: {data}
local: {local}
workers:
  - {{id: {name}-ann, skills: {{real: 2}}}}
  - {{id: {name}-ben, skills: {{real: 2}}}}
robots:
  - id: {name}-echo
    skills: {{real: 2}}
    runner: coprocess
    command: [{robot}]
    capacity: 4
"""


class Person(crash.Screen):
    refusals = (*crash.Screen.refusals, "OFFLINE", "NO_TASK", "NOT_STARTED", "BUSY", "DISK")

    def key(self):
        return crew.key_of(self.task["fields"]["text"])


class RealHub:
    def __init__(self, place, name, tell, count):
        self.place, self.name, self.count = place, name, count
        self.local = "ipc://" + place.path(name + ".local")
        people = [f"{name}-{who}" for who in ("ann", "ben")]
        self.staff = {"op": "staff", "credit": crash.STAFF["credit"], "workers": [{"name": w, "kind": 0, "skills": SKILLS} for w in people] +
                      [{"name": f"{name}-echo", "kind": 1, "skills": SKILLS}]}
        self.screens = [Person(self.local, w, tell) for w in people]
        self.agent, self.frozen = None, False

    def begin(self, endpoint):
        hub = HUB.format(name=self.name, agents=endpoint, data=data_of(self.place, self.name), local=self.local,
                         robot=self.place.write(self.name + "-robot.py", crash.ROBOT, 0o755))
        self.agent = Child(self.place, self.name, [harness.program("sunline-agent"), "--config", self.place.write(self.name + ".yml", hub)])
        self.again()

    def again(self):
        self.agent.start()
        self.frozen = False
        for screen in self.screens:
            screen.meet()

    def close(self):
        for screen in self.screens:
            if screen.socket is not None:
                screen.socket.close()

    # ---- what is done to it
    def kill(self):
        self.agent.strike()
        self.count("agent kills")
        self.again()

    def freeze(self):
        self.count("agent freezes")
        self.agent.process.send_signal(signal.SIGSTOP)
        self.frozen = True

    def thaw(self):
        if self.frozen:
            self.agent.process.send_signal(signal.SIGCONT)
        self.frozen = False

    # ---- a round, and the end
    def turn(self):
        if not self.agent.running():
            self.agent.must_be(())
        for screen in self.screens:
            screen.hear()

    def stop(self):
        """It hands in what it has, and ends -> what is wrong with that."""
        status = self.agent.stop()
        return [] if status == 0 else [f"the agent {self.name} ended with {status}\n{self.place.log()}"]
