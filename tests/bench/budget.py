"""Where a life goes: the time between two lives, taken apart as the broker counted it in the life rounds, beside what the disk, LMDB and ZeroMQ alone take
for as much. What is left of a life if engine, commit and settling are taken from it is a difference, and no measurement: the committer's own time at window 1 is measured by handovers.py."""
import figures

# As our log is written, and while others are at work, as they are under load.
DISK = {2: "2 KiB in turn over 8 MiB, synced, no processor idle", 256: "256 KiB in turn over 8 MiB, synced, no processor idle", 4096: "4 MiB in turn over 64 MiB, synced, no processor idle"}
LEAST_KIB = min(DISK)
ECHO_AT_RATE = "echo, 250 bytes, 200 a second"
LMDB_APPENDS = "1,000 appended puts a commit"
ECHO_ALONE, ECHO_SMALL, ECHO_LARGE = "echo, 250 bytes, one at a time", "echo, 250 bytes, 1,000 under way", "echo, 16,000 bytes, 16 under way"
SMALL_BYTES, LARGE_BYTES = 250, 16000
ENDS = 4     # an echo is sent, received, sent back and received: one of these is the broker's part of a frame


def ours(result, part, window=None):
    """Our row, as shipped."""
    for r in result.get(part, {}).get("rows", []):
        if r["queue"] == "sunline" and r["mode"] == "as shipped" and r.get("window") == window:
            return r
    return None


def of_batch(result, window):
    return next((r for r in result.get("batch", {}).get("rows", []) if r["shape"] == f"window {window:,}"), None)


def alone(result, limit, case, key):
    for r in result.get("limits", {}).get("rows", []):
        if r["limit"] == limit and r["case"] == case and key in r:
            return figures.median(r, key)
    return None


def between(small, large, share):
    return None if small is None or large is None else small + (large - small) * max(share, 0)


def disk_us(result, row, kib):
    """So much written side by side and synced once: between the two cases that are measured, or as the larger two go on, and never less than a smaller one. By the medians: one stall of the
    disk, which makes the mean of a fifth of a second what it will, is no limit. As the disk was before and after this very row, if that was measured."""
    small, large = (LEAST_KIB, 256) if kib <= 256 else (256, 4096)
    least, now = alone(result, "disk", DISK[LEAST_KIB], "p50_us"), row.get("disk_us")
    of_small, of_large = (alone(result, "disk", DISK[k], "p50_us") for k in (small, large))
    us = between(of_small, of_large and max(of_small or 0, of_large), (kib - small) / (large - small))
    return us and us * (figures.median(row, "disk_us") / least if now and least else 1)


def frames_us(result, window, row):
    """CPU of ZeroMQ for the frames of a life, at the broker's end."""
    total = 0
    for way in ("in", "out"):
        frames, size = figures.median(row, "messages_" + way), figures.median(row, "bytes_" + way)
        small = alone(result, "zeromq", ECHO_ALONE if window == 1 else ECHO_SMALL, "cpu_us")
        each = between(small, alone(result, "zeromq", ECHO_LARGE, "cpu_us"), (size / frames - SMALL_BYTES) / (LARGE_BYTES - SMALL_BYTES))
        if each is None:
            return None
        total += frames * each / ENDS
    return total


def of_window(result, window, row):
    """us of one life."""
    def of(key):
        return figures.median(row, key) if key in row else 0
    life, batch = 1e6 / of("per_s"), of_batch(result, window)
    out = {"window": window, "life": life, "engine": of("engine_us"), "commit": of("commit_us"), "settle": of("store_settle_us"),
           "server_cpu": of("server_cpu_us"), "clients_cpu": of("producer_cpu_us") + of("consumer_cpu_us")}
    out["beside"] = of("commit_beside_us")       # the engine at the next batch while one was written
    out["left"] = life - out["engine"] - out["commit"] - out["settle"] + out["beside"]   # so that they add up; below nothing: they overlap by more than was counted
    commits = 1 / of("lives_a_commit")
    disk = disk_us(result, row, of("store_wal_bytes") / commits / 1024)
    out["commits"], out["commit_disk"] = commits, disk and disk * commits
    if batch:
        pages = disk_us(result, row, batch["pages_kib_a_settling"])
        out["settle_disk"] = pages and pages / batch["commits_a_settling"] * commits
    changes, each = of("store_puts") + of("store_appends") + of("store_dels"), alone(result, "lmdb", LMDB_APPENDS, "cpu_us")
    out["engine_lmdb"] = each and changes * each
    out["server_zeromq"] = frames_us(result, window, row)
    return {k: v if v is None or k == "window" else round(v, 4) for k, v in out.items()}


def budget(result):
    windows = sorted({r["window"] for r in result.get("life", {}).get("rows", [])})
    return {"rows": [of_window(result, w, ours(result, "life", w)) for w in windows if ours(result, "life", w)]}


def sentence(row):
    """Of one window."""
    n = figures.number
    settling = f", settling {n(row['settle'])}" if row["settle"] else ""
    left = f"; {n(row['left'])} us, {row['left'] / row['life']:.0%}, are left" if row["left"] > 0 else ", part of them beside each other"
    beside = f", {n(row['beside'])} of that while the engine was at the next batch" if row["beside"] else ""
    return f"{n(row['life'])} us a life, of which the engine takes {n(row['engine'])}, the commit {n(row['commit'])}{beside}{settling}{left}"


def compared(result):
    """What a batch of bench_batch takes of one task, beside what the broker counted of a life in the life rounds: [(what, [(batch's, broker's), ...])], by window; so that the tables are seen to be of the life that is measured."""
    keys = (("B-tree gets", "gets", "store_gets"), ("seeks", "seeks", "store_seeks"), ("puts", "puts", "store_puts"), ("appends", "appends", "store_appends"), ("deletes", "dels", "store_dels"),
            ("bytes put", "put_bytes", "store_put_bytes"), ("commits a life", None, None))
    pairs = [(of_batch(result, w), ours(result, "life", w)) for w in sorted({r["window"] for r in result.get("life", {}).get("rows", [])})]
    pairs = [(b, r) for b, r in pairs if b and r]

    def values(b, r, of_b, of_r):
        if of_b is None:
            return 1 / b["done_a_commit"], 1 / figures.median(r, "lives_a_commit")
        return b[of_b], figures.median(r, of_r)
    return [r["window"] for _, r in pairs], [(name, [values(b, r, of_b, of_r) for b, r in pairs]) for name, of_b, of_r in keys]
