"""Real ticks of the real sensors; runs that they ask for are executed as the daemon would."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess

import dagster as dg
import pytest
from dagster._core.definitions.partitions.context import partition_loading_context

from eval_assets import results
from eval_assets.definitions import defs
from eval_assets.pipeline.cell import Variant
from eval_assets.pipeline.ledger import DONE, FAILED, Wish, wish_for, wishes
from eval_assets.pipeline.registering import from_directory, register
from eval_assets.sensors import _watch_sensor, drain_wanted
from eval_assets.settings import load_settings
from resources.engines.processes import identity
from resources.store.records import checkpoints
from resources.store.resource import EvalStore


def tick(project, sensor):
    with (
        dg.build_sensor_context(
            instance=project.instance, resources={"store": EvalStore()}, repository_def=defs.get_repository_def()
        ) as context,
        partition_loading_context(dynamic_partitions_store=project.instance),  # as the daemon's code server has it
    ):
        found = sensor.evaluate_tick(context)
    return found.run_requests or []


def execute(project, request):
    job = request.job_name.removesuffix("_job")
    return project.run(job, request.partition_key, tags=request.tags, run_config=request.run_config)


def drain(project, most=10):
    """Ticks and runs until nothing is asked for; the jobs in order."""
    jobs = []
    for _ in range(most):
        requests = tick(project, drain_wanted)
        if not requests:
            return jobs
        for request in requests:
            jobs.append(f"{request.job_name}:{request.partition_key}")
            execute(project, request)
    raise AssertionError(f"the sensor never rests: {jobs}")


def test_a_wanted_cell_becomes_runs_in_order_and_then_rest(project):
    project.answers("good", right=30)
    wish_for(project.store, [Wish("good", "colours", "test")])
    assert drain(project) == ["checkpoint_job:good", "cell_job:good|colours", "checkpoint_report_job:good"]
    assert [w.checkpoint for w in wishes(project.store, DONE)] == ["good"]
    assert (project.path / "home" / "reports" / "good.html").is_file()
    assert tick(project, drain_wanted) == []


def test_a_cell_that_is_running_is_not_asked_for_twice(project):
    project.answers("good", right=30)
    wish_for(project.store, [Wish("good", "colours", "test")])
    (first,) = tick(project, drain_wanted)
    run = project.instance.create_run_for_job(
        defs.resolve_job_def(first.job_name), tags={**first.tags}, status=dg.DagsterRunStatus.STARTED
    )
    assert tick(project, drain_wanted) == []
    project.instance.report_run_failed(run)
    (again,) = tick(project, drain_wanted)
    assert again.run_key == first.run_key.replace("attempt1", "attempt2")


def test_a_run_whose_process_was_killed_with_all_of_dagster_is_found_out_and_tried_again(project):
    """As after a power cut: nobody is left to say that the run has ended."""
    project.answers("good", right=30)
    wish_for(project.store, [Wish("good", "colours", "test")])
    (first,) = tick(project, drain_wanted)
    killed = subprocess.Popen(["sleep", "60"])
    tags = {**first.tags, "eval/worker": f"{platform.node()}|{identity(killed.pid)}"}
    run = project.instance.create_run_for_job(
        defs.resolve_job_def(first.job_name), tags=tags, status=dg.DagsterRunStatus.STARTED
    )
    assert tick(project, drain_wanted) == []
    killed.kill()
    killed.wait()
    (again,) = tick(project, drain_wanted)
    assert again.run_key.endswith("attempt2")
    assert project.instance.get_run_by_id(run.run_id).status == dg.DagsterRunStatus.FAILURE
    elsewhere = {**again.tags, "eval/worker": "another-host|boot:1:2"}
    project.instance.create_run_for_job(
        defs.resolve_job_def(again.job_name), tags=elsewhere, status=dg.DagsterRunStatus.STARTED
    )
    assert tick(project, drain_wanted) == []


def test_a_run_says_which_process_it_is(project):
    project.answers("good", right=30)
    done = project.cell("good")
    tags = project.instance.get_run_by_id(done.run_id).tags
    assert tags["eval/worker"] == f"{platform.node()}|{identity(os.getpid())}"


def test_attempts_are_bounded_and_the_reason_is_kept(project):
    project.answers("good", right=30)
    shutil.rmtree(project.path / "home" / "recorded")  # the model has gone: each run of it fails
    wish_for(project.store, [Wish("good", "colours", "test")])
    assert len(drain(project)) == load_settings().max_attempts
    (given_up,) = wishes(project.store, FAILED)
    assert "failed 3 times" in given_up.reason


def test_what_was_given_up_is_tried_anew_when_it_is_wished_for_again(project):
    project.answers("good", right=30)
    away = project.path / "home" / "recorded"
    away.rename(project.path / "away")
    wish_for(project.store, [Wish("good", "colours", "test")])
    drain(project)
    assert len(wishes(project.store, FAILED)) == 1
    (project.path / "away").rename(away)
    wish_for(project.store, [Wish("good", "colours", "test")])
    assert drain(project)[-2:] == ["cell_job:good|colours", "checkpoint_report_job:good"]
    assert wishes(project.store, FAILED) == []


def test_a_cell_that_two_want_runs_once_and_says_for_whom(project):
    project.answers("good", right=30)
    wish_for(project.store, [Wish("good", "colours", "watch x"), Wish("good", "colours", "job 7", priority=3)])
    (first,) = tick(project, drain_wanted)
    assert first.tags["eval/wanted_by"] == "job 7, watch x"
    assert first.tags["dagster/priority"] == "3"
    assert drain(project).count("cell_job:good|colours") == 1
    assert {w.who for w in wishes(project.store, DONE)} == {"job 7", "watch x"}


def test_a_wanted_variant_is_run_as_one(project):
    project.answers("good", right=30)
    wish_for(project.store, [Wish("good", "colours", "test", variant=Variant(limit=8).text())])
    assert drain(project) == ["checkpoint_job:good", "variant_job:None"]
    assert results.report("good", "colours", "limit=8", project.store)["n_items"] == 8
    assert tick(project, drain_wanted) == []


def test_a_checkpoint_that_is_being_written_waits_in_the_ledger(project, model_folder, tmp_path):
    folder = tmp_path / "exp" / "step-5"
    shutil.copytree(model_folder, folder)
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[:-1])
    point = register(project.store, from_directory(folder))
    wish_for(project.store, [Wish(point.key, "colours", "test")])
    assert tick(project, drain_wanted) == []
    (waiting,) = wishes(project.store)
    assert waiting.reason.startswith("still being written")
    (folder / "model.safetensors").write_bytes(whole)
    assert [r.job_name for r in tick(project, drain_wanted)] == ["checkpoint_job"]
    (folder / "model.safetensors").write_bytes(whole[:-1])
    for file in folder.iterdir():
        os.utime(file, (0, 0))
    tick(project, drain_wanted)
    (given_up,) = wishes(project.store, FAILED)
    assert "has not changed for ten minutes" in given_up.reason


def test_an_unknown_task_is_given_up_at_once(project):
    project.answers("good", right=30)
    wish_for(project.store, [Wish("good", "nonsense", "test"), Wish("good", "colours", "test")])
    assert "cell_job:good|colours" in drain(project)
    (given_up,) = wishes(project.store, FAILED)
    assert given_up.task == "nonsense"


@pytest.fixture
def watched(project):
    directory = project.path / "exp7"
    directory.mkdir()
    project.configure(
        watch=[{"path": str(directory), "suite": "all", "pattern": "step-*"}], suites={"all": ["colours"]}
    )
    return directory, _watch_sensor(load_settings().watch[0])


def keys(project):
    return sorted(row["checkpoint"] for row in checkpoints(project.store).rows())


def test_a_checkpoint_is_taken_when_it_is_whole(project, watched, model_folder):
    directory, sensor = watched
    whole = (model_folder / "model.safetensors").read_bytes()
    shutil.copytree(model_folder, directory / "step-100")
    (directory / "step-100" / "model.safetensors").write_bytes(whole[:-1])
    tick(project, sensor)
    assert keys(project) == []
    (directory / "step-100" / "model.safetensors").write_bytes(whole)
    tick(project, sensor)
    assert keys(project) == ["exp7.100"]
    assert project.instance.get_dynamic_partitions("checkpoint") == ["exp7.100"]
    assert [(w.checkpoint, w.task) for w in wishes(project.store)] == [("exp7.100", "colours")]
    tick(project, sensor)
    assert len(wishes(project.store)) == 1


def test_replaced_in_place_is_wanted_again_and_deleted_is_given_up(project, watched, model_folder):
    directory, sensor = watched
    shutil.copytree(model_folder, directory / "step-100")
    tick(project, sensor)
    (request, *_) = tick(project, drain_wanted)
    assert execute(project, request).success
    fingerprint = checkpoints(project.store).get(checkpoint="exp7.100")["fingerprint"]
    for wish in wishes(project.store):
        wish_for(project.store, [Wish(wish.checkpoint, wish.task, "test", state=DONE)])
    config = directory / "step-100" / "config.json"
    config.write_text(config.read_text() + "\n")
    tick(project, sensor)
    assert [w.checkpoint for w in wishes(project.store)] == ["exp7.100"]
    (request, *_) = tick(project, drain_wanted)
    assert request.job_name == "checkpoint_job"
    assert execute(project, request).success
    assert checkpoints(project.store).get(checkpoint="exp7.100")["fingerprint"] != fingerprint
    shutil.rmtree(directory / "step-100")
    tick(project, sensor)
    assert [w.reason for w in wishes(project.store, FAILED)] == ["the checkpoint's folder is gone"]
