"""Context policies by name."""

from __future__ import annotations

from resources.episodes.stream_choice import Chosen
from resources.episodes.stream_context import Changes, Context, Everything, Thinning, Window
from resources.episodes.stream_params import StreamParams
from resources.episodes.stream_relevant import Relevant
from resources.episodes.stream_scorer import Scorer

_PLAIN: dict[str, type] = {
    "window": Window, "thinning": Thinning, "changes": Changes, "model": Chosen, "all": Everything,
}  # fmt: skip


def empty_context(params: StreamParams, scorer: Scorer | None) -> Context:
    """A context before its stream has begun. scorer: of the policy `relevant`."""
    budget = params.budget or 0
    if scorer is not None:
        return Relevant(budget, scorer)
    made: Context = _PLAIN[params.policy](budget)
    return made
