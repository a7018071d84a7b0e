"""What profiles.py has measured, as the page shows it."""
import collections

from figures import number, table
from lives import WINDOWS
from profiles import UNKNOWN

COMMITTER = "broker's committer"
SHOWN = 0.01             # of the server's time: what took less is told together
# Calls that do the same for servers that make different ones of them.
ALIKE = {call + "()": name for name, calls in (("syncs", "fsync fdatasync"), ("writes and sends", "write writev pwrite64 sendto sendmsg"), ("reads and receives", "read readv pread64 recvfrom recvmsg"),
                                               ("waits for messages", "poll ppoll epoll_wait epoll_pwait epoll_ctl")) for call in calls.split()}
# What the page says of these tables: it stands with them alone.
OF_ALL = """Under the life bench: {who}. Each function by itself, by the thread that it runs in; the kernel by what it was asked for, or interrupted by, and once more by its own functions below the table. Where its clock samples, what runs with
interrupts off is found at the function that lets them in again (`finish_task_switch`, `_raw_spin_unlock_irq`). Libraries as Debian ships them name few of their functions. It is processor time: what a thread sleeps or waits is not in it. Each is one run, and no median of rounds."""
KERNEL_FUNCTIONS = 12    # of the kernel's own functions, those that take most


def of(part, queue, window):
    return next((r for r in (part or {}).get("rows", []) if (r["queue"], r["window"]) == (queue, window)), None)


def told(row):
    """Of a row, in a sentence."""
    function = "" if row["function"] == UNKNOWN else row["function"]
    return f"{row['whose']}: {function}".removesuffix(": ") if row["whose"] != "ours" else function


def by(row, key):
    """us of a life, by thread, or by whose code it is."""
    found = collections.Counter()
    for r in row["functions"]:
        found[r[key]] += r["us"]
    return found.most_common()


def by_what(row):
    """us of a life, by what the kernel was asked for, like calls together, and by whose code the rest is."""
    found = collections.Counter()
    for r in row["functions"]:
        kernel = r["whose"] == "the kernel"
        found[f"the kernel: {ALIKE.get(r['function'], r['function']) or 'without a name'}" if kernel else "its own code" if r["whose"] in ("ours", row["queue"]) else r["whose"]] += r["us"]
    return found


def of_functions(row):
    whole = row["server_cpu_us"]
    rows = [[r["thread"], r["whose"], r["function"].replace(UNKNOWN, "") or "without a name", r["us"], f"{r['us'] / whole:.1%}"] for r in row["functions"] if r["us"] >= SHOWN * whole]
    rest = whole - sum(r["us"] for r in row["functions"] if r["us"] >= SHOWN * whole)
    rows += [[f"all that took less than {SHOWN:.0%}", "", "", rest, f"{rest / whole:.1%}"], ["together: its processor time", "", "", whole, "100%"]]
    sums = "; ".join(f"{name} {number(us)}" for key in ("thread", "whose") for name, us in by(row, key) if us >= SHOWN * whole)
    committer = {**row, "functions": [r for r in row["functions"] if r["thread"] == COMMITTER]}
    sums += "".join(f"{'; of the committer alone: ' if i == 0 else ', '}{whose} {number(us)}" for i, (whose, us) in enumerate(by(committer, "whose")) if us >= SHOWN * whole)
    return (table([f"{row['queue']} at window {row['window']:,}: thread", "code", "function, itself; of the kernel, what it was asked for", "us of a life", "of its time"], rows)
            + f"\n\n{row['samples']:,} samples by {row['event']}, {number(row['per_s'])} lives a second, {number(row['without_perf'])} without perf. Together, us of a life: {sums}." + of_the_kernel(row))


def beside(ours, theirs):
    """What the processor time of a life goes to, in both; each column adds up."""
    found = [by_what(r) for r in (ours, theirs)]
    shown = [w for w, _ in sorted((found[0] + found[1]).items(), key=lambda x: -x[1]) if any(f[w] >= SHOWN * r["server_cpu_us"] for f, r in zip(found, (ours, theirs)))]
    rows = [[w, *(f[w] for f in found)] for w in shown]
    rows.append([f"all that took less than {SHOWN:.0%} in both", *(r["server_cpu_us"] - sum(f[w] for w in shown) for f, r in zip(found, (ours, theirs)))])
    return table([f"the server's processor time of a life at window {ours['window']:,}, us", ours["queue"], theirs["queue"]], [*rows, ["together", ours["server_cpu_us"], theirs["server_cpu_us"]]])


def tables(part):
    both = [of(part, queue, min(WINDOWS)) for queue in ("sunline", "beanstalkd")]
    if not part["rows"]:
        return ""
    who = "; ".join(f"{r['queue']} at window {r['window']:,}" for r in part["rows"])
    return "\n\n".join([OF_ALL.format(who=who), *([beside(*both)] if all(both) else []), *map(of_functions, part["rows"])])


def of_the_kernel(part):
    """By its own functions, of all threads; or that it does not name them."""
    if "kernel" not in part:
        return " The kernel by its own functions: not measured."
    named = [r for r in part["kernel"] if r["function"] != UNKNOWN]
    if not named:
        return " The kernel does not name its functions here (kernel.kptr_restrict)."
    told = "; ".join(f"{r['function']} {number(r['us'])}" for r in named[:KERNEL_FUNCTIONS])
    unnamed = sum(r["us"] for r in part["kernel"]) - sum(r["us"] for r in named)
    return f" The kernel by its own functions, those that take most: {told}." + (f" Without a name: {number(unnamed)}." if unnamed > 0 else "")
