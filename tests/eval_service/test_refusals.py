"""What the service refuses, and in which words."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from eval_assets.settings import SettingsError
from eval_service import EvalServiceError
from eval_service.settings import load_service_settings

SECRET, OTHER = "a-secret-of-the-reader", "another-one-of-a-trainer"


def refused(served, **body) -> str:
    answer = served.http("POST", "/evaluate", json={"tasks": ["colours"], **body})
    assert answer.status_code in (404, 409, 422), answer.text
    return str(answer.json()["detail"])


def test_unknown_names_come_with_the_nearest(served):
    assert "did you mean colours?" in refused(served, checkpoint="good", tasks=["colors"])
    assert "did you mean good?" in refused(served, checkpoint="goood")
    assert "did you mean vllm?" in refused(served, model="vlm", model_args={"pretrained": "a/b"})
    assert "model_args" in refused(served, model="vllm")


@pytest.mark.parametrize(
    "args", [{"trust_remote_code": True}, {"allow_pickle": True}, {"base_url": "http://169.254.169.254"},
             {"convert": ["sh", "-c", "id"]}, {"python": "/bin/sh"}, {"api_key_env": "AWS_SECRET"},
             {"extra_args": ["-x"]}]
)  # fmt: skip
def test_a_job_runs_no_code_and_calls_no_address(served, args):
    assert "cannot be given by a job" in refused(served, model="transformers", model_args={"pretrained": "a/b", **args})


def test_paths_stay_below_the_roots_links_resolved(served, tmp_path):
    inside, outside = tmp_path / "runs", tmp_path / "private" / "step-1"
    inside.mkdir()
    outside.mkdir(parents=True)
    (inside / "step-1").symlink_to(outside)
    served.project.configure(service={"roots": [str(inside)]})
    served.restart()
    for path in (outside, inside / "step-1", inside / ".." / "private" / "step-1", Path("/etc")):
        said = refused(served, model="transformers", model_args={"pretrained": str(path)})
        assert "below none of service.roots" in said
    assert "no directory" in refused(served, model="transformers", model_args={"pretrained": str(inside / "step-9")})
    assert "hub id" in refused(served, model="transformers", model_args={"pretrained": "a/../b"})
    assert "below none" in refused(served, model="transformers", model_args={"pretrained": "s3://bucket/x"})


def test_a_key_that_is_taken_is_not_taken_over(served, tmp_path, model_folder):
    folders = [tmp_path / place / "exp" / "step-5" for place in "ab"]
    for folder in folders:
        shutil.copytree(model_folder, folder)
    served.project.configure(service={"roots": [str(tmp_path)]})
    served.restart()
    client = served.client()
    client.evaluate_checkpoint(folders[0], "colours")
    with pytest.raises(EvalServiceError, match=r"exp\.5.* is transformers .* already.*name yours by `checkpoint`"):
        client.evaluate_checkpoint(folders[1], "colours")
    assert client.evaluate_checkpoint(folders[1], "colours", checkpoint="mine.5")["checkpoint"] == "mine.5"


def test_a_checkpoint_that_is_being_written_is_accepted_and_waits(served, tmp_path, model_folder):
    folder = tmp_path / "exp" / "step-5"
    shutil.copytree(model_folder, folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    served.project.configure(service={"roots": [str(tmp_path)]})
    served.restart()
    job = served.client().evaluate_checkpoint(folder, "colours")
    assert job["state"] == "queued"
    served.drain()
    (cell,) = served.client().job(job["job_id"])["cells"]
    assert cell["state"] == "waiting"
    assert "still being written" in cell["reason"]


def test_tokens_and_scopes(served, monkeypatch):
    monkeypatch.setenv("READER", SECRET)
    monkeypatch.setenv("TRAINER", OTHER)
    tokens = [{"name": "viewer", "env": "READER", "scopes": ["read"]}, {"name": "trainer", "env": "TRAINER"}]
    served.project.configure(service={"tokens": tokens, "requests_per_minute": 30})
    served.restart()
    assert served.http("GET", "/queue").status_code == 401
    assert served.http("GET", "/queue", headers={"Authorization": "Bearer wrong"}).status_code == 401
    assert served.http("GET", "/healthz").status_code in (200, 503)
    viewer, trainer = served.client(token=SECRET), served.client(token=OTHER)
    with pytest.raises(EvalServiceError, match="lacks the scope 'submit'") as caught:
        viewer.evaluate(checkpoint="good", tasks=["colours"])
    assert caught.value.status == 403
    job = trainer.evaluate(checkpoint="good", tasks=["colours"])
    assert viewer.job(job["job_id"])["client"] == "trainer"
    monkeypatch.setenv("SECOND", "a-second-trainers-token")
    served.project.configure(service={"tokens": [*tokens, {"name": "second", "env": "SECOND"}]})
    served.restart()
    with pytest.raises(EvalServiceError, match="another client's"):
        served.client(token="a-second-trainers-token").cancel(job["job_id"])
    assert served.client(token=OTHER).cancel(job["job_id"])["state"] == "cancelled"


def test_limits_of_rate_size_and_open_jobs(served):
    served.project.configure(service={"requests_per_minute": 8, "max_body_kb": 2, "open_jobs": 2})
    served.restart()
    for n in (1, 2):
        assert served.http(
            "POST", "/evaluate", json={"checkpoint": "good", "tasks": ["colours"], "limit": n}
        ).is_success
    third = served.http("POST", "/evaluate", json={"checkpoint": "good", "tasks": ["colours"], "limit": 3})
    assert (third.status_code, "2 open jobs" in third.text) == (429, True)
    large = served.http("POST", "/evaluate", content=b"{" + b" " * 4000)
    assert large.status_code == 413
    assert served.http("POST", "/evaluate", content=iter([b" " * 4000])).status_code == 413
    answers = [served.http("GET", "/queue") for _ in range(9)]
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["retry-after"]) > 0


def test_another_site_cannot_reach_it_by_a_name_of_its_own(served):
    assert served.http("GET", "/queue", headers={"Host": "evil.example"}).status_code == 400
    preflight = served.http("OPTIONS", "/evaluate", headers={
        "Origin": "http://evil.example", "Access-Control-Request-Method": "POST",
    })  # fmt: skip
    assert "access-control-allow-origin" not in preflight.headers


def test_a_job_of_nobody(served):
    assert served.http("GET", "/jobs/0123456789abcdef").status_code == 404
    assert served.http("GET", "/jobs/0123456789abcdef/events").status_code == 404
    assert served.http("DELETE", "/jobs/0123456789abcdef").status_code == 404
    with pytest.raises(EvalServiceError, match="no job"):
        next(served.client().events("0123456789abcdef"))


def test_dagster_that_cannot_be_reached_is_503_and_says_what_to_start(served, monkeypatch, tmp_path):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "nowhere"))
    served.project.instance = None
    served.restart()
    answer = served.http("GET", "/queue")
    assert answer.status_code == 503
    assert "dagster-daemon run" in answer.json()["detail"]


def test_no_daemon_is_said_on_the_job(served):
    job = served.client().evaluate(checkpoint="good", tasks=["colours"])
    assert "start `dagster-daemon run`" in job["note"]
    health = served.http("GET", "/healthz")
    assert (health.status_code, "dagster-daemon" in health.text) == (503, True)


def test_open_to_others_needs_tokens(project):
    project.configure(service={"host": "0.0.0.0"})
    with pytest.raises(SettingsError, match=r"service: .*can be reached from elsewhere"):
        load_service_settings()
    project.configure(service={"prot": 1})
    with pytest.raises(SettingsError, match=r"evals\.yaml: service\.prot"):
        load_service_settings()


def test_a_secret_is_never_echoed(served, monkeypatch, caplog, capfd):
    monkeypatch.setenv("READER", SECRET)
    served.project.configure(service={"tokens": [{"name": "viewer", "env": "READER"}]})
    served.restart()
    said = [served.http("GET", path, headers={"Authorization": f"Bearer {SECRET}"}).text
            for path in ("/queue", "/models", "/metrics", "/openapi.json", "/jobs/x")]  # fmt: skip
    said += [served.http("GET", "/queue", headers={"Authorization": f"Bearer {SECRET}x"}).text]
    out, err = capfd.readouterr()
    assert all(SECRET not in text for text in [*said, caplog.text, out, err])


def test_metrics_count_requests_and_cells(served):
    served.client().evaluate(checkpoint="good", tasks=["colours"])
    text = served.http("GET", "/metrics").text
    assert 'eval_wanted_cells{state="wanted"} 1.0' in text
    assert 'eval_request_seconds_count{method="POST",route="/evaluate",status="202"}' in text
