"""Running a queue's client (bench_life.c, peers/*.c) once, or round by round for many queues, interleaved."""
import json
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
    return {**json.loads(r.stdout), "mode": server.mode, "durable": server.durable}


def frame_of(server, window):
    """Tasks a request: PostgreSQL takes a whole window, ours a quarter of one; the others have no such requests."""
    if isinstance(server, servers.Postgres):
        return window
    return max(1, window // 4) if isinstance(server, servers.Sunline) else 1


def unless_missing(missing, name, work):
    """work(), or None, and in `missing` why."""
    try:
        return work()
    except (servers.Missing, OSError, subprocess.TimeoutExpired) as e:
        missing[name] = str(e)
        say(f"NOT MEASURED: {name}: {e}")
        return None


def rounds(o, kinds, work):
    """The rows of work(kind), kind by kind, round by round; and who could not be measured, with the reason: he is left out from then on."""
    records, missing = [], {}
    for _ in range(o.rounds):
        for kind in kinds:
            name = f"{kind.name} ({kind.mode})"
            if name not in missing:
                records += unless_missing(missing, name, lambda: work(kind)) or []
    return records, missing
