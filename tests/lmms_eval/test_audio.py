"""A speech task of lmms-eval: sounds go to the model as they are, and its own functions count the word errors."""

from __future__ import annotations

import base64

import pytest

from task_defs import load_task
from tests.conftest import Reply
from tests.lmms_eval import local_data
from tests.pipeline.conftest import Bench
from tests.videos import sound

SPOKEN = ["THE CAT SAT ON THE MAT", "IT IS TWENTY PAST NINE", "GOOD MORNING", "HE DIDN'T GO"]
HEARD = ["The cat sat on the mat.", "it is 20 past nine", "good evening", "he did not go away"]
ERRORS, WORDS = 0 + 0 + 1 + 1, 6 + 5 + 2 + 4  # after lmms-eval's normaliser: numbers alike, contractions written out


def test_librispeech_is_heard_and_scored_by_its_own_functions(lmms, data, store, endpoint):
    sounds = [sound(0.2 + number / 10) for number in range(len(SPOKEN))]
    name = "librispeech_test_clean"
    rows = [
        {"audio": {"bytes": heard, "path": f"{number}.wav"}, "gt": said, "source": name, "task": "asr_en"}
        for number, (heard, said) in enumerate(zip(sounds, SPOKEN, strict=True))
    ]
    local_data.write(rows, data / f"lmms-lab-audio/librispeech/{name}/{name}-00000-of-00001.parquet")
    encoded = [base64.b64encode(one).decode() for one in sounds]

    def answer(request, number):
        part, text = request.body["messages"][-1]["content"]
        assert text["text"] == "Please recognize the speech and only output the recognized content:"
        assert part["type"] == "input_audio"
        assert part["input_audio"]["format"] == "wav"
        return Reply(HEARD[encoded.index(part["input_audio"]["data"])])

    endpoint.answer = answer
    found = Bench(store, endpoint).report(load_task(f"lmms_eval:{name}"))
    assert found["coverage"] == 1.0
    wer = found["metrics"]["wer"]
    assert wer["value"] == pytest.approx(100 * ERRORS / WORDS, abs=1e-3), "in lmms-eval's own unit, percent"
    assert wer["aggregation"] == "the task's own function"
    assert wer["own_unit"]
    assert len(endpoint.seen) == len(SPOKEN)
