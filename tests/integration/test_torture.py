"""A sample of the tortures in every run of the tests; `make torture` goes through all of them. Seeds are new each time and printed; a failure prints the
command that repeats it. SUNLINE_TORTURE_SEED fixes the seed, SUNLINE_TORTURE_SECONDS the time of each part."""
import json
import os
import random
import subprocess
import sys
import time
import unittest

import harness

TORTURE = os.path.join(harness.TOP, "tests", "torture")
sys.path.insert(0, TORTURE)
import crew  # noqa: E402
import notebook  # noqa: E402
import powercut  # noqa: E402
import proxy  # noqa: E402

CUT_IN_A_NAMESPACE = """
import socket, sys
sys.path.insert(0, sys.argv[1])
import namespace
why_not = namespace.enter()
if why_not:
    sys.exit(print("refused: " + why_not))
server = socket.create_server(("127.0.0.1", 0))
port = server.getsockname()[1]
near = socket.create_connection(("127.0.0.1", port), timeout=20)
far = server.accept()[0]
far.settimeout(0.3)
namespace.order(f"cut up {port}")
near.sendall(b"x")
try:
    print("up open", far.recv(1))
except TimeoutError:
    print("up cut", end=", ")
far.sendall(b"y")
print("down open" if near.recv(1) == b"y" else "down cut")
namespace.order("clear")
far.settimeout(20)
print("late, not lost" if far.recv(1) == b"x" else "lost")
"""

SEED = int(os.environ.get("SUNLINE_TORTURE_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 31)
SECONDS = os.environ.get("SUNLINE_TORTURE_SECONDS", "15")


class Torture(unittest.TestCase):
    def part(self, name, *args):
        print(f"{name}: seed {SEED}")
        done = subprocess.run([harness.PYTHON, os.path.join(TORTURE, name + ".py"), "--build", harness.BUILD, "--seed", str(SEED), *args],
                              capture_output=True, text=True, timeout=200)
        print(done.stdout)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]

    def test_killed_in_the_middle_of_writing_broker_and_agent_lose_nothing(self):
        figures = self.part("crash", "--seconds", str(2 * int(SECONDS)))
        self.assertEqual([f["what"] for f in figures], ["broker", "agent"])
        for f in figures:
            self.assertGreaterEqual(f["crashes"], 5, f)
            self.assertGreater(f["results"], 100)

    def test_without_memory_broker_and_agent_say_so_or_end_and_lose_nothing(self):
        figures = self.part("memory", "--seconds", SECONDS)
        self.assertEqual([f["what"] for f in figures], ["broker", "agent"])
        for f in figures:
            self.assertGreater(f["places"], 50)
            self.assertGreaterEqual(f["places_refused"], 3, f)
            self.assertGreater(f["results"], 50)

    def test_a_power_cut_takes_nothing_that_was_acknowledged(self):
        (f,) = self.part("powercut", "--units", "60", "--subsets", "500", "--seconds", SECONDS, "--step", "7")
        self.assertGreaterEqual(f["prefixes"], 2 * (f["places"] // 7))  # how many places there are depends on how much went into each commit
        self.assertGreater(f["prefixes"], 40)
        self.assertGreater(f["subsets"], 20)
        self.assertGreater(f["syncs"], 20)

    def test_damage_is_named_never_served(self):
        (f,) = self.part("damage", "--cases", "400", "--brokers", "40", "--seconds", SECONDS)
        self.assertGreater(f["cases"], 50)
        self.assertGreater(f["named"], 10)

    def test_a_storm_of_faults(self):
        (f,) = self.part("storm", "--minutes", str(int(SECONDS) / 60), "--units", "1500")
        self.assertGreater(f["kills"], 3)
        self.assertGreater(f["units"], 1000)


class TheTorturer(harness.Case):
    """The tools themselves."""

    def test_a_cut_before_the_sync_is_noticed(self):
        """Had the broker acknowledged before its sync, the replay would say so: the same recording with acknowledgements at an earlier place."""
        ops, history = powercut.record(1, 40)
        for h in history:
            h["at"] = max(0, h["at"] - 12) if h["op"] in powercut.ACKS else h["at"]
        judge, disk, found = powercut.Judge(history), powercut.Disk(), 0
        with powercut.Place() as place:
            looker = powercut.Looker(place)
            for at, op in enumerate(ops):
                if at % 9 == 0 and at > len(ops) // 2:
                    rows, complaints = looker.look({name: disk.synced[name] for name in disk.exists})
                    found += "lost" in judge.bad(at, rows, complaints)
                disk.advance(op)
            looker.end()
        self.assertGreater(found, 0)

    def test_the_shim_counts_kills_and_records(self):
        with powercut.Place() as place:
            broker = powercut.Broker(place)
            self.assertTrue(broker.start(record=place.path("tape")))
            self.assertEqual(broker.stop(), 0)
            calls, recorded, _ = broker.shim_state()
            ops = powercut.read_recording(place.path("tape"))
            self.assertEqual(len(ops), recorded)
            self.assertLessEqual(recorded, calls)
            self.assertTrue(any(op.synced for op in ops), "LMDB's meta pages are written through O_DSYNC")
            self.assertTrue({"write", "fdatasync", "fsync", "rename"} <= {op.kind for op in ops}, {op.kind for op in ops})
            disk = powercut.Disk()
            for op in ops:
                disk.advance(op)
            with open(os.path.join(broker.data, "data.mdb"), "rb") as f:
                self.assertEqual(bytes(disk.written["data.mdb"]), f.read())  # the recording is the whole truth
            broker.start(at=calls // 2)
            self.assertEqual(broker.process.wait(20), -9)

    def test_the_proxy_delays_cuts_and_breaks(self):
        import socket
        server = socket.create_server(("127.0.0.1", 0))
        link = proxy.Proxy(server.getsockname()[1])
        self.addCleanup(link.close)
        self.addCleanup(server.close)
        near = socket.create_connection(("127.0.0.1", link.port), timeout=5)
        far, _ = server.accept()
        far.settimeout(5)
        near.sendall(b"there")
        self.assertEqual(far.recv(10), b"there")
        link.order("delay 0.1")
        begin = time.monotonic()
        far.sendall(b"back")
        self.assertEqual(near.recv(10), b"back")
        self.assertGreater(time.monotonic() - begin, 0.08)
        link.order("clear")
        link.order("cut up")
        self.world.wait(lambda: "up" in link.cut, 5, "the cut")
        near.sendall(b"swallowed")
        far.sendall(b"still")
        self.assertEqual(near.recv(10), b"still")
        self.world.wait(lambda: any(f.torn for f in list(link.flows.values())), 5, "the bytes to be swallowed")
        link.order("clear")
        self.assertEqual(far.recv(10), b"")  # closed, without the bytes
        near.close()
        far.close()

    def test_a_namespace_of_our_own_is_cut_by_the_kernel_or_refused_by_name(self):
        """In a process of its own, as nobody leaves a namespace again."""
        script = self.world.write("cut.py", CUT_IN_A_NAMESPACE)
        done = subprocess.run([harness.PYTHON, script, TORTURE], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        if done.stdout.startswith("refused: "):
            self.skipTest(done.stdout.strip())
        self.assertEqual(done.stdout, "up cut, down open\nlate, not lost\n")

    def test_a_part_that_was_broken_off_is_taken_up_again_and_only_with_the_same_program(self):
        self.world.write("program", "one")
        first = notebook.Notebook(self.world.dir, "x", {"seed": 1}, ["program"])
        first.add({"n": 1})
        first.add({"n": 2})
        with open(first.path, "a") as f:
            f.write('{"n": 3')  # cut off in the middle
        again = notebook.Notebook(self.world.dir, "x", {"seed": 1}, ["program"])
        self.assertEqual([r["n"] for r in again.done], [1, 2])
        again.publish({"n": 2})
        with open(self.world.path("reliability", "x.json")) as f:
            self.assertEqual(json.load(f)["what"], {"n": 2})
        self.assertEqual(notebook.Notebook(self.world.dir, "x", {"seed": 2}, ["program"]).done, [], "another seed begins again")
        self.world.write("program", "two")
        self.assertEqual(notebook.Notebook(self.world.dir, "x", {"seed": 2}, ["program"]).done, [], "and so does another program")

    def test_payloads_are_what_the_seed_says(self):
        self.assertEqual(crew.payload(7, 3), crew.payload(7, 3))
        self.assertNotEqual(crew.payload(7, 3), crew.payload(8, 3))
        self.assertGreater(max(len(crew.payload(7, n)) for n in range(200)), 4080)


if __name__ == "__main__":
    unittest.main()
