"""The two programs of PROTOCOL.md do what they say against a real broker, and the test client's three faces work with them: whoever
follows the document arrives."""
import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "lib"))
import harness  # noqa: E402
import sunline_wire as wire  # noqa: E402


def programs():
    with open(os.path.join(TOP, "proto", "PROTOCOL.md"), encoding="utf-8") as f:
        return {name: text for text, name in re.findall(r"```python\n(# example: (\w+).*?)```", f.read(), re.S)}


class TheExamples(harness.Case):
    def run_example(self, name, *args):
        path = self.world.write(name + ".py", programs()[name])
        done = subprocess.run([harness.PYTHON, path, *args], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def test_a_producer_and_an_agent_by_the_document_alone(self):
        broker = self.world.broker()
        clients, agents, events = (broker.endpoints[k] for k in ("clients", "agents", "events"))
        with wire.Monitor(events, "run/first") as monitor, wire.Client(clients) as client:
            self.assertEqual(self.run_example("producer", clients, "first"), "accepted 3 known already 0\n")
            run = client.request("run_start", line="shout", name="first")
            self.assertTrue(run["existing"])
            self.run_example("agent", agents, "nairobi", "3")
            page = client.request("output_get", run="first")
            column = page["columns"].index("say.loud")
            self.assertEqual([row[column] for row in page["rows"]], ["A", "B", "C"])
            info = client.request("run_get", run="first")["run"][0]
            self.assertEqual((info["state"], info["units"], info["done"]), (2, 3, 3))
            self.follow(client, monitor)

    def follow(self, client, monitor):
        """What was published, mended by pages where it has holes, is what is stored."""
        stored, since = [], 1
        while True:
            page = client.request("events_get", since=since, stream="run/first")
            stored += page["events"]
            since = page["next_since"]
            if not page.get("more"):
                break
        seen = []
        while not seen or seen[-1]["seq"] < stored[-1]["seq"]:
            stream, frame = monitor.frame()
            self.assertEqual(stream, "run/first")
            if seen:
                self.assertEqual(frame["prev_seq"], seen[-1]["seq"])
            seen += frame["events"]
        first = [e["seq"] for e in stored].index(seen[0]["seq"])
        self.assertEqual(seen, stored[first:])

    def test_rows_sent_twice_come_in_once(self):
        broker = self.world.broker()
        with wire.Client(broker.endpoints["clients"]) as client:
            line = {"line": "echo", "input": [{"name": "text", "type": "text"}], "stations": [
                {"name": "say", "type": "work", "form": {"title": "Echo", "fields": [{"name": "loud", "type": "short_answer"}]}}]}
            client.request("line_apply", definition=line)
            run = client.request("run_start", line="echo", name="twice")["run_id"]
            put = {"run_id": run, "rows": [["a"], ["b"]], "producer": b"0123456789abcdef", "epoch": 1, "first_seq": 1}
            first, again = client.request("put", **put), client.request("put", **put)
            self.assertEqual((first["accepted"], first["duplicates"]), (2, 0))
            self.assertEqual((again["accepted"], again["duplicates"]), (0, 2))
            with self.assertRaises(wire.SunlineError) as hole:
                client.request("put", **dict(put, first_seq=4))
            self.assertEqual(hole.exception.code, "SEQUENCE_GAP")

    def test_every_invalid_vector_gets_its_error_from_the_broker_too(self):
        broker = self.world.broker()
        endpoints = {"C2B": broker.endpoints["clients"], "A2B": broker.endpoints["agents"]}
        with wire.Client(endpoints["C2B"]) as client, wire.Client(endpoints["A2B"]) as agent:
            peers = {"C2B": client, "A2B": agent}
            with open(os.path.join(TOP, "proto", "vectors", "invalid.txt"), encoding="utf-8") as f:
                lines = [line.rstrip("\n").split(" | ") for line in f if line.strip() and not line.startswith("#")]
            for way, code, place, body, what in lines:
                if way not in peers:
                    continue
                with self.subTest(what=what):
                    peer = peers[way]
                    peer.send_raw(bytes.fromhex(body))
                    self.assertTrue(peer.socket.poll(10000), "no answer")
                    name, _, reply = wire.decode(peer.socket.recv(), {"B2C", "B2A"})
                    self.assertEqual((name, wire.CATALOGUE.errors[reply["code"]], reply.get("place")), ("error", code, place))
            self.assertEqual(client.request("info_get")["protocol"], 1)  # and it serves on


if __name__ == "__main__":
    import unittest
    unittest.main()
