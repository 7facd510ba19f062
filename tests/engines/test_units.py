"""Decisions and texts of the engine layer: pure functions."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from resources.engines.arbiter import Decision, Waiter, decide
from resources.engines.causes import last_words, likely_cause
from resources.engines.launch import launch
from resources.engines.metrics import between, kv_use, read
from resources.engines.options import EngineOptions
from resources.engines.slots import slots
from resources.models.base import ModelUnusable
from resources.models.configured import load_models

PATIENCE = 60.0


def waiting(*cells: tuple[str, float]) -> list[Waiter]:
    return [Waiter(i, key, since) for i, (key, since) in enumerate(cells)]


def test_the_oldest_checkpoint_is_served_with_all_its_cells():
    assert decide(None, 0, waiting(("b", 2), ("a", 1), ("b", 3)), 5, PATIENCE) == Decision("a", (1,))
    assert decide("b", 0, waiting(("b", 9), ("a", 1)), 9, PATIENCE) == Decision("b", (0,))


def test_nobody_is_served_while_another_checkpoint_is_held():
    assert decide("b", 1, waiting(("a", 1)), 9, PATIENCE) == Decision("b")


def test_the_next_is_served_as_soon_as_the_last_cell_has_gone():
    assert decide("b", 0, waiting(("a", 5), ("c", 4)), 9, PATIENCE) == Decision("c", (1,))


def test_a_checkpoint_without_end_does_not_starve_another():
    late = 5 + PATIENCE + 1
    assert decide("b", 2, waiting(("a", 5), ("b", 6)), late, PATIENCE) == Decision("b")
    assert decide("b", 2, waiting(("a", 5), ("b", 4)), late, PATIENCE) == Decision("b", (1,))
    assert decide("b", 0, waiting(("a", 5), ("b", 6)), late, PATIENCE) == Decision("a", (0,))


def test_nobody_waits():
    assert decide("a", 1, [], 0, PATIENCE) == Decision("a")
    assert decide(None, 0, [], 0, PATIENCE) == Decision(None)


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("ValueError: Model architectures ['FooForCausalLM'] are not supported for now.", "unknown architecture"),
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.", "out of memory"),
        ("ValueError: No available memory for the cache blocks.", "out of memory"),
        ("OSError: [Errno 98] Address already in use", "port taken"),
        ("/x/bin/python: No module named 'vllm'", "not installed"),
        ("api_server.py: error: unrecognized arguments: --foo", "a flag"),
    ],
)
def test_the_cause_is_read_from_the_log(line, cause):
    log = ["INFO 11-23 19:15:57 [utils.py:1] loading", line, "INFO bye"]
    assert (likely_cause(log) or "").startswith(cause)
    assert line.split(": ", 1)[-1] in last_words(log)


def test_settings_that_an_engine_prints_are_no_cause():
    log = [
        "(EngineCore pid=1) INFO 11-23 21:44:50 [core.py:123] Initializing: trust_remote_code=False, quantization=None",
        "ValueError: Available memory on node 0 (14.17/15.84 GiB) on kv cache allocation is less than requested memory",
    ]
    assert (likely_cause(log) or "").startswith("out of memory")
    assert likely_cause(log[:1]) is None


def test_a_log_that_tells_nothing_is_shown_as_it_ends():
    assert likely_cause(["all is well"]) is None
    assert last_words(["one", "two"]) == "one\ntwo"


def test_options_become_flags_of_each_engine():
    options = {"python": "/bin/true", "tensor_parallel_size": 2, "max_model_len": 100, "memory_fraction": 0.8,
               "quantization": "fp8", "extra_args": ["--seed", "1"], "limit_mm_per_prompt": {"image": 4}}  # fmt: skip
    vllm = " ".join(launch(EngineOptions(kind="vllm", **options), "/m", revision="abc", devices=("0", "1")).command)
    for said in ("-m vllm.entrypoints.cli.main serve /m", "--tensor-parallel-size 2", "--max-model-len 100",
                 "--gpu-memory-utilization 0.8", "--quantization fp8", "--enable-chunked-prefill", "--revision abc",
                 '--limit-mm-per-prompt {"image": 4}'):  # fmt: skip
        assert said in vllm
    assert vllm.endswith("--seed 1")
    sglang = launch(EngineOptions(kind="sglang", **options, chunked_prefill=False), "/m", devices=("3",))
    for said in ("-m sglang.launch_server --model-path /m", "--tensor-parallel-size 2", "--context-length 100",
                 "--mem-fraction-static 0.8", "--chunked-prefill-size -1"):  # fmt: skip
        assert said in " ".join(sglang.command)
    assert sglang.env["CUDA_VISIBLE_DEVICES"] == "3"


def test_an_engines_environment_is_not_led_to_our_packages(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/ours")
    monkeypatch.setenv("HF_HOME", "/models")
    env = launch(EngineOptions(kind="vllm", python="/bin/true", env={"A": "b"}), "/m").env
    assert "PYTHONPATH" not in env
    assert (env["HF_HOME"], env["A"]) == ("/models", "b")


def test_a_command_of_ones_own_needs_its_version():
    with pytest.raises(ValidationError, match="version"):
        EngineOptions(kind="vllm", command=("docker", "run"))
    with pytest.raises(ValidationError, match="not both"):
        EngineOptions(kind="vllm", command=("docker",), python="p", version="1")


def test_gpus_are_grouped_into_slots(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3,4")
    assert [s.name for s in slots((), 2)] == ["gpu-0-1", "gpu-2-3"]
    assert [s.name for s in slots([[0], [1, 2]], 2)] == ["gpu-1-2"]
    with pytest.raises(ModelUnusable, match="takes 8 GPUs"):
        slots((), 8)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert [s.name for s in slots((), 2)] == ["cpu"]


def test_the_share_of_the_cache_in_use_is_read_from_either_engine():
    two = 'vllm:kv_cache_usage_perc{engine="0"} 0.25\nvllm:kv_cache_usage_perc{engine="1"} 0.75\n'
    assert kv_use(two) == 0.5, "a mean and no sum"
    assert kv_use('sglang:token_usage{model_name="m"} 0.28\nsglang:num_running_reqs 3.0\n') == 0.28
    assert kv_use("vllm:prompt_tokens_total 100\n") is None


def test_what_an_engine_counted_between_two_looks():
    before = read('vllm:prompt_tokens_total{engine="0"} 100.0\nvllm:prefix_cache_queries_total 100\n')
    after = read(
        'vllm:prompt_tokens_total{engine="0"} 250.0\nvllm:prompt_tokens_total{engine="1"} 50.0\n'
        "vllm:prefix_cache_queries_total 300\nvllm:prefix_cache_hits_total 150\n"
        "vllm:time_to_first_token_seconds_sum 4.0\nvllm:time_to_first_token_seconds_count 8\n"
    )
    assert between(before, after, 2.0) == {
        "prefix_cache_hit_rate": 0.75, "time_to_first_token_s": 0.5, "prompt_tokens_per_s": 100.0
    }  # fmt: skip


def test_an_engine_that_was_started_anew_counts_from_nothing():
    found = between({"prompt_tokens": 500.0}, {"prompt_tokens": 100.0}, 10.0)
    assert found == {"prompt_tokens_per_s": 10.0}


def test_mistakes_in_models_yaml_name_the_field(tmp_path, monkeypatch):
    file = tmp_path / "models.yaml"
    monkeypatch.setenv("EVAL_MODELS", str(file))
    with pytest.raises(ModelUnusable, match="no such file"):
        load_models()
    file.write_text("engine: {}\n")
    with pytest.raises(ModelUnusable, match="did you mean 'engines'"):
        load_models()
    file.write_text("engines: {big: {kind: vllm, dtyp: float16}}\n")
    with pytest.raises(ModelUnusable, match="engine 'big': there is no 'dtyp', did you mean 'dtype'"):
        load_models().engine("big", {})
    file.write_text("engines: {big: {dtype: float16}}\n")
    with pytest.raises(ModelUnusable, match="kind"):
        load_models().engine("big", {})
    file.write_text("engines: {no: {kind: vllm}}\n")
    with pytest.raises(ModelUnusable, match="a name in engines is no text: put it into quotes"):
        load_models()
    file.write_text("models: {gpt: {model: openai}}\n")
    with pytest.raises(ModelUnusable, match="source"):
        load_models()
    file.write_text("a: [\n")
    with pytest.raises(ModelUnusable, match=r"models\.yaml"):
        load_models()
