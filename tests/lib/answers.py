"""What a broker says about all it holds, as plain data: so that what one release said can be compared with what another says of the same store.

    said = answers.ask_all(client)          # [{"ask": name, "of": fields, "answer": fields}, ...]
    answers.differences(said, ask_all(...)) # sentences; [] if the second says all that the first said

A later release may say more (a field of its own); it may not say anything else. What depends on the moment of asking is left out.
"""
import json

UNITS_OF_A_RUN = 60  # of larger runs the first so many stories are asked for
OF_THE_MOMENT = {"due_us", "seen_wall_us"}


def plain(value):
    """JSON can hold it: bytes as {"$bin": hex}."""
    if isinstance(value, bytes):
        return {"$bin": value.hex()}
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value


def timeless(value):
    if isinstance(value, dict):
        return {k: timeless(v) for k, v in value.items() if k not in OF_THE_MOMENT}
    return [timeless(v) for v in value] if isinstance(value, list) else value


class Asker:
    def __init__(self, client):
        self.client, self.said = client, []

    def tell(self, name, of, answer):
        self.said.append({"ask": name, "of": plain(of), "answer": timeless(plain(answer))})
        return answer

    def one(self, name, /, **of):
        return self.tell(name, of, self.client.request(name, timeout_s=60, **of))

    def listing(self, name, cursor, key, /, **of):
        rows = list(self.client.pages(name, cursor=cursor, key=key, **of))
        return self.tell(name, of, {"rows": rows})["rows"]

    def output(self, **of):
        after, rows = 0, []
        while True:
            page = self.client.request("output_get", after_unit=after, all_units=True, timeout_s=60, **of)
            rows += page["rows"]
            if not page["more"]:
                break
            after = page["next_after"]
        self.tell("output_get", of, {"columns": page["columns"], "rows": rows})

    def tasks(self, **of):
        after, rows = None, []
        while True:
            page = self.client.request("tasks_get", after=after, timeout_s=60, **of)
            rows += page["rows"]
            after = page.get("next")
            if after is None:
                break
        self.tell("tasks_get", of, {"rows": rows})


def ask_all(client, producers=()):
    """producers: (run number, id) of numbered producers."""
    a = Asker(client)
    a.tell("info_get", {}, {"store_id": client.request("info_get")["store_id"]})
    for line in a.listing("lines_get", "after", "name"):
        if line["state"] != 2:
            for version in range(1, line["version"] + 1):
                a.one("line_get", line=line["name"], version=version)
    for station in a.listing("stations_get", "after", "station_id"):
        for which in range(3):
            a.tasks(station_id=station["station_id"], which=which)
    for run in a.listing("runs_get", "after", "run_id"):
        info = a.one("run_get", run=run["name"])
        a.output(run=run["name"])
        for station in info["stations"]:
            a.output(run=run["name"], station=station["name"])
        for unit in range(1, min(run["units"], UNITS_OF_A_RUN) + 1):
            a.one("unit_get", run=run["name"], unit=unit)
    a.listing("hubs_get", "after", "hub")
    a.listing("workers_get", "after", "worker")
    for run_id, producer in producers:
        a.one("producer_get", run_id=run_id, producer=producer)
    return a.said


def ask_some(client, producers=()):
    """The listings only: quicker."""
    a = Asker(client)
    a.listing("lines_get", "after", "name")
    a.listing("stations_get", "after", "station_id")
    for run in a.listing("runs_get", "after", "run_id"):
        a.one("run_get", run=run["name"])
    a.listing("hubs_get", "after", "hub")
    a.listing("workers_get", "after", "worker")
    for run_id, producer in producers:
        a.one("producer_get", run_id=run_id, producer=producer)
    return a.said


def events(client):
    """Every event that is kept, in order."""
    since, found = 1, []
    while True:
        page = client.request("events_get", since=since, timeout_s=60)
        found += page["events"]
        since = page["next_since"]
        if not page.get("more"):
            return plain(found)


def swept(client):
    """True when no mass operation is under way any more."""
    return client.request("stats_get", timeout_s=60)["figures"]["sweeps_under_way"] == 0


def compare(old, new, place, out, since):
    if isinstance(old, int) and isinstance(new, int) and place.endswith("wall_us") and old > since:
        if new <= since:
            out.append(f"{place}: happened before {since}, was later")
    elif isinstance(old, dict) and isinstance(new, dict):
        for k, v in old.items():
            if k in new:
                compare(v, new[k], f"{place}.{k}", out, since)
            else:
                out.append(f"{place}.{k}: {v!r} is not said any more")
    elif isinstance(old, list) and isinstance(new, list):
        if len(old) != len(new):
            out.append(f"{place}: {len(old)} were {len(new)} are")
        for i, (a, b) in enumerate(zip(old, new)):
            compare(a, b, f"{place}[{i}]", out, since)
    elif old != new:
        out.append(f"{place}: was {old!r}, is {new!r}")


def key(s):
    """What was asked."""
    return s["ask"], json.dumps(s["of"], sort_keys=True)


def differences(old, new, since=1 << 63):
    """What `old` said and `new` does not. Both from ask_all; order counts. What was later than `since` (wall, us) may be at another time."""
    out = []
    asked = {key(s): s["answer"] for s in new}
    for s in old:
        of = ",".join(f"{k}={v}" for k, v in s["of"].items())
        if key(s) in asked:
            compare(s["answer"], asked[key(s)], f"{s['ask']}({of})", out, since)
        else:
            out.append(f"{s['ask']}({of}): could not be asked any more")
    return out

