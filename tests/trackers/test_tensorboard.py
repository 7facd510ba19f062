"""Event files, read back as TensorBoard does."""

from __future__ import annotations

import pytest

from eval_assets.trackers import TensorBoard, TrackerFailed, push

accumulator = pytest.importorskip(
    "tensorboard.backend.event_processing.event_accumulator", reason="pip install 'eval-assets[tensorboard]'"
)
NAME = "eval/mathvision/accuracy"


def scalars(folder, name=NAME):
    """{step: value} of a tag, from all event files of a folder."""
    from tensorboard.util.tensor_util import make_ndarray

    found = accumulator.EventAccumulator(str(folder), size_guidance={"tensors": 0}).Reload()
    assert found.SummaryMetadata(name).plugin_data.plugin_name == "scalars"
    return {e.step: make_ndarray(e.tensor_proto).item() for e in found.Tensors(name)}


def test_scores_stand_at_their_training_step(tmp_path, point):
    place = push(TensorBoard(kind="tensorboard", logdir=str(tmp_path)), [point(4000, 0.4), point(2000, 0.2)])
    assert scalars(place) == {2000: pytest.approx(0.2), 4000: pytest.approx(0.4)}
    assert scalars(place, f"{NAME}_vs_baseline_ci_low")[4000] == pytest.approx(-0.01)


def test_a_later_push_adds_to_the_run(tmp_path, point):
    tracker = TensorBoard(kind="tensorboard", logdir=str(tmp_path))
    push(tracker, [point(4000, 0.4)])
    place = push(tracker, [point(2000, 0.2)])
    assert scalars(place) == {2000: pytest.approx(0.2), 4000: pytest.approx(0.4)}


def test_the_training_events_are_left_alone(tmp_path, point):
    """TensorBoard would stop reading them if a newer file lay in their folder."""
    (tmp_path / "exp7").mkdir()
    training = tmp_path / "exp7" / "events.out.tfevents.1"
    training.write_bytes(b"")
    push(TensorBoard(kind="tensorboard", logdir=str(tmp_path)), [point()])
    assert [p for p in (tmp_path / "exp7").iterdir() if p.is_file()] == [training]


def test_a_name_cannot_leave_the_folder(tmp_path, point):
    place = push(TensorBoard(kind="tensorboard", logdir=str(tmp_path / "tb")), [point(run="../../etc")])
    assert (tmp_path / "tb") in type(tmp_path)(place).parents
    assert ".." not in type(tmp_path)(place).parts


def test_a_folder_that_cannot_be_written_says_so(tmp_path, point):
    (tmp_path / "file").write_text("")
    with pytest.raises(TrackerFailed, match=r"tensorboard: .*Error"):
        push(TensorBoard(kind="tensorboard", logdir=str(tmp_path / "file")), [point()])
