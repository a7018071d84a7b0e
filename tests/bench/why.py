"""What falls short of its goal, with the arithmetic of where the time goes. Each goal from the part of the run that measures it."""
import budget
import goals
import limits
import report_alone
import report_profile
from figures import median, number, table, told_apart

NAMES = {"redis": "Redis", "postgresql": "PostgreSQL", "rabbitmq": "RabbitMQ", "nats": "NATS"}

AS_MUCH = 0.05           # two rates that differ by less are told as one
GATHER_LIGHT = 8         # of broker/committer.c


def name(queue):
    return NAMES.get(queue, queue)


def from_thread_to_thread(result):
    return report_alone.sentence(result["alone"]) if result.get("alone", {}).get("rows") else ""


def of_the_committer(result):
    """What a life at window 1 is spent at, measured."""
    s = report_alone.spent(report_alone.of(result.get("alone"), "sunline", "threads"))
    if not s:
        return " What its committer spends a life at, and how long it waits for a processor, was not measured."
    parts = [("runs in the engine", s["engine"]["runs"]), ("in the commit", s["commit"]["runs"]), ("in settling", s["settle"]["runs"]), ("at the sockets", s["sockets"]["runs"]),
             ("waits for the disk", report_alone.in_state(s, "disk")), ("for a processor", report_alone.in_state(s, "processor")), ("for something to do", report_alone.in_state(s, "idle"))]
    told = ", ".join(f"{what} {number(us)}" for what, us in parts)
    run = report_alone.of(result["alone"], "sunline", "threads")
    less = 1 - run["per_s"] / run["without_perf"]
    held = f", under perf and beside the loops, at {number(run['per_s'])} lives a second, {less:.0%} fewer than without" if less > 0 else ", under perf and beside the loops"
    return (f" Its committer, by the scheduler's events, in one run whose life takes {number(s['life'])} us{held}: {told}; {number(s['life'] - sum(us for _, us in parts))} us of it are told by none of these.")


def synced(r):
    return median(r, "syncs") * median(r, "sync_us")


def of_ratios(result, ratio):
    """Window 1 is measured by several parts: which of their ratios counts, and what the others are."""
    others = [("where syncs are counted", [median(r, "per_s") if (r := limits.of_syncs(result, queue, "window 1")) else None for queue in ("sunline", "beanstalkd")]),
              ("where hand-overs are followed, without perf", [t and t["without_perf"] for t in (report_alone.of(result.get("alone"), queue, "threads") for queue in ("sunline", "beanstalkd"))])]
    told = [f"{number(ours / theirs)} {where}" for where, (ours, theirs) in others if ours and theirs]
    text = f" This ratio, {number(ratio)}, is the one that counts."
    if told:
        text += f" The parts below are of runs of their own, at another time: there it is {' and '.join(told)}, and what they say is where the time goes, not how far the goal is."
    return text


def of_both(ours, peer):
    """How much of it is that the peer's consumer has the rest for himself at the end."""
    if not all("both_per_s" in r for r in (ours, peer)):
        return ""
    return (f" While producer and consumer were both at work it is {number(median(ours, 'both_per_s') / median(peer, 'both_per_s'))}: {name(peer['queue'])}'s consumer is alone for {median(peer, 'alone_share'):.0%} of "
            f"the time, ours for {median(ours, 'alone_share'):.0%}.")


def of_syncs(result, row):
    """Window 1: what is the disk's, and what is not."""
    ours, theirs = (limits.of_syncs(result, queue, "window 1") for queue in ("sunline", "beanstalkd"))
    text = ""
    if ours and theirs:
        def beside(r):
            return 1e6 / median(r, "per_s") - synced(r) - median(r, "write_us")
        longer, at_disk = 1e6 / median(ours, "per_s") - 1e6 / median(theirs, "per_s"), synced(ours) + median(ours, "write_us") - synced(theirs) - median(theirs, "write_us")
        if longer > 0:
            text += of_the_gap(result, longer)
            text += (f" Counted and timed alike, with the same disk in turn, a life of ours is {number(longer)} us longer: {number(at_disk)} us of that are syncs and writes, {number(longer - at_disk)} us what is done "
                     f"beside them, {number(beside(ours))} in ours and {number(beside(theirs))} in beanstalkd.")
            text += " It is not the disk that stands in the way, but what comes in series with it." if longer - at_disk > at_disk else ""
    elif row.get("commit_disk"):
        text += f" The disk alone takes {number(row['commit_disk'])} us of a life for what its commit writes, in one write and one sync."
    return text


def of_the_gap(result, longer):
    """How much longer our life is in the rounds of the ratio, of which the runs that are counted alike see a part."""
    ours, peer = (next((r for r in result["life"]["rows"] if (r["window"], r["queue"], r["durable"]) == (1, queue, True) and r["mode"] != "free keys"), None) for queue in ("sunline", "beanstalkd"))
    if not ours or not peer:
        return ""
    gap = 1e6 / median(ours, "per_s") - 1e6 / median(peer, "per_s")
    text = f" In the rounds of the ratio a life of ours is {number(gap)} us longer than beanstalkd's: so much would have to go."
    if gap <= longer:
        return text
    text += f" The runs that count see {number(longer)} of them"
    return text + (f"; there beanstalkd's life takes as long as in those rounds while both are at work, {number(1e6 / median(peer, 'both_per_s'))} us, and the rest is what its consumer, who has {median(peer, 'alone_share'):.0%} of the time "
                   "for himself, makes of the ratio." if counted_as_both(result, peer) else "; why beanstalkd does less there was not measured.")


def counted_as_both(result, peer):
    """Whether the peer does, where it is counted, what it does in the rounds of the ratio while producer and consumer are both at work."""
    counted = limits.of_syncs(result, "beanstalkd", "window 1")
    return "both_per_s" in peer and abs(median(counted, "per_s") / median(peer, "both_per_s") - 1) < AS_MUCH


def of_commits(result, row):
    """How many a life takes, in each run that counted them."""
    ours, theirs = (limits.of_syncs(result, queue, "window 1") for queue in ("sunline", "beanstalkd"))
    if not ours or not theirs:
        return ""
    told = (f" A life of ours took {number(row['commits'])} commits in the rounds of the ratio, by the broker's own count, {number(row['commit'])} us together, and {number(ours['syncs'])} syncs where those are counted, "
            f"{number(synced(ours) + median(ours, 'write_us'))} us with the writes before them and with those of settlings; beanstalkd's takes {number(theirs['syncs'])} syncs, {number(synced(theirs) + median(theirs, 'write_us'))} us.")
    return told + of_other_commits(result, row) + of_gather(row)


def of_other_commits(result, row):
    """The run in which hand-overs were followed counts its commits by the same clock: what it says of a life with more or fewer of them."""
    run = report_alone.of(result.get("alone"), "sunline", "threads") or {}
    if "lives_a_commit" not in run or abs(1 / run["lives_a_commit"] - row["commits"]) < 0.1:
        return ""
    commits, us = 1 / run["lives_a_commit"], run["commit_us"]
    return (f" Where hand-overs were followed it took {number(commits)} by the same count, {number(us)} us together: {number(abs(row['commit'] - us))} us {'less' if us < row['commit'] else 'more'} of a life. "
            f"That run had perf and the loops beside it; what {'fewer' if commits < row['commits'] else 'more'} commits alone change was not measured.")


def of_gather(row):
    """Whether commits are held up for who was just answered (broker/committer.c)."""
    share = row["engine"] / row["commit"]
    return f" A commit is held up for who was just answered only where the engine takes at most an eighth of it: here it takes {share:.0%}, so that seldom happens." if share > 1 / GATHER_LIGHT else ""


def sums(result):
    """Window 1, of those who were counted alike: the parts of a life, and what is left, in us; each column adds up. Nothing: they were not measured."""
    rows = [r for r in (limits.of_syncs(result, queue, "window 1") for queue in ("sunline", "beanstalkd", "null broker")) if r]
    if not rows or rows[0]["queue"] != "sunline":
        return ""
    lives = [1e6 / median(r, "per_s") for r in rows]
    parts = [("syncs", [synced(r) for r in rows]), ("writes before them", [median(r, "write_us") for r in rows])]
    rest = [life - sum(column) for life, *column in zip(lives, *(us for _, us in parts))]
    cells = [[what, *us] for what, us in [*parts, ("left: work, hand-overs, waits for a processor and for something to do", rest), ("together: a life", lives)]]
    return "\n\n" + table(["us of a life at window 1, counted alike", *(name(r["queue"]) for r in rows)], cells)


def of_null(result, window):
    """What can be reached at all, by the broker that only appends, syncs and answers; beside who was measured in turn with it."""
    null = limits.of_syncs(result, "null broker", f"window {window}")
    others = [r for r in (limits.of_syncs(result, queue, f"window {window}") for queue in ("sunline", "beanstalkd")) if r]
    if not null or not others:
        return ""
    each = median(null, "per_s")
    beside = " and ".join(f"{number(each / median(r, 'per_s'))} times {'ours' if r['queue'] == 'sunline' else name(r['queue'])}" for r in others)
    row = budget.ours(result, "life", window) or {}
    log = f" (our log {number(row['store_wal_bytes'])})" if "store_wal_bytes" in row else ""
    text = (f" A broker on ZeroMQ that does nothing but append {number(null['written'])} bytes a life{log}, sync and answer did {number(each)} lives a second in turn with these, {beside}, with {number(null['syncs'])} syncs a life of "
            f"{number(null['sync_us'])} us")
    if any(r["queue"] == "sunline" and median(r, "per_s") > each for r in others):
        return text + ": ours is ahead of it, since more rides in each of its commits, and what it does it does beside them."
    peer = next((r for r in others if r["queue"] != "sunline"), None)
    if peer and each < median(peer, "per_s"):
        text += ": so the goal is out of reach of whatever stands on ZeroMQ and syncs as often"
    return text + "." + (by_the_rate_that_counts(result, window, peer["queue"], each) if peer else "")


def by_the_rate_that_counts(result, window, queue, each):
    """The same peer did another rate in the rounds of the ratio."""
    counts = next((r for r in result["life"]["rows"] if r["window"] == window and r["queue"] == queue and r["durable"]), None)
    return f" By the {number(counts['per_s'])} of {name(queue)} in the rounds of the ratio it is {number(each / median(counts, 'per_s'))} times." if counts else ""


def life(result):
    rows = {r["window"]: r for r in budget.budget(result)["rows"]}
    for r in result["life"]["ratios"]:
        goal, floor = goals.LIFE.get((r["window"], r["durable"]), (0, None))
        if median(r, "ratio") >= goal:
            continue
        peer = next(x for x in result["life"]["rows"] if x["window"] == r["window"] and x["queue"] == r["peer"] and x["mode"] == r["mode"])
        peer_per_s = median(peer, "per_s")
        which = name(r["peer"]) if r["durable"] else f"{name(r['peer'])} ({r['mode']}, not durable)"
        text = (f"**Window {r['window']:,}: {told_apart(median(r, 'ratio'), goal)} of the rate of {which}; the goal is {number(goal)}{f', the floor {number(floor)}' if floor else ''}.** "
                f"{inside_the_rounds(r['ratio'], goal)}Ours: {budget.sentence(rows[r['window']])}. {name(r['peer'])}'s whole life takes {number(1e6 / peer_per_s)} us.")
        if r["window"] == 1:
            told = [of_ratios(result, median(r, "ratio")) + of_both(budget.ours(result, "life", 1), peer), of_syncs(result, rows[1]), of_commits(result, rows[1]), of_null(result, 1), of_the_committer(result),
                    of_both_profiles(result) + of_the_profile(result, 1)]
            text += "".join("\n- " + t.strip() for t in told if t) + sums(result)
        else:
            goal_us = rows[r["window"]]["life"] * median(r, "ratio") / goal  # by the ratio that counts, of each round, not by that of the medians
            text += in_series(rows[r["window"]], goal_us) + of_the_disk(result, rows[r["window"]], goal_us) + of_null(result, r["window"]) + of_the_profile(result, r["window"]) + serial(rows[r["window"]], goal_us)
        yield text


def inside_the_rounds(ratio, goal):
    """A shortfall that is smaller than what the rounds differ by: which of them reach it."""
    each = sorted(ratio["each"])
    reach = sum(r >= goal for r in each)
    return f"Its rounds: {', '.join(told_apart(r, goal) for r in each)}; {reach} of {len(each)} reach{'es' if reach == 1 else ''} the goal. " if reach else ""


def of_the_disk(result, row, goal_us):
    """What a commit takes beyond what the disk alone takes for as much, beside what would have to go."""
    if not row.get("commit_disk") or row["commit"] <= row["commit_disk"]:
        return ""
    more, go = row["commit"] - row["commit_disk"], row["life"] - goal_us
    text = f" The commit takes {number(row['commit'])} us, and the disk alone {number(row['commit_disk'])} for as many bytes and a sync: {number(more)} us are neither"
    text += f", {'more' if more > go else 'less'} than the {told_apart(go, 0)} that would have to go; but of the commit only {number(row['commit'] - row['beside'])} us are not beside the engine." if go > 0 else "."
    ours, null = (limits.of_syncs(result, queue, f"window {row['window']}") for queue in ("sunline", "null broker"))
    if ours and null:
        text += (f" A sync takes ours {number(ours['sync_us'])} us in the mean, those of its settlings too, and the null broker {number(null['sync_us'])}; writes take {number(ours['write_us'])} and {number(null['write_us'])} us of a life. "
                 "Ours writes more at once, and a settling's pages lie apart; how much each of these makes of it was not measured.")
    return text


def in_series(row, goal_us):
    """Windows at which one thread is always at work: what would have to go."""
    return (f" To reach the goal a life would have to take {number(goal_us)} us, so {told_apart(row['life'] - goal_us, 0)} us would have to go of what follows one another in one thread, the rows below, and each of "
            "them by how much the last column tells if it alone were to go.")


def serial(row, goal_us):
    """Its rows: they add up to a life."""
    go = row["life"] - goal_us
    parts = [("the engine", row["engine"]), ("the commit, without what the engine does meanwhile", row["commit"] - row["beside"]), ("settling", row["settle"]), ("left: nothing to do for any of them", row["left"])]
    rows = [[what, us, f"{go / us:.0%}" if us >= go else "all of it is not enough"] for what, us in parts]
    return "\n\n" + table([f"us of a life at window {row['window']:,}, ours", "", "of it would have to go"], [*rows, ["together: a life", row["life"], f"{go / row['life']:.0%}"]])


def of_the_profile(result, window):
    row = report_profile.of(result.get("profile"), "sunline", window)
    if not row:
        return " The broker by function was not measured at this window."
    committer, by = [r for r in row["functions"] if r["thread"] == "broker's committer"], dict(report_profile.by(row, "thread"))
    its = by.pop("broker's committer", 0)
    most = "; ".join(f"{report_profile.told(r)} {number(r['us'])}" for r in committer[:6])
    counts = budget.ours(result, "life", window)
    beside = f" (in the rounds of the ratio the broker took {number(counts['server_cpu_us'])})" if counts else ""
    return (f" By function, in one run under perf in which the broker takes {number(row['server_cpu_us'])} us of processor time a life{beside}, the committer's thread takes {number(its)} of them, the broker's others {number(sum(by.values()))}; "
            f"what takes most of the committer's: {most}. The table of the profile has what takes more, the cost model the steps, and what takes results in by function.")


def of_both_profiles(result):
    """Window 1: what the processor time goes to, in ours and in the peer that is counted alike."""
    both = [report_profile.of(result.get("profile"), queue, 1) for queue in ("sunline", "beanstalkd")]
    if not all(both):
        return ""
    ours, theirs = map(report_profile.by_what, both)
    more = sorted(((w, ours[w] - theirs[w]) for w in ours), key=lambda x: -x[1])[:6]
    return (f" Of processor time, a life of ours takes the broker {number(both[0]['server_cpu_us'])} us and beanstalkd {number(both[1]['server_cpu_us'])}; most of what it takes more is "
            + "; ".join(f"{w} {number(us)}" for w, us in more if us > 0) + ".")


def latency(result):
    over = [median({"ratio": v}, "ratio") for v in result["latency"]["ratios"].values() if median({"ratio": v}, "ratio") > goals.LATENCY[0]]
    if not over:
        return
    ours, theirs = result["latency"]["rows"]
    text = (f"**Latency: up to {number(max(over))} times beanstalkd's; the goal is {goals.LATENCY[0]}, the floor {goals.LATENCY[1]}.** At the median the acknowledgement comes after "
            f"{number(median(ours, 'ack_p50_ms') * 1e3)} us, beanstalkd's after {number(median(theirs, 'ack_p50_ms') * 1e3)}.") + from_thread_to_thread(result)
    acknowledged = result["latency"]["ratios"].get("ack_p50_ms")
    if acknowledged and acknowledged["median"] > goals.LATENCY[0]:
        took = median(ours, "ack_p50_ms") * 1e3
        text += f" To reach the goal {number(took * (1 - goals.LATENCY[0] / acknowledged['median']))} of the {number(took)} us would have to go."
    counted, null, peer = ((r and median(r, "ack_p50_ms") * 1e3) for r in (limits.of_syncs(result, queue, "200 a second") for queue in ("sunline", "null broker", "beanstalkd")))
    if counted and null:
        by_peer = f", {number(null / peer)} times beanstalkd's {number(peer)}" if peer else ""
        text += (f" The broker on ZeroMQ that only appends, syncs and answers acknowledges after {number(null)} us at the median{by_peer}, where syncs were counted; ours took {number(counted)} there: "
                 f"{number(counted - null)} us are ours beyond it.")
        if peer and null / peer < goals.LATENCY[0] <= counted / peer:
            text += f" So the goal is within reach of what stands on ZeroMQ, and {number(counted - goals.LATENCY[0] * peer)} of those would have to go there: the work of a batch of one, and what its way through two threads of ours takes."
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
