"""Our `math` judge against the published verdicts of MATH-Vision, item by item.

    python bench/mathvision_agreement.py [folder with test.jsonl and outputs/]

Prints both scores for each model, every item on which they differ, and why.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections import Counter
from pathlib import Path

from judges import get_judge
from judges.math_compare import quiet
from judges.math_text import clean, is_math

DEFAULT = Path(__file__).resolve().parents[2] / "shared" / "data" / "mathvision"
MODELS = ("Gemini-Pro", "Qwen-VL-Max", "LLaVA-v1.5-13B")
REASONS = {
    "unit": "ours is right: the published rule takes 12 cm, 15 degrees or 20% for something else than the value",
    "letter": "ours is right: 'C)' or 'Image B' names the option; the published rule wants the letter alone",
    "notation": "ours is right: the same expression or word, spelled otherwise (unicode roots and pi, sqrt(), \\text)",
    "prose": "ours is right: the answer stands in a sentence, and the published extraction cut it out badly",
    "nearly": "ours is right: the numbers are nearly equal, and the published rule rounds to two decimals",
    "record": "ours is right, and so is the published rule run anew: only the recorded verdict says otherwise",
    "other": "NOT EXPLAINED: look at these",
}


def reason(response: str, wanted: str, ours: bool, by_rule: bool) -> str:
    """The group of a difference; see REASONS. by_rule: the published rule's verdict, from `accuracy_published`."""
    if ours and by_rule:
        return "record"
    if not ours:
        return "nearly" if nearly_equal(wanted, response) else "other"
    if re.fullmatch(r"(?:[A-Za-z]+ )?\(?[A-E][).]*", response):
        return "letter"
    if not is_math(response) and len(response.split()) > 3:
        return "prose"
    if clean(response).unit or clean(wanted).unit or "%" in response:
        return "unit"
    return "notation" if len(response) < 40 else "other"


def nearly_equal(a: str, b: str) -> bool:
    """Whether two different constants agree to six digits."""
    from math_verify import parse

    x, y = (complex(parse(f"${clean(text).body}$", parsing_timeout=None)[0].doit().evalf()) for text in (a, b))
    return abs(x - y) <= 1e-6 * abs(x)


def main(folder: Path) -> None:
    quiet()
    lines = (folder / "test.jsonl").read_text(encoding="utf-8").splitlines()
    questions = {row["id"]: row for row in map(json.loads, lines)}
    judge = get_judge({"name": "math", "published": "mathvision"})
    groups: Counter[tuple[str, str]] = Counter()
    for model in MODELS:
        lines = (folder / "outputs" / f"{model}.jsonl").read_text(encoding="utf-8").splitlines()
        answers = [json.loads(line) for line in lines]
        asked = [questions[answer["id"]] for answer in answers]
        items = [{"target": row["answer"], "choices": row["options"]} for row in asked]
        started = time.perf_counter()
        verdicts = asyncio.run(judge.judge_many(items, [answer["response"] for answer in answers]))
        seconds = time.perf_counter() - started
        count = len(answers)
        ours, theirs = sum(v.score or 0 for v in verdicts), sum(a["correct"] for a in answers)
        print(f"\n{model}: ours {100 * ours / count:.2f} %, published {100 * theirs / count:.2f} %", end="")
        print(f" ({count} answers judged in {seconds:.1f} s)")
        for row, answer, verdict in zip(asked, answers, verdicts, strict=True):
            if bool(verdict.score) == answer["correct"]:
                continue
            wanted = row["answer"]
            if row["options"]:
                wanted = row["options"]["ABCDEFGHIJ".index(row["answer"])]
            group = reason(answer["response"], wanted, bool(verdict.score), bool(verdict.values["published"]))
            groups[model, group] += 1
            print(f"  {row['id']:>5} {group:9} ours {bool(verdict.score)!s:5} theirs {answer['correct']!s:5}", end="")
            print(f" response {answer['response'][-90:]!r} target {row['answer']!r} choices {row['options']}")
    print("\nDifferences by group:")
    for (model, group), number in sorted(groups.items()):
        print(f"  {model:15} {number:3}  {group:9} {REASONS[group]}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT)
