'''Judges: responses in, verdicts out.

    from judges import get_judge

    judge = get_judge({"name": "number", "tolerance": 0.01})
    judge.judge({"target": "18"}, "She makes $18 a day.")     # one text, for scripts and tests
    await judge.judge_many(items, responses)                  # whole evaluations

How to add a judge
------------------
1. Write `judges/<name>.py` with a class. For a judge of text, derive from `judges.base.TextJudge`;
   then the settled rules (failed requests, missing labels, empty texts, refusals, truncation) are
   taken care of, and only the rule itself is left:

       class LengthParams(TextParams):
           most: int = 100

       class LengthJudge(TextJudge):
           """The answer is no longer than `most` characters."""

           name = "length"
           Parameters = LengthParams
           sources = ("length.py",)        # files of this package that decide: part of the digest

           def decide(self, item, label, answer):
               return Verdict(float(len(answer) <= self.params.most), answer=answer)

   Override `label` to check and convert the label (raise LabelError where it is unusable), `read` to
   find the answer in the text, `no_answer` where an item without an answer has values of its own,
   and `metrics` and `components` where the score's mean is not all there is to report. A metric that
   is a ratio, such as F1, is declared as one: see `judges.metric`.
   A metric of the whole corpus, such as BLEU, is one of sums of components. A judge that weighs an item against all
   others sets `needs_corpus` and sees them in `prepare`.
2. Name libraries whose version can change a verdict in `libraries`: they are part of the digest.
3. Add a line to `judges/registry.py`, and tests to `tests/judges/`.

A judge that asks a model (`llm`, `llm_pairwise`) is handed whoever asks it:

    judge = get_judge({"name": "llm", "grades": {"correct": 1, "incorrect": 0}}).with_client(client)

where `client.ask(asks)` is `judges.asking.JudgeClient`; the pipeline's answers from stored rows. To add one,
derive from `judges.llm_base.LLMJudge`: what is asked, how a reply is read, what no answer is worth.

A judge may import neither Dagster nor the stores, the models, the tasks or the statistics.
A rule for one task only needs none of this: the judge `function` takes a function.
'''

from judges.base import Judge, LabelError, TextJudge
from judges.library import MissingLibrary
from judges.metric import Metric
from judges.registry import JudgeParameterError, UnknownJudge, get_judge, judge_class, judge_names
from judges.verdict import Verdict

__all__ = [
    "Judge",
    "JudgeParameterError",
    "LabelError",
    "Metric",
    "MissingLibrary",
    "TextJudge",
    "UnknownJudge",
    "Verdict",
    "get_judge",
    "judge_class",
    "judge_names",
]
