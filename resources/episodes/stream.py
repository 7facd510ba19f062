"""`stream`: a video fed in time order; the model is asked on the way, and must tell by itself what happens."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import closing
from typing import Any, BinaryIO

from pydantic import ValidationError

from resources.episodes.base import Episode, EpisodeFailed, Outcome, Player
from resources.episodes.stream_answers import Answers
from resources.episodes.stream_frames import Feed
from resources.episodes.stream_params import StreamParams
from resources.episodes.stream_policies import empty_context
from resources.episodes.stream_scorer import Scorer, scorer_identity
from resources.episodes.stream_script import BadScript, read_script
from resources.episodes.stream_watching import Watching
from resources.video import BadVideo


class StreamPlayer(Player):
    """The item's medium is the video, its fields `questions` and `events` say what is asked: see `read_script`.

    A request shows only frames up to its moment. Each stands alone: the frames of the context and one question; what
    was said before is not in it. An event is asked about at every tick until the model says that it has happened: said
    before, that is a false alarm and it is asked on; said after, its latency is the time since the event.
    A context that became too long for the model ends the stream: what is left counts as wrong (`context`).
    """

    packages = ("av", "pillow", "numpy")
    shows_pictures = True
    version = 2

    def __init__(self, params: Mapping[str, Any]) -> None:
        super().__init__(params)
        try:
            self._params = StreamParams.model_validate(dict(params))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            said = first["msg"].removeprefix("Value error, ")
            if first["type"] == "extra_forbidden":
                said = f"no such parameter: it takes {', '.join(StreamParams.model_fields)}"
            raise ValueError(f"{where}: {said}" if where else said) from error
        self._answers = Answers(self._params.reads)
        self._scorer = Scorer(self._params.scorer or "") if self._params.policy == "relevant" else None

    @classmethod
    def contents(cls, params: Mapping[str, Any]) -> list[str]:
        named = params.get("scorer") if params.get("policy") == "relevant" else None
        return scorer_identity(named) if isinstance(named, str) else []

    async def play(self, episode: Episode) -> Outcome:
        try:
            script = read_script(episode.doc, self._params.kinds)
            feed = await asyncio.to_thread(Feed, _video(episode), self._params.fps, self._params.max_pixels)
            with closing(feed), closing(empty_context(self._params, self._scorer)) as context:
                return await Watching(self._params, self._answers, script, feed, context, episode).play()
        except (BadScript, BadVideo) as error:
            raise EpisodeFailed(str(error)) from error


def _video(episode: Episode) -> BinaryIO:
    try:
        return episode.open(0)
    except IndexError:
        raise BadVideo("the row has no video: name its field in doc_to_visual") from None
