"""What our broker counts of itself (`sunline stats`) while a client runs, divided by the lives that it ran."""
import json
import os
import pathlib
import subprocess

import servers

# Totals that are told of one life.
TOTALS = ("store_gets", "store_seeks", "store_steps", "store_puts", "store_appends", "store_dels", "store_put_bytes", "store_wal_bytes", "store_settle_us",
          "commit_us", "commit_beside_us", "batch_us", "payload_in_bytes", "payload_in_copied_bytes", "payload_out_bytes", "payload_out_copied_bytes",
          "messages_in", "messages_out", "bytes_in", "bytes_out")
# And what follows from them: of a commit, and of a settling. engine_us: of one life, what comes before its commit.
COUNTS = (*TOTALS, "engine_us", "lives_a_commit", "commit_ms", "engine_ms", "commits_a_settling", "settle_ms", "stored_bytes")


def environment(s):
    """For the command line: where this broker is."""
    return {**os.environ, "SUNLINE_BROKER": dict(x.split("=", 1) for x in pathlib.Path(s.where()).read_text().split())["clients"]}


def stats(o, s):
    return json.loads(subprocess.run([str(o.build / "sunline"), "--json", "stats"], env=environment(s), capture_output=True, check=True).stdout)


def per_life(before, after, lives):
    grown = {k.removesuffix("_total"): after[k] - before[k] for k in after if k.endswith("_total")}
    commits, settles = grown["store_commits"], grown["store_settles"]
    out = {k: grown[k] / lives for k in TOTALS}
    out["store_puts"] -= out["store_appends"]      # the broker counts these as puts, too
    out["engine_us"] = out["batch_us"] - out["commit_us"]
    out["lives_a_commit"] = lives / commits
    out["commit_ms"], out["engine_ms"] = (out[k] * lives / commits / 1e3 for k in ("commit_us", "engine_us"))
    out["commits_a_settling"], out["settle_ms"] = (commits / settles, grown["store_settle_us"] / settles / 1e3) if settles else (None, None)
    return out


def counted(o, s, run):
    """run()'s figures; with COUNTS beside them, if s is one of ours."""
    if not isinstance(s, servers.Sunline):
        return run()
    before, stored = stats(o, s), s.store_bytes()
    row = run()
    row.update(per_life(before, stats(o, s), row["tasks"]), stored_bytes=(s.store_bytes() - stored) / row["tasks"])
    return row
