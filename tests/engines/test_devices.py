"""Where XGBoost trains: refused before anything runs where it cannot be had, and the same bundle either way."""

import pytest
import xgboost

from tdml_assets.component import declared_workflows
from tdml_assets.engines import devices
from tdml_assets.engines.devices import NoDeviceError, device_of, gpus
from tdml_assets.engines.protocol import ModelSpec, table_source
from tdml_assets.engines.python import LEARNERS, ON_XGBOOST, PythonEngine
from tdml_assets.settings import SettingsError, load_settings
from tests.engines.test_lifetime_xgboost import customers

without_cuda = pytest.mark.skipif(
    bool(xgboost.build_info().get("USE_CUDA")) or gpus() > 0, reason="this machine trains on a GPU"
)


@without_cuda
def test_the_cpu_is_the_default_and_what_auto_takes_without_a_gpu():
    assert load_settings({}).device == "cpu"
    assert device_of("cpu") == device_of("auto") == "cpu"


@without_cuda
def test_a_gpu_is_refused_for_the_build_of_xgboost_with_the_command_that_installs_the_other():
    with pytest.raises(
        NoDeviceError, match=r"device: 'cuda' .* build without CUDA; .*uninstall -y xgboost-cpu, .* cpu or auto"
    ):
        device_of("cuda")


@without_cuda
def test_a_gpu_is_refused_where_the_driver_shows_none(monkeypatch):
    monkeypatch.setattr(xgboost, "build_info", lambda: {"USE_CUDA": True})
    with pytest.raises(
        NoDeviceError, match=r"device: 'cuda' .* no GPU of NVIDIA with a driver is visible .* cpu or auto"
    ):
        device_of("cuda")
    assert device_of("auto") == "cpu"
    monkeypatch.setattr(devices, "gpus", lambda: 1)
    assert device_of("auto") == device_of("cuda") == "cuda"


@without_cuda
def test_nothing_is_declared_for_a_gpu_that_is_not_there():
    with pytest.raises(SettingsError, match="device: 'cuda' cannot be had"):
        declared_workflows(load_settings({"TDML_DEVICE": "cuda"}))


def test_a_device_that_is_none_is_refused_by_name():
    with pytest.raises(SettingsError, match=r"device: .*found 'gpu'"):
        load_settings({"TDML_DEVICE": "gpu"})


@without_cuda
@pytest.mark.filterwarnings("ignore:.*Device is changed from GPU to CPU")
@pytest.mark.parametrize("estimator", sorted(ON_XGBOOST))
def test_every_learner_on_xgboost_passes_the_device_on_and_scores_by_the_cpu(estimator, monkeypatch):
    asked, train = [], xgboost.train

    def seen(parameters, *arguments, **named):
        asked.append(parameters.get("device"))
        return train(parameters, *arguments, **named)

    monkeypatch.setattr(xgboost, "train", seen)
    table, kind = customers(1_500, 1), "net_spend"
    if "classifier" in estimator:
        bought = [float(spend > 0) for spend in table["target"].to_pylist()]
        table, kind = table.set_column(table.column_names.index("target"), "target", [bought]), "purchase"
    source = table_source(table, "target")
    task = "regression" if kind == "net_spend" else "classification"
    spec = ModelSpec(estimator, {"rounds": 5, "patience": 2}, 1, task=task, target_kind=kind)
    learner = PythonEngine().learner(spec)
    on_cpu = learner.fit(source, source, spec, threads=1)
    assert set(asked) == {None}
    asked.clear()
    # Without a GPU XGBoost says so and trains on the CPU, so that the files can be compared.
    on_gpu = learner.fit(source, source, ModelSpec(**{**vars(spec), "device": "cuda"}), threads=1)
    assert set(asked) == {"cuda"}
    assert on_gpu.files() == on_cpu.files()
    assert all('"device":"cpu"' in booster.save_config() for booster in on_gpu.boosters.values())


def test_learners_on_xgboost_are_all_that_have_its_name():
    assert {name for name in LEARNERS if "xgboost" in name} == ON_XGBOOST
