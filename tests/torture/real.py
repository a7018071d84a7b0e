"""Those of the storm who are processes: two hubs (realhub.py) and two runs with a producer each (realrun.py), of one line. Either hub does whatever comes, of both runs: what one of them was
given and cannot do in time comes to the other. Each may be killed, and each hub frozen and cut off, by itself. The histories, one of a run, are judged with the peers' (judges.py).

    real = Real(place, seed, units=60, count=count)
    real.begin(endpoints)        # once the line LINE is applied; {"clients": ..., a hub's name: ...}, to a broker that serves
    real.meet(endpoints)         # fresh links to look with, when those are gone
    real.turn()                  # one round
    real.done                    # all runs are
    real.stop(), real.take_out() # the end
"""
from realhub import RealHub
from realrun import RealRun

HUBS = ("nairobi", "kisumu")
RUNS = {"real-1": 5, "real-2": 6}  # with their priorities: of runs of one priority it would be asked whether their shares are fair, which facts.py cannot tell
PEERS_PRODUCER = 1                 # of the peers; those of the runs follow


class Real:
    def __init__(self, place, seed, units, count):
        self.hubs = [RealHub(place, name, self.tell, count) for name in HUBS]
        self.runs = [RealRun(place, name, producer, seed, units, RUNS[name], count) for producer, name in enumerate(RUNS, PEERS_PRODUCER + 1)]
        self.of_key = {key: run for run in self.runs for key in run.keys}
        self.of_assignment, self.lost_drafts = {}, []
        for hub in self.hubs:
            self.runs[0].tell(hub.staff)

    def tell(self, record):
        """What people saw and did, into the history of the run that it is about. What nobody put comes into the first one, whose judge will say so."""
        if record["op"] == "lost_draft":
            return self.lost_drafts.append(record)
        if "key" in record:
            self.of_assignment[record["assignment"]] = self.of_key.get(record["key"], self.runs[0])
        return self.of_assignment[record["assignment"]].tell(record)

    @property
    def histories(self):
        return [run.history for run in self.runs]

    @property
    def done(self):
        return all(run.done for run in self.runs)

    @property
    def told(self):
        """How far they are."""
        return {run.name: run.row for run in self.runs}

    def begin(self, endpoints):
        for hub in self.hubs:
            hub.begin(endpoints[hub.name])
        for run in self.runs:
            run.begin(endpoints["clients"])
        for run in self.runs * 3:
            run.kill_soon()

    def meet(self, endpoints):
        for run in self.runs:
            run.meet(endpoints["clients"])

    def turn(self):
        for each in (*self.hubs, *self.runs):
            each.turn()

    def stop(self):
        """The agents hand in all that they have, and end -> what is wrong with that, and drafts that they have lost"""
        return [text for hub in self.hubs for text in hub.stop()] + [f"a draft that was kept is gone: {d}" for d in self.lost_drafts]

    def take_out(self):
        for run in self.runs:
            run.take_out()

    @property
    def late(self):
        """How many results came when somebody else had done that task: kept, and not counted."""
        return sum(len(h["late"]) for history in self.histories for h in history if h["op"] == "story")

    def close(self):
        for each in (*self.hubs, *self.runs):
            each.close()
