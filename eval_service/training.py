"""For training loops: hand a checkpoint over and go on.

from eval_service.training import Submitter, EvalCallback

trainer.add_callback(EvalCallback("http://eval-server:8000", suite="quick"))     # Hugging Face Trainer

evaluate = Submitter("http://eval-server:8000", suite="quick")                   # any other loop
...
evaluate(folder)                                                                 # returns at once
...
evaluate.finish()                                                                # before the process ends
"""

from __future__ import annotations

import logging
import queue
import threading
from pathlib import Path
from typing import Any

from eval_service.client import EvalClient

_log = logging.getLogger(__name__)


class Submitter:
    """Submits checkpoint folders from a thread of its own: the loop waits for nothing and is stopped by nothing.

    A checkpoint that could not be submitted is logged as a warning and kept in `failed`. options: of
    `EvalClient.evaluate_checkpoint`. jobs: folder -> job id.
    """

    def __init__(
        self, url: str, suite: str, *, token: str | None = None, patience: float = 600, **options: Any
    ) -> None:
        self._client = EvalClient(url, token=token, patience=patience)
        self._suite, self._options = suite, options
        self.jobs: dict[str, str] = {}
        self.failed: dict[str, str] = {}
        self._folders: queue.SimpleQueue[Path | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="submit checkpoints", daemon=True)
        self._thread.start()

    def __call__(self, folder: str | Path) -> None:
        """Have a folder evaluated; it should be whole, or about to be."""
        self._folders.put(Path(folder))

    def finish(self, timeout: float | None = 600) -> None:
        """Wait until all that was handed over is submitted, not until it is evaluated."""
        self._folders.put(None)
        self._thread.join(timeout)

    def _run(self) -> None:
        while (folder := self._folders.get()) is not None:
            try:
                job = self._client.evaluate_checkpoint(folder, self._suite, **self._options)
                self.jobs[str(folder)] = job["job_id"]
            except Exception as error:  # whatever the service or the way to it does, the training goes on
                self.failed[str(folder)] = str(error)
                _log.warning("%s was not submitted for evaluation: %s", folder, error)
        self._client.close()


def EvalCallback(url: str, suite: str, **options: Any) -> Any:  # it is used as a class
    """A `transformers.TrainerCallback` that submits each checkpoint when it has been saved.

    Only the main process submits. options: of `Submitter`.
    """
    from transformers import TrainerCallback

    class _Callback(TrainerCallback):  # type: ignore[misc]
        def __init__(self) -> None:
            self.submitter: Submitter | None = None

        def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if state.is_world_process_zero:
                self.submitter = self.submitter or Submitter(url, suite, **options)
                self.submitter(Path(args.output_dir).absolute() / f"checkpoint-{state.global_step}")

        def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if self.submitter:
                self.submitter.finish()

    return _Callback()
