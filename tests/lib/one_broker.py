"""Test cases around one broker, spoken to in its own protocol: producers, an agent with one worker, a slow disk."""
import subprocess

import harness
import sunline_wire as wire

LINE = {"line": "echo", "input": [{"name": "text", "type": "text"}], "stations": [
    {"name": "say", "type": "work", "lease": "2s", "form": {"title": "Echo", "fields": [{"name": "loud", "type": "short_answer"}]}}]}


class Process(harness.Case):
    def sunlined(self, *args):
        """Run it until it ends by itself: (status, stderr)."""
        done = subprocess.run([harness.program("sunlined"), *args], cwd=self.world.dir, capture_output=True, text=True, timeout=20)
        return done.returncode, done.stderr

    def client(self, broker, kind="clients"):
        client = wire.Client(broker.endpoints[kind])
        self.addCleanup(client.close)
        return client

    def start_run(self, broker, name="r"):
        client = self.client(broker)
        client.request("line_apply", definition=LINE)
        return client, client.request("run_start", line="echo", name=name)["run_id"]

    def slow_broker(self, config="", **slow):
        """Whose disk is slow as torture/slow.c says."""
        broker = self.world.broker(config=config, start=False)
        broker.env = {"LD_PRELOAD": harness.program("torture/slow.so"), **slow}
        broker.start()
        return broker

    def agent(self, broker, capacity=10, data_id=None):
        agent = wire.Agent(broker.endpoints["agents"], "nairobi", data_id=data_id)
        self.addCleanup(agent.close)
        agent.hello()
        agent.roster([{"name": "ann", "kind": 0, "capacity": capacity, "skills": []}])
        return agent

    def output(self, client, run, *columns, **fields):
        """These columns of every row, in order."""
        rows, after = [], 0
        while True:
            page = client.request("output_get", run=run, after_unit=after, **fields)
            places = [page["columns"].index(column) for column in columns]
            rows += [[row[i] for i in places] for row in page["rows"]]
            if not page["more"]:
                return rows
            after = page["next_after"]

    def units(self, client, run="r"):
        """The text of every unit, in order."""
        return [text for text, in self.output(client, run, "text", all_units=True)]
