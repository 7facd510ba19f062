"""A stream of numbered frames, one a second, for policies that spend the budget of its context."""

from __future__ import annotations

from tests.pipeline.streams import seconds, write_rows

JUDGE = {
    "name": "outcome",
    "shares": {"accuracy": ["right", "asked"], "unchosen": ["unchosen", "choices"]},
    "ratios": {"steps": ["steps", "asked"], "frames": ["frames", "steps"]},
}
EARLY = {
    "time": 9, "kind": "backward", "question": "Which?", "options": ["cat", "dog"], "answer": "dog",
    "evidence": [1, 1.5],
}  # fmt: skip


def numbered(folder):
    """Makes tasks over 10 s of numbered frames, one a second, with the budget 3."""

    def task(questions=(EARLY,), events=(), *, copies=1, max_steps=50, **params):
        write_rows(folder, questions, events, copies=copies)
        played = {"fps": 1, "budget": 3, **params}
        return folder.task(
            doc_to_text="", doc_to_visual="video", doc_to_target=None, judge=JUDGE,
            metric_list=["accuracy", "unchosen", "steps", "frames"],
            episode={"player": "stream", "max_steps": max_steps, "params": played},
        )  # fmt: skip

    return task


def shown(request) -> list[int]:
    """The seconds of the frames in the first user turn of a request."""
    content = next(m["content"] for m in request.body["messages"] if m["role"] == "user")
    urls = [p["image_url"]["url"] for p in content if "image_url" in p]
    return [int(second) for second in seconds(urls)]
