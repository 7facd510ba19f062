"""The other side of `task_defs.lmms_eval.client`: lmms-eval's functions, in the interpreter that has them.

Run as `python <this folder>`, with nothing of this project to import. One JSON line in, one or more out, the last with
`done`: {"op": "describe", ...} → {"done": true, "value": ...} or {"done": true, "error": {...}}.
"""

import json
import os
import sys
import traceback

import guard


def main() -> None:
    # What functions print goes to stderr; the replies have a descriptor of their own.
    replies = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)
    guard.close_network()
    guard.no_naps()
    import operations

    for line in sys.stdin:
        question = json.loads(line)
        try:
            answer = getattr(operations, f"op_{question.pop('op')}")(**question)
            if hasattr(answer, "__next__"):
                for part in answer:
                    replies.write(_json({"part": part}))
                answer = None
            reply = _json({"done": True, "value": answer})
        except (Exception, SystemExit) as error:  # some of its functions call sys.exit for a file that is missing
            reply = _json({"done": True, "error": guard.told(error, traceback.format_exc())})
        replies.write(reply)
        replies.flush()


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=True) + "\n"


if __name__ == "__main__":
    main()
