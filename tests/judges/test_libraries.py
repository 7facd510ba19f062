"""wer, cer, bleu, chrf, rouge, cider: rules of field-standard libraries; and what all judges with one share."""

from __future__ import annotations

import asyncio
from importlib import metadata

import numpy as np
import pytest

from judges import LabelError, MissingLibrary, get_judge
from judges.transcript_text import normaliser
from judges.verdict import EMPTY


def verdict(spec, target, text, **item):
    return get_judge(spec).judge({"target": target, **item}, text)


def score(spec, target, text, **item):
    return verdict(spec, target, text, **item).score


def test_wer_is_a_ratio_of_sums():
    judge = get_judge({"name": "wer", "normaliser": "none"})
    pairs = [("the cat sat", "the hat sat down"), ("a dog", "a dog"), ("he left at noon", "")]
    found = [judge.judge({"target": target}, text).values for target, text in pairs]
    assert found[0] == {"edits": 2, "length": 3, "substitutions": 1, "deletions": 0, "insertions": 1}
    assert found[2] == {"edits": 4, "length": 4, "substitutions": 0, "deletions": 4, "insertions": 0}
    wer = judge.metrics[0]
    assert (wer.name, wer.kind, wer.higher_is_better) == ("wer", "ratio", False)
    assert sum(v["edits"] for v in found) / sum(v["length"] for v in found) == pytest.approx(6 / 9)
    empty = judge.judge({"target": "he left"}, "")
    assert (empty.score, empty.flags) == (0.0, (EMPTY,))
    assert judge.judge({"target": "a"}, "b c d e").score == 0.0  # a rate above 1 is no negative score


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("none", "  It's  3.5! ", "It's 3.5!"),
        ("basic", "It's 3.5, \u2019tis \u2013 OK!", "its 3.5 tis ok"),
        ("whisper_basic", "Hello [noise], World!", "hello world"),
        ("whisper_english", "Um, Mr. Smith paid twenty-one dollars, colour", "mister smith paid $21 color"),
    ],
)  # fmt: skip
def test_normalisers_of_transcripts(name, text, expected):
    assert normaliser(name)(text) == expected


def test_cer_counts_characters_and_spaces():
    judge = get_judge({"name": "cer", "normaliser": "none"})
    found = judge.judge({"target": "ab cd"}, "abcd").values
    assert (found["edits"], found["length"], found["deletions"]) == (1, 5, 1)
    assert judge.metrics[0].name == "cer"


HYPOTHESES = ["the cat sat on the mat", "a dog runs", "it is raining in the old town"]
REFERENCES = [["the cat sat on a mat", "a cat is on the mat"], ["a dog runs"], ["it rains in the old town again"]]


def summed(judge, metric):
    rows = [judge.judge({"target": r}, h).values for h, r in zip(HYPOTHESES, REFERENCES, strict=True)]
    return metric.corpus([sum(row[name] for row in rows) for name in metric.sums])


@pytest.mark.parametrize("options", [{}, {"lowercase": True, "tokenize": "intl"}, {"smooth_method": "none"}])
def test_bleu_of_summed_counts_is_sacrebleus_of_the_corpus(options):
    from sacrebleu.metrics.bleu import BLEU

    judge = get_judge({"name": "bleu", **options})
    streams = [[r[min(k, len(r) - 1)] if k < len(r) else None for r in REFERENCES] for k in range(2)]
    expected = BLEU(**options).corpus_score(HYPOTHESES, streams).score / 100
    assert summed(judge, judge.metrics[0]) == pytest.approx(expected, abs=1e-12)
    # The mean of sentences is another number.
    scores = [judge.judge({"target": r}, h).score for h, r in zip(HYPOTHESES, REFERENCES, strict=True)]
    assert abs(np.mean(scores) - expected) > 0.01


@pytest.mark.parametrize("options", [{}, {"word_order": 2}, {"char_order": 4, "beta": 3, "lowercase": True}])
def test_chrf_of_summed_counts_is_sacrebleus_of_the_corpus(options):
    from sacrebleu.metrics.chrf import CHRF

    judge = get_judge({"name": "chrf", **options})
    streams = [[r[k] if k < len(r) else None for r in REFERENCES] for k in range(2)]
    expected = CHRF(**options).corpus_score(HYPOTHESES, streams).score / 100
    assert summed(judge, judge.metrics[0]) == pytest.approx(expected, abs=1e-12)


def test_an_empty_translation_counts_its_reference():
    for name, empty in (("bleu", {"length": 0.0, "reference_length": 3.0}), ("chrf", {"char1_reference": 8.0})):
        found = verdict(name, "a dog runs", "")
        assert (found.score, found.flags) == (0.0, (EMPTY,))
        assert {key: found.values[key] for key in empty} == empty
        metric = get_judge(name).metrics[0]
        assert metric.corpus([found.values[key] for key in metric.sums]) == 0.0


def test_rouge_takes_the_best_reference():
    from rouge_score.rouge_scorer import RougeScorer

    found = verdict("rouge", ["a dog ran home", "the cat sat on a mat"], "the cat sat on the mat")
    expected = RougeScorer(["rouge1", "rougeL"]).score("the cat sat on a mat", "the cat sat on the mat")
    assert found.score == pytest.approx(expected["rougeL"].fmeasure)
    assert found.values["rouge1"] == pytest.approx(expected["rouge1"].fmeasure)
    assert score({"name": "rouge", "stemmer": True}, "dogs running", "dog runs") == 1.0


CAPTIONS = {
    "a man rides a horse on the beach": ["A man riding a horse.", "The man (in a hat) rides on the beach!"],
    "two dogs in the snow": ["two dogs play in the snow", "A pair of dogs playing, with a ball"],
    "a plate of food": ["Food on a wooden table.", "a plate with food on a table"],
}


def test_cider_is_the_reference_implementations_over_the_corpus():
    from pycocoevalcap.cider.cider_scorer import CiderScorer

    from judges.cider import _tokens

    judge = get_judge("cider")
    items = [{"target": references} for references in CAPTIONS.values()]
    assert "call `prepare`" in judge.judge(items[0], "a man").unscored
    judge.prepare([*items, {"target": None}])
    scorer = CiderScorer()
    for text, references in CAPTIONS.items():
        scorer += (_tokens(text), [_tokens(r) for r in references])
    mean, each = scorer.compute_score()
    found = asyncio.run(judge.judge_many(items, list(CAPTIONS)))
    assert [v.score for v in found] == pytest.approx(list(each))
    assert np.mean([v.score for v in found]) == pytest.approx(mean)
    # A part of the items is weighed by the captions of all.
    assert judge.judge(items[1], "two dogs in the snow").score == pytest.approx(each[1])


def test_captions_are_tokenised_as_the_challenge_does():
    from judges.cider import _tokens

    assert _tokens("A man's dog (brown), isn't here...") == "a man 's dog -lrb- brown -rrb- is n't here"
    assert _tokens("it\u2019s \u201cnice\u201d -\n really") == "it 's nice really"


def test_a_library_that_is_missing_is_named_with_what_installs_it(monkeypatch):
    real = metadata.version

    def version(name):
        if name in ("pycocoevalcap", "whisper-normalizer"):
            raise metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(metadata, "version", version)
    with pytest.raises(MissingLibrary, match=r"pip install 'eval-assets\[captions\]'"):
        get_judge("cider").digest()
    with pytest.raises(MissingLibrary, match=r"pip install 'eval-assets\[speech\]'"):
        get_judge({"name": "wer", "normaliser": "whisper_english"}).digest()
    assert get_judge("wer").digest()


def test_each_setting_changes_the_digest():
    pairs = [("wer", {"normaliser": "none"}), ("bleu", {"lowercase": True}), ("chrf", {"word_order": 2})]
    pairs += [("anls", {"threshold": 0.4}), ("mra", {"number": "first"}), ("rouge", {"stemmer": True})]
    for name, options in pairs:
        assert get_judge(name).digest() != get_judge({"name": name, **options}).digest()


@pytest.mark.parametrize("name", ["anls", "relaxed", "bleu", "chrf", "rouge"])
def test_a_label_of_another_kind_is_the_data_sets_fault(name):
    judge = get_judge(name)
    with pytest.raises(LabelError):
        judge.label(type("Item", (), {"target": {"a": 1}, "choices": None, "doc": {}})())
    assert judge.judge({"target": None}, "x").unscored == "missing label"
