"""The questions worth a look as a page: pictures, question, label and what each model said."""

from __future__ import annotations

import json
from collections.abc import Mapping
from string import ascii_uppercase
from typing import Any

from eval_assets.reporting.pages import environment
from eval_assets.reporting.words import count, decimal

Data = Mapping[str, Any]
_LONGEST = 4000  # characters of a response; the whole one is in the store
TITLES = {
    "suspected_key": "Suspected answer keys",
    "ambiguous": "Ambiguous questions",
    "model_weakness": "Weaknesses of one model",
    "confidently_wrong": "Confidently wrong",
}


def diagnostics_page(data: Data, pictures: Mapping[str, str]) -> str:
    """data: of `diagnose`. pictures: sha -> data URL, or words where it cannot be shown.

    All that models and data sets say is text: the template escapes it.
    """
    parts = [_part(data, pattern, pictures) for pattern in data["counts"]]
    models = [{**m, "k": count(m["k"])} for m in data["models"]]
    page = environment().get_template("diagnostics.html.j2")
    return page.render(data=data, n=count(data["n"]), models=models, parts=parts)


def _part(data: Data, pattern: str, pictures: Mapping[str, str]) -> dict[str, Any]:
    """One pattern: its items, each once, with all findings on it."""
    by_item: dict[str, list[Data]] = {}
    for finding in data["findings"]:
        if finding["pattern"] == pattern:
            by_item.setdefault(finding["item_id"], []).append(finding)
    shown = [item_id for item_id in list(by_item)[: data["shown"]] if item_id in data["items"]]
    return {
        "pattern": pattern,
        "title": TITLES[pattern],
        "meaning": data["meaning"][pattern],
        "count": count(data["counts"][pattern]),
        "more": data["counts"][pattern] - len(shown),
        "items": [_item(item_id, data["items"][item_id], by_item[item_id], pictures) for item_id in shown],
    }


def _item(item_id: str, item: Data, findings: list[Data], pictures: Mapping[str, str]) -> dict[str, Any]:
    concerned = {model for finding in findings for model in finding["models"]}
    variance = findings[0]["internal_variance"]
    asked = "".join(_text(parts) for _, parts in item["messages"])
    choices = [] if all(choice in asked for choice in item["choices"]) else item["choices"]
    return {
        "id": item_id,
        "turns": [(role, _text(parts)) for role, parts in item["messages"]],
        "choices": [f"({letter}) {text}" for letter, text in zip(ascii_uppercase, choices, strict=False)],
        "target": "none" if item["target"] is None else _plain(item["target"]),
        "pictures": [_picture(m, pictures) for m in item["media"]],
        "models": [
            {
                "name": model,
                "concerned": model in concerned and len(concerned) < len(item["answers"]),
                "variance": "" if variance.get(model) is None else decimal(variance[model]),
                "samples": [_sample(s) for s in samples],
            }
            for model, samples in item["answers"].items()
        ],
    }


def _picture(medium: Data, pictures: Mapping[str, str]) -> dict[str, str]:
    if medium["missing"]:
        return {"url": "", "words": f"missing: {medium['missing']}"}
    shown = pictures.get(medium["sha"], f"a {medium['kind']}, not shown here")
    return {"url": shown, "words": ""} if shown.startswith("data:image/") else {"url": "", "words": shown}


def _sample(sample: Data) -> dict[str, str]:
    said = "not stored any more" if sample["text"] is None else sample["text"].strip()
    longer = len(said) > _LONGEST
    if sample["score"] is None:
        verdict = "unscored: " + sample["unscored"].partition("\n")[0]  # without the traceback
    else:
        verdict = f"{sample['score']:g}"
    return {
        "answer": sample["answer"] if sample["answer"] is not None else "no answer",
        "verdict": ", ".join([verdict, *(flag.replace("_", " ") for flag in sample["flags"] or ())]),
        "tone": "open" if sample["score"] is None else "better" if sample["score"] == 1 else "worse",
        "text": f"{said[:_LONGEST]} … ({count(len(said))} characters in all)" if longer else said,
    }


def _text(parts: list[Any]) -> str:
    """A message's text with its media marked where they stand."""
    return "".join(str(value) if kind == "text" else f"[{int(value) + 1}] " for kind, value in parts)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
