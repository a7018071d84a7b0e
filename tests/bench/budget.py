"""Where a life goes: the time between two lives, taken apart as the broker counted it in the life rounds, beside what the disk, LMDB and ZeroMQ alone take
for as much. Engine, commit and settling follow one another, but for the engine's work in the next batch while one is written ("beside"), so in what is left of a life there is nothing to do for any of them."""
import figures

DISK = {kib: f"{name} where it was written before, synced" for kib, name in ((4, "4 KiB"), (256, "256 KiB"), (4096, "4 MiB"))}
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
        if r["limit"] == limit and r["case"] == case:
            return figures.median(r, key)
    return None


def between(small, large, share):
    return None if small is None or large is None else small + (large - small) * max(share, 0)


def disk_us(result, kib):
    """So much written side by side and synced once: between the two cases that are measured, or as the larger two go on."""
    small, large = (4, 256) if kib <= 256 else (256, 4096)
    return between(alone(result, "disk", DISK[small], "p50_us"), alone(result, "disk", DISK[large], "p50_us"), (kib - small) / (large - small))


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
    out["beside"] = of("commit_beside_us")
    out["under_way"] = life - out["engine"] - out["commit"] - out["settle"] + out["beside"]
    log_kib = of("store_wal_bytes") * of("lives_a_commit") / 1024
    disk = disk_us(result, log_kib)
    out["commit_disk"] = disk and disk / of("lives_a_commit")
    if batch:
        pages = disk_us(result, batch["pages_kib_a_settling"])
        out["settle_disk"] = pages and pages / batch["commits_a_settling"] / of("lives_a_commit")
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
    beside = f", {n(row['beside'])} of that while the engine was at the next batch" if row["beside"] else ""
    return (f"{n(row['life'])} us a life, of which the engine takes {n(row['engine'])}, the commit {n(row['commit'])}{beside}{settling}; in the {n(row['under_way'])} us that are left, {row['under_way'] / row['life']:.0%}, "
            "there is nothing to do for any of them: messages are under way between threads and processes")
