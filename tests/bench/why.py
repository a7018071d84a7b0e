"""What falls short of its goal, with the arithmetic of where the time goes. Each goal from the part of the run that measures it."""
import budget
import goals
import handovers
from figures import median, number

NAMES = {"redis": "Redis", "postgresql": "PostgreSQL", "rabbitmq": "RabbitMQ", "nats": "NATS"}


def name(queue):
    return NAMES.get(queue, queue)


def of_the_disk(row):
    if row.get("commit_disk") is None:
        return ""
    return f" The disk alone takes {number(row['commit_disk'])} us of a life for what its commit writes, in one write and one sync."


def from_thread_to_thread(result):
    return handovers.sentence(result["alone"]) if result.get("alone", {}).get("rows") else ""


def life(result):
    rows = {r["window"]: r for r in budget.budget(result)["rows"]}
    for r in result["life"]["ratios"]:
        goal, floor = goals.LIFE.get((r["window"], r["durable"]), (0, None))
        if median(r, "ratio") >= goal:
            continue
        peer = next(x for x in result["life"]["rows"] if x["window"] == r["window"] and x["queue"] == r["peer"] and x["mode"] == r["mode"])
        peer_us = 1e6 / median(peer, "per_s")
        which = name(r["peer"]) if r["durable"] else f"{name(r['peer'])} ({r['mode']}, not durable)"
        text = (f"**Window {r['window']:,}: {number(r['ratio'])} of the rate of {which}; the goal is {number(goal)}{f', the floor {number(floor)}' if floor else ''}.** "
                f"Ours: {budget.sentence(rows[r['window']])}. {name(r['peer'])}'s whole life takes {number(peer_us)} us.")
        if r["peer"] == "beanstalkd":
            text += " Our life passes from process to thread to thread to process four times, where beanstalkd reads, writes and answers in one thread."
        if r["window"] == 1:
            text += from_thread_to_thread(result)
        else:
            text += f" To reach the goal a life would have to take {number(peer_us / goal)} us. What the engine and the commit do in theirs, step by step, stands in the cost model."
        yield text + of_the_disk(rows[r["window"]])


def latency(result):
    over = [median({"ratio": v}, "ratio") for v in result["latency"]["ratios"].values() if median({"ratio": v}, "ratio") > goals.LATENCY[0]]
    if not over:
        return
    ours, theirs = result["latency"]["rows"]
    text = (f"**Latency: up to {number(max(over))} times beanstalkd's; the goal is {goals.LATENCY[0]}, the floor {goals.LATENCY[1]}.** At the median the acknowledgement comes after "
            f"{number(median(ours, 'ack_p50_ms') * 1e3)} us, beanstalkd's after {number(median(theirs, 'ack_p50_ms') * 1e3)}.")
    if "commit_ms" in ours:
        text += (f" At this rate our commit takes {number(median(ours, 'commit_ms') * 1e3)} us, one write and one sync, as beanstalkd's, and the engine before it {number(median(ours, 'engine_ms') * 1e3)}; "
                 "the rest is the way from process to thread to thread to process and back, of threads that all sleep. ZeroMQ's echo alone, one message at a time, stands among the limits.")
    yield text + from_thread_to_thread(result)


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
