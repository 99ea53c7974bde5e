"""Forecast: the next value from the last ones; needs no label.

The default is River's ``StandardScaler | LinearRegression`` on the last k values, to the last bit,
as long as that is sound. It isn't always: stochastic gradient descent is stable only while the
squared norm of the scaled features stays below the inverse of the learning rate, and a scaler that
has seen thousands of values lets a jump of ten standard deviations through as it is. River's
default then predicts 1e9 for a sensor that went from 20 to 30, and still after days. So a model
whose prediction is far larger than anything seen lately is replaced by an untrained one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from learners import river_model
from learners.base import (
    DIVERGED,
    FAR,
    VALUE,
    Configuration,
    Feature,
    Learner,
    PredictionValue,
    distance,
    followed,
    magnitude_fits,
    number,
)
from schemas.errors import ConfigurationError

__all__ = ["Forecast"]


class Forecast(Learner):
    """The next value, from the last ones.

    A regressor is fed with ``lag1`` (the last value) to ``lagk``, from the moment that k values
    are known. A River forecaster (``time_series.SNARIMAX``, ``time_series.HoltWinters``) keeps the
    series itself, and predicts nothing until it is ready.

    Parameters
    ----------
    configuration
        ``model``, ``lags``, ``target``, ``seed``.

    Raises
    ------
    schemas.errors.ConfigurationError
        If the model is neither a regressor nor a forecaster.

    Examples
    --------
    >>> from learners.base import Configuration
    >>> learner = Forecast(Configuration(lags=1))
    >>> for value in [20.0, 21.0] * 300:
    ...     learner.learn({"value": value})
    >>> round(learner.predict({"value": 20.0}), 1)
    20.0
    """

    task: ClassVar[str] = "forecast"
    needs_label: ClassVar[bool] = False

    def __init__(self, configuration: Configuration) -> None:
        super().__init__(configuration)
        self._feature = VALUE if configuration.target is None else configuration.target
        self._lags: tuple[float, ...] = ()
        self._largest = 0.0
        self._next: float | None = None
        self._spec = configuration.model or river_model.LINEAR
        self._model = river_model.new(self._spec, configuration.seed)
        self._keeps_series = river_model.is_forecaster(self._model)
        if not self._keeps_series and not river_model.is_regressor(self._model):
            raise ConfigurationError(
                "learner.model", self.name, "a regressor or a forecaster for the task forecast"
            )

    @property
    def name(self) -> str:
        """The model in a few words."""
        return river_model.describe(self._model)

    def truth(self, x: Mapping[str, Feature]) -> float | None:
        """The value that was forecast; None if the event has none."""
        return number(x.get(self._feature))

    def predict(self, x: Mapping[str, Feature]) -> float | None:
        """The value expected of the event that comes next; of ``x`` nothing is used."""
        return self._next

    def error(self, prediction: PredictionValue | None, y: PredictionValue | None) -> float | None:
        """Absolute error, in the unit of the value."""
        return distance(prediction, y)

    def learn(self, x: Mapping[str, Feature], y: PredictionValue | None = None) -> None:
        """Learn the value in ``x``, and forecast the next one."""
        value = self.truth(x)
        if value is None or not magnitude_fits(value):
            self.ignored += 1
            return
        self._largest = followed(self._largest, value)
        try:
            self._fit(value)
            self._next = self._forecast()
        except Exception as error:  # noqa: BLE001 - any River model may stand here, on any numbers
            self._heal(river_model.reason(error))
            return
        if self._next is not None and not abs(self._next) <= FAR * self._largest:
            self._heal(DIVERGED)

    def _fit(self, value: float) -> None:
        if self._keeps_series:
            self._model.learn_one(value)
            self.learned += 1
            return
        if len(self._lags) == self.configuration.lags:
            self._model.learn_one(_named(self._lags), value)
            self.learned += 1
        self._lags = (value, *self._lags)[: self.configuration.lags]

    def _forecast(self) -> float | None:
        if self.learned == 0:
            return None
        if not self._keeps_series:
            return float(self._model.predict_one(_named(self._lags)))
        try:
            return float(self._model.forecast(horizon=1)[0])
        except IndexError:
            # HoltWinters has no level before it has seen a season
            return None

    def _replace(self) -> None:
        # the lags go too: one of them may be what broke the model
        self._lags = ()
        self._next = None
        self._model = river_model.new(self._spec, self.configuration.seed)


def _named(lags: tuple[float, ...]) -> dict[str, float]:
    return {f"lag{index}": value for index, value in enumerate(lags, start=1)}
