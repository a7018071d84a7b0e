"""Running a queue's client (bench_life.c, peers/*.c) once, or round by round for many queues, interleaved."""
import json
import math
import subprocess
import sys

import servers


def say(text):
    print(text, file=sys.stderr, flush=True)


def command(o, server, op, **options):
    """What runs it. Raises Missing if it was not built."""
    program = o.build / "bench" / server.client
    if not program.exists():
        raise servers.Missing(f"{program} was not built: its library is not installed")
    options = {"variant": server.variant, "where": server.where(), "port": server.port, "pid": server.process.pid, **options}
    args = [str(program), "--op", op]
    for k, v in options.items():
        if v not in ("", None):
            args += ["--" + k, str(v)]
    return args


def client(o, server, op, timeout=900, **options):
    """Its figures. Raises Missing if it cannot."""
    args = command(o, server, op, **options)
    r = subprocess.run(args, capture_output=True, text=True, timeout=timeout, cwd=o.base)
    if r.returncode != 0:
        raise servers.Missing(f"{server.name} ({server.mode}): {r.stderr.strip()[-300:]}")
    row = json.loads(r.stdout)
    if row.get("of_other_runs"):
        say(f"{server.name} ({server.mode}): {row['of_other_runs']} tasks of the run before came again; they are not counted")
    return {**row, "mode": server.mode, "durable": server.durable}


def frame_of(server, window):
    """Tasks a request, where one number of them is measured: see Server.frames."""
    return server.frames(window)[0]


def unless_missing(missing, name, work):
    """work(), or None, and in `missing` why."""
    try:
        return work()
    except (servers.Missing, OSError, subprocess.TimeoutExpired) as e:
        missing[name] = str(e)
        say(f"NOT MEASURED: {name}: {e}")
        return None


def turn(kinds, number):
    """Their order in that round. Each round begins with another one, and goes on by another step: nobody always works on the disk that the same one has left behind."""
    n = len(kinds)
    steps = [s for s in range(1, n) if math.gcd(s, n) == 1] or [1]
    return [kinds[(number + k * steps[number % len(steps)]) % n] for k in range(n)]


def rounds(o, kinds, work):
    """The rows of work(kind), kind by kind, round by round; and who could not be measured, with the reason: he is left out from then on."""
    records, missing = {kind: [] for kind in kinds}, {}
    for i in range(o.rounds):
        for kind in turn(kinds, i):
            name = f"{kind.name} ({kind.mode})"
            if name not in missing:
                records[kind] += unless_missing(missing, name, lambda: work(kind)) or []
    return [r for kind in kinds for r in records[kind]], missing
