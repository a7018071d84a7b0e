"""The agent as a program: robots of both kinds, crashes, restarts, signals, and people at the local socket."""
import json
import os
import pty
import resource
import select
import signal
import time
import unittest

import zmq

import harness

ALONE = False  # tests/run

LINE = """line: echo
title: Says it again
input:
  - {name: text, type: text, required: true}
stations:
  - name: say
    type: work
    worker: {kind: robot, skills: {say: 1}}
    form:
      fields:
        - {name: said, label: Said, type: short_answer, required: true}
    lease: 10s
    backoff: 1s
    attempts: 3
"""

PEOPLE_LINE = """line: judge
title: Does it follow?
input:
  - {name: text, type: text, required: true}
stations:
  - name: judge
    type: work
    worker: {kind: human, skills: {english: 2}}
    form:
      title: Read the sentence
      fields:
        - {name: follows, label: Does it?, type: radio, options: ["yes", "no"], required: true}
        - {name: why, label: Why, type: short_answer}
    lease: 10m
"""

PEOPLE_HUB = """hub: pokhara
zone: Asia/Kathmandu
broker: {agents}
data: {data}
workers:
  - {id: asha, name: Asha G., skills: {english: 3}}
  - {id: bina, skills: {nepali: 3}}
"""

COPROCESS = """#!/usr/bin/python3
import json, os, sys, time
for line in sys.stdin:
    task = json.loads(line)
    text = task["fields"]["text"]
    if text.startswith("crash") and task["attempt"] == 1:
        os._exit(9)
    if text.startswith("slow"):
        time.sleep(0.02)
    print(json.dumps({"id": task["id"], "values": {"said": text}}), flush=True)
"""

EXEC = """#!/usr/bin/python3
import json, os, sys, time
task = json.load(sys.stdin)
text, seen = task["fields"]["text"], os.environ["SEEN"]
with open(os.path.join(seen, "%d" % task["assignment"]), "w") as f:
    f.write(text)
if text == "fails":
    print("first line", file=sys.stderr)
    print("I cannot say this", file=sys.stderr)
    sys.exit(3)
if text == "later" and not os.path.exists(os.path.join(seen, "was-here")):
    open(os.path.join(seen, "was-here"), "w").close()
    sys.exit(75)
if text == "hangs" and task["attempt"] == 1:
    time.sleep(600)
if text == "nonsense" and task["attempt"] == 1:
    print("not json")
    sys.exit(0)
if text == "misfit" and task["attempt"] == 1:
    print(json.dumps({"sayd": text}))
    sys.exit(0)
print(json.dumps({"said": text}))
"""


WRITES_ITS_PID = """#!/usr/bin/python3
import os, sys, time
with open(sys.argv[0] + ".new", "w") as f:
    f.write(str(os.getpid()))
os.rename(sys.argv[0] + ".new", sys.argv[0] + ".pid")
time.sleep(600)
"""

TAKES_A_SECOND = """#!/usr/bin/python3
import json, sys, time
task = json.load(sys.stdin)
open(sys.argv[0] + ".on", "a").close()
time.sleep(1)
print(json.dumps({"said": task["fields"]["text"]}))
"""


def hub_of_robots(robot, runner, capacity=4, extra=""):
    return f"""hub: pokhara
zone: Asia/Kathmandu
broker: {{agents}}
data: {{data}}
drain: 15s
robots:
  - id: parrot
    skills: {{say: 1}}
    runner: {runner}
    command: [{robot}]
    capacity: {capacity}
{extra}"""


class Screen:
    """A person's screen: speaks the local protocol from its document."""

    def __init__(self, endpoint, worker):
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.connect(endpoint)
        self.worker, self.last_id, self.notices = worker, 0, []

    def ask(self, verb, timeout_s=30, **fields):
        self.last_id += 1
        self.socket.send(json.dumps({"id": self.last_id, "verb": verb, "worker": self.worker, **fields}).encode())
        deadline = time.monotonic() + timeout_s
        while self.socket.poll(max(0, int((deadline - time.monotonic()) * 1000))):
            answer = json.loads(self.socket.recv())
            if answer.get("id") == self.last_id:
                return answer
            self.notices.append(answer)
        raise AssertionError(f"no answer to {verb} within {timeout_s} s")

    def task(self, timeout_s=30):
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            answer = self.ask("next", wait_ms=500)
            if answer["task"]:
                return answer["task"]
        raise AssertionError(f"{self.worker} got no task within {timeout_s} s")

    def close(self):
        self.socket.close()


class Robots(harness.Case):
    def start(self, texts, hub, line=LINE, **hub_fields):
        world = self.world
        world.broker()
        world.sunline("line", "apply", world.write("echo.yml", line))
        world.write("in.csv", "text\n" + "".join(f"{t}\n" for t in texts))
        self.agent = world.agent("pokhara", hub)
        world.sunline("run", "start", "echo", "--name", "r", "--input", world.path("in.csv"))

    def output(self):
        return [row["say.said"] for row in self.world.sunline("run", "output", "r", "--format", "jsonl").json_lines()]

    def run_row(self):
        return self.world.sunline("--json", "run", "show", "r").json_lines()[0]

    def test_every_way_that_an_exec_robot_can_end(self):
        world = self.world
        os.mkdir(world.path("seen"))
        robot = world.write("robot.py", EXEC, 0o755)
        extra = "    time_limit: 4s\n    env: {SEEN: %s}\n" % world.path("seen")
        texts = ["plain", "fails", "later", "hangs", "nonsense", "misfit", "last"]
        self.start(texts, hub_of_robots(robot, "exec", 2, extra))
        watch = world.sunline("run", "watch", "r", timeout_s=60, status=None)
        self.assertEqual(watch.status, 1, watch)  # one is dead after its attempts
        self.assertEqual(sorted(self.output()), sorted(t for t in texts if t != "fails"))
        story = world.sunline("unit", "show", "r/2").out
        self.assertIn("I cannot say this", story)
        self.assertGreaterEqual(story.count("I cannot say this"), 3, story)
        self.assertIn("time limit of 4000 ms", world.sunline("unit", "show", "r/4").out)
        self.assertIn("not JSON", world.sunline("unit", "show", "r/5").out)
        self.assertIn("sayd: the form has no such field", world.sunline("unit", "show", "r/6").out)

    def test_a_coprocess_that_dies_is_started_again(self):
        robot = self.world.write("robot.py", COPROCESS, 0o755)
        texts = [f"t{i}" for i in range(40)] + ["crash"] + [f"u{i}" for i in range(40)]
        self.start(texts, hub_of_robots(robot, "coprocess"))
        self.world.sunline("run", "watch", "r", timeout_s=60)
        self.assertEqual(self.output(), texts)
        self.assertIn("robot-ended", self.agent.log())

    def test_kill_9_of_agent_and_broker_loses_and_doubles_nothing(self):
        world = self.world
        robot = world.write("robot.py", COPROCESS, 0o755)
        texts = [f"slow {i}" for i in range(1500)]
        self.start(texts, hub_of_robots(robot, "coprocess", 8))
        for turn in range(6):
            before = self.run_row()["done"]
            world.wait(lambda: self.run_row()["done"] >= min(1500, before + 60), 60, "some progress")
            victim = self.agent if turn % 2 == 0 else world.main_broker
            victim.kill()
            victim.start()
        world.sunline("run", "watch", "r", timeout_s=120)
        self.assertEqual(self.output(), texts)
        row = self.run_row()
        self.assertEqual((row["units"], row["done"], row["dead"]), (1500, 1500, 0))

    def test_robots_die_with_the_agent(self):
        world = self.world
        robot = world.write("robot.py", WRITES_ITS_PID, 0o755)
        self.start(["a"], hub_of_robots(robot, "exec", 1))

        def said():
            if os.path.exists(robot + ".pid"):
                with open(robot + ".pid") as f:
                    return f.read()
        pid = int(world.wait(said, 20, "the robot to run"))
        self.agent.kill()
        world.wait(lambda: not alive(pid), 30, "the robot to be gone")

    def test_term_finishes_what_runs_and_hands_the_rest_to_others(self):
        world = self.world
        robot = world.write("robot.py", TAKES_A_SECOND, 0o755)
        self.start([f"t{i}" for i in range(20)], hub_of_robots(robot, "exec", 2, "    prefetch: 8\n"))
        world.wait(lambda: os.path.exists(robot + ".on"), 20, "a robot to run")
        self.assertEqual(self.agent.stop(), 0)
        row = self.run_row()
        self.assertTrue(1 <= row["done"] <= 6, row)
        station = world.sunline("--json", "station", "list").json_lines()[0]
        self.assertEqual((station["assigned"], station["started"]), (0, 0), station)  # nothing waits for a lease to end
        self.assertEqual(os.listdir(self.agent.data).count("identity"), 1)

    @staticmethod
    def rewrite(path, text):
        with open(path + ".new", "w") as f:
            f.write(text)
        os.rename(path + ".new", path)

    def test_a_hangup_takes_a_new_robot_in(self):
        world = self.world
        robot = world.write("robot.py", COPROCESS, 0o755)
        hub = hub_of_robots(robot, "coprocess")
        self.start(["a"], hub.replace("say: 1", "nothing: 1"))
        self.agent.wait_log("session-up")
        path = self.agent.argv[self.agent.argv.index("--config") + 1]
        with open(path) as f:
            text = f.read()
        self.rewrite(path, text.replace("nothing: 1", "oops: [1]"))
        self.agent.signal(signal.SIGHUP)
        self.agent.wait_log("the roster stays as it was")
        self.rewrite(path, text.replace("nothing: 1", "say: 1"))
        self.agent.signal(signal.SIGHUP)
        world.sunline("run", "watch", "r", timeout_s=30)
        self.assertEqual(self.output(), ["a"])

    def test_hub_files_that_were_read_again_and_again_take_no_memory(self):
        robot = self.world.write("robot.py", COPROCESS, 0o755)
        self.start(["a"], hub_of_robots(robot, "coprocess", extra="workers:\n" + "".join(f"  - id: person-{i}\n" for i in range(3000))))
        self.world.sunline("run", "watch", "r", timeout_s=30)

        def again(times):
            for _ in range(times):
                read = self.agent.log().count("event=reload") + self.agent.log().count(" reload ")
                self.agent.signal(signal.SIGHUP)
                harness.wait(lambda: self.agent.log().count("event=reload") + self.agent.log().count(" reload ") > read, 30, "the file to be read again")
            return self.agent.rss_bytes()

        before = again(8)  # what grows once has grown
        self.assertLess(again(40) - before, 4 << 20)

    def test_the_signals_by_which_glib_would_end_it_are_caught(self):
        robot = self.world.write("robot.py", COPROCESS, 0o755)
        self.start(["a"], hub_of_robots(robot, "coprocess"))
        self.agent.wait_log("session-up")
        with open(f"/proc/{self.agent.pid}/status", encoding="utf-8") as f:
            caught = next(int(line.split()[1], 16) for line in f if line.startswith("SigCgt:"))
        for signo in (signal.SIGTRAP, signal.SIGABRT):  # what the handler then does: test_alloc_glib
            self.assertTrue(caught >> (signo - 1) & 1, signo)

    def test_a_second_agent_on_the_same_data_is_refused(self):
        robot = self.world.write("robot.py", COPROCESS, 0o755)
        self.start(["a"], hub_of_robots(robot, "coprocess"))
        self.world.sunline("run", "watch", "r", timeout_s=30)
        second = harness.Daemon(self.world, "second", list(self.agent.argv)).start()
        self.assertEqual(second.wait_end(), 1)
        self.assertIn("another agent is running on this data directory", second.log())

    def test_another_data_directory_needs_takeover(self):
        robot = self.world.write("robot.py", COPROCESS, 0o755)
        self.start(["a"], hub_of_robots(robot, "coprocess"))
        self.agent.wait_log("session-up")
        argv = list(self.agent.argv) + ["--data", self.world.path("elsewhere")]
        second = harness.Daemon(self.world, "second", argv).start()
        self.assertEqual(second.wait_end(), 1)
        self.assertIn("OTHER_AGENT", second.log())
        self.assertIn("is served from another data directory; --takeover replaces it", second.log())
        third = harness.Daemon(self.world, "third", argv + ["--takeover"]).start()
        self.world.daemons.append(third)
        third.wait_log("session-up")
        self.assertEqual(self.agent.wait_end(), 1)
        self.assertRegex(self.agent.log(), "must-stop code=(TAKEN_OVER|OTHER_AGENT)")


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


class People(harness.Case):
    def start(self, rows=3):
        world = self.world
        world.broker()
        world.sunline("line", "apply", world.write("judge.yml", PEOPLE_LINE))
        world.write("in.csv", "text\n" + "".join(f"sentence {i}\n" for i in range(rows)))
        self.agent = world.agent("pokhara", PEOPLE_HUB)
        self.agent.wait_log("session-up")
        world.sunline("run", "start", "judge", "--name", "r", "--input", world.path("in.csv"))
        self.endpoint = self.agent.wait_log(r"local=(\S+)")[1]

    def screen(self, worker):
        s = Screen(self.endpoint, worker)
        self.addCleanup(s.close)
        return s

    def test_a_person_signs_in_works_declines_and_signs_off(self):
        self.start()
        asha = self.screen("asha")
        self.assertEqual(asha.ask("next")["error"], "NOT_SIGNED_IN")
        self.assertTrue(asha.ask("sign_in")["ok"])
        task = asha.task()
        self.assertEqual(task["fields"], {"text": "sentence 0"})
        self.assertEqual([f["name"] for f in task["form"]["fields"]], ["follows", "why"])
        number = task["assignment"]
        self.assertEqual(asha.ask("submit", assignment=number, values={"follows": "yes"})["error"], "NOT_STARTED")
        self.assertTrue(asha.ask("start", assignment=number)["ok"])
        wrong = asha.ask("submit", assignment=number, values={"follows": "perhaps"})
        self.assertEqual((wrong["error"], wrong["field"]), ("BAD_VALUES", "follows"))
        self.assertEqual(asha.ask("submit", assignment=number, values={"folows": "yes"})["field"], "folows")
        self.assertTrue(asha.ask("submit", assignment=number, values={"follows": "yes", "why": "clear"})["kept"])
        second = asha.task()
        self.assertNotEqual(second["assignment"], number)
        self.assertTrue(asha.ask("decline", assignment=second["assignment"], reason="I know the author")["ok"])
        third = asha.task()
        self.assertTrue(asha.ask("start", assignment=third["assignment"])["ok"])
        self.assertTrue(asha.ask("release", assignment=third["assignment"], reason="lunch")["ok"])
        self.assertTrue(asha.ask("sign_off")["ok"])
        self.assertEqual(asha.ask("next")["error"], "NOT_SIGNED_IN")
        self.world.wait(lambda: "I know the author" in self.world.sunline("unit", "show", "r/2").out, 30, "the reason to be kept")

    def begun(self):
        """asha, who has begun a task: her screen, and its number."""
        self.start(1)
        asha = self.screen("asha")
        asha.ask("sign_in")
        number = asha.task()["assignment"]
        asha.ask("start", assignment=number)
        return asha, number

    def test_of_two_answers_to_one_task_the_one_that_is_said_to_be_kept_counts(self):
        asha, number = self.begun()
        for i, value in ((101, "yes"), (102, "no")):  # the second before the disk has the first
            asha.socket.send(json.dumps({"id": i, "verb": "submit", "worker": "asha", "assignment": number, "values": {"follows": value}}).encode())
        answers = {}
        while len(answers) < 2:
            self.assertTrue(asha.socket.poll(20000))
            answer = json.loads(asha.socket.recv())
            answers[answer.get("id")] = answer
        self.assertTrue(answers[101].get("kept"), answers)
        self.assertEqual(answers[102].get("error"), "NO_TASK", answers)
        self.world.sunline("run", "watch", "r", timeout_s=40)
        out = self.world.sunline("run", "output", "r", "--format", "jsonl").json_lines()
        self.assertEqual([row["judge.follows"] for row in out], ["yes"])

    def test_who_left_the_roster_hands_in_what_is_begun(self):
        asha, number = self.begun()
        path = next(a for a in self.agent.argv if str(a).endswith((".yml", ".yaml")))
        with open(path, encoding="utf-8") as f:
            kept = [line for line in f if "asha" not in line]
        with open(path, "w", encoding="utf-8") as f:
            f.writelines(kept)
        self.agent.signal(signal.SIGHUP)
        self.agent.wait_log("worker-left")
        self.assertEqual(asha.ask("next")["error"], "NOT_SIGNED_IN")
        self.assertTrue(asha.ask("submit", assignment=number, values={"follows": "yes"}).get("kept"))
        self.world.sunline("run", "watch", "r", timeout_s=40)

    def test_why_there_is_no_work_is_told(self):
        self.start()
        bina = self.screen("bina")
        bina.ask("sign_in")

        def known():  # the question may come to the broker before the credit that signs her in
            answer = bina.ask("next")
            self.assertIsNone(answer["task"])
            return answer["why"]["code"] != 6 and answer
        answer = self.world.wait(known, 30, "bina to be signed in")
        self.assertEqual(answer["why"]["code"], 2, answer)
        self.assertIn("english", answer["why"]["text"])
        nobody = self.screen("nobody")
        self.assertEqual(nobody.ask("sign_in")["error"], "NOT_FOUND")

    def test_begun_work_and_drafts_outlive_a_crash_of_the_agent(self):
        self.start(1)
        asha = self.screen("asha")
        asha.ask("sign_in")
        task = asha.task()
        asha.ask("start", assignment=task["assignment"])
        self.assertTrue(asha.ask("draft", assignment=task["assignment"], values={"why": "half a thought"})["ok"])
        self.agent.kill()
        self.agent.start()
        again = self.screen("asha")
        self.assertTrue(again.ask("sign_in")["ok"])
        same = again.task()
        self.assertEqual((same["assignment"], same["state"], same["draft"]), (task["assignment"], "started", {"why": "half a thought"}))
        self.assertTrue(again.ask("submit", assignment=same["assignment"], values={"follows": "no", "why": "half a thought"})["kept"])
        self.world.sunline("run", "watch", "r", timeout_s=40)

    def test_a_result_kept_without_a_broker_arrives_after_crashes_of_both(self):
        self.start(1)
        asha = self.screen("asha")
        asha.ask("sign_in")
        task = asha.task()
        asha.ask("start", assignment=task["assignment"])
        self.world.main_broker.kill()
        self.assertTrue(asha.ask("submit", assignment=task["assignment"], values={"follows": "yes"})["kept"])
        self.agent.kill()
        self.agent.start()
        self.agent.wait_log("results_unsent=1")
        self.world.main_broker.start()
        self.world.sunline("run", "watch", "r", timeout_s=40)
        out = self.world.sunline("run", "output", "r", "--format", "jsonl").json_lines()
        self.assertEqual([o["judge.follows"] for o in out], ["yes"])

    def test_a_full_disk_takes_no_result_and_says_so(self):
        self.start(1)
        asha = self.screen("asha")
        asha.ask("sign_in")
        task = asha.task()
        number = task["assignment"]
        asha.ask("start", assignment=number)
        values = {"follows": "yes", "why": "x" * 400}
        resource.prlimit(self.agent.pid, resource.RLIMIT_FSIZE, (256, resource.RLIM_INFINITY))
        refused = asha.ask("submit", assignment=number, values=values)
        self.assertEqual(refused["error"], "DISK", refused)
        self.assertEqual(asha.ask("draft", assignment=number, values=values)["error"], "DISK")
        self.assertEqual(asha.task()["assignment"], number)  # nothing was lost on the way
        resource.prlimit(self.agent.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        self.assertTrue(asha.ask("submit", assignment=number, values=values)["kept"])
        self.world.sunline("run", "watch", "r", timeout_s=40)

    def test_the_local_socket_is_not_for_strangers(self):
        self.start(1)
        path = self.endpoint.removeprefix("ipc://")
        self.assertEqual(os.stat(path).st_mode & 0o077, 0)
        self.assertEqual(os.stat(os.path.dirname(path)).st_mode & 0o077, 0)
        hub = PEOPLE_HUB.replace("pokhara", "open").replace("{data}", "{data}\nlocal: tcp://0.0.0.0:7799")
        agent = self.world.agent("open", hub)
        self.assertEqual(agent.wait_end(), 1)
        self.assertIn("127.0.0.1 or ipc:// only", agent.log())

    def test_nonsense_from_a_screen_is_refused_by_name(self):
        self.start(1)
        asha = self.screen("asha")
        for bytes_, error in ((b"{", "BAD_REQUEST"), (b"[]", "BAD_REQUEST"), (b"{\"verb\": 1}", "UNKNOWN_VERB"), (b"\xff\xfe", "BAD_REQUEST"),
                              (b"{\"verb\": \"sign_in\"}", "BAD_REQUEST"), (b"{\"a\":1,\"a\":2}", "BAD_REQUEST")):
            asha.socket.send(bytes_)
            self.assertTrue(asha.socket.poll(20000))
            self.assertEqual(json.loads(asha.socket.recv())["error"], error, bytes_)
        asha.socket.send_multipart([b"{}", b"{}", b"{}"])
        self.assertTrue(asha.ask("sign_in")["ok"])
        self.assertEqual(asha.ask("start", assignment="7")["error"], "BAD_REQUEST")
        self.assertEqual(asha.ask("start", assignment=999999)["error"], "NO_TASK")

    def test_two_screens_of_one_person_share_nothing(self):
        self.start(1)
        first, second = self.screen("asha"), self.screen("asha")
        first.ask("sign_in")
        second.ask("sign_in")
        self.assertEqual(first.ask("next")["error"], "NOT_SIGNED_IN")
        self.assertEqual([n["notice"] for n in first.notices], ["signed_off"])

    def test_the_terminal_does_it_from_a_pipe(self):
        self.start(3)
        # A wrong option, a right one; a decline; then one that is answered by words.
        typed = "maybe\n1\nbecause\n:decline not mine\nno\n\n"
        done = self.world.sunline("work", "--hub", self.endpoint, "--worker", "asha", "--once", input=typed, timeout_s=30)
        self.assertIn("none of the options", done.err)
        self.assertIn("2 done, 1 declined", done.out)
        story = self.world.sunline("unit", "show", "r/1").out
        self.assertIn("because", story)

    def test_what_was_typed_before_the_end_of_the_input_is_a_draft(self):
        self.start(1)
        self.world.sunline("work", "--hub", self.agent.data, "--worker", "asha", input="yes\n", timeout_s=30)
        asha = self.screen("asha")
        asha.ask("sign_in")
        self.assertEqual(asha.task()["draft"], {"follows": "yes"})

    def test_a_window_that_is_closed_keeps_a_draft_and_signs_off(self):
        self.start(2)
        child, terminal = pty.fork()
        if child == 0:
            sunline = harness.program("sunline")
            os.execv(sunline, [sunline, "work", "--hub", self.agent.data, "--worker", "asha"])
        shown = b""

        def shows(text):
            nonlocal shown
            if select.select([terminal], [], [], 0)[0]:
                shown += os.read(terminal, 4096)
            return text in shown
        harness.wait(lambda: shows(b"Does it? ("), 30, "the first question")
        os.write(terminal, b"yes\n")
        harness.wait(lambda: shows(b"Why ("), 30, "the second question")
        os.close(terminal)  # the kernel says SIGHUP
        harness.wait(lambda: os.waitpid(child, os.WNOHANG)[0] == child, 30, "the end of the program")
        row = self.world.sunline("worker", "show", "asha", "--json").out
        self.assertFalse(json.loads(row)["signed_in"], row)
        asha = self.screen("asha")
        asha.ask("sign_in")
        self.assertEqual(asha.task()["draft"], {"follows": "yes"})

    def test_a_hub_that_is_not_there_is_named_at_once(self):
        nowhere = self.world.path("nowhere")
        told = self.world.sunline("work", "--hub", nowhere, "--worker", "asha", status=1, timeout_s=10)
        self.assertIn("nowhere: No such file or directory", told.err)


if __name__ == "__main__":
    unittest.main()
