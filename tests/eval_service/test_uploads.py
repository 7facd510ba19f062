"""Checkpoint folders that a client sends, and those that the service fetches from object storage."""

from __future__ import annotations

import hashlib
import os
import shutil
import time

import httpx
import pytest

from eval_service import EvalServiceError
from eval_service.protocol import manifest
from eval_service.schemas import UploadFile
from eval_service.uploads import Uploads
from resources.store.records import checkpoints
from tests.engines.conftest import until


@pytest.fixture
def folder(tmp_path, model_folder):
    place = tmp_path / "exp7" / "step-40"
    shutil.copytree(model_folder, place)
    return place


def test_a_folder_is_sent_and_evaluated_under_its_own_name(served, folder):
    job = served.client().evaluate_checkpoint(folder, "colours", upload=True)
    assert job["checkpoint"] == "exp7.40"
    point = checkpoints(served.project.store).get(checkpoint="exp7.40")
    assert (point["run"], point["step"]) == ("exp7", 40)
    sent = {p.name: p.read_bytes() for p in (served.project.path / "home" / "uploads").rglob("*") if p.is_file()}
    assert sent["model.safetensors"] == (folder / "model.safetensors").read_bytes()
    assert served.client().evaluate_checkpoint(folder, "colours", upload=True)["job_id"] == job["job_id"]


def test_an_upload_goes_on_where_it_was_cut(served, folder):
    sent: list[int] = []

    class Cut(httpx.HTTPTransport):
        """The first large file breaks in its middle."""

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            if request.method == "PUT" and "model.safetensors" in request.url.path:
                sent.append(int(request.url.params["offset"]))
                if len(sent) == 1:
                    super().handle_request(httpx.Request("PUT", request.url, content=next(iter(request.stream))))
                    raise httpx.WriteError("broken pipe")
            return super().handle_request(request)

    source = served.client(transport=Cut()).upload(folder)
    assert len(sent) == 2
    assert sent[1] == 2**20
    assert served.client().upload(folder) == source


def test_an_upload_that_nobody_goes_on_with_is_removed_after_a_week(tmp_path):
    uploads = Uploads(tmp_path, 1e9)
    files = {name: [UploadFile(path="config.json", size=2, sha256=name * 64)] for name in "abc"}
    old, resumed, new = (uploads.begin(files[name]).upload_id for name in "abc")
    week = time.time() - 8 * 86400
    for upload_id in (old, resumed):
        for path in (*(tmp_path / f".{upload_id}").iterdir(), tmp_path / f".{upload_id}"):
            os.utime(path, (week, week))
    uploads.begin(files["b"])
    assert not (tmp_path / f".{old}").exists()
    assert (tmp_path / f".{resumed}").is_dir()
    assert (tmp_path / f".{new}").is_dir()


def test_what_arrives_otherwise_than_announced_is_refused(served, folder):
    client, files = served.client(), manifest(folder)
    files[0]["sha256"] = hashlib.sha256(b"other").hexdigest()
    state = served.http("POST", "/uploads", json={"files": files}).json()
    put = f"/uploads/{state['upload_id']}/"
    for file in files:
        answer = served.http("PUT", put + file["path"], content=(folder / file["path"]).read_bytes())
        assert answer.is_success
    done = served.http("POST", put + "complete")
    assert (done.status_code, "send it again" in done.text) == (422, True)
    with pytest.raises(EvalServiceError, match="not complete"):
        client.evaluate(model="transformers", tasks=["colours"], model_args={"pretrained": state["source"]})
    again = served.http("PUT", put + files[1]["path"], params={"offset": 5}, content=b"x")
    assert (again.status_code, again.json()["offset"]) == (409, files[1]["size"])


@pytest.mark.parametrize(
    ("name", "why"),
    [("../model.safetensors", "no path inside"), ("/etc/passwd.json", "no path inside"), (".hidden.json", "no path"),
     ("pytorch_model.bin", "pickles could run code"), ("modeling.py", "could run code"), ("a//b.json", "no path")],
)  # fmt: skip
def test_names_that_could_harm_are_refused(served, name, why):
    files = [{"path": name, "size": 1, "sha256": "0" * 64}]
    answer = served.http("POST", "/uploads", json={"files": files})
    assert answer.status_code == 422
    assert why in answer.json()["detail"]


def test_more_than_the_service_takes_is_refused(served):
    files = [{"path": "model.safetensors", "size": 10**15, "sha256": "0" * 64}]
    assert "at most" in served.http("POST", "/uploads", json={"files": files}).json()["detail"]


def test_a_checkpoint_on_object_storage_is_fetched_and_goes_on_after_a_restart(served, folder, bucket, monkeypatch):
    """The job is accepted at once, its cells wait until the copy is whole."""
    from pyarrow import fs

    from eval_service import fetching

    remote, base = fs.FileSystem.from_uri("s3://evals/exp8")
    fs.copy_files(str(folder), f"{base}/step-7", destination_filesystem=remote)
    served.project.configure(service={"roots": ["s3://evals/exp8"]})
    copy = fetching._copy
    monkeypatch.setattr(fetching, "_copy", lambda *a: None)  # nothing arrives
    served.restart()
    client = served.client()
    job = client.evaluate(model="transformers", tasks=["colours"], model_args={"pretrained": "s3://evals/exp8/step-7"})
    assert job["checkpoint"] == "exp8.7"
    served.drain()
    assert "still being written" in client.job(job["job_id"])["cells"][0]["reason"]
    monkeypatch.setattr(fetching, "_copy", copy)
    served.restart()
    target = fetching.folder_for("s3://evals/exp8/step-7", served.project.path / "home" / "uploads")
    until((target / "model.safetensors").is_file)
    assert (target / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()
    missing = served.client().evaluate(
        model="transformers", tasks=["colours"], model_args={"pretrained": "s3://evals/exp8/step-9"}
    )
    until(lambda: served.client().job(missing["job_id"])["state"] == "failed")
    assert "could not be fetched" in served.client().job(missing["job_id"])["cells"][0]["reason"]
