#!/usr/bin/python3 -B
"""coprocess robot of station `reply`: writes a first answer to a customer. Each hub's has a style of its own; a jury chooses."""
import sys

import coprocess

STYLES = {
    "brief": lambda name, subject: "We are looking into it.",
    "warm": lambda name, subject: f"Dear {name}, thank you for writing to us. We are sorry, and will be back with you today.",
    "exact": lambda name, subject: f"We have your message ({subject}), and answer within a day.",
}


def reply(fields):
    return {"text": STYLES[sys.argv[1]](fields["customer"].split()[0], fields["check.subject"].rstrip("."))}


if __name__ == "__main__":
    coprocess.serve(reply)
