#!/usr/bin/python3 -B
"""coprocess robot of station `check`, which reviews tickets: it gives a verdict, and with it only what it would have otherwise."""
import coprocess

ABOUT_AN_ORDER = ("refund", "damage", "delivery")


def check(task):
    ticket, round_ = task["review"]["work"], task["context"]["round"]
    subject = ticket["subject"]
    if ticket["topic"] in ABOUT_AN_ORDER and not subject.startswith("[") and round_ == 1:
        return {"verdict": "reject", "reason": "no order number", "note": f"{task['context']['author']}: name the order, or say that it is unknown"}
    better = subject.rstrip(" .,;:-") or subject
    better = better[:1].upper() + better[1:]
    if better == subject:
        return {"verdict": "accept"}
    return {"verdict": "improve", "subject": better}


if __name__ == "__main__":
    coprocess.serve(check, whole=True)
