"""What the disk, LMDB and ZeroMQ do with nothing around them; how the disk is just now; and what a broker on ZeroMQ that only appends, syncs and answers reaches (bench_null.c)."""
import json
import os
import struct
import subprocess

import broker
import figures
import servers
from clients import client, rounds, say

PROBE_SECONDS = 0.25
TASK_BYTES = {1: 2048, 256: 240}          # what the null broker writes for a task that is put, and for one that is done: half of what our log takes for a life at this window
CALLS = ("written_bytes", "writes", "write_ns", "syncs", "sync_ns", "allocations")   # calls.h


def bench_limits(o, *args):
    r = subprocess.run([str(o.build / "bench" / "bench_limits"), "--dir", str(o.base), *args], capture_output=True, text=True, timeout=600, check=True)
    return [json.loads(line) for line in r.stdout.splitlines()]


def limits(o):
    """On the same disk in the same run."""
    records = [r for _ in range(o.rounds) for r in bench_limits(o, "--seconds", str(o.seconds / 5))]
    return {"rows": figures.gather(records, ("limit", "case"), ("per_s", "mean_us", "p50_us", "p99_us", "cpu_us"))}


def disk_probe(o):
    """What 2 KiB take, written and synced as our log is, while no processor is idle: the mean of a quarter of a second."""
    return bench_limits(o, "--probe", "1", "--seconds", str(min(PROBE_SECONDS, o.seconds / 8)))[0]["mean_us"]


def probed(o, run):
    """run()'s row, and how the disk was before and after it ("disk_us"): it is not the same from minute to minute."""
    before = disk_probe(o)
    row = run()
    row["disk_us"] = (before + disk_probe(o)) / 2
    return row


class Null(servers.Server):
    name, mode, client = "null broker", "appends, syncs, answers", "bench_null"
    window = 1

    def command(self):
        return [str(self.build / "bench" / "bench_null"), "--serve", self.where(), "--dir", str(self.directory), "--bytes", str(TASK_BYTES[self.window])]

    def where(self):
        return str(self.directory / "endpoint")

    def is_up(self):
        return os.path.exists(self.where())


class NullBatches(Null):
    window = 256


def with_calls(kind):
    """The same server, its writes and syncs counted and timed (preload/calls.c)."""
    class Counted(kind):
        def environment(self):
            env = super().environment() or os.environ
            return {**env, "LD_PRELOAD": str(self.build / "bench" / "calls.so"), "CALLS_FILE": str(self.directory / "calls")}

        def calls(self):
            return dict(zip(CALLS, struct.unpack(f"{len(CALLS)}Q", (self.directory / "calls").read_bytes())))
    return Counted


def syncs(o):
    """Lives a second, syncs a life and how long each takes, alike for ours, beanstalkd and the null broker: at window 1, and alone at 200 a second; ours and the null broker at window 256 too."""
    def one(kind, op, at, **options):
        with with_calls(kind)(o.build, o.base) as s:
            grown = {}

            def counted():
                before = s.calls()
                row = client(o, s, op, seconds=o.seconds, **options)
                grown.update({k: v - before[k] for k, v in s.calls().items()})
                return row
            row = probed(o, lambda: broker.counted(o, s, counted))
        lives = row["tasks"]
        row.update(queue=kind.name, at=at, syncs=grown["syncs"] / lives, sync_us=grown["sync_ns"] / max(grown["syncs"], 1) / 1e3, write_us=grown["write_ns"] / lives / 1e3,
                   written=grown["written_bytes"] / lives, disk_share=(grown["sync_ns"] + grown["write_ns"]) / lives * row["per_s"] / 1e9)
        say(f"{row['queue']:<12}{at:<14}{row['per_s']:>10,.0f}/s, {row['syncs']:.3f} syncs a life of {row['sync_us']:.1f} us; the disk alone {row['disk_us']:.1f} us")
        return row

    def work(kind):
        if kind is NullBatches:
            return [one(kind, "life", "window 256", window=256, frame=64)]
        rows = [one(kind, "life", "window 1", window=1, frame=1), one(kind, "rate", "200 a second", rate=200, window=100)]
        return rows + ([one(kind, "life", "window 256", window=256, frame=64)] if kind is servers.Sunline else [])
    kinds = [servers.Sunline, *([] if o.alone else [servers.Beanstalkd]), Null, NullBatches]
    records, missing = rounds(o, kinds, work)
    return {"rows": figures.gather(records, ("queue", "at"), ("per_s", "syncs", "sync_us", "write_us", "written", "disk_share", "disk_us", "ack_p50_ms", "server_cpu_us", "lives_a_commit")), "missing": missing}


def of_syncs(result, queue, at):
    return next((r for r in result.get("syncs", {}).get("rows", []) if r["queue"] == queue and r["at"] == at), None)
