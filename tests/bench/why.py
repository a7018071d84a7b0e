"""What falls short of its goal, with the arithmetic of where the time goes. Each goal from the part of the run that measures it."""
import budget
import goals
import handovers
import limits
import profiles
from figures import median, number

NAMES = {"redis": "Redis", "postgresql": "PostgreSQL", "rabbitmq": "RabbitMQ", "nats": "NATS"}


def name(queue):
    return NAMES.get(queue, queue)


def from_thread_to_thread(result):
    return handovers.sentence(result["alone"]) if result.get("alone", {}).get("rows") else ""


def of_the_committer(result):
    """What the rest of a life at window 1 is, measured."""
    s = handovers.spent(handovers.of(result.get("alone"), "sunline", "threads"))
    if not s:
        return ""
    return (f" Measured by the scheduler's events, in a run whose life takes {number(s['life'])} us: for {number(s['idle'])} us of it the committer sleeps because nothing has come, {number(s['sockets'])} us it receives, "
            f"decodes, answers and wakes others, {number(s['disk'])} us it waits for the disk, and {number(s['engine'] + s['commit'] + s['settle'])} us are engine, commit and settling without the disk.")


def of_syncs(result, row, peer_per_s):
    """Window 1: what is the disk's, and what is not."""
    ours, theirs = (limits.of_syncs(result, queue, "window 1") for queue in ("sunline", "beanstalkd"))
    text = ""
    if ours and theirs:
        def told(r):
            return (f"{number(r['syncs'])} times a life, {number(r['sync_us'])} us each ({number(r['disk_us'])} for 4 KiB just before), so {median(r, 'disk_share'):.0%} of its time is the disk's, "
                    f"and its syncs alone would allow {number(1e6 / synced(r))} lives a second where it did {number(r['per_s'])}")

        def synced(r):
            return median(r, "syncs") * median(r, "sync_us")

        def beside(r):
            return 1e6 / median(r, "per_s") - synced(r)
        longer, of_syncs_ = 1e6 / median(ours, "per_s") - 1e6 / median(theirs, "per_s"), synced(ours) - synced(theirs)
        text += f" Counted and timed alike in both, with the same disk in turn: ours syncs {told(ours)}; beanstalkd syncs {told(theirs)}."
        if longer > 0:
            text += (f" A life of ours is {number(longer)} us longer: {number(of_syncs_)} us of that are syncs, {number(longer - of_syncs_)} us what is done beside them, {number(beside(ours))} in ours and "
                     f"{number(beside(theirs))} in beanstalkd.")
            text += " It is not the disk that stands in the way, but what comes in series with it." if longer - of_syncs_ > of_syncs_ else ""
    elif row.get("commit_disk"):
        text += f" The disk alone takes {number(row['commit_disk'])} us of a life for what its commit writes, in one write and one sync."
    text += of_null(result, 1)
    if row.get("one_commit"):
        text += (f" As a model: one commit a life instead of {number(row['commits'])}, and all else as it is, would take {number(row['one_commit'])} us, {number(1e6 / row['one_commit'])} lives a second, "
                 f"{number(1e6 / row['one_commit'] / peer_per_s)} of the peer's.")
    return text


def of_null(result, window):
    """What can be reached at all, by the broker that only appends, syncs and answers; beside who was measured in turn with it."""
    null = limits.of_syncs(result, "null broker", f"window {window}")
    others = [r for r in (limits.of_syncs(result, queue, f"window {window}") for queue in ("sunline", "beanstalkd")) if r]
    if not null or not others:
        return ""
    each = median(null, "per_s")
    beside = " and ".join(f"{number(each / median(r, 'per_s'))} times {'ours' if r['queue'] == 'sunline' else name(r['queue'])}" for r in others)
    text = (f" A broker on ZeroMQ that does nothing but append as many bytes as our log takes, sync and answer did {number(each)} lives a second in turn with these, {beside}, with {number(null['syncs'])} syncs a life of {number(null['sync_us'])} us")
    if any(r["queue"] == "sunline" and median(r, "per_s") > each for r in others):
        return text + ": ours is ahead of it, since more rides in each of its commits, and what it does it does beside them."
    peer = next((r for r in others if r["queue"] != "sunline"), None)
    if peer and each < median(peer, "per_s"):
        text += ": so the goal is out of reach of whatever stands on ZeroMQ and syncs as often"
    return text + "."


def life(result):
    rows = {r["window"]: r for r in budget.budget(result)["rows"]}
    for r in result["life"]["ratios"]:
        goal, floor = goals.LIFE.get((r["window"], r["durable"]), (0, None))
        if median(r, "ratio") >= goal:
            continue
        peer = next(x for x in result["life"]["rows"] if x["window"] == r["window"] and x["queue"] == r["peer"] and x["mode"] == r["mode"])
        peer_per_s = median(peer, "per_s")
        which = name(r["peer"]) if r["durable"] else f"{name(r['peer'])} ({r['mode']}, not durable)"
        text = (f"**Window {r['window']:,}: {number(r['ratio'])} of the rate of {which}; the goal is {number(goal)}{f', the floor {number(floor)}' if floor else ''}.** "
                f"Ours: {budget.sentence(rows[r['window']])}. {name(r['peer'])}'s whole life takes {number(1e6 / peer_per_s)} us.")
        if r["window"] == 1:
            text += of_the_committer(result) + of_syncs(result, rows[1], peer_per_s)
        else:
            text += in_series(rows[r["window"]], 1e6 / peer_per_s / goal) + of_null(result, r["window"]) + of_the_profile(result, r["window"])
        yield text


def in_series(row, goal_us):
    """Windows at which one thread is always at work: what follows one another in it, and what of that would have to go."""
    commit = row["commit"] - row["beside"]
    return (f" To reach the goal a life would have to take {number(goal_us)} us. In series, in one thread, are the engine, {number(row['engine'])} us, what of the commit it waits for, {number(commit)}, and the settling, "
            f"{number(row['settle'])}: of them and what is left {number(row['life'] - goal_us)} us would have to go.")


def of_the_profile(result, window):
    part = result.get("profile", {})
    if window != profiles.WINDOW or not part.get("rows"):
        return " What the engine and the commit do in theirs, step by step, stands in the cost model."
    committer, by = [r for r in part["rows"] if r["thread"] == "broker's committer"], dict(profiles.by(part, "thread"))
    its = by.pop("broker's committer", 0)
    most = "; ".join(f"{r['function'] if r['function'] not in ('', '[unknown]') else r['whose']} {number(r['us'])}" for r in committer[:6])
    return (f" By function, the committer's thread takes {number(its)} us of a life, the broker's others {number(sum(by.values()))}; "
            f"most of the committer's goes to {most}. The table of the profile has what takes more, the cost model the steps, and what takes results in by function.")


def latency(result):
    over = [median({"ratio": v}, "ratio") for v in result["latency"]["ratios"].values() if median({"ratio": v}, "ratio") > goals.LATENCY[0]]
    if not over:
        return
    ours, theirs = result["latency"]["rows"]
    text = (f"**Latency: up to {number(max(over))} times beanstalkd's; the goal is {goals.LATENCY[0]}, the floor {goals.LATENCY[1]}.** At the median the acknowledgement comes after "
            f"{number(median(ours, 'ack_p50_ms') * 1e3)} us, beanstalkd's after {number(median(theirs, 'ack_p50_ms') * 1e3)}.") + from_thread_to_thread(result)
    counted, null = (limits.of_syncs(result, queue, "200 a second") for queue in ("sunline", "null broker"))
    echo = budget.alone(result, "zeromq", budget.ECHO_AT_RATE, "mean_us")
    if counted and echo:
        without, took = median(counted, "sync_us") + echo, median(counted, "ack_p50_ms") * 1e3
        text += (f" At this rate, where all sleep between two tasks, its sync takes {number(median(counted, 'sync_us'))} us, and ZeroMQ alone {number(echo)} us there and back: {number(without)} of the "
                 f"{number(took)} us that an acknowledgement took where syncs were counted, and {number(max(took - without, 0))} are left for the engine, the log and their threads.")
    if null:
        text += f" The broker that only appends, syncs and answers acknowledges after {number(median(null, 'ack_p50_ms') * 1e3)} us at the median."
    yield text


def depth(result):
    for r in result["depth"]["rows"]:
        if r["queue"] == "sunline" and goals.deep(r):
            yield f"**Depth {r['depth']:,}: {', '.join(goals.deep(r))}.** Its row above tells by how much."


def lines(result):
    for r in result["lines"]["rows"]:
        cost = median(r, "cost")
        if cost > r["stations"]:
            yield (f"**Line, {r['line']}: a unit costs {number(cost)} times one station's; the goal is {r['stations']}.** So a task of it costs {number(cost / r['stations'])} times one "
                   "station's" + (": the last station is shown eight results beside the input." if r["line"] == "wide" else "."))


def csv(result):
    c = result["csv"]
    for k in ("import", "export"):
        if median(c, k + "_ratio") < goals.CSV:
            yield (f"**{k.capitalize()}: {number(c[k + '_ratio'])} of the library's pipelined put; the goal is {goals.CSV}.** A row takes {number(1e6 / median(c, k))} us, "
                   f"the library's {number(1e6 / median(c, 'library'))}.")


def missed(result):
    found = [text for part in (life, latency, depth, lines, csv) if part.__name__ in result for text in part(result)]
    return "\n\n".join(found) or "Nothing: every goal is met in this run."
