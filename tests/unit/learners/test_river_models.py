"""River estimators from class names."""

from __future__ import annotations

import pickle

import pytest
from river import ensemble, linear_model, optim, preprocessing, time_series

from learners import create, river_model
from schemas.errors import ConfigurationError
from schemas.settings import LearnerSettings, ModelSpec

SCALER = {"class": "river.preprocessing.StandardScaler"}
LINEAR = {"class": "river.linear_model.LinearRegression"}


def test_a_class_is_made_with_its_parameters() -> None:
    model = river_model.build({"class": "river.linear_model.LinearRegression", "params": {"l2": 1}})
    assert isinstance(model, linear_model.LinearRegression)
    assert model.l2 == 1


def test_a_list_is_a_pipeline_in_order() -> None:
    assert str(river_model.build([SCALER, LINEAR])) == "StandardScaler | LinearRegression"


def test_a_parameter_may_be_an_estimator() -> None:
    spec = {
        "class": "river.linear_model.LinearRegression",
        "params": {"optimizer": {"class": "river.optim.Adam", "params": {"lr": 0.1}}},
    }
    assert isinstance(river_model.build(spec).optimizer, optim.Adam)


def test_a_parameter_may_be_a_pipeline() -> None:
    spec = {
        "class": "river.time_series.SNARIMAX",
        "params": {"p": 1, "d": 0, "q": 0, "regressor": [SCALER, LINEAR]},
    }
    model = river_model.build(spec)
    assert isinstance(model, time_series.SNARIMAX)
    assert str(model.regressor) == "StandardScaler | LinearRegression"


def test_a_parameter_in_the_plural_is_a_list_of_estimators() -> None:
    spec = {"class": "river.ensemble.EWARegressor", "params": {"models": [LINEAR, LINEAR]}}
    model = river_model.build(ModelSpec.model_validate(spec))
    assert isinstance(model, ensemble.EWARegressor)
    assert len(model.models) == 2


def test_the_seed_goes_to_every_estimator_that_takes_one() -> None:
    spec = {
        "class": "river.ensemble.BaggingRegressor",
        "params": {"model": {"class": "river.tree.HoeffdingAdaptiveTreeRegressor"}},
    }
    model = river_model.build(spec, seed=42)
    assert model.seed == 42
    assert model.model.seed == 42


def test_a_seed_of_the_configuration_wins() -> None:
    spec = {"class": "river.anomaly.HalfSpaceTrees", "params": {"seed": 3}}
    assert river_model.build(spec, seed=42).seed == 3


def test_settings_and_plain_json_make_the_same_model() -> None:
    settings = LearnerSettings.model_validate({"task": "regression", "model": [SCALER, LINEAR]})
    assert settings.model is not None
    spec = [{**SCALER, "params": {}}, {**LINEAR, "params": {}}]
    assert river_model.canonical(settings.model) == river_model.canonical(spec)


def test_new_estimators_share_nothing() -> None:
    text = river_model.canonical([SCALER, LINEAR])
    one, other = river_model.new(text, 0), river_model.new(text, 0)
    one.learn_one({"x": 1.0}, 5.0)
    assert other.predict_one({"x": 1.0}) == 0.0


@pytest.mark.parametrize(
    "path",
    [
        "os.system",
        "builtins.eval",
        "river",
        "river.",
        "river.linear_model",
        "river.linear_model.base.pickle",
        "river.linear_model.LinearRegression.learn_one",
        "river.linear_model.lin_reg.optim",
        "river.stream.iter_csv",
        "river.datasets.Phishing",
        "river.preprocessing.scale.np.ndarray",
        "river.base.Regressor",
        "river._river_rust.Anything",
        "river.base.base.sys.exit",
        "riverside.Model",
        "river.linear_model.__init__",
        "",
        "river.nowhere.Model",
    ],
)
def test_what_is_no_public_estimator_of_river_is_refused(path: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        river_model.build({"class": path})
    assert "\n" not in str(caught.value)


def test_a_misspelt_class_is_told_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match=r"river\.linear_model\.LinearRegression"):
        river_model.build({"class": "river.linear_model.LinearRegresion"})


def test_a_misspelt_parameter_is_told_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match=r"learner\.model\.params\.optimizer"):
        river_model.build({**LINEAR, "params": {"optimiser": 1}})


def test_parameters_that_river_refuses_are_refused_with_its_reason() -> None:
    spec = {"class": "river.linear_model.LinearRegression", "params": {"l1": 0.1, "l2": 0.1}}
    with pytest.raises(ConfigurationError, match="L1 and L2"):
        river_model.build(spec)


def test_an_unknown_key_of_a_model_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"learner\.model\.parameters"):
        river_model.build({**LINEAR, "parameters": {}})


def test_only_the_last_step_of_a_pipeline_may_predict() -> None:
    with pytest.raises(ConfigurationError, match="transformer"):
        river_model.build([LINEAR, SCALER])


@pytest.mark.parametrize(
    ("task", "path"),
    [
        ("forecast", "river.preprocessing.StandardScaler"),
        ("forecast", "river.tree.HoeffdingTreeClassifier"),
        ("classification", "river.linear_model.LinearRegression"),
        ("regression", "river.tree.HoeffdingTreeClassifier"),
        ("regression", "river.anomaly.HalfSpaceTrees"),
        ("anomaly", "river.linear_model.LinearRegression"),
    ],
)
def test_a_model_of_the_wrong_kind_for_the_task_is_refused(task: str, path: str) -> None:
    settings = LearnerSettings.model_validate({"task": task, "model": {"class": path}})
    with pytest.raises(ConfigurationError, match=task):
        create(settings)


def test_a_model_that_fails_on_plain_numbers_is_refused_at_the_start() -> None:
    spec = {"class": "river.linear_model.LinearRegression", "params": {"optimizer": "SGD"}}
    settings = LearnerSettings.model_validate({"task": "regression", "model": spec})
    with pytest.raises(ConfigurationError, match="learns from plain numbers"):
        create(settings)


def test_a_scaler_in_a_pipeline_is_rivers() -> None:
    model = river_model.build([SCALER, LINEAR])
    assert isinstance(model[0], preprocessing.StandardScaler)
    assert pickle.loads(pickle.dumps(model)).predict_one({"x": 1.0}) == 0.0
