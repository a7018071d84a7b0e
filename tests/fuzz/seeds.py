#!/usr/bin/python3
"""Make a seed corpus for fuzz_codec from the test vectors: seeds.py DIR. A file a vector: one byte for the directions, then the body."""
import os
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BITS = {"C2B": 1, "B2C": 2, "A2B": 4, "B2A": 8, "B2M": 16, "B2X": 2 | 8}


def main(out):
    os.makedirs(out, exist_ok=True)
    for name in ("valid", "invalid"):
        with open(os.path.join(TOP, "proto", "vectors", name + ".txt"), encoding="utf-8") as f:
            for number, line in enumerate(f, 1):
                if line.startswith("#") or not line.strip():
                    continue
                parts = line.rstrip("\n").split(" | ")
                with open(os.path.join(out, "%s-%03d" % (name, number)), "wb") as seed:
                    seed.write(bytes([BITS[parts[0]]]) + bytes.fromhex(parts[3]))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
