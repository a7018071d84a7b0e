"""The command line against a real broker: imports that are refused, skipped, broken off and repeated; output and its guard; queues, units,
events, figures. The work is done by an agent that speaks the protocol by itself."""
import csv
import fcntl
import io
import os
import signal
import subprocess
import termios
import threading
import unittest

import harness
import sunline_wire

ALONE = False  # tests/run

LINE = """line: pairs
input:
  - {name: text, type: text, required: true}
  - {name: age, type: number}
stations:
  - name: judge
    form:
      fields:
        - {name: answer, type: short_answer, required: true}
"""
ROWS = 60000


class CommandLine(harness.Case):
    def setUp(self):
        super().setUp()
        self.broker = self.world.broker()
        self.sunline("line", "apply", self.world.write("pairs.yml", LINE))

    def sunline(self, *args, **more):
        return self.world.sunline(*args, **more)

    def start(self, name, content, *args, **more):
        return self.sunline("run", "start", "pairs", "--name", name, "--input", self.world.write(name + ".csv", content), *args, **more)

    def run_row(self, name):
        return self.sunline("run", "show", name, "--json").json()

    def agent(self):
        agent = sunline_wire.Agent(self.broker.endpoints["agents"], "nairobi", data_id=bytes(16))
        self.addCleanup(agent.close)
        agent.hello()
        agent.roster([{"name": "r1", "kind": 1, "capacity": 100, "skills": []}])
        agent.credit({"r1": 100})
        return agent

    def output(self, *args, **more):
        path = self.world.path("read-back.csv")  # through a file: a pipe of text would turn CRLF into LF
        self.sunline("run", "output", *args, "-o", path, **more)
        with open(path, encoding="utf-8", newline="") as f:
            return list(csv.DictReader(f))


class Imports(CommandLine):
    def test_every_kind_of_csv_row_comes_out_as_it_went_in(self):
        texts = ["plain", "a,b", 'say "x"', "two\nlines", "crlf\r\ninside", " spaces ", "Medellín", "日本", "=1+1", "-5", "0.10", "x" * 60000]
        out = io.StringIO(newline="")
        csv.writer(out).writerows([["age", "text"]] + [[i, t] for i, t in enumerate(texts)])
        self.start("r", "\ufeff" + out.getvalue())
        rows = self.output("r", "--all", "--raw")
        self.assertEqual([r["text"] for r in rows], texts)
        self.assertEqual([r["age"] for r in rows], [str(i) for i in range(len(texts))])
        self.assertEqual([r["unit"] for r in rows], [str(i + 1) for i in range(len(texts))])

    def test_one_bad_row_keeps_all_out_and_every_bad_one_is_named(self):
        bad = b'text,age\ngood,1\n,2\n"two\nlines",x\nshort\nbad \xff,3\nnul\x00,3\n' + b"y" * 70000 + b",\n"
        told = self.start("r", bad, status=1).err
        for part in ("row 2 (line 3), column 'text'", "row 3 (line 4), column 'age'", "row 4 (line 6): has 1 field, the header has 2",
                     "row 5 (line 7), column 'text': is not UTF-8 (byte 5)", "row 6 (line 8), column 'text': contains a NUL byte",
                     "row 7 (line 9)", "6 of 7 rows are bad: nothing was put in"):
            self.assertIn(part, told)
        self.assertIn("NOT_FOUND", self.sunline("run", "show", "r", status=1).err)

    def test_bad_rows_are_counted_once_twenty_are_listed(self):
        told = self.start("r", "text,age\n" + "a,b\n" * 50, status=1).err
        self.assertEqual(told.count("column 'age'"), 20)
        self.assertIn("and 30 more bad rows", told)

    def test_skipped_rows_stand_verbatim_in_the_rejects(self):
        rejects = self.world.path("rejects.csv")
        self.start("r", 'text,age\r\n"a ""good"" one",1\r\n"bad, one",x\r\n\r\nshort\r\nlast,2', "--skip-bad", rejects)
        with open(rejects, newline="") as f:
            kept = f.read()
        self.assertEqual(kept.split("\n")[0], "text,age,reason")
        self.assertTrue(kept.split("\n")[1].startswith('"bad, one",x,'), kept)
        self.assertIn("age: ", kept.split("\n")[1])
        self.assertTrue(kept.split("\n")[2].startswith("short,"), kept)
        self.assertEqual([r["text"] for r in self.output("r", "--all")], ['a "good" one', "last"])
        self.assertIn("KEY_REUSED", self.start("r", 'text,age\r\n"a ""good"" one",1\r\nlast,2', status=1).err)

    def test_headers_that_do_not_fit_are_named(self):
        for header, parts in (("age", ["missing: 'text'"]), ("text,ages", ["no input field: 'ages'"]), ("text,text", ["'text' is there twice"]),
                              ("text,", ["column 2: has no name"]), ("Text,foo", ["missing: 'text'", "no input field: 'Text', 'foo'"])):
            told = self.start("r", header + "\n1,2\n", status=1).err
            for part in parts:
                self.assertIn(part, told)
        self.assertIn("is empty", self.start("r", "", status=1).err)
        self.start("r", "text\nage may be missing\n")

    def test_a_broken_file_is_named_by_line_and_nothing_goes_in(self):
        self.assertIn("line 3: the record that begins here", self.start("r", 'text,age\na,1\n"b,2\nc,3\n', status=1).err)
        self.assertIn("UTF-16", self.start("r", "text,age\na,1\n".encode("utf-16"), status=1).err)
        self.assertEqual(self.sunline("run", "list").out, "")

    def test_the_same_import_again_changes_nothing(self):
        first = self.start("r", "text\na\nb\n", "--json").json()
        again = self.start("r", "text\na\nb\n", "--json").json()
        self.assertEqual((first["accepted"], again["accepted"], again["there_before"]), (2, 0, 2))
        self.assertEqual(self.run_row("r")["units"], 2)

    def test_another_file_under_the_same_name_is_refused(self):
        self.start("r", "text\na\n")
        told = self.start("r", "text\nb\n", status=1).err
        self.assertIn("KEY_REUSED", told)
        self.assertIn("another file", told)
        self.assertEqual(self.run_row("r")["units"], 1)

    def test_an_import_killed_again_and_again_ends_with_one_unit_a_row(self):
        path = self.world.write("big.csv", "text,age\n" + "".join(f"row {i} {'x' * 100},{i}\n" for i in range(ROWS)))
        start = ["run", "start", "pairs", "--name", "r", "--input", path]
        for kill in range(1, 4):  # each time a little further, so that each kill finds it at work
            client = self.world.spawn(*start, name=f"client{kill}")
            harness.wait(lambda: not client.running() or
                         (self.sunline("run", "show", "r", "--json", status=None).status == 0 and
                          self.run_row("r")["units"] >= min(kill * ROWS // 8, ROWS)), 30, "the import to get on")
            client.kill()
            if kill == 2:
                self.broker.kill()
                self.broker.start()
        self.sunline(*start)
        row = self.run_row("r")
        self.assertEqual((row["units"], row["state"]), (ROWS, "closed"))
        rows = self.output("r", "--all")
        self.assertEqual([r["text"] for r in rows], [f"row {i} {'x' * 100}" for i in range(ROWS)])

    def test_an_import_without_place_for_its_rows_reads_the_file_again(self):
        path = self.world.write("big.csv", "text,age\n" + "".join(f"row {i} {'x' * 100},{i}\n" for i in range(ROWS)))
        start = ["run", "start", "pairs", "--name", "r", "--input", path]
        client = self.world.spawn(*start, name="client")
        harness.wait(lambda: not client.running() or (self.sunline("run", "show", "r", "--json", status=None).status == 0 and
                                                      self.run_row("r")["units"] > 0), 30, "the import to begin")
        client.kill()
        self.sunline(*start, env={"TMPDIR": "/nowhere"})
        rows = self.output("r", "--all")
        self.assertEqual([r["text"] for r in rows], [f"row {i} {'x' * 100}" for i in range(ROWS)])
        bad = self.world.write("some-bad.csv", "text,age\n" + "".join(f"row {i} {'x' * 100},{i if i % 3 else 'x'}\n" for i in range(ROWS)))
        for name, env in (("kept", {}), ("again", {"TMPDIR": "/nowhere"})):
            self.sunline("run", "start", "pairs", "--name", name, "--input", bad, "--skip-bad", self.world.path("rejects.csv"), env=env)
            self.assertEqual([r["age"] for r in self.output(name, "--all")], [str(i) for i in range(ROWS) if i % 3])

    def test_standard_input_and_pipes_of_any_size_are_the_same_as_files(self):
        content = "text,age\n" + "".join(f"row {i} {'x' * 100},{i if i % 5 else 'bad'}\n" for i in range(ROWS))
        rejects = self.world.path("rejects.csv")
        self.sunline("run", "start", "pairs", "--name", "r", "--open")
        self.assertIn("of 60000 rows are bad: nothing was put in", self.sunline("run", "add", "r", "--input", "-", input=content, status=1).err)
        self.assertEqual(self.run_row("r")["units"], 0)
        self.sunline("run", "add", "r", "--input", "-", "--skip-bad", rejects, input=content)
        fifo = self.world.path("fifo")
        os.mkfifo(fifo)
        writer = threading.Thread(target=lambda: open(fifo, "w").write(content))
        writer.start()
        for path in (fifo, self.world.write("same.csv", content)):
            self.assertIn("nothing was added", self.sunline("run", "add", "r", "--input", path, "--skip-bad", rejects).err)
        writer.join()
        self.assertEqual([r["age"] for r in self.output("r", "--all")], [str(i) for i in range(ROWS) if i % 5])
        with open(rejects) as f:
            self.assertEqual(sum(1 for _ in f), 1 + ROWS // 5)

    def test_standard_input_without_place_for_its_rows_is_refused(self):
        self.sunline("run", "start", "pairs", "--name", "r", "--open")
        told = self.sunline("run", "add", "r", "--input", "-", input="text\n" + ("x" * 100 + "\n") * ROWS, env={"TMPDIR": "/nowhere"}, status=1).err
        self.assertIn("cannot keep its rows in a temporary file: No such file or directory; nothing was put in", told)
        self.assertEqual(self.run_row("r")["units"], 0)
        self.sunline("run", "add", "r", "--input", "-", input="text\na few\n", env={"TMPDIR": "/nowhere"})
        self.assertEqual(self.run_row("r")["units"], 1)

    def test_an_import_that_waits_for_input_can_be_interrupted(self):
        self.sunline("run", "start", "pairs", "--name", "r", "--open")
        client = subprocess.Popen([harness.program("sunline"), "run", "add", "r", "--input", "-"], stdin=subprocess.PIPE, stderr=subprocess.PIPE,
                                  env=self.world.env(), text=True)
        self.addCleanup(client.kill)
        client.stdin.write("text\none\n")
        client.stdin.flush()

        def waits():
            unread = fcntl.ioctl(client.stdin, termios.FIONREAD, b"....")
            with open(f"/proc/{client.pid}/stat", encoding="ascii") as f:
                return unread == bytes(4) and f.read().rsplit(")", 1)[1].split()[0] == "S"
        harness.wait(waits, 30, "the client to wait for more input")
        client.send_signal(signal.SIGINT)
        self.assertEqual(client.wait(30), 1)
        self.assertIn("interrupted; nothing was put in", client.stderr.read())
        self.assertEqual(self.run_row("r")["units"], 0)

    def test_an_import_outlives_a_restart_of_the_broker(self):
        path = self.world.write("big.csv", "text,age\n" + "".join(f"row {i} {'x' * 100},{i}\n" for i in range(ROWS)))
        client = self.world.spawn("run", "start", "pairs", "--name", "r", "--input", path)
        harness.wait(lambda: not client.running() or (self.sunline("run", "show", "r", "--json", status=None).status == 0 and
                                                      self.run_row("r")["units"] > 0), 30, "the import to begin")
        self.broker.kill()
        self.broker.start()
        self.assertEqual(client.wait_end(60), 0, client.log())
        self.assertEqual(self.run_row("r")["units"], ROWS)

    def test_a_quota_makes_an_import_wait_until_there_is_room(self):
        path = self.world.write("r.csv", "text\n" + "".join(f"row {i}\n" for i in range(300)))
        client = self.world.spawn("run", "start", "pairs", "--name", "r", "--quota", "100", "--input", path)
        agent = self.agent()
        for i in range(300):
            row = self.run_row("r") if i % 50 == 1 else {"units": 0, "done": 0}
            self.assertLessEqual(row["units"] - row["done"], 100)
            agent.submit([agent.result(a, ["x"]) for a in agent.assignments(1, timeout_s=30)], grants={"r1": 1})
        self.assertEqual(client.wait_end(30), 0, client.log())
        self.assertEqual(self.sunline("run", "watch", "r").status, 0)
        self.assertEqual(len(self.output("r")), 300)

    def test_adding_the_same_rows_again_adds_nothing_unless_told(self):
        self.sunline("run", "start", "pairs", "--name", "r", "--open")
        rows = "text\na\nb\n"
        self.sunline("run", "add", "r", "--input", "-", input=rows)
        again = self.sunline("run", "add", "r", "--input", self.world.write("same.csv", rows))
        self.assertIn("nothing was added", again.err)
        self.assertEqual(self.run_row("r")["units"], 2)
        self.sunline("run", "add", "r", "--input", "-", "--again", input=rows)
        self.assertEqual(self.run_row("r")["units"], 4)
        self.sunline("run", "close", "r")
        self.assertIn("RUN_CLOSED", self.sunline("run", "add", "r", "--input", "-", input="text\nc\n", status=1).err)
        self.assertEqual(self.run_row("r")["units"], 4)

    def test_an_import_needs_the_line_and_its_own_run(self):
        self.assertIn("NOT_FOUND", self.sunline("run", "start", "nowhere", "--name", "r", "--input", self.world.write("x.csv", "text\na\n"), status=1).err)
        self.sunline("line", "apply", self.world.write("other.yml", LINE.replace("line: pairs", "line: other")))
        self.start("r", "text\na\n")
        told = self.sunline("run", "start", "other", "--name", "r", "--input", self.world.write("x.csv", "text\na\n"), status=1).err
        self.assertIn("of line pairs", told)


class Output(CommandLine):
    def finish(self, answers):
        self.start("r", "text\n" + "".join(f"t{i}\n" for i in range(len(answers))))
        agent = self.agent()
        taken = agent.assignments(len(answers))
        agent.submit([agent.result(a, [answers[int(a["fields"][0][1:])]]) for a in taken])
        self.assertEqual(self.sunline("run", "watch", "r").status, 0)

    def test_cells_that_could_be_formulas_are_guarded(self):
        answers = ["=1+1", "+cmd", "@x", "-2+3", "\tx", "-5", "+1.5e3", "fine", "a=b"]
        self.finish(answers)
        guarded = [r["judge.answer"] for r in self.output("r")]
        self.assertEqual(guarded, ["'=1+1", "'+cmd", "'@x", "'-2+3", "'\tx", "-5", "+1.5e3", "fine", "a=b"])
        self.assertEqual([r["judge.answer"] for r in self.output("r", "--raw")], answers)
        lines = self.sunline("run", "output", "r", "--format", "jsonl").json_lines()
        self.assertEqual([r["judge.answer"] for r in lines], answers)

    def test_one_station_comes_with_worker_and_time(self):
        self.finish(["yes", "no"])
        rows = self.output("r", "--station", "judge")
        self.assertEqual([r["worker"] for r in rows], ["r1", "r1"])
        self.assertTrue(all(int(r["done_wall_us"]) > 0 for r in rows))
        self.assertIn("NOT_FOUND", self.sunline("run", "output", "r", "--station", "nowhere", status=1).err)

    def test_a_file_appears_only_when_it_is_complete(self):
        self.finish(["yes"])
        path = self.world.path("out.csv")
        self.sunline("run", "output", "r", "-o", path)
        with open(path) as f:
            self.assertEqual(f.read().splitlines()[1:], ["1,t0,,yes"])
        before = sorted(os.listdir(self.world.dir))
        self.sunline("run", "output", "nowhere", "-o", self.world.path("never.csv"), status=1)
        self.sunline("run", "output", "r", "--station", "nowhere", "-o", path, status=1)
        self.assertEqual(sorted(os.listdir(self.world.dir)), before)
        with open(path) as f:
            self.assertEqual(len(f.read().splitlines()), 2)

    def test_a_run_without_results_has_a_header_only(self):
        self.start("r", "text\na\n")
        self.assertEqual(self.sunline("run", "output", "r").out, "unit,text,age,judge.answer\n")

    def test_a_full_disk_is_no_success(self):
        self.start("r", "text\na\n")
        if not os.path.exists("/dev/full"):
            self.skipTest("there is no /dev/full here")
        self.assertIn("/dev/full: No space left", self.sunline("run", "output", "r", "--all", "-o", "/dev/full", status=1).err)


class Queues(CommandLine):
    def bury(self, rows):
        self.start("r", "text\n" + "".join(f"t{i}\n" for i in range(rows)))
        agent = self.agent()
        agent.acts([dict(agent.act("bury", a), reason="cannot\x1b[31m read") for a in agent.assignments(rows)])
        agent.bye()

    def test_peek_shows_the_queue_in_order_and_touches_nothing(self):
        self.start("r", "text\n" + "".join(f"t{i}\n" for i in range(5)))
        for _ in range(2):
            peeked = self.sunline("station", "peek", "pairs/judge", "--json").json_lines()
            self.assertEqual([t["unit"] for t in peeked], [1, 2, 3, 4, 5])
        self.assertEqual(len(self.sunline("station", "peek", "pairs/judge", "--limit", "2").out.splitlines()), 2)
        self.assertEqual(self.sunline("station", "peek", "pairs/judge", "--waiting").out, "")

    def test_dead_tasks_are_listed_requeued_and_dropped(self):
        self.bury(4)
        watched = self.sunline("run", "watch", "r", status=1)
        self.assertIn("only dead tasks remain", watched.err)
        dead = self.sunline("station", "dead", "pairs/judge").out
        self.assertEqual(len(dead.splitlines()), 4)
        self.assertIn("cannot?[31m read", dead)
        self.sunline("station", "requeue", "pairs/judge", "r/1", "r/2")
        self.sunline("station", "drop", "pairs/judge", "3", "--run", "r", "--reason", "not ours")
        row = self.run_row("r")
        self.assertEqual((row["dropped"], row["dead"], row["stations"][0]["ready"]), (1, 1, 2))
        self.assertIn("1 requeued", self.sunline("station", "requeue", "pairs/judge", "--all").out)
        self.assertEqual(self.sunline("unit", "show", "r/3", "--json").json()["state"], 2)
        told = self.sunline("unit", "show", "r", "1").out
        for part in ("cannot?[31m read", "r1", "buried", "requeued", "nairobi"):
            self.assertIn(part, told)

    def test_a_requeue_of_all_counts_what_goes_back_and_tells_what_stays(self):
        self.start("r", "text\na\nb\n")
        agent = self.agent()
        first, second = agent.assignments(2)
        agent.acts([agent.act("decline", first), dict(agent.act("bury", second), reason="no")])
        agent.bye()
        done = self.sunline("station", "requeue", "pairs/judge", "--all")
        self.assertIn("station pairs/judge: 1 requeued", done.out)
        self.assertIn("1 stay parked: nobody is left who may do them", done.err)
        self.assertIn("nobody is left: of 1 workers who may do it, all have declined it", self.sunline("station", "dead", "pairs/judge").out)

    def test_states_of_runs_stations_and_lines_are_set(self):
        self.start("r", "text\na\n")
        self.sunline("run", "pause", "r")
        self.assertTrue(self.run_row("r")["paused"])
        self.sunline("run", "resume", "r")
        self.sunline("run", "priority", "r", "9")
        self.assertEqual((self.run_row("r")["paused"], self.run_row("r")["priority"]), (False, 9))
        self.sunline("station", "pause", "pairs/judge")
        self.assertTrue(self.sunline("station", "show", "pairs/judge", "--json").json()["paused"])
        self.sunline("station", "resume", "pairs/judge")
        self.assertIn("IN_USE", self.sunline("line", "delete", "pairs", status=1).err)
        self.sunline("run", "cancel", "r")
        self.assertIn("cancelled", self.sunline("run", "watch", "r", status=1).err)
        self.sunline("run", "delete", "r")
        self.assertIn("NOT_FOUND", self.sunline("run", "show", "r", status=1).err)
        self.sunline("line", "delete", "pairs")


class Monitoring(CommandLine):
    def test_events_are_gapless_and_can_be_followed(self):
        follower = self.world.spawn("events", "--since", "1", "--follow", "--json", name="follower")
        self.start("r", "text\na\n")
        follower.wait_log("UNITS_ADDED")
        all_events = self.sunline("events", "--json").json_lines()
        self.assertEqual([e["seq"] for e in all_events], list(range(1, len(all_events) + 1)))
        of_run = self.sunline("events", "--topic", "run/r", "--json").json_lines()
        self.assertEqual(of_run[0]["event"], "RUN_STARTED")
        since = self.sunline("events", "--since", of_run[1]["seq"], "--topic", "run/r", "--json").json_lines()
        self.assertEqual(since, of_run[1:])
        self.assertEqual(follower.stop(), 0)

    def test_figures_come_in_three_forms(self):
        self.start("r", "text\na\n")
        figures = self.sunline("stats", "--format", "json").json()
        self.assertEqual(figures["units_total"], 1)
        self.assertIn("units_total\t1\n", self.sunline("stats").out)
        prometheus = self.sunline("stats", "--format", "prometheus").out
        self.assertIn("# TYPE sunline_units_total counter\nsunline_units_total 1\n", prometheus)
        for line in prometheus.splitlines():
            self.assertRegex(line, r'^(# TYPE sunline_\w+ (counter|gauge|histogram)|# HELP sunline_\w+ .+\.|sunline_\w+({(\w+="[^"]*",?)+})? [0-9.e+-]+)$')

    def test_a_backup_is_written_once(self):
        path = self.world.path("copy.mdb")
        self.sunline("backup", "copy.mdb")
        self.assertTrue(os.path.exists(path))
        self.assertRegex(self.sunline("backup", path, status=1).err, "sunline: .*[A-Z_]+: ")

    def test_version_also_answers_without_a_broker(self):
        self.assertRegex(self.sunline("version").out, r"sunline \S+, protocol 1\nbroker ")
        alone = self.sunline("--broker", "ipc://" + self.world.path("nobody"), "version")
        self.assertIn("none answers", alone.out)


if __name__ == "__main__":
    unittest.main()
