"""The code location: wiring only."""

import gc

import dagster as dg

gc.freeze()  # Dagster's modules stay as long as the process: looking through them again cost a run 0.2 s

from eval_assets import assets, jobs, sensors  # noqa: E402
from eval_assets.logs import plain_logger  # noqa: E402
from resources.store.resource import EvalStore  # noqa: E402

defs = dg.Definitions(
    assets=assets.ALL,
    jobs=jobs.ALL,
    sensors=sensors.all_sensors(),
    resources={"store": EvalStore(home="")},
    loggers={"console": dg.colored_console_logger, "plain": plain_logger},
    # A run is a process already: steps in processes of their own cost 6.0 s a cell, this costs 1.6 s.
    executor=dg.in_process_executor,
)
gc.freeze()
