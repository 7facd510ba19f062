"""What a report says of a judge that asks models, for a page, Markdown and a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from eval_assets.reporting.figures import Figure, figure, figure_table, interval_of
from eval_assets.reporting.words import count, decimal, percent

if TYPE_CHECKING:
    from rich.table import Table

Data = Mapping[str, Any]


def figures(block: Data) -> list[Figure]:
    """The rows of a report's `judging` block. Scores and rates are in percent, kappa, alpha and correlations plain."""
    return [*_calibration(block["calibration"]), *_biases(block), *_repeats(block)]


def judging_lines(block: Data) -> list[str]:
    """Who judged, how often, and in words what that is worth."""
    said = []
    if block["models"]:
        names = ", ".join(_who(model) for model in block["models"])
        replies = block["replies"]
        unread = replies["asked"] - replies["read"]
        lost = f", {count(unread)} of them without a verdict" if unread else ""
        said.append(
            f"Judged by {names}: {count(replies['asked'])} replies{lost}, {block['samples']} to a question, "
            f"prompt {block['prompt']}."
        )
    if block["calibration"] is None:
        said.append("Not held against people: what this judge is worth is not known (`evals calibrate`).")
        return said
    powered, kappa = block["calibration"]["powered"], block["calibration"]["agreement"]["kappa"]
    said.append(
        f"{count(powered['n_labelled'])} of {count(powered['n'])} items have a human verdict. The judge says "
        f"{_both(powered['judge'])}; corrected by people it is {_both(powered['estimate'])}."
    )
    said.append(_worth(kappa))
    if bias := _bias(powered["bias"]):
        said.append(bias)
    if lost := block["calibration"]["n_labels_unscored"]:
        said.append(f"{count(lost)} human verdicts are on answers that the judge could not score: they are left out.")
    said += [f"Note: {powered['estimate']['note']}."] if powered["estimate"]["note"] else []
    return said


def confusion(block: Data) -> tuple[list[str], list[list[str]]] | None:
    """Heads and rows of human (rows) by judge (columns); None where there is none to show."""
    found = block["calibration"] and block["calibration"]["agreement"]
    if not found or not found["confusion"]:
        return None
    names = [f"{value:g}" for value in found["values"]]
    heads = ["human", *(f"judge {name}" for name in names)]
    return heads, [[n, *map(count, row)] for n, row in zip(names, found["confusion"], strict=True)]


def judging_table(block: Data) -> Table:
    """The figures for a terminal."""
    table = figure_table(figures(block))
    if table_of := confusion(block):
        heads, rows = table_of
        lines = [", ".join(f"{head} {cell}" for head, cell in zip(heads, row, strict=True)) for row in rows]
        table.caption, table.caption_justify = "\n".join(lines), "left"
    return table


def _worth(kappa: Data) -> str:
    low, high = kappa["ci_low"], kappa["ci_high"]
    if not _known(kappa["value"]) or not _known(low):
        return "Its agreement with people cannot be told from these verdicts."
    if low <= 0 <= high:
        return "It does not agree with people beyond chance, as far as these verdicts tell: do not rely on its scores."
    if high < 0:
        return "It disagrees with people more than chance would: do not rely on its scores."
    return f"It agrees with people beyond chance (kappa {decimal(kappa['value'])})."


def _bias(bias: Data) -> str:
    """That the judge's mean is off, where its interval says so; "" where it does not."""
    low, high = bias["ci_low"], bias["ci_high"]
    if not _known(low) or low <= 0 <= high:
        return ""
    way = "too high" if low > 0 else "too low"
    return f"Its mean is {way} by {percent(abs(bias['value']))} points: quote the corrected mean, not the judge's own."


def _calibration(found: Data | None) -> Iterator[Figure]:
    if found is None:
        return
    agreement, powered = found["agreement"], found["powered"]
    weights = ", quadratic weights" if agreement["weighted"] else ""
    yield _plain("kappa", agreement["kappa"], f"Cohen's kappa of judge and people{weights}: 0 is chance, 1 is perfect")
    yield _share("same verdict", agreement["agreement"], "items on which judge and people say the same, %")
    if agreement["weighted"]:
        yield _plain("rank correlation", agreement["correlation"], "of the judge's and people's verdicts (Spearman)")
    yield _share("judge's mean", powered["judge"], "what the judge says of all items, %")
    yield _share("human mean", powered["human"], "what people say of the items they looked at, %")
    lam = f"lambda {decimal(powered['weight'])}" if _known(powered["weight"]) else ""
    yield _share(
        "corrected mean", powered["estimate"], f"prediction-powered: what people would say of all items, %; {lam}"
    )
    yield _share("bias", powered["bias"], "judge minus people where both spoke, points")


def _biases(block: Data) -> Iterator[Figure]:
    for name, meaning in (
        ("swap_disagrees", "pairs whose verdict changes when the answers change places, %"),
        ("first_wins", "decided verdicts for the answer that stands first, %; 50 is none"),
    ):
        if "position" in block:
            yield _share(name.replace("_", " "), block["position"][name], meaning)
    if "length" in block:
        length = block["length"]
        of = f"of score and {length['of']}"
        yield _plain("length", length["plain"], f"rank correlation {of}: bias or merit of longer answers")
        if length["given_human"]:
            yield _plain("length bias", length["given_human"], f"the same {of}, given the human verdict: 0 is none")


def _repeats(block: Data) -> Iterator[Figure]:
    if "runs" in block:
        values = ", ".join(percent(value) for value in block["runs"])
        changed = f"; {block['items_changed']} items changed" if "items_changed" in block else ""
        yield Figure("runs", values, "", f"the primary metric of each judge run, %{changed}")
        yield Figure("between runs", percent(block["between_runs_sd"]), "", "their standard deviation, points")
    if "within_item_sd" in block:
        yield Figure(
            "within item", decimal(block["within_item_sd"], 3), "", "spread of one judge's verdicts on one answer"
        )
    if "panel" in block:
        panel = block["panel"]
        yield _plain("alpha", panel["alpha"], f"Krippendorff's alpha of the panel ({panel['measure']}): 0 is chance")
        for model, mean in panel["means"].items():
            yield _share(f"judge {model}", mean, "its own mean, %")


def _who(model: Data) -> str:
    if model.get("imported"):
        return f"{model['name']} (imported answers)"
    snapshot = f", snapshot {model['snapshot']}" if model.get("snapshot") else ""
    return f"{model['name']} ({model['source']}{snapshot})"


def _known(value: Any) -> bool:
    return value is not None and value == value  # noqa: PLR0124 - NaN is not itself


def _both(estimate: Data) -> str:
    return f"{percent(estimate['value'])} % {interval_of(estimate, percent)}"


def _plain(name: str, estimate: Data, meaning: str) -> Figure:
    return figure(name, estimate, decimal, meaning)


def _share(name: str, estimate: Data, meaning: str) -> Figure:
    return figure(name, estimate, percent, meaning)
