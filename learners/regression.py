"""Regression: features to a number, learned when the label comes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from learners import river_model
from learners.base import (
    DIVERGED,
    FAR,
    Configuration,
    Feature,
    Learner,
    PredictionValue,
    distance,
    followed,
    magnitude_fits,
    number,
)
from learners.features import Encoder
from schemas.errors import ConfigurationError, InvalidMessage

__all__ = ["Regression"]


class Regression(Learner):
    """A number from features; strings among them are one-hot encoded.

    Parameters
    ----------
    configuration
        ``model`` (any River regressor), ``seed``.

    Raises
    ------
    schemas.errors.ConfigurationError
        If the model is no regressor.
    """

    task: ClassVar[str] = "regression"
    needs_label: ClassVar[bool] = True

    def __init__(self, configuration: Configuration) -> None:
        super().__init__(configuration)
        self._encoder = Encoder(one_hot=True)
        self._largest = 0.0
        self._spec = configuration.model or river_model.LINEAR
        self._model = river_model.new(self._spec, configuration.seed)
        if not river_model.is_regressor(self._model):
            raise ConfigurationError(
                "learner.model", self.name, "a regressor for the task regression"
            )

    @property
    def name(self) -> str:
        """The model in a few words."""
        return river_model.describe(self._model)

    def check_label(self, y: PredictionValue) -> None:
        """Refuse what is no finite number."""
        if number(y) is None:
            raise InvalidMessage("$.label", "a finite number")

    def predict(self, x: Mapping[str, Feature]) -> float | None:
        """The label expected for these features."""
        return self._predict(self._encoder.encode(x))

    def error(self, prediction: PredictionValue | None, y: PredictionValue | None) -> float | None:
        """Absolute error, in the unit of the label."""
        return distance(prediction, y)

    def learn(self, x: Mapping[str, Feature], y: PredictionValue | None = None) -> None:
        """Learn that ``x`` has the label ``y``."""
        label = number(y)
        if label is None or not magnitude_fits(label):
            self.ignored += 1
            return
        encoded = self._encoder.learn(x)
        if not encoded:
            self.ignored += 1
            return
        self._largest = followed(self._largest, label)
        try:
            self._model.learn_one(encoded, label)
            self.learned += 1
            again = float(self._model.predict_one(encoded))
        except Exception as error:  # noqa: BLE001 - any River model may stand here, on any numbers
            self._heal(river_model.reason(error))
            return
        if not abs(again) <= FAR * self._largest:
            self._heal(DIVERGED)

    def _predict(self, encoded: dict[str, Feature]) -> float | None:
        if self.learned == 0:
            return None
        try:
            prediction = number(self._model.predict_one(encoded))
        except Exception:  # noqa: BLE001 - a prediction that can't be made is none
            return None
        return prediction if prediction is not None and magnitude_fits(prediction) else None

    def _replace(self) -> None:
        self._encoder = Encoder(one_hot=True)
        self._model = river_model.new(self._spec, self.configuration.seed)
