"""One stream under way: what is shown at each moment, what is asked then, what came of it."""

from __future__ import annotations

import asyncio
import math

from resources.episodes.base import Episode, Outcome, Turn, Unanswered, opened
from resources.episodes.stream_answers import Answers, lettered, scripted_answer, scripted_word
from resources.episodes.stream_choice import REPAIRS, Choice, Chosen
from resources.episodes.stream_context import Context
from resources.episodes.stream_frames import Feed, Frame
from resources.episodes.stream_params import StreamParams
from resources.episodes.stream_script import BadScript, Event, Question, Script
from resources.episodes.stream_sound import sound_before
from resources.episodes.stream_tally import Tally
from resources.models.base import Message, Part, Response

_ROUNDED = 0.5  # seconds that a time may lie behind the end: published time stamps are rounded


class Watching:
    """Plays one episode, once."""

    def __init__(
        self, params: StreamParams, answers: Answers, script: Script, feed: Feed, context: Context, episode: Episode
    ) -> None:
        self._params, self._answers, self._script, self._feed, self._episode = params, answers, script, feed, episode
        self._context = context
        self._every = params.every or 1 / params.fps
        self._tally = Tally(params.kinds)
        self._open = {event.name: event for event in script.events}
        self._alarms = dict.fromkeys(self._open, 0)
        self._left = {question.name: question for question in script.questions}
        self._seconds: list[float | None] = []
        self._stopped = ""  # why no more is asked

    async def play(self) -> Outcome:
        self._refuse_beyond(self._feed.length)
        for time, asked in self._script.moments(self._every, self._feed.length):
            wanted = [a for a in asked if a.name in self._open or a.name in self._left]
            if not self._open and not self._left:
                break
            if not wanted:
                continue
            await self._watch(time)
            if self._feed.end is not None and time >= self._feed.end + _ROUNDED:
                break
            self._seconds = []
            for each in wanted:
                await self._ask(each, time)
            if self._stopped:
                break
            self._tally.moment(self._seconds, self._every)
        self._refuse_beyond(self._feed.end if not self._stopped else None)
        return self._end()

    async def _watch(self, time: float) -> None:
        """Take in all frames up to a time, unless the stream had to stop."""
        while (frame := self._feed.ahead) is not None and frame.time <= time + 1e-9:
            if isinstance(self._context, Chosen) and self._context.full:
                await self._choose(self._context)
                if self._stopped:
                    return
            self._context.add(frame)
            await asyncio.to_thread(self._feed.advance)

    def _refuse_beyond(self, end: float | None) -> None:
        time, name = self._script.latest
        if end is not None and time > end + _ROUNDED:
            raise BadScript(f"{name} is about {time:g} s, and the video is over at {end:.1f} s")

    # --- one request ---------------------------------------------------------------------------

    async def _ask(self, asked: Question | Event, time: float) -> None:
        if self._stopped:
            return
        frames = await asyncio.to_thread(self._context.frames, asked.text)
        response = await self._response(await self._turn(asked, time, frames))
        if response is None:
            return
        self._seconds.append(self._tally.step(response, len(frames)))
        if isinstance(asked, Question):
            self._answered(asked, response)
        else:
            self._told(asked, time, response)

    async def _response(self, turn: Turn) -> Response | None:
        """The model's answer; None where there is none and no more is asked."""
        if self._episode.exhausted:
            self._stopped = "budget"
            return None
        try:
            return await self._episode.ask(turn)
        except Unanswered as refused:
            error = refused.response.error
            if error is None or error.kind != "too_long":
                raise
            self._stopped = "context"
            return None

    async def _choose(self, context: Chosen) -> None:
        """Ask the model what stays. Where none of its answers says so, the newest frames do."""
        frames, params = context.frames(""), self._params
        time, said = frames[-1].time, params.keep
        waited = "\n".join(event.text for event in self._open.values() if event.asked_at(time))
        for name, value in (("{count}", len(frames)), ("{room}", context.room), ("{watch}", waited)):
            said = said.replace(name, str(value))
        choice = Choice(
            _said(self._episode.instructions), frames, context.room, said, params.timestamps,
            f"{self._episode.seed} choice {time:g}", tuple(self._left.values()),
        )  # fmt: skip
        seconds: list[float | None] = []
        while context.room and choice.chosen is None and len(seconds) <= REPAIRS:
            response = await self._response(choice.turn())
            if response is None:
                return
            seconds.append(self._tally.step(response, len(frames)))
            choice.read(response)
            kept = None if choice.chosen is None else " ".join(map(str, choice.chosen))
            self._episode.acted(kept, problem=choice.problem)
        if seconds:
            self._tally.moment(seconds, self._every)
            self._tally.add(choices=1, unchosen=choice.chosen is None)
        context.keep(choice.newest if choice.chosen is None else choice.chosen)

    async def _turn(self, asked: Question | Event, time: float, frames: list[Frame]) -> Turn:
        params = self._params
        media, parts = [f.media for f in frames], list[Part]()
        for number, frame in enumerate(frames):
            parts += [("text", f"[{frame.time:.1f} s]")] if params.timestamps else []
            parts.append(("media", number))
        if params.sound is not None:
            start = max(0.0, time - params.sound)
            media.append(await asyncio.to_thread(sound_before, self._episode.open(0), start, time))
            parts.append(("media", len(frames)))
        question = isinstance(asked, Question)
        said = params.ask if question else params.watch
        options = lettered(asked.options) if isinstance(asked, Question) else ""
        for name, value in (("{options}", options), ("{time}", f"{time:g}"), ("{question}", asked.text)):
            said = said.replace(name, value)
        seed = f"{self._episode.seed} {asked.name} {time:g}"

        def scripted(policy: str) -> str | None:
            if isinstance(asked, Question):
                return scripted_answer(asked, frames, policy, seed)
            return scripted_word(asked, time, frames, policy, seed)

        return Turn(
            opened(_said(self._episode.instructions), *parts, ("text", said.strip())), tuple(media),
            {"time": time, "kind": asked.kind, "asked": asked.name, "frames": [round(f.time, 3) for f in frames]},
            scripted,
        )  # fmt: skip

    # --- what came of it -----------------------------------------------------------------------

    def _answered(self, question: Question, response: Response) -> None:
        verdict = self._answers.verdict(question, response.text)
        if verdict.score is None:
            raise BadScript(f"{question.name}: {verdict.unscored}")
        self._episode.acted(verdict.answer, reward=verdict.score)
        del self._left[question.name]
        self._line(question, verdict.score, "" if verdict.score >= 1 else "perception", answer=verdict.answer)

    def _told(self, event: Event, time: float, response: Response) -> None:
        says = self._answers.told(response.text)
        happened = event.at is not None and event.at - self._params.early <= time
        self._tally.add(quiet=not happened)
        false = bool(says) and not happened
        self._episode.acted(None if says is None else "yes" if says else "no", false_alarm=false)
        if false:
            self._alarms[event.name] += 1
            self._tally.add(false_alarms=1)
        elif says and event.at is not None:
            del self._open[event.name]
            latency, alarms = time - max(event.at, event.start), self._alarms[event.name]
            late = latency > (math.inf if self._params.tolerance is None else self._params.tolerance)
            self._tally.add(events=1, detected=1, latency=latency)
            failure = "false_alarm" if alarms else "late" if late else ""
            self._line(event, float(not failure), failure, latency=latency, false_alarms=alarms)

    def _end(self) -> Outcome:
        """What is still open: questions that were not reached are wrong, events that nobody told of are missed."""
        for question in self._left.values():
            self._line(question, 0.0, self._stopped or "budget", answer=None)
        for event in self._open.values():
            alarms, comes = self._alarms[event.name], event.at is not None
            self._tally.add(events=comes, missed=comes)
            failure = self._stopped or ("false_alarm" if alarms else "missed" if comes else "")
            self._line(event, float(not failure), failure, latency=None, false_alarms=alarms)
        return self._tally.outcome()

    def _line(self, asked: Question | Event, right: float, failure: str, **more: object) -> None:
        at = asked.time if isinstance(asked, Question) else asked.at
        self._tally.item(asked.kind, right, failure, name=asked.name, at=at, **more)


def _said(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """The task's own words; an empty text is none."""
    return tuple(Message(m.role, kept) for m in messages if (kept := tuple(p for p in m.parts if p != ("text", ""))))
