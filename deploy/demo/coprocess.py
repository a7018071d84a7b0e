"""What the Python coprocess robots share: a JSON line a task each way, answers in any order, until stdin ends."""
import json
import sys


def serve(work, whole=False):
    """`work` gets a task's fields, or the whole task, and gives the values of the form."""
    for line in sys.stdin:
        task = json.loads(line)
        try:
            answer = {"id": task["id"], "values": work(task if whole else task["fields"])}
        except Exception as e:  # one bad task must not end the others
            answer = {"id": task["id"], "fail": f"{type(e).__name__}: {e}"}
        print(json.dumps(answer), flush=True)
