"""What makes a run a failed one, whatever was recorded before: who should have been measured and was not, a floor that is not reached, or a goal that has none, a payload that is copied twice."""
import goals
import servers
from figures import median

TOLD = ("life", "latency", "syncs", "alone", "profile", "depth", "allocations")   # parts whose `missing` is a failure: all that tell of any
PRIVILEGED = ("alone", "profile")                    # of these, the ones that take root and perf: no failure where ours is measured by itself
COPIES = 1.005                                       # of a payload's bytes, on each way
WAYS = {"in": "on its way in", "out": "on its way out"}


def copies(row, way):
    """How often a payload was copied, in each round."""
    return [copied / put for copied, put in zip(row[f"payload_{way}_copied_bytes"]["each"], row[f"payload_{way}_bytes"]["each"])]


def peers_missing(result):
    """By name, of the parts that measure them."""
    for part, kinds in (("life", [*servers.DURABLE, *servers.RELAXED]), ("latency", [servers.Beanstalkd])):
        rows = result.get(part, {}).get("rows", [])
        windows = {r.get("window") for r in rows}
        for kind in kinds if rows else []:
            gone = windows - {r.get("window") for r in rows if (r["queue"], r["mode"]) == (kind.name, kind.mode)}
            if gone:
                yield f"{part}: {kind.name} ({kind.mode}) is missing" + (f" at window {', '.join(map(str, sorted(gone)))}" if None not in gone else "")


def below_floors(result):
    for r in result.get("life", {}).get("ratios", []):
        goal, floor = goals.LIFE.get((r["window"], r["durable"]), (None, None))
        if goal and goals.verdict(median(r, "ratio"), goal, floor) == goals.BELOW:
            yield f"life, window {r['window']}: {median(r, 'ratio'):.2f} times {r['peer']}'s rate, {goals.BELOW.lower()} of {floor}"
    for k, v in result.get("latency", {}).get("ratios", {}).items():
        if goals.verdict(v["median"], *goals.LATENCY, more=False) == goals.BELOW:
            yield f"latency, {k}: {v['median']:.2f} times beanstalkd's, {goals.BELOW.lower()} of {goals.LATENCY[1]}"


def must_hold(result):
    """Goals without a floor, which must be reached."""
    for r in result.get("depth", {}).get("rows", []):
        if r["queue"] == "sunline" and goals.deep(r):
            yield f"depth, {r['depth']:,} queued: {', '.join(goals.deep(r))}"
    for r in result.get("lines", {}).get("rows", []):
        if r["stations"] > 1 and median(r, "cost") > r["stations"]:
            yield f"line {r['line']}: a unit costs {median(r, 'cost'):.2f} times one station's, more than {r['stations']}"
    for way in ("import", "export") if "csv" in result else ():
        if median(result["csv"], way + "_ratio") < goals.CSV:
            yield f"{way}: {median(result['csv'], way + '_ratio'):.2f} of the library's pipelined put, less than {goals.CSV}"


def broken(workers):
    """Of what `make bench-workers` left: limits that do not hold."""
    return [f"workers: {r['what']}: {r['figure']}, limit {r['limit']}" for r in workers["workers"]["rows"] if not r["holds"]]


def copied_twice(result):
    for r in result.get("life", {}).get("rows", []):
        for way in WAYS if "payload_in_copied_bytes" in r else ():
            most = max(copies(r, way))
            if most > COPIES:
                yield f"life, {r['mode']}, window {r['window']}: a payload is copied {most:.2f} times {WAYS[way]}"


def not_measured(result, parts):
    return [f"not measured: {name}: {why}" for part in parts for name, why in result.get(part, {}).get("missing", {}).items()]


def left_out(result, peers=True):
    """A sentence each: what was not measured, and is no failure."""
    return [] if peers else not_measured(result, PRIVILEGED)


def failures(result, peers=True):
    """A sentence each. peers: whether they should have been measured. A quick run's figures mean nothing, but all must have run."""
    out = not_measured(result, [part for part in TOLD if peers or part not in PRIVILEGED])
    out += peers_missing(result) if peers else []
    if not result["setting"]["quick"]:
        out += [*below_floors(result), *must_hold(result), *copied_twice(result)]
    return out
