"""`ocrbench`: any accepted answer stands somewhere in the response, by OCRBench's rule for each of its sources."""

from __future__ import annotations

from typing import ClassVar

from judges.base import ItemLike, LabelError, TextJudge, TextParams
from judges.exact import accepted_texts
from judges.verdict import Verdict

_FORMULAS = "HME100k"
# Full-width forms of ASCII, as Chinese and Japanese type them, and their space.
_NARROW = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}


class OcrBenchParams(TextParams):
    """source_field: the field with the source's name. fold_width: full-width letters equal plain ones."""

    source_field: str = "dataset"
    fold_width: bool = False


class OcrBenchJudge(TextJudge):
    """The answer occurs anywhere in the response, inside words as well: "12" is found in "2012".

    Case and line breaks do not count; in formulas (source HME100k) white space does not count and case does. This is
    the rule of the authors' script. lmms-eval also folds full-width forms: `fold_width`. The answer key is the
    accepted answer that was found, the longest if there are several, else the folded response.
    """

    name: ClassVar[str] = "ocrbench"
    Parameters = OcrBenchParams
    sources = ("ocrbench.py", "exact.py")

    def label(self, item: ItemLike) -> tuple[str, ...]:
        if self.params.source_field not in item.doc:
            raise LabelError(f"the row has no field {self.params.source_field!r}, which says what its source is")
        labels = tuple(self._folded(item, text) for text in accepted_texts(item.target))
        if not all(labels):
            raise LabelError(f"an empty answer would stand in any response: {item.target!r}")
        return labels

    def decide(self, item: ItemLike, label: tuple[str, ...], answer: str) -> Verdict:
        text = self._folded(item, answer)
        found = max((words for words in label if words in text), key=len, default=None)
        return Verdict(float(found is not None), answer=text if found is None else found)

    def _folded(self, item: ItemLike, text: str) -> str:
        if item.doc[self.params.source_field] == _FORMULAS:
            return text.strip().replace("\n", " ").replace(" ", "")
        if self.params.fold_width:
            text = text.translate(_NARROW)
        return text.lower().strip().replace("\n", " ")
