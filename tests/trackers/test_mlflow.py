"""A local MLflow database, read back by MLflow's client."""

from __future__ import annotations

import shutil

import pytest

from eval_assets.trackers import MLflow, TrackerFailed, push

mlflow = pytest.importorskip("mlflow", reason="pip install 'eval-assets[mlflow]'")
pytest.importorskip("sqlalchemy", reason="a local MLflow database needs sqlalchemy")
NAME = "eval/mathvision/accuracy"


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """An MLflow database; its tables take MLflow seconds to make."""
    file = tmp_path_factory.mktemp("mlflow") / "empty.db"
    mlflow.MlflowClient(tracking_uri=f"sqlite:///{file}").search_experiments()
    return file


@pytest.fixture
def uri(empty, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return f"sqlite:///{shutil.copy(empty, tmp_path / 'mlflow.db')}"


def history(client, run, name=NAME):
    return {m.step: m.value for m in client.get_metric_history(run, name)}


def only_run(client, experiment="evals"):
    [run] = client.search_runs([client.get_experiment_by_name(experiment).experiment_id])
    return run


def test_one_run_gathers_the_scores_of_a_training(uri, point):
    tracker = MLflow(kind="mlflow", tracking_uri=uri)
    push(tracker, [point(4000, 0.4)])
    place = push(tracker, [point(2000, 0.2)])
    client = mlflow.MlflowClient(tracking_uri=uri)
    run = only_run(client)
    assert run.info.run_id in place
    assert (run.info.run_name, run.info.status) == ("exp7", "FINISHED")
    assert history(client, run.info.run_id) == {2000: 0.2, 4000: 0.4}
    assert history(client, run.info.run_id, f"{NAME}_ci_high")[4000] == 0.5
    assert run.data.metrics[NAME] == 0.4  # of the highest step, though it came first
    assert run.data.tags["eval.4000.fingerprint"] == "abc123"
    assert run.data.tags["eval.2000.page"] == "/home/reports/page.html"


def test_the_trainings_own_run_is_written_to_and_left_running(uri, point):
    client = mlflow.MlflowClient(tracking_uri=uri)
    training = client.create_run(client.create_experiment("training"))
    push(MLflow(kind="mlflow", tracking_uri=uri, run=training.info.run_id), [point()])
    assert history(client, training.info.run_id) == {4000: 0.4}
    assert client.get_run(training.info.run_id).info.status == "RUNNING"
    assert client.get_experiment_by_name("evals") is None


def test_a_checkpoint_without_a_step_never_enters_the_trainings_run(uri, point):
    client = mlflow.MlflowClient(tracking_uri=uri)
    training = client.create_run(client.create_experiment("training"))
    push(MLflow(kind="mlflow", tracking_uri=uri, run=training.info.run_id), [point(None, run=None)])
    assert client.get_metric_history(training.info.run_id, NAME) == []
    run = only_run(client)
    assert (run.info.run_name, history(client, run.info.run_id)) == ("gpt", {0: 0.4})


def test_a_suite_of_hundreds_of_tasks_is_pushed_whole(uri, point):
    """MLflow's server refuses more than 1000 metrics at once."""
    from dataclasses import replace

    many = replace(point(), values={f"eval/t{i}/accuracy": i / 2000 for i in range(1500)})
    push(MLflow(kind="mlflow", tracking_uri=uri), [many])
    assert len(only_run(mlflow.MlflowClient(tracking_uri=uri)).data.metrics) == 1500


def test_a_run_that_is_not_there_says_so(uri, point):
    with pytest.raises(TrackerFailed, match=r"mlflow: .*nosuchrun"):
        push(MLflow(kind="mlflow", tracking_uri=uri, run="nosuchrun"), [point()])


def test_a_server_that_is_down_is_named_without_its_password(monkeypatch, point):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:hunter22@127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(TrackerFailed, match=r"127\.0\.0\.1") as error:
        push(MLflow(kind="mlflow"), [point()])
    assert "hunter22" not in str(error.value)
    assert error.value.__cause__ is None
    assert error.value.__suppress_context__
