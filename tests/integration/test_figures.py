"""Figures for people and programs: text, JSON, Prometheus text that promtool takes, and the same over HTTP, off unless configured."""
import collections
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request

ALONE = False  # tests/run

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "lib"))
import harness  # noqa: E402
import sunline_wire as wire  # noqa: E402

FORM = {"title": "Echo", "fields": [{"name": "loud", "type": "short_answer"}]}
LINE = {"line": "echo", "input": [{"name": "text", "type": "text"}], "stations": [
    {"name": "say", "type": "work", "form": FORM}, {"name": "check", "type": "work", "form": FORM}]}


class Figures(harness.Case):
    def begin(self, config=None):
        self.broker = self.world.broker(config=config)
        self.client = wire.Client(self.broker.endpoints["clients"])
        self.agent = wire.Agent(self.broker.endpoints["agents"], "nairobi")
        self.addCleanup(self.client.close)
        self.addCleanup(self.agent.close)
        self.client.request("line_apply", definition=LINE)
        run = self.client.request("run_start", line="echo", name="r")["run_id"]
        self.agent.hello()
        self.agent.roster([{"name": "ann", "kind": 0, "capacity": 9, "skills": []}])
        self.client.request("put", run_id=run, rows=[["x"]] * 10)
        self.agent.credit({"ann": 3})
        self.agent.submit([self.agent.result(a, ["y"]) for a in self.agent.assignments(3)])
        self.agent.credit({"ann": 1})
        self.agent.assignments(1)

    def promtool(self, text):
        if not shutil.which("promtool"):
            self.skipTest("promtool is not there: install Debian's package prometheus")
        done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def promtool_and_more(self, text):
        """promtool looks at names and help texts only: series must be told once, histograms add up."""
        self.promtool(text)
        found = re.findall(r"^([a-z_0-9]+)(\{[^}]*\})? (\S+)$", text, re.M)
        self.assertEqual(len(found), sum(not line.startswith("#") for line in text.splitlines()), "every line is one of ours")
        series = collections.Counter((name, labels) for name, labels, _ in found)
        self.assertEqual([one for one, n in series.items() if n > 1], [])
        self.assertNotIn("does not know yet", text)
        value = {(name, labels): float(v) for name, labels, v in found}
        histograms = re.findall(r"^# TYPE (\w+) histogram$", text, re.M)
        self.assertGreaterEqual(len(histograms), 5)
        for h in histograms:
            buckets = collections.defaultdict(list)
            for name, labels, v in found:
                if name == h + "_bucket":
                    le = re.search(r'le="([^"]+)"', labels)[1]
                    buckets[re.sub(r',?le="[^"]+"', "", labels).replace("{}", "")].append((float(le), float(v)))
            self.assertTrue(buckets, h)
            for labels, told in buckets.items():
                self.assertEqual(told, sorted(told), h + labels)
                self.assertEqual([n for _, n in told], sorted(n for _, n in told), "cumulative: " + h + labels)
                self.assertEqual(told[-1], (float("inf"), value[h + "_count", labels]))
                self.assertIn((h + "_sum", labels), value)

    def samples(self, text):
        return dict(re.findall(r"^([a-z_]+(?:\{[^}]*\})?) ([0-9.e+-]+)$", text, re.M))

    def test_prometheus_text_passes_promtool(self):
        self.begin()
        self.promtool_and_more(self.world.sunline("stats", "--format", "prometheus").out)

    def test_prometheus_text_of_a_fresh_broker_passes_promtool(self):
        self.world.broker()
        self.promtool_and_more(self.world.sunline("stats", "--format", "prometheus").out)

    def catalogue(self, macro):
        with open(os.path.join(TOP, "proto", "figures.def")) as f:
            return set(re.findall(r"^%s\((\w+)" % macro, f.read(), re.M))

    def test_the_catalogue_names_what_the_broker_tells_and_the_document_explains_it(self):
        self.begin()
        figures = self.client.request("stats_get")["figures"]
        maps = {name: figures.pop(name) for name in ("by_line", "by_station", "by_hub")}
        times = {name: figures.pop(name) for name in self.catalogue("TIMES")}
        self.assertEqual({tuple(sorted(t)) for t in times.values()}, {("count", "le_ms", "p50_ms", "p99_ms", "total_us")})
        distributions = self.catalogue("DISTRIBUTION")
        self.assertEqual({re.sub("_(count|total|max|p50|p99|le_[0-9]+)$", "_*", k) if k.startswith(tuple(d + "_" for d in distributions)) else k for k in figures},
                         self.catalogue("FIGURE") | {d + "_*" for d in distributions})
        inner = set().union(*(row for m in maps.values() for row in m.values()))
        states = {"blocked", "waiting", "ready", "assigned", "started", "done", "skipped", "dead", "ended"}
        self.assertEqual(inner - states, (self.catalogue("BY") - {"tasks"}) | self.catalogue("TIMES"))
        with open(os.path.join(TOP, "docs", "operating.md")) as f:
            section = f.read().split("\n## Figures")[1].split("\n## ")[0]
        told = set(re.findall(r"`(\w+\*?)`", section))
        for name in self.catalogue("FIGURE") | (self.catalogue("BY") - {"tasks"}) | self.catalogue("TIMES") | set(maps) | {d + "_*" for d in distributions}:
            self.assertIn(name, told)

    def test_a_payload_is_copied_once_on_each_way(self):
        """Per task: 200 bytes and what stands around them, in and out, in requests of one task and of many."""
        names = ("payload_in_bytes_total", "payload_in_copied_bytes_total", "payload_out_bytes_total", "payload_out_copied_bytes_total")
        broker = self.world.broker()
        self.client = wire.Client(broker.endpoints["clients"])
        self.agent = wire.Agent(broker.endpoints["agents"], "nairobi")
        self.addCleanup(self.client.close)
        self.addCleanup(self.agent.close)
        self.client.request("line_apply", definition=dict(LINE, stations=LINE["stations"][:1]))
        run = self.client.request("run_start", line="echo", name="r")["run_id"]
        self.agent.hello()
        self.agent.roster([{"name": "ann", "kind": 0, "capacity": 1000, "skills": []}])
        for tasks, requests in ((1, 20), (500, 2)):
            before = self.client.request("stats_get")["figures"]
            for _ in range(requests):
                self.agent.credit({"ann": tasks})
                self.client.request("put", run_id=run, rows=[["x" * 200]] * tasks)
                taken = self.agent.assignments(tasks)
                self.agent.submit([self.agent.result(a, ["y" * 40]) for a in taken])
            after = self.client.request("stats_get")["figures"]
            came, in_copied, shown, out_copied = (after[n] - before[n] for n in names)
            self.assertGreaterEqual(came, tasks * requests * 240)
            self.assertGreaterEqual(shown, tasks * requests * 200)
            self.assertEqual((in_copied, out_copied), (came, shown))

    def test_a_line_may_be_called_as_it_likes(self):
        self.begin()
        for i in range(70):
            self.client.request("line_apply", definition=dict(LINE, line="line-%d" % i))
        for name in ("other", "lines", "line-69"):  # the last one deleted, and there again
            if name == "line-69":
                self.client.request("line_set", line=name, action=2)
            self.client.request("line_apply", definition=dict(LINE, line=name))
        self.promtool_and_more(self.world.sunline("stats", "--format", "prometheus").out)

    def test_the_figures_are_what_happened(self):
        self.begin()
        f = self.samples(self.world.sunline("stats", "--format", "prometheus").out)
        # ten units went in; three were said, and their checks wait behind; one more (the furthest downstream) is in hand
        for name, value in {"sunline_units_total": 10, "sunline_results_total": 3, "sunline_assignments_held": 1,
                            "sunline_hubs_connected": 1, "sunline_workers_signed_in": 1, "sunline_workers_on_shift": 1,
                            'sunline_station_tasks{line="echo",station="say",version="1",state="done"}': 3,
                            'sunline_station_tasks{line="echo",station="say",version="1",state="ready"}': 7,
                            'sunline_station_tasks{line="echo",station="check",version="1",state="assigned"}': 1,
                            'sunline_station_results_total{line="echo",station="say",version="1"}': 3,
                            'sunline_line_tasks{line="echo",state="ready"}': 9, 'sunline_line_runs_open{line="echo"}': 1,
                            'sunline_hub_signed_in{hub="nairobi"}': 1, 'sunline_hub_on_shift{hub="nairobi"}': 1, 'sunline_hub_holding{hub="nairobi"}': 1,
                            'sunline_hub_assignments_total{hub="nairobi"}': 4, 'sunline_hub_results_total{hub="nairobi"}': 3,
                            'sunline_task_waited_seconds_count': 4, 'sunline_task_worked_seconds_count': 3,
                            'sunline_task_worked_seconds_bucket{le="+Inf"}': 3, "sunline_results_last_minute": 3,
                            'sunline_station_results_last_minute{line="echo",station="say",version="1"}': 3,
                            'sunline_hub_results_last_minute{hub="nairobi"}': 3}.items():
            self.assertEqual(float(f[name]), value, name)
        self.assertGreater(float(f["sunline_commit_seconds_count"]), 5)
        self.assertGreater(float(f["sunline_store_free_map_bytes"]), 1 << 20)
        self.assertGreater(float(f['sunline_line_oldest_seconds{line="echo"}']), 0)

    def test_of_a_hub_that_is_away_nobody_is_on_shift(self):
        self.begin("heartbeat: 1s\n")
        self.agent.heartbeat()

        def figures():
            f = self.client.request("stats_get")["figures"]
            return f["hubs_connected"], f["workers_signed_in"], f["workers_on_shift"], f["by_hub"]["nairobi"]["on_shift"]
        self.assertEqual(figures(), (1, 1, 1, 1))
        self.world.wait(lambda: figures() == (0, 1, 0, 0), 10, figures)  # it says nothing any more
        self.agent.heartbeat()
        self.world.wait(lambda: figures() == (1, 1, 1, 1), 10, figures)

    def test_json_and_text_tell_the_same(self):
        self.begin()
        figures = self.world.sunline("--json", "stats").json()
        self.assertEqual((figures["units_total"], figures["by_station"]["echo/say@1"]["done"], figures["by_hub"]["nairobi"]["workers"]), (10, 3, 1))
        self.assertEqual(figures["by_station"]["echo/say@1"]["worked"]["le_ms"][-1], 3)
        self.assertRegex(self.world.sunline("stats").out, r"(?m)^by_station\.echo/say@1\.done\t3$")

    def test_the_age_of_the_oldest_outlives_a_restart(self):
        self.begin()
        before = self.client.request("stats_get")["figures"]["by_line"]["echo"]["oldest_us"]
        self.broker.kill()
        self.broker.start()
        after = self.client.request("stats_get", timeout_s=20)["figures"]["by_line"]["echo"]["oldest_us"]
        self.assertGreaterEqual(after, before)

    def test_labels_are_bounded(self):
        self.begin()
        for i in range(70):
            self.client.request("line_apply", definition=dict(LINE, line="line-%d" % i))
        text = self.world.sunline("stats", "--format", "prometheus").out
        self.promtool_and_more(text)
        lines = set(re.findall(r'sunline_line_tasks\{line="([^"]*)"', text))
        self.assertEqual((len(lines), "(other)" in lines), (64, True))
        ready = sum(int(v) for v in re.findall(r'sunline_station_tasks\{[^}]*state="ready"\} (\d+)', text))
        self.assertEqual(ready, self.client.request("stats_get")["figures"]["tasks_ready"], "nothing is lost among the others")

    # ---- over HTTP
    def http(self, path, method="GET"):
        with open(os.path.join(self.broker.data, "endpoints")) as f:
            at = re.search(r"^http=(\S+)$", f.read(), re.M)[1]
        try:
            with urllib.request.urlopen(urllib.request.Request(at + path, method=method), timeout=10) as answer:
                return answer.status, answer.read().decode(), answer.headers
        except urllib.error.HTTPError as e:
            return e.code, e.read().decode(), e.headers

    def test_http_serves_metrics_and_health(self):
        self.begin("http: tcp://127.0.0.1:*\n")
        status, text, headers = self.http("/metrics")
        self.assertEqual((status, headers["Content-Type"]), (200, "text/plain; version=0.0.4; charset=utf-8"))
        self.promtool_and_more(text)
        self.assertEqual(self.samples(text)["sunline_units_total"], "10")
        self.assertEqual(self.http("/healthz")[:2], (200, "ok\n"))
        self.assertEqual(self.http("/")[0], 404)
        self.assertEqual(self.http("/metrics", "DELETE")[0], 405)
        self.assertEqual(self.http("/metrics", "HEAD")[:2], (200, ""))

    def test_http_is_bounded(self):
        self.begin("http: tcp://127.0.0.1:*\n")
        self.assertEqual(self.http("/healthz")[0], 200)
        with open(os.path.join(self.broker.data, "endpoints")) as f:
            port = int(re.search(r"^http=\S+:(\d+)$", f.read(), re.M)[1])
        idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(40)]
        try:  # those who only sit there are not waited for: the work goes on, and in the end they are cut
            self.assertGreater(self.client.request("stats_get")["figures"]["units_total"], 0)
            idle[0].settimeout(20)
            self.assertEqual(idle[0].recv(1), b"")
        finally:
            for s in idle:
                s.close()
        self.world.wait(self.answers, 15, "places to be free again")

    def answers(self):
        try:
            return self.http("/healthz")[0] == 200
        except OSError:
            return False

    def test_without_the_key_there_is_no_http(self):
        self.begin()
        with open(os.path.join(self.broker.data, "endpoints")) as f:
            self.assertNotIn("http", f.read())

    def test_only_the_loopback_is_taken(self):
        for bad in ("tcp://0.0.0.0:0", "ipc:///tmp/x", "tcp://192.0.2.1:80"):
            done = subprocess.run([harness.program("sunlined"), "--check", "--data", self.world.path("d"), "--set", "http=" + bad],
                                  capture_output=True, text=True)
            self.assertEqual(done.returncode, 1, bad)
            self.assertIn("http", done.stderr)


if __name__ == "__main__":
    import unittest
    unittest.main()
