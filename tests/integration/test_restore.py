"""A broker that is started from an old backup gives none of the assignment numbers again that the lost original gave after it: a result that an agent
still holds counts for its own unit or for none, a person's is put aside and told, and the work is done again."""
import json
import os
import re
import shutil
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(TOP, "tests", "lib"), os.path.join(TOP, "tests", "integration"), os.path.join(TOP, "tests", "torture")]
import harness  # noqa: E402
import place  # noqa: E402
import rebuild  # noqa: E402
import sunline_wire as wire  # noqa: E402
from test_agent import PEOPLE_HUB, PEOPLE_LINE, Screen  # noqa: E402

ALONE = False  # tests/run

LINE = {"line": "echo", "input": [{"name": "text", "type": "text"}], "stations": [
    {"name": "say", "type": "work", "form": {"title": "Echo", "fields": [{"name": "loud", "type": "short_answer"}]}}]}
DAY_AT_FULL_SPEED = 50000 * 86400
POINTS_MAX = 24  # kills in the first start on a backup


class Restore(harness.Case):
    def setUp(self):
        super().setUp()
        self.broker = self.world.broker()
        self.client = self.connect()

    def connect(self):
        client = wire.Client(self.broker.endpoints["clients"])
        self.addCleanup(client.close)
        return client

    def run_of(self, name, texts, priority=None):
        run_id = self.client.request("run_start", line="echo", name=name, priority=priority)["run_id"]
        self.client.request("put", run_id=run_id, rows=[[t] for t in texts])

    def backup(self, name="copy"):
        self.client.request("backup", path=self.world.path(name))
        return self.world.path(name)

    def put_back(self, copy):
        """The original is lost; the copy's files take its place, and a broker is started on them."""
        self.broker.kill()
        shutil.rmtree(self.broker.data)
        shutil.copytree(copy, self.broker.data)
        self.broker.start()
        self.client = self.connect()

    def hub(self, **more):
        hub = wire.Agent(self.broker.endpoints["agents"], "accra", zone="Africa/Accra", **more)
        self.addCleanup(hub.close)
        hub.hello()
        hub.roster([{"name": "esi", "kind": 0, "capacity": 9, "skills": []}])
        return hub

    def again(self, hub, held=()):
        """The same agent, at the broker that came back."""
        new = wire.Agent(self.broker.endpoints["agents"], "accra", hub.incarnation, hub.data_id, "Africa/Accra")
        self.addCleanup(new.close)
        self.recalled = new.hello(held=[a["assignment"] for a in held], timeout_s=20)["recalled"]
        new.roster([{"name": "esi", "kind": 0, "capacity": 9, "skills": []}])
        return new

    def rows(self, run):
        page = self.client.request("output_get", run=run, all_units=True)
        at = {name: i for i, name in enumerate(page["columns"])}
        return [(row[at["text"]], row[at["say.loud"]]) for row in page["rows"]]

    def is_sound(self):
        self.assertRegex(self.world.sunline("check").out, r" 0 damaged")
        self.assertRegex(self.world.sunline("check", "--recount").out, r" 0 counters wrong, 0 runs not compared\n$")

    def echo(self):
        self.client.request("line_apply", definition=LINE)
        self.run_of("r", ["a", "b", "c"])

    def test_a_number_that_the_lost_original_gave_is_not_given_again(self):
        self.echo()
        copy = self.backup()
        hub = self.hub()
        hub.credit({"esi": 3})
        old = hub.assignments(3)
        self.put_back(copy)
        self.run_of("urgent", ["x", "y", "z"], priority=9)  # what is given out first now
        hub = self.again(hub, old)
        self.assertEqual(sorted(self.recalled), sorted(a["assignment"] for a in old))
        hub.credit({"esi": 3})
        new = hub.assignments(3)
        self.assertGreater(min(a["assignment"] for a in new), max(a["assignment"] for a in old) + DAY_AT_FULL_SPEED)
        outcome = hub.submit([hub.result(a, ["made for r"]) for a in old])
        self.assertEqual((outcome["ok"], {o["code"] for o in outcome["outcomes"]}), (0, {"NOT_FOUND"}))
        self.assertEqual(self.rows("urgent"), [(t, None) for t in "xyz"])
        self.assertEqual(hub.submit([hub.result(a, ["made for urgent"]) for a in new], {"esi": 3})["ok"], 3)
        again = hub.assignments(3)
        self.assertEqual(hub.submit([hub.result(a, ["made for r again"]) for a in again])["ok"], 3)
        self.assertEqual(self.rows("urgent"), [(t, "made for urgent") for t in "xyz"])
        self.assertEqual(self.rows("r"), [(t, "made for r again") for t in "abc"])
        self.is_sound()

    def test_what_was_given_before_the_backup_is_handed_in_after_it(self):
        self.echo()
        hub = self.hub()
        hub.credit({"esi": 2})
        held = hub.assignments(2)
        copy = self.backup()
        self.put_back(copy)
        hub = self.again(hub, held)
        self.assertEqual(self.recalled, [])
        self.assertEqual(hub.submit([hub.result(a, ["kept"]) for a in held])["ok"], 2)
        self.assertEqual(self.rows("r"), [("a", "kept"), ("b", "kept"), ("c", None)])
        self.is_sound()

    def test_one_backup_put_back_twice_gives_other_numbers_the_second_time(self):
        self.echo()
        copy = self.backup()
        given = []
        hub = self.hub()
        for _ in range(3):
            hub.credit({"esi": 3})
            given += [a["assignment"] for a in hub.assignments(3)]
            self.put_back(copy)
            hub = self.again(hub)
        self.assertEqual(len(set(given)), 9)

    def test_the_step_is_done_once_and_told_in_the_log(self):
        self.echo()
        was = self.client.request("info_get")["store_id"]
        copy = self.backup()
        self.assertNotIn("store_restored", self.broker.log())
        verified = subprocess.run([harness.program("sunlined"), "--verify", "--data", copy], capture_output=True, text=True, check=True)
        self.assertRegex(verified.stdout, r"^[1-9]\d* records checked, 0 damaged\n$")
        self.put_back(copy)
        first = int(re.search(r"event=store_restored .*first_assignment=(\d+)", self.broker.log())[1])
        now = self.client.request("info_get")["store_id"]
        self.assertNotEqual(now, was)
        with open(os.path.join(self.broker.data, "lock")) as f:
            self.assertEqual(f.read(), now.hex() + "\n")
        self.broker.stop()
        self.broker.start()
        self.client = self.connect()
        self.assertNotIn("store_restored", self.broker.log())
        self.assertEqual(self.client.request("info_get")["store_id"], now)
        hub = self.hub()
        hub.credit({"esi": 1})
        self.assertEqual(hub.assignments(1)[0]["assignment"], first)
        events = self.client.request("events_get", since=1)["events"]
        self.assertEqual([e["seq"] for e in events], list(range(1, len(events) + 1)))

    def test_the_events_of_before_and_behind_the_hole_tell_the_whole_state(self):
        self.echo()
        hub = self.hub()
        hub.credit({"esi": 2})
        held = hub.assignments(2)
        self.put_back(self.backup())
        hub = self.again(hub, held)
        self.assertEqual(hub.submit([hub.result(held[0], ["kept"])], {"esi": 1})["ok"], 1)
        hub.submit([hub.result(hub.assignments(1)[0], ["new"])])
        for world in (rebuild.World(), rebuild.snapshot(self.client)):
            rebuild.follow(self.client, world)
            self.assertEqual(rebuild.compare(self.client, world)[:5], [])

    def test_a_first_start_that_is_killed_is_taken_up_by_the_next(self):
        self.echo()
        hub = self.hub()
        hub.credit({"esi": 1})
        hub.assignments(1)
        copy = self.backup()
        with place.Place() as spot:
            broker = place.Broker(spot)

            def fresh(**how):
                shutil.rmtree(broker.data, ignore_errors=True)
                shutil.copytree(copy, broker.data)
                return broker.start(**how)
            self.assertTrue(fresh(shim=True))
            points = broker.shim_state()[0]
            broker.kill()
            self.assertGreater(points, 5)
            for i, at in enumerate(range(1, points + 1, max(1, -(-points // POINTS_MAX)))):
                with self.subTest(point=at, of=points):
                    if fresh(at=at, mode=("before", "half", "after")[i % 3]):
                        broker.process.wait(10)
                    self.assertEqual(broker.status, -9)
                    self.assertTrue(broker.start(), spot.log())
                    with wire.Client(broker.endpoints["clients"]) as client:
                        self.assertEqual(client.request("check_get").get("damage", []), [])
                        with open(os.path.join(broker.data, "lock")) as f:
                            self.assertEqual(f.read(), client.request("info_get")["store_id"].hex() + "\n")
                    self.broker = broker
                    again = self.again(hub)
                    again.credit({"esi": 1})
                    self.assertGreater(max(a["assignment"] for a in again.assignments(2)), DAY_AT_FULL_SPEED)
                    again.close()
                    broker.kill()

    def test_a_copy_without_a_mark_is_told_to_be_one(self):
        self.echo()
        self.broker.stop()
        copy = self.world.path("by hand")
        shutil.copytree(self.broker.data, copy)
        said = self.restored(copy, 0)
        first = int(re.search(r"assignments go on at (\d+)\n$", said)[1])
        self.assertGreater(first, DAY_AT_FULL_SPEED)
        self.broker.start()
        hub = self.hub()
        hub.credit({"esi": 1})
        self.assertEqual(hub.assignments(1)[0]["assignment"], 1)
        self.put_back(copy)
        self.assertNotIn("store_restored", self.broker.log())
        hub = self.again(hub)
        hub.credit({"esi": 1})
        self.assertEqual(hub.assignments(1)[0]["assignment"], first)

    def restored(self, data, status):
        done = subprocess.run([harness.program("sunlined"), "--restored", "--data", data], capture_output=True, text=True, check=False, timeout=60)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout + done.stderr

    def test_where_no_store_is_or_a_broker_serves_it_nothing_is_touched(self):
        self.assertRegex(self.restored(self.broker.data, 1), "another broker has this store open")
        nowhere = self.world.path("nowhere")
        self.assertRegex(self.restored(nowhere, 1), "nowhere: there is no store here")
        self.assertFalse(os.path.exists(nowhere))

    def test_a_person_s_result_for_what_was_lost_is_put_aside_and_the_work_is_done_again(self):
        world = self.world
        world.sunline("line", "apply", world.write("judge.yml", PEOPLE_LINE))
        world.write("in.csv", "text\nsentence 0\n")
        agent = world.agent("pokhara", PEOPLE_HUB)
        agent.wait_log("session-up")
        world.sunline("run", "start", "judge", "--name", "r", "--input", world.path("in.csv"))
        copy = self.backup()
        asha = Screen(agent.wait_log(r"local=(\S+)")[1], "asha")
        self.addCleanup(asha.close)
        self.assertTrue(asha.ask("sign_in")["ok"])
        lost = asha.task()["assignment"]
        self.assertTrue(asha.ask("start", assignment=lost)["ok"])
        self.broker.kill()
        self.assertTrue(asha.ask("submit", assignment=lost, values={"follows": "yes", "why": "made before the loss"})["ok"])
        self.put_back(copy)
        agent.wait_log(rf"result-refused .*assignment={lost} code=NOT_FOUND .*kept=refused.jsonl", 40)
        with open(os.path.join(agent.data, "refused.jsonl")) as f:
            kept = [json.loads(line) for line in f]
        self.assertEqual([(k["assignment"], k["code"]) for k in kept], [(lost, "NOT_FOUND")])
        self.assertIn("made before the loss", json.dumps(kept))
        task = asha.task(40)
        self.assertNotEqual(task["assignment"], lost)
        self.assertEqual(task["fields"], {"text": "sentence 0"})
        self.assertTrue(asha.ask("start", assignment=task["assignment"])["ok"])
        self.assertTrue(asha.ask("submit", assignment=task["assignment"], values={"follows": "no", "why": "made again"})["ok"])
        world.sunline("run", "close", "r")
        self.assertEqual(world.sunline("run", "watch", "r", timeout_s=60, status=None).status, 0)
        rows = world.sunline("run", "output", "r", "--format", "jsonl").json_lines()
        self.assertEqual([row["judge.why"] for row in rows], ["made again"])
        self.is_sound()

    def test_an_agent_that_lived_on_knows_nothing_of_the_lost_store_s_stations(self):
        def shown(line, field):
            """A line whose only station has this field, with one unit; what asha is shown of it."""
            self.client.request("line_apply", definition={"line": line, "input": [{"name": "text", "type": "text"}], "stations": [
                {"name": "say", "type": "work", "form": {"title": line, "fields": [{"name": field, "type": "short_answer"}]}}]})
            run_id = self.client.request("run_start", line=line, name=line)["run_id"]
            self.client.request("put", run_id=run_id, rows=[["text of " + line]])

            def task():
                task = asha.task(40)
                return task if task["fields"] == {"text": "text of " + line} else None
            return self.world.wait(task, 40, "the unit of " + line)

        copy = self.backup()
        agent = self.world.agent("pokhara", PEOPLE_HUB)
        asha = Screen(agent.wait_log(r"local=(\S+)")[1], "asha")
        self.addCleanup(asha.close)
        self.assertTrue(asha.ask("sign_in")["ok"])
        self.assertEqual([f["name"] for f in shown("lost", "before")["form"]["fields"]], ["before"])
        self.put_back(copy)
        task = shown("found", "after")  # its station has the number that the lost one had
        self.assertEqual([f["name"] for f in task["form"]["fields"]], ["after"])
        self.assertTrue(asha.ask("start", assignment=task["assignment"])["ok"])
        self.assertTrue(asha.ask("submit", assignment=task["assignment"], values={"after": "yes"})["ok"])
        self.world.wait(lambda: self.client.request("run_get", run="found")["run"][0]["done"] == 1, 40, "the result")


if __name__ == "__main__":
    import unittest
    unittest.main()
