"""What the bench should reach: a goal for each figure, and the floor, below which it is not enough by any count. Tables show both beside what was measured."""
from figures import median

# Ours by the best peer at that window: (goal, floor).
LIFE = {(1, True): (1.0, 0.3), (256, True): (2.5, 1.4), (1000, True): (2.0, 1.2), (256, False): (1.0, None), (1000, False): (1.0, None)}
LATENCY = (1.5, 2.5)            # by beanstalkd's, which syncs each task
DEPTH_RATIO = 0.8               # of the empty queue's rate
DEPTH_RSS_MB = 100
DEPTH_FIRST_S = 1.0
DEPTH_BYTES = 400
CSV = 0.5                       # of the library's pipelined put
WATCHING = 0.10                 # more CPU of the engine's thread for a life, at most, with subscribers
REPLAY_PER_S = 500000
BELOW = "BELOW THE FLOOR"
BESIDE = 0.20                   # what a replay may cost, of the lives a second and of the CPU of each


def verdict(value, goal, floor=None, more=True):
    """met; missed, but above the floor; or below that, too."""
    def reaches(limit):
        return value >= limit if more else value <= limit
    if reaches(goal):
        return "met"
    return "MISSED" if floor is None or reaches(floor) else BELOW


def deep(row):
    """Which of the four goals of a deep queue its row misses: the rate by its median, what must stay under a limit in each round."""
    missed = [("rate", median(row, "ratio") < DEPTH_RATIO), ("memory", max(row["rss_anon_mb"]["max"], row["fill_rss_mb"]) >= DEPTH_RSS_MB), ("start", row["first_s"]["max"] >= DEPTH_FIRST_S),
              ("bytes", row["bytes_per_queued"] > DEPTH_BYTES)]
    return [name for name, is_missed in missed if is_missed]


def beside(row):
    """Whether the lives a second beside a replay reach their goal, and the CPU of each its own."""
    return -row["per_s_costs"] <= BESIDE, row["engine_us_costs"] <= BESIDE
