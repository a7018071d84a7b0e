#!/usr/bin/python3
"""kill -9 in every call that changes a file while a store of a released version is taken over (tests/fixtures): the next start takes it up again, and the
store then says what the old release said of it.

    upgrade.py [--build DIR] [--version V] [--jobs N] [--from N] [--points N] [--mode M] [--fresh]

Of every released version the calls of the start are gone through one by one, in three modes (starts.py; --seed is not used). The last line is JSON for the report.
"""
import functools
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from notebook import Notebook  # noqa: E402
from place import Place  # noqa: E402
import crew  # noqa: E402
import harness  # noqa: E402
import answers  # noqa: E402
import released  # noqa: E402
import starts  # noqa: E402
import sunline_wire as wire  # noqa: E402
from tally import Tally  # noqa: E402


def sound(client, said, everything):
    """What is wrong with a store that was taken over."""
    deadline = time.monotonic() + 60
    while not answers.swept(client):
        if time.monotonic() > deadline:
            return ["the sweeps do not end"]
        time.sleep(0.01)
    wrong = crew.check(lambda name, **fields: client.request(name, timeout_s=60, **fields))
    producer = said["facts"]["producer"]
    ask = answers.ask_all if everything else answers.ask_some
    now = answers.plain(ask(client, [(producer["run"], bytes.fromhex(producer["id"]))]))
    asked = {answers.key(s) for s in now}
    old = said["store"]["answers"] if everything else [s for s in said["store"]["answers"] if answers.key(s) in asked]
    return wrong + answers.differences(old, now, said["facts"]["killed_wall_us"])[:5]


said_by = functools.lru_cache(released.said)


def lay_out(place, version):
    """A broker's folder with that release's store -> where it is"""
    released.unpack(version, "store", place.path(os.path.join(version, "data")))
    return place.path(version)


class Taking(starts.Starts):
    """Starts over the store of a release."""

    def __init__(self, spot, original):
        super().__init__(spot, original, *released.SETTINGS)
        self.said = said_by(os.path.basename(original))

    def point(self, n, mode, everything=None):
        place = self.kill(n, mode)
        self.must(self.broker.start())
        client = wire.Client(self.broker.endpoints["clients"])
        try:
            return {"place": place, "bad": sound(client, self.said, n % 16 == 1 if everything is None else everything)}
        finally:
            client.close()
            self.broker.kill()


def main():
    p = starts.options("kill -9 while a store of a released version is taken over")
    p.add_argument("--version", choices=released.VERSIONS, help="this one alone")
    args = p.parse_args()
    versions = [args.version] if args.version else released.VERSIONS
    tally = Tally("tests/torture/upgrade.py --version {}".format, version=", ".join(versions))
    with Place() as place, starts.workers(args) as pool:
        notes = Notebook(harness.BUILD, "upgrade", {"versions": versions}, ["sunlined"], args.fresh) if starts.every_point(args) and not args.version else None
        starts.go_through(pool, Taking, {version: lay_out(place, version) for version in versions}, args, tally, notes)
    if notes:
        notes.publish(tally.sum)
    sys.exit(0 if tally.report() else 1)


if __name__ == "__main__":
    main()
