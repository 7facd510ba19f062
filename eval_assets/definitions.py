"""The code location: wiring only."""

import dagster as dg

from eval_assets import assets, checks, jobs, sensors
from eval_assets.logs import plain_logger
from resources.store.resource import EvalStore

defs = dg.Definitions(
    assets=assets.ALL,
    asset_checks=checks.ALL,
    jobs=jobs.ALL,
    sensors=sensors.all_sensors(),
    resources={"store": EvalStore(home="")},
    loggers={"console": dg.colored_console_logger, "plain": plain_logger},
    # A run is a process already: steps in processes of their own cost 6.0 s a cell, this costs 1.6 s.
    executor=dg.in_process_executor,
)
