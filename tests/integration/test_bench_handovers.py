"""The bench's way of a task from thread to thread, on events that are known."""
import collections
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "bench"))
import handovers  # noqa: E402

PRODUCER, SERVER, OTHER = 1, 2, 3
NAMES = {PRODUCER: "producer", SERVER: "server", OTHER: "other"}


def schedule(tasks):
    """One task after the other, 1,000 us apart: the producer runs for 10 us and wakes the server, which runs 5 us later, for 20, sleeps 50 for the disk, waits 2, runs 7 and wakes the producer."""
    s = object.__new__(handovers.Schedule)
    s.known = NAMES
    s.woken, s.ran, s.stopped = (collections.defaultdict(list) for _ in range(3))
    for t in (1000.0 * n for n in range(1, tasks + 1)):
        s.woken[PRODUCER] += [(t - 1, 0), (t + 94, SERVER)]
        s.ran[PRODUCER] += [t, t + 97]
        s.stopped[PRODUCER] += [t + 12, t + 99]
        s.woken[SERVER] += [(t + 10, PRODUCER), (t + 85, 0)]
        s.ran[SERVER] += [t + 15, t + 87]
        s.stopped[SERVER] += [t + 35, t + 96]
    return s


class HandOvers(unittest.TestCase):
    def test_the_way_goes_from_who_wakes_to_who_is_woken_and_waits_for_the_disk_between(self):
        way = schedule(5).usual_way()
        self.assertEqual(way["hops"], [{"who": "producer", "woken": 0, "runs": 10, "disk": 0}, {"who": "server", "woken": 7, "runs": 27, "disk": 50},
                                       {"who": "producer", "woken": 3, "runs": 0, "disk": 0}])
        self.assertEqual((way["all_us"], way["share"]), (97, 1))

    def test_a_way_that_is_seldom_is_not_the_one_that_is_told(self):
        s = schedule(5)
        s.woken[PRODUCER][-1] = (5094.0, OTHER)  # the last task came back by another thread
        s.woken[OTHER] = [(5080.0, SERVER)]
        s.ran[OTHER] = [5081.0]
        self.assertEqual([h["who"] for h in s.usual_way()["hops"]], ["producer", "server", "producer"])

    def test_a_life_of_each_thread_is_its_wake_ups_its_waits_and_its_time(self):
        threads = {t["who"]: t for t in schedule(4).threads(lives=4)}
        self.assertEqual(threads["server"], {"who": "server", "wakes": 2, "wait_us": 3.5, "cpu_us": 29})
        self.assertNotIn("other", threads)


if __name__ == "__main__":
    unittest.main()
