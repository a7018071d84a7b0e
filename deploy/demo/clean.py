#!/usr/bin/python3 -B
"""exec robot of station `clean`: one process a task. JSON on stdin, JSON on stdout.

Makes readable text of what a customer typed: HTML entities, odd spaces and quotes, control characters, runs of blanks, shouting.
"""
import html
import json
import sys
import unicodedata

QUOTES = str.maketrans({"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u00a0": " ", "\u202f": " ", "\t": " "})


def clean(text):
    text = unicodedata.normalize("NFC", html.unescape(text)).translate(QUOTES)
    lines = [" ".join(line.split()) for line in text.splitlines()]
    text = "\n".join(line for line in lines if line)
    text = "".join(c for c in text if c == "\n" or unicodedata.category(c) != "Cc")
    letters = [c for c in text if c.isalpha() and c.upper() != c.lower()]
    if len(letters) > 10 and all(c.isupper() for c in letters):
        text = ". ".join(sentence.capitalize() for sentence in text.lower().split(". "))
    return text


def main():
    task = json.load(sys.stdin)
    text = clean(task["fields"]["message"])
    if not text:
        print("the message is empty", file=sys.stderr)  # a failure: exit status 1, the reason is what stderr says
        sys.exit(1)
    json.dump({"text": text, "words": len(text.split())}, sys.stdout)


main()
