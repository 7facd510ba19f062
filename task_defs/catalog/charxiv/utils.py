"""CharXiv: the published texts of its questions (src/constants.py of princeton-nlp/CharXiv, Apache-2.0), each figure's
questions, and the judge's JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from judges.reply import number, verdict_of

_NO_PLACE = (18, 19)  # templates about the whole figure


# Descriptive questions by template; {} is where in the figure.
DESCRIPTIVE = {
    1: (
        "{}what is its title?\n"
        "    * Your final answer should be the most relevant title of the plot that is explicitly "
        "written.\n"
        "    * If the plot does not have an explicit title or contains only a letter, answer 'Not "
        "Applicable'."
    ),
    2: (
        "{}what is the label of the x-axis?\n"
        "    * Your final answer should be the label of the x-axis that is explicitly written, including "
        "the case when x-axis is shared across multiple subplots. When the x-axis is present on both the "
        "top and bottom of the plot, answer the label of the x-axis at the bottom.\n"
        "    * If the plot does not have an explicit x-axis label, answer 'Not Applicable'."
    ),
    3: (
        "{}what is the label of the y-axis?\n"
        "    * Your final answer should be the label of the y-axis that is explicitly written, including "
        "the case when y-axis is shared across multiple subplots. When the y-axis is present on both the "
        "left and right of the plot, answer the label of the y-axis at the left.\n"
        "    * If the plot does not have an explicit y-axis label, answer 'Not Applicable'."
    ),
    4: (
        "{}what is the leftmost labeled tick on the x-axis?\n"
        "    * Your final answer should be the tick value on the x-axis that is explicitly written, "
        "including the case when x-axis is shared across multiple subplots. When the x-axis is present "
        "on both the top and bottom of the plot, answer based on the axis at the bottom. Ignore units or "
        "scales that are written separately from the tick, such as units and scales from the axis label "
        "or the corner of the plot."
    ),
    5: (
        "{}what is the rightmost labeled tick on the x-axis?\n"
        "    * Your final answer should be the tick value on the x-axis that is explicitly written, "
        "including the case when x-axis is shared across multiple subplots. When the x-axis is present "
        "on both the top and bottom of the plot, answer based on the axis at the bottom. Ignore units or "
        "scales that are written separately from the tick, such as units and scales from the axis label "
        "or the corner of the plot."
    ),
    6: (
        "{}what is the spatially lowest labeled tick on the y-axis?\n"
        "    * Your final answer should be the tick value on the y-axis that is explicitly written, "
        "including the case when y-axis is shared across multiple subplots. When the y-axis is present "
        "on both the left and right of the plot, based on the axis at the left. Ignore units or scales "
        "that are written separately from the tick, such as units and scales from the axis label or the "
        "corner of the plot."
    ),
    7: (
        "{}what is the spatially highest labeled tick on the y-axis?\n"
        "    * Your final answer should be the tick value on the y-axis that is explicitly written, "
        "including the case when y-axis is shared across multiple subplots. When the y-axis is present "
        "on both the left and right of the plot, based on the axis at the left. Ignore units or scales "
        "that are written separately from the tick, such as units and scales from the axis label or the "
        "corner of the plot."
    ),
    8: (
        "{}what is difference between consecutive numerical tick values on the x-axis?\n"
        "    * Your final answer should be the difference between consecutive numerical tick values of "
        "the x-axis, including the case when x-axis is shared across multiple subplots. When the x-axis "
        "is present on both the top and bottom of the plot, answer based on the axis at the bottom. "
        "Ignore units or scales that are written separately from the tick, such as units and scales from "
        "the axis label or the corner of the plot.\n"
        "    * If the plot does not have an explicit x-axis tick value, or if the tick values are not "
        "numerical, or if the difference is not constant between all consecutive tick values, answer "
        '"Not Applicable".'
    ),
    9: (
        "{}what is difference between consecutive numerical tick values on the y-axis?\n"
        "    * Your final answer should be the difference between consecutive numerical tick values of "
        "the y-axis, including the case when y-axis is shared across multiple subplots. When the y-axis "
        "is present on both the left and right of the plot, answer based on the axis at the left. Ignore "
        "units or scales that are written separately from the tick, such as units and scales from the "
        "axis label or the corner of the plot.\n"
        "    * If the plot does not have an explicit y-axis tick value, or if the tick values are not "
        "numerical, or if the difference is not constant between all consecutive tick values, answer "
        '"Not Applicable".'
    ),
    10: (
        "{}how many lines are there?\n"
        "    * Your final answer should be the number of lines in the plot. Ignore grid lines, tick "
        "marks, and any vertical or horizontal auxiliary lines.\n"
        '    * If the plot does not contain any lines or is not considered a line plot, answer "Not '
        'Applicable".'
    ),
    11: (
        "{}do any lines intersect?\n"
        '    * Your final answer should be "Yes" if any lines intersect, and "No" otherwise. Ignore grid '
        "lines, tick marks, and any vertical or horizontal auxiliary lines.\n"
        '    * If the plot does not contain any lines or is not considered a line plot, answer "Not '
        'Applicable".'
    ),
    12: (
        "{}how many discrete labels are there in the legend?\n"
        "    * Your final answer should account for only labels relevant to the plot in the legend, even "
        "if the legend is located outside the plot. \n"
        "    * If the plot does not have a legend or no legend is not considered relevant to this plot, "
        'answer "Not Applicable".'
    ),
    13: (
        "{}what are the names of the labels in the legend?\n"
        "    * You should write down the labels from top to bottom, then from left to right and separate "
        "the labels with commas. Your final answer should account for only labels relevant to the plot "
        "in the legend, even if the legend is located outside the plot.\n"
        "    * If the plot does not have a legend or no legend is not considered relevant to this plot, "
        'answer "Not Applicable".'
    ),
    14: (
        "{}what is the difference between the maximum and minimum values of the tick labels on the "
        "continuous legend (i.e., colorbar)?\n"
        "    * You should remove the percentage sign (if any) in your answer.\n"
        "    * If the plot does not have an explicit colorbar-based continuous legend or the legend is "
        'not considered relevant to this subplot, answer "Not Applicable".'
    ),
    15: (
        "{}what is the maximum value of the tick labels on the continuous legend (i.e., colorbar)?\n"
        "    * You should remove the percentage sign (if any) in your answer. \n"
        "    * If the plot does not have an explicit colorbar-based continuous legend or the legend is "
        'not considered relevant to this subplot, answer "Not Applicable".'
    ),
    16: (
        "{}what is the general trend of data from left to right?\n"
        '    * Your final answer should be within a few words, such as "increases", "increases then '
        'stabilizes".'
    ),
    17: (
        "{}What is the total number of explicitly labeled ticks across all axes?\n"
        "    * Your final answer should be the total number of explicitly labeled ticks across all axes, "
        "including the case when any axis is shared across multiple subplots."
    ),
    18: (
        "What is the layout of the subplots?\n"
        '    * Your final answer should follow "n by m" format, where n is the number of rows and m is '
        "the number of columns.\n"
        '    * If the plot does not contain subplots, answer "1 by 1".'
    ),
    19: (
        "What is the number of subplots?\n"
        "    * Your final answer should be the total number of subplots in the plot.\n"
        '    * If the plot does not contain subplots, answer "1".'
    ),
}
# The same as the judge is told them, without place and instruction.
OVERARCHING = {
    1: "What is the title of the plot?",
    2: "What is the label of the x-axis?",
    3: "What is the label of the y-axis?",
    4: "What is the leftmost labeled tick on the x-axis?",
    5: "What is the rightmost labeled tick on the x-axis?",
    6: "What is the spatially lowest labeled tick on the y-axis?",
    7: "What is the spatially highest labeled tick on the y-axis?",
    8: "What is difference between consecutive numerical tick values on the x-axis?",
    9: "What is difference between consecutive numerical tick values on the y-axis?",
    10: "How many lines are there?",
    11: "Do any lines intersect?",
    12: "How many discrete labels are there in the legend?",
    13: "What are the names of the labels in the legend? (from top to bottom, then left to right)",
    14: "What is the difference between the maximum and minimum values of the tick labels on the continuous legend "
    "(i.e., colorbar)?",
    15: "What is the maximum value of the tick labels on the continuous legend (i.e., colorbar)?",
    16: "What is the general trend of data from left to right?",
    17: "What is the total number of explicitly labeled ticks across all axes?",
    18: "What is the layout of the subplots?",
    19: "What is the number of subplots?",
}
# What a reasoning question asks of the form of its answer, by kind: text in the chart, text in general, number in the
# chart. Of numbers in general (4) it is the number of decimal places.
FORM = {
    1: (
        "\n"
        "    * Your final answer must be grounded to some text that is explicitly written and relevant "
        "to the question in the chart.\n"
        "    * If you need to answer multiple terms, separate them with commas.\n"
        "    * Unless specified in the question (such as answering with a letter), you are required to "
        "answer the full names of subplots and/or labels by default."
    ),
    2: (
        "\n"
        "    * If there are options in the question, your final answer must conform to one of the "
        "options.\n"
        "    * If there are additional instructions in the question, follow them accordingly.\n"
        "    * If there are neither options nor additional instructions, you are allowed to respond with "
        "a short phrase only."
    ),
    3: (
        "\n"
        "    * Your final answer must be grounded to a number that is exlicitly written and relevant to "
        "the question in the chart, even if it's an approximate value.\n"
        "    * You are allowed to extract numbers within some text when needed."
    ),
}


def reasoning(docs: Iterator[dict[str, Any]], root: Path, task: Any) -> Iterator[dict[str, Any]]:
    """One question a figure: `prompt` as the model gets it, `question` as the judge does, `kind` of answer."""
    for number_of_row, doc in enumerate(docs):
        kind, answer = doc["reasoning_a_type"], str(doc["reasoning_a"])
        form = FORM[kind] if kind in FORM else f"\n    {_decimals(answer)}"
        yield {
            "id": str(doc.get("figure_path") or number_of_row),
            "image": doc["image"],
            "question": doc["reasoning_q"],
            "prompt": doc["reasoning_q"] + form,
            "kind": kind,
            "source": doc.get("reasoning_q_source"),
            "answer": answer,
            "category": doc.get("category"),
        }


def _decimals(answer: str) -> str:
    _, point, decimals = answer.partition(".")
    if not point:
        return "* Your final answer must be an exact integer."
    return f"* Your final answer must be a number with {len(decimals)} decimal places."


def descriptive(docs: Iterator[dict[str, Any]], root: Path, task: Any) -> Iterator[dict[str, Any]]:
    """The four descriptive questions of a figure, one after another."""
    for number_of_row, doc in enumerate(docs):
        figure = str(doc.get("figure_path") or number_of_row)
        for k in range(1, 5):
            template = int(doc[f"descriptive_q{k}"])
            place = "" if template in _NO_PLACE else _place(doc)
            yield {
                "id": f"{figure}_{k}",
                "figure": figure,
                "image": doc["image"],
                "prompt": DESCRIPTIVE[template].format(place),
                "question": OVERARCHING[template],
                "overarching": OVERARCHING[template],
                "template": template,
                "answer": str(doc[f"descriptive_a{k}"]),
                "category": doc.get("category"),
            }


def _place(doc: Mapping[str, Any]) -> str:
    if doc.get("subplot_loc"):
        return f"For {doc['subplot_loc']}, "
    if not doc.get("subplot_row"):
        return "For the current plot, "
    return f"For the subplot at row {doc['subplot_row']} and column {doc['subplot_col']}, "


def score(text: str) -> float:
    """`score` of the reasoning prompt's JSON: 0 or 1."""
    return verdict_of(text, "score", _zero_or_one, "score 0 or 1")


def score_of_one(text: str) -> float:
    """`score_T1` of the descriptive prompt's JSON, for one answer: 0 or 1."""
    return verdict_of(text, "score_T1", _zero_or_one, "score_T1 0 or 1")


def _zero_or_one(value: Any) -> float | None:
    found = number(value, 0, 1)
    return found if found in (0, 1) else None
