"""Anomaly: how unusual an event is, from 0 to 1; needs no label.

The score is prediction and error at once: what is watched for drift is whether the sensor has
become unusual. River's GaussianScorer judges a value, Half-Space Trees (Tan, Ting & Liu, "Fast
anomaly detection for streaming data", IJCAI 2011) judge features, scaled to [0, 1].
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

from learners import river_model
from learners.base import DIVERGED, VALUE, Configuration, Feature, Learner, PredictionValue, number
from learners.features import Encoder
from schemas.errors import ConfigurationError

__all__ = ["Anomaly"]

OF_A_VALUE: Final = river_model.canonical({"class": "river.anomaly.GaussianScorer"})
OF_FEATURES: Final = river_model.canonical(
    [
        {"class": "river.preprocessing.MinMaxScaler"},
        {"class": "river.anomaly.HalfSpaceTrees"},
    ]
)


class Anomaly(Learner):
    """How unusual an event is: 0 as usual, 1 as unusual as can be.

    Without a configured model, the first event decides: a Gaussian for events with a value,
    Half-Space Trees for events with features.

    Parameters
    ----------
    configuration
        ``model`` (any River anomaly detector, supervised ones for values only), ``seed``.

    Raises
    ------
    schemas.errors.ConfigurationError
        If the model is no anomaly detector.
    """

    task: ClassVar[str] = "anomaly"
    needs_label: ClassVar[bool] = False

    def __init__(self, configuration: Configuration) -> None:
        super().__init__(configuration)
        self._replace()

    @property
    def name(self) -> str:
        """The model in a few words."""
        return river_model.describe(self._model) if self._model is not None else self.task

    def truth(self, x: Mapping[str, Feature]) -> float | None:
        """The value, if the event has one; an anomaly is judged by itself."""
        return number(x.get(VALUE))

    def predict(self, x: Mapping[str, Feature]) -> float | None:
        """Score of ``x``, from 0 to 1; None while the model is still warming up."""
        if self._model is None or self.learned < self._warm_up:
            return None
        try:
            return self._score(self._encoder.encode(x))
        except Exception:  # noqa: BLE001 - a score that can't be made is none
            return None

    def error(self, prediction: PredictionValue | None, y: PredictionValue | None) -> float | None:
        """The score itself."""
        return number(prediction)

    def learn(self, x: Mapping[str, Feature], y: PredictionValue | None = None) -> None:
        """Learn that an event such as ``x`` occurs."""
        encoded = self._encoder.learn(x)
        if not encoded:
            self.ignored += 1
            return
        if self._model is None:
            self._make(OF_A_VALUE if encoded.keys() == {VALUE} else OF_FEATURES)
        if self._of_a_value and VALUE not in encoded:
            self.ignored += 1
            return
        try:
            if self._of_a_value:
                self._model.learn_one(None, encoded[VALUE])
            else:
                self._model.learn_one(encoded)
            self.learned += 1
            sound = self._score(encoded) is not None
        except Exception as error:  # noqa: BLE001 - any River model may stand here, on any numbers
            self._heal(river_model.reason(error))
            return
        if not sound:
            self._heal(DIVERGED)

    def _score(self, encoded: dict[str, Feature]) -> float | None:
        if not self._of_a_value:
            return number(float(self._model.score_one(encoded)))
        value = encoded.get(VALUE)
        return None if value is None else number(river_model.score_value(self._model, value))

    def _replace(self) -> None:
        self._model: river_model.Estimator = None
        self._encoder = Encoder(one_hot=True)
        self._of_a_value = False
        self._warm_up = 1
        if self.configuration.model is not None:
            self._make(self.configuration.model)

    def _make(self, spec: str) -> None:
        self._model = river_model.new(spec, self.configuration.seed)
        if not river_model.is_scorer(self._model):
            raise ConfigurationError(
                "learner.model", self.name, "an anomaly detector for the task anomaly"
            )
        self._of_a_value = river_model.is_supervised_scorer(self._model)
        self._warm_up = river_model.warm_up(self._model)
