"""Submissions that wait for the store are committed together: fifty clients cost as much as one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from eval_service.jobs import Submission

_MOST = 256  # in one commit, and in the queue beside it

Commit = Callable[[Sequence[Submission]], list[bool | Exception]]


class GroupWriter:
    """Use as an async context manager. commit: runs in a thread, one at a time."""

    def __init__(self, commit: Commit) -> None:
        self._commit = commit
        self._queue: asyncio.Queue[tuple[Submission, asyncio.Future[bool]]] = asyncio.Queue(_MOST)

    async def __aenter__(self) -> GroupWriter:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def put(self, submission: Submission) -> bool:
        """Return when the submission is stored: whether it is new. Raises what the commit said of it."""
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        await self._queue.put((submission, done))
        return await done

    async def _run(self) -> None:
        while True:
            batch = [await self._queue.get()]
            while len(batch) < _MOST and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            try:
                results = await asyncio.to_thread(self._commit, [submission for submission, _ in batch])
            except Exception as error:  # whatever it is, each of them must hear of it
                results = [error] * len(batch)
            for (_, done), result in zip(batch, results, strict=True):
                if done.done():
                    continue  # the client went away; the job is stored all the same
                if isinstance(result, Exception):
                    done.set_exception(result)
                else:
                    done.set_result(result)
