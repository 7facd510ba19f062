"""What the routes share: the store, Dagster's queue, and the workers that run beside them."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Sequence

from eval_assets.pipeline.ledger import FAILED, WANTED, settle, wishes
from eval_assets.settings import Settings, load_settings
from eval_service.admission import Admission
from eval_service.auth import Client, Gatekeeper
from eval_service.fetching import Fetcher, folder_for, tidy
from eval_service.followers import Followers
from eval_service.fresh import Fresh
from eval_service.jobs import Job, Submission, all_jobs, cancel, find_job, submit_all
from eval_service.queue import DagsterQueue
from eval_service.schemas import EvaluateRequest, JobView
from eval_service.settings import ServiceSettings
from eval_service.uploads import UploadFolders
from eval_service.views import cell_state, places, view, waiting
from eval_service.writer import GroupWriter
from resources.store import Store

_FRESH = 2.0  # seconds


class Service:
    """State that outlives a request, and nothing that would not survive a restart: that is in the store."""

    def __init__(self, settings: ServiceSettings, queue: DagsterQueue | None = None) -> None:
        self.settings, self.store, self.queue = settings, Store(), queue or DagsterQueue()
        self.gatekeeper = Gatekeeper(settings)
        self.uploads = UploadFolders(settings.uploads_folder(self.store), settings.max_upload_gb * 1e9)
        self.admission = Admission(self.store, settings, self.uploads)
        self.fetcher = Fetcher(settings.max_upload_gb * 1e9, self._could_not_fetch)
        self.writer = GroupWriter(self._commit)
        self.followers = Followers()
        self._places: dict[str, int] = {}
        self._note = ""
        self._settings: Fresh[Settings] = Fresh(_FRESH)
        self._problem: Fresh[str] = Fresh(_FRESH)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with self.writer:
            await asyncio.to_thread(self._fetch_what_is_wanted)
            # What modules made stays as long as the process: looking through it took 0.1 s of some answer every time.
            gc.freeze()
            yield
        self.fetcher.close()
        self.followers.close()

    # --- jobs -----------------------------------------------------------------------------------

    async def submit(self, request: EvaluateRequest, client: Client) -> tuple[Job, bool]:
        """The job, and whether it is new. It is stored when this returns."""
        made = await asyncio.to_thread(self.admission.job, request, client.name, self._project())
        new = await self.writer.put(made)
        if made.fetched:
            self.fetcher.want(made.fetched, folder_for(made.fetched, self.uploads.folder))
        return (made.job if new else await asyncio.to_thread(find_job, self.store, made.job.id)), new

    def _commit(self, submissions: Sequence[Submission]) -> list[bool | Exception]:
        found = submit_all(self.store, submissions, self.settings.open_jobs)
        # Once for all of them.
        self._places, self._note = places(self.store), self._problem.get("", self.queue.problem)
        return found

    def accepted(self, job: Job) -> JobView:
        """A job that was stored a moment ago: nothing of it runs, so nobody is asked."""
        return waiting(job, self._places.get(job.who, 0), self._note)

    def _project(self) -> Settings:
        return self._settings.get("", load_settings)

    def view(self, job: Job) -> JobView:
        """The job as it stands. Raises DagsterUnreachable."""
        return view(self.store, job, self.queue.going(), self.queue.problem())

    def cancel(self, job: Job) -> JobView:
        """No longer want the job's cells, and stop runs of cells that nobody else wants either."""
        gone = cancel(self.store, job)
        still = {w.cell for w in wishes(self.store)}
        going = self.queue.going()
        alone = [w for w in gone if w.cell not in still]
        runs = [cell_state(w, going) for w in alone]
        self.queue.stop(run_id for state, run_id in runs if run_id and state in ("queued", "running"))
        return self.view(job)

    # --- checkpoints on object storage ------------------------------------------------------------

    def _fetch_what_is_wanted(self) -> None:
        """After a restart: go on with the copies that open jobs wait for."""
        open_whos = {w.who for w in wishes(self.store, WANTED)}
        for job in all_jobs(self.store):
            if job.who in open_whos and (uri := _fetched(job)):
                self.fetcher.want(uri, folder_for(uri, self.uploads.folder))

    def _could_not_fetch(self, uri: str, why: str) -> None:
        whos = {job.who for job in all_jobs(self.store) if _fetched(job) == uri}
        settle(self.store, [w for w in wishes(self.store) if w.who in whos], FAILED, why)


def _fetched(job: Job) -> str:
    source = str(job.request.get("model_args", {}).get("pretrained", ""))
    return tidy(source) if source.startswith("s3://") else ""
