"""Jobs on another device: what is computed there, under which identity, and what is said where there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command import Command
from tiny_benchmark import TinyBenchmark, TinyEntry, generate, planned, scores

from bench.data.splits import splits_for
from bench.errors import MethodError, UsageError
from bench.methods import built_in_methods, get_method
from bench.protocols import carry_out, get_protocol
from bench.records.method import DEVICES, Fold, Method, Session, Task
from bench.run.devices import HOST_BYTES, described, device_of, named_device, refuse_missing, require
from bench.run.plan import Plan
from bench.run.provenance import invocation, machine
from rfm.ntk_ridge import ntk_points

IRIS = ("run", "--subset", "iris", "--device")
ON_A_GPU = {"rfm", "laplace", "ntk", "mlp", "xgboost", "rfm_fork", "rfm_fork_raw"}


def plan(device: str, *methods: str) -> Plan:
    return planned([TinyEntry("alpha")], methods, device=device)


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)


def test_which_methods_know_another_device() -> None:
    assert {name for name in built_in_methods() if device_of(get_method(name), "cuda") == "cuda"} == ON_A_GPU
    assert {device_of(get_method(name), "cpu") for name in built_in_methods()} == {"cpu"}
    assert device_of(get_method("faulty_methods:Centroid"), "cuda") == "cpu"


def test_a_job_on_another_device_is_another_job() -> None:
    names = ("laplace", "mlp", "xgboost", "svm_rbf")
    here, there = ({task.job.method: task for task in plan(device, *names).tasks} for device in DEVICES)
    for name in names[:3]:
        one, other = here[name], there[name]
        assert one.job.id != other.job.id
        assert one.job.work != other.job.work
        assert (other.work.device, other.alone) == ("cuda", one.alone)
        assert other.estimated_bytes == one.estimated_bytes + HOST_BYTES
        assert "torch" in other.work.modules()
    assert (there["svm_rbf"].job, there["svm_rbf"].work.device) == (here["svm_rbf"].job, "cpu")
    assert "rfm engine python" in there["laplace"].job.versions  # no native chain runs there


def test_what_is_recorded_of_the_device() -> None:
    assert "device" not in machine(1) | invocation((0,), 1, ["run"]) | described("cpu")
    assert machine(1, "cuda")["device"] == invocation((0,), 1, ["run"], device="cuda")["device"] == "cuda"
    assert machine(1, "cuda")["engine"].startswith("python")


@pytest.mark.parametrize("protocol", ["clean", "published"])
def test_the_protocols_hand_the_device_down(protocol: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def session(method: Method, task: Task) -> Session:
        seen.append(task.device)
        raise MethodError("seen")

    method, dataset = get_method("laplace"), generate(TinyEntry("alpha"))
    monkeypatch.setattr(type(method), "session", session)
    for device in DEVICES:
        with pytest.raises(MethodError, match="seen"):
            carry_out(method, dataset, splits_for(dataset, 0), get_protocol(protocol), 0, device=device)
    assert seen == list(DEVICES)


def test_sessions_compute_where_the_task_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """The device "meta" is on every machine, and has no numbers."""
    rng = np.random.default_rng(0)
    task = Task(rng.normal(size=(20, 3)), np.arange(20) % 2, 2, seed=0, device="meta")
    sessions: dict[str, Any] = {name: get_method(name).session(task) for name in ("rfm", "laplace", "ntk", "mlp")}
    assert sessions["rfm"]._problem.device == sessions["laplace"]._problem.device == "meta"
    assert sessions["mlp"]._X.device.type == "meta"
    asked: list[str] = []
    monkeypatch.setattr(
        "bench.methods.ntk.ntk_points", lambda *rows, device, **how: asked.append(device) or ntk_points(*rows, **how)
    )
    sessions["ntk"].tune([Fold(np.arange(10), np.arange(10, 20))])
    assert asked == ["meta"]
    fork: Any = get_method("rfm_fork").session(task)
    machine_of_it = {"bandwidth": 10, "diagonal": True}
    assert fork._chains(fork._task(np.arange(10)), machine_of_it)._problem.device == "meta"


@pytest.mark.usefixtures("no_gpu")
def test_without_a_gpu_the_command_ends_in_one_line_before_anything_is_run(elsewhere: Path, command: Command) -> None:
    [line] = command(*IRIS, "cuda", "--methods", "laplace", code=2).err.splitlines()
    assert line.endswith("--device cuda: no CUDA device that PyTorch can use here; leave it out, or use cpu")
    assert not list(elsewhere.iterdir())
    command.refuses("did you mean 'cuda'", *IRIS, "cudo")
    for device in DEVICES:
        assert named_device(device) == device
    with pytest.raises(UsageError, match="--device cuda: no CUDA device"):
        refuse_missing("cuda")
    with pytest.raises(MethodError, match="where this job runs"):
        require("cuda")
    refuse_missing("cpu")
    require("cpu")


@pytest.mark.usefixtures("elsewhere")
def test_the_first_lines_say_what_stays_on_the_processor(monkeypatch: pytest.MonkeyPatch, command: Command) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    words = [*IRIS, "cuda", "--methods", "laplace,random_forest,svm_rbf", "--dry-run", "--memory-gb", "20"]
    out, err = command(*words)
    assert err.splitlines()[1] == (
        "bench: --device cuda: computed on the processor, for they know no other device: random_forest, svm_rbf"
    )
    assert "with 1 at a time" in out
    assert "with 3 at a time" in command(*words, "--jobs", "3").out


@pytest.mark.usefixtures("in_process")
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_job_that_finds_no_gpu_fails_and_does_not_compute_elsewhere(tiny: TinyBenchmark) -> None:
    outcome, record = tiny.run(plan=plan("cuda", "xgboost"), memory_bytes=20 << 30)
    assert outcome.statuses == {"error": 1}
    (result,) = record.results
    assert result.reason == "no CUDA device that PyTorch can use where this job runs (cuda was asked for)"
    assert result.provenance["device"] == "cuda"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch sees no GPU")
@pytest.mark.parametrize("name", ["rfm", "laplace", "ntk", "mlp", "xgboost"])
def test_jobs_on_a_gpu_have_nearly_the_same_scores(name: str, tiny: TinyBenchmark) -> None:
    if name == "xgboost":
        pytest.importorskip("xgboost", reason="XGBoost is not installed")
    _, here = tiny.run(plan=plan("cpu", name), memory_bytes=60 << 30)
    _, there = tiny.run(plan=plan("cuda", name), memory_bytes=60 << 30, jobs=1)
    assert [(r.status, r.reason, r.output) for r in there.results] == [("ok", "", "")]
    for result in there.results:
        assert result.provenance["gpu"]
        assert result.provenance["cuda"] == torch.version.cuda
        assert all(h.details["device"] == "cuda" for h in result.holdouts)
    found = scores(there)
    for key, (score, _) in scores(here).items():
        assert found[key][0] == pytest.approx(score, abs=15.0)
