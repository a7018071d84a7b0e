"""Every later program opens the store, the backup and the agent's folder that each released version has left (tests/fixtures): it says the same about
them, goes on working with what the old one had given out, and if it is killed while it takes them over, the next start takes it up again."""
import os
import pathlib
import re
import struct
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(TOP, "tests", "lib"), os.path.join(TOP, "tests", "integration"), os.path.join(TOP, "tests", "torture")]
import answers  # noqa: E402
import crash  # noqa: E402
import harness  # noqa: E402
import place  # noqa: E402
import released  # noqa: E402
import sunline_wire as wire  # noqa: E402
import upgrade  # noqa: E402
from test_agent import Screen  # noqa: E402

ALONE = False  # tests/run

POINTS_MAX = 16  # kills while a store is taken over; the torture goes through all of them
HUB = """hub: pokhara
zone: Asia/Kathmandu
broker: {agents}
data: {data}
grace: 20h
workers:
  - {id: asha, name: Asha G., skills: {english: 3}, capacity: 1}
"""


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


class Fixtures(harness.Case):
    def test_every_released_version_has_left_one(self):
        with open(os.path.join(TOP, "CHANGELOG.md"), encoding="utf-8") as f:
            headings = re.findall(r"^## \[(.+?)\] - (.+)$", f.read(), re.MULTILINE)
        released_versions = sorted(version for version, when in headings if when != "unreleased")
        self.assertGreater(len(released_versions), 0)
        self.assertEqual(released.VERSIONS, released_versions)


class Upgrade(harness.Case):
    def open(self, version, which="store"):
        """A broker of today on what that release left; a client of it."""
        self.said = released.said(version)
        broker = self.world.broker(args=released.SETTINGS, start=False)
        released.unpack(version, which, broker.data)
        broker.start()
        client = wire.Client(broker.endpoints["clients"])
        self.addCleanup(client.close)
        self.world.wait(lambda: answers.swept(client), 60, "the sweeps")
        return broker, client

    def says_the_same(self, client, which):
        producer = self.said["facts"]["producer"]
        now = answers.plain(answers.ask_all(client, [(producer["run"], bytes.fromhex(producer["id"]))]))
        wrong = answers.differences(self.said[which]["answers"], now, self.said["facts"]["killed_wall_us"])
        self.assertEqual(wrong[:10], [], f"{len(wrong)} differences")

    def is_sound(self):
        out = self.world.sunline("check").out
        self.assertRegex(out, r" 0 damaged")
        self.assertRegex(self.world.sunline("check", "--recount").out, r" 0 counters wrong, 0 runs not compared\n$")

    def test_the_store_that_was_killed_is_taken_over_and_says_the_same(self):
        for version in released.VERSIONS:
            with self.subTest(version=version):
                broker, client = self.open(version)
                self.says_the_same(client, "store")
                self.is_sound()
                broker.stop()
                broker.start()  # taken over once: the second start finds it so
                self.says_the_same(wire.Client(broker.endpoints["clients"]), "store")

    def test_the_backup_is_restored_and_says_the_same(self):
        for version in released.VERSIONS:
            with self.subTest(version=version):
                _, client = self.open(version, "backup")
                self.says_the_same(client, "backup")
                self.is_sound()

    def test_what_was_left_is_verified_before_it_is_taken_over(self):
        for version in released.VERSIONS:
            for which in ("store", "backup"):
                with self.subTest(version=version, which=which):
                    folder = released.unpack(version, which, self.world.path(f"{which}-{version}"))
                    before = pathlib.Path(folder, "data.mdb").read_bytes()
                    done = subprocess.run([harness.program("sunlined"), "--verify", "--data", folder], capture_output=True, text=True, check=False)
                    self.assertRegex(done.stdout, r"^[1-9]\d* records checked, 0 damaged\n$", done)
                    self.assertEqual(pathlib.Path(folder, "data.mdb").read_bytes(), before)

    def test_a_backup_without_a_mark_is_made_a_store_of_its_own(self):
        for version in released.VERSIONS:
            with self.subTest(version=version):
                self.said = released.said(version)
                broker = self.world.broker("restored " + version, args=released.SETTINGS, start=False)
                released.unpack(version, "backup", broker.data)
                said = subprocess.run([harness.program("sunlined"), "--restored", "--data", broker.data], capture_output=True, text=True, check=True)
                first = int(re.search(r"assignments go on at (\d+)\n$", said.stdout)[1])
                self.assertGreater(first, 50000 * 86400 * 15)
                broker.start()
                self.assertNotIn("store_upgraded", broker.log(), "done already")
                client = wire.Client(broker.endpoints["clients"])
                self.addCleanup(client.close)
                self.world.wait(lambda: answers.swept(client), 60, "the sweeps")
                self.is_sound()

    def test_past_events_are_the_same(self):
        for version in released.VERSIONS:
            with self.subTest(version=version):
                _, client = self.open(version)
                old, now = self.said["store"]["events"], answers.events(client)
                kept = self.said["facts"]["event_seq"]
                self.assertEqual(old[0]["seq"], 1)
                self.assertEqual(now[:kept], old[:kept])
                self.assertEqual([e["seq"] for e in now], list(range(1, len(now) + 1)))

    def test_work_that_the_old_one_gave_out_is_handed_in(self):
        for version in released.VERSIONS:
            with self.subTest(version=version):
                broker, client = self.open(version)
                facts = self.said["facts"]
                hub = wire.Agent(broker.endpoints["agents"], "accra", incarnation=facts["accra"]["incarnation"] + 1,
                                 data_id=bytes.fromhex(facts["accra"]["data_id"]), zone="Africa/Accra")
                self.addCleanup(hub.close)
                held = facts["started"] + facts["assigned"]
                welcome = hub.hello(held=[a["assignment"] for a in held], grace_us=20 * 3600 * 1000000)
                self.assertEqual(welcome["recalled"], [])
                self.assertEqual(hub.acts([hub.act("touch", a) for a in facts["started"]])["ok"], len(facts["started"]))
                self.assertEqual(hub.start(facts["assigned"][0]), "OK")
                rows = [hub.result(a, [f"done by the next release {a['assignment']}", None]) for a in held]
                self.assertEqual(hub.submit(rows)["ok"], len(held))
                self.assertEqual(hub.submit(rows)["ok"], len(held), "again: the same answer, one acceptance")
                output = client.request("output_get", run="march", all_units=True)
                column = output["columns"].index("read.loud")
                texts = {row[column] for row in output["rows"]}
                self.assertLessEqual({row["values"][0] for row in rows}, texts)
                self.assertEqual(client.request("run_get", run="march")["stations"][0]["done"], 20 + len(held))
                self.is_sound()

    def test_what_was_put_into_the_old_one_is_known_to_the_new(self):
        for version in released.VERSIONS:
            with self.subTest(version=version):
                _, client = self.open(version)
                producer, keys = self.said["facts"]["producer"], self.said["facts"]["keys"]
                of = {"producer": bytes.fromhex(producer["id"]), "epoch": producer["epoch"]}
                client.request("run_set", run="april", action=2)
                for run in ("empty", "april"):
                    run_id = client.request("run_get", run=run)["run"][0]["run_id"]
                    done = client.request("put", run_id=run_id, rows=[["new", "2", None]], **of, first_seq=1)
                    self.assertEqual((done["accepted"], done["duplicates"]), (1, 0))
                done = client.request("put", run_id=keys["run"], rows=[["free 3", "1", None]], keys=[keys["key"]])
                self.assertEqual((done["accepted"], done["duplicates"], done["items"][0]["unit"]), (0, 1, keys["unit"]))
                with self.assertRaises(wire.SunlineError) as refused:
                    client.request("put", run_id=producer["run"], rows=[["late", "1", None]], **of, first_seq=producer["last_seq"] + 1)
                self.assertEqual(refused.exception.code, "RUN_CLOSED")
                self.is_sound()

    def test_the_agent_s_folder_is_taken_over_with_outbox_and_draft(self):
        for version in released.VERSIONS:
            with self.subTest(version=version):
                broker, client = self.open(version)
                kept, draft = self.said["facts"]["in outbox"], self.said["facts"]["draft"]
                agent = self.world.agent("pokhara", HUB, start=False)
                released.unpack(version, "agent", agent.data)
                agent.start()

                def handed_in():
                    page = client.request("output_get", run="judged", all_units=True)
                    at = {name: i for i, name in enumerate(page["columns"])}
                    return [row for row in page["rows"] if row[at["text"]] == kept["text"] and
                            (row[at["judge.loud"]], row[at["judge.why"]]) == (kept["loud"], kept["why"])]
                self.world.wait(handed_in, 20, lambda: f"the result from the outbox; the agent says\n{agent.log()}")
                socket = os.path.join(agent.data, "local.sock")
                self.world.wait(lambda: os.path.exists(socket), 20, "the local socket")
                screen = Screen("ipc://" + socket, "asha")
                self.addCleanup(screen.close)
                self.assertTrue(screen.ask("sign_in")["ok"])
                task = screen.task()
                self.assertEqual((task["assignment"], task["draft"], task["state"]), (draft["assignment"], draft["values"], "started"))
                self.assertTrue(screen.ask("submit", assignment=task["assignment"], values={"loud": "half a word, and the rest"})["ok"])
                self.world.wait(lambda: client.request("run_get", run="judged")["stations"][0]["done"] == 3, 20, "the begun task to be handed in")
                broker.log()
                agent.stop()

    def test_a_format_of_tomorrow_is_refused_by_name_and_stays_as_it_is(self):
        version = released.VERSIONS[-1]
        broker, client = self.open(version)
        store_id = bytes.fromhex(answers.plain(client.request("info_get")["store_id"])["$bin"])
        broker.stop()
        path = os.path.join(broker.data, "data.mdb")
        with open(path, "rb") as f:
            data = bytearray(f.read())
        changed = 0
        for match in re.finditer(rb"format(.{4})(.)(.{4})" + re.escape(store_id), bytes(data), re.S):
            value = struct.pack(">I", 99) + bytes(data[match.start(3) + 4:match.start(3) + 20])
            head = match[2] + bytes([0]) + struct.pack("<H", 6)
            self.assertEqual(struct.pack("<I", crc32c(head + b"format" + match[3] + store_id)), match[1], "a record as envelope.c writes it")
            data[match.start(1):match.end(1)] = struct.pack("<I", crc32c(head + b"format" + value))
            data[match.start(3):match.start(3) + 20] = value
            changed += 1
        self.assertGreater(changed, 0)
        with open(path, "wb") as f:
            f.write(data)
        with self.assertRaises(harness.Ended):
            broker.start()
        broker.expected_end = True
        self.assertEqual(broker.child.wait(), 1)
        self.assertRegex(broker.log(), r"the store has format 99, this program knows formats up to \d+")
        with open(path, "rb") as f:
            self.assertEqual(f.read(), bytes(data))

    def test_a_start_that_is_killed_while_it_takes_over_is_taken_up_again(self):
        for version in released.VERSIONS:
            with self.subTest(version=version), place.Place() as spot:
                taking = upgrade.Taking(spot, upgrade.lay_out(spot, version))
                points = taking.calls()
                self.assertGreater(points, 3)
                step = max(1, -(-points // POINTS_MAX))
                for i, at in enumerate(range(1, points + 1, step)):
                    mode = crash.MODES[i % 3]
                    self.assertEqual(taking.point(at, mode, at == 1 or at + step > points)["bad"], [], f"point {at} of {points}, {mode}")


if __name__ == "__main__":
    import unittest
    unittest.main()
