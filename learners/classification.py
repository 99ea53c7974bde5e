"""Classification: features to a class, learned when the label comes.

The default is a Hoeffding tree (Domingos & Hulten, "Mining high-speed data streams", KDD 2000):
conditions on sensors are mostly intervals, which a linear model can't tell. Of the trees it is
the plain one: one that adapts by itself (HoeffdingAdaptiveTree, adaptive forests) hides the drift
in its error, which is what we watch for. Splits are allowed earlier than River's default allows
them, since labels are few. Its memory is bounded; where the features are so many that a tree of
that size could hold but a leaf or two, a linear model stands in.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import ClassVar, Final

from learners import river_model
from learners.base import DIVERGED, Configuration, Feature, Learner, PredictionValue
from learners.features import Encoder
from schemas.errors import ConfigurationError, InvalidMessage

__all__ = ["MAX_CLASSES", "MAX_LABEL", "Classification"]

MAX_CLASSES: Final = 100
"""Classes of one sensor; a label that would be one more is not learned."""
MAX_LABEL: Final = 200
"""Characters in a label."""

_WIDE: Final = 30
_MIB_PER_FEATURE: Final = 0.025
_SMALLEST_TREE: Final = 0.1

LINEAR: Final = river_model.canonical(
    [
        {"class": "river.preprocessing.StandardScaler"},
        {"class": "river.linear_model.LogisticRegression"},
    ]
)


def tree(features: int) -> str:
    """The default for ``features`` features: at most 0.75 MiB, as River estimates it."""
    return river_model.canonical(
        {
            "class": "river.tree.HoeffdingTreeClassifier",
            "params": {
                "grace_period": 50,
                "delta": 1e-3,
                "tau": 0.1,
                "max_size": max(_SMALLEST_TREE, _MIB_PER_FEATURE * features),
                "memory_estimate_period": 250,
            },
        }
    )


class Classification(Learner):
    """A class from features.

    Classes are told apart as Python compares them: the labels 1, 1.0 and true are one class, and
    it is given back in the form that came first.

    Parameters
    ----------
    configuration
        ``model`` (any River classifier; one for two classes is used one against the rest),
        ``seed``.

    Raises
    ------
    schemas.errors.ConfigurationError
        If the model is no classifier.
    """

    task: ClassVar[str] = "classification"
    needs_label: ClassVar[bool] = True

    def __init__(self, configuration: Configuration) -> None:
        super().__init__(configuration)
        self._classes: dict[PredictionValue, int] = {}
        self._labels: list[PredictionValue] = []
        self._replace()

    @property
    def name(self) -> str:
        """The model in a few words."""
        if self._model is None:
            return "HoeffdingTreeClassifier"
        return river_model.describe(self._model)

    def check_label(self, y: PredictionValue) -> None:
        """Refuse a text that is too long for the name of a class."""
        if isinstance(y, str) and len(y) > MAX_LABEL:
            raise InvalidMessage("$.label", f"at most {MAX_LABEL} characters")

    def predict(self, x: Mapping[str, Feature]) -> PredictionValue | None:
        """The class expected for these features, as its label was written."""
        if self.learned == 0:
            return None
        try:
            found = self._model.predict_one(self._encoder.encode(x))
        except Exception:  # noqa: BLE001 - a prediction that can't be made is none
            return None
        return None if found is None else self._labels[int(found)]

    def probabilities(self, x: Mapping[str, Feature]) -> dict[PredictionValue, float] | None:
        """Probability of each class that is known; None where the model tells no finite ones."""
        if self.learned == 0:
            return None
        try:
            found = self._model.predict_proba_one(self._encoder.encode(x))
        except Exception:  # noqa: BLE001 - a prediction that can't be made is none
            return None
        known = {self._labels[int(number)]: float(p) for number, p in found.items()}
        return known if known and all(map(isfinite, known.values())) else None

    def error(self, prediction: PredictionValue | None, y: PredictionValue | None) -> float | None:
        """0 for the right class, 1 for a wrong one."""
        if prediction is None or y is None:
            return None
        return float(prediction != y)

    def learn(self, x: Mapping[str, Feature], y: PredictionValue | None = None) -> None:
        """Learn that ``x`` is of class ``y``."""
        index = self._class_of(y)
        if index is None:
            self.ignored += 1
            return
        encoded = self._encoder.learn(x)
        if not encoded:
            self.ignored += 1
            return
        try:
            if self._model is None:
                self._choose(encoded)
                encoded = self._encoder.encode(x)
            self._model.learn_one(encoded, index)
            self.learned += 1
            sound = river_model.has_finite_probabilities(self._model, encoded)
        except Exception as error:  # noqa: BLE001 - any River model may stand here, on any numbers
            self._heal(river_model.reason(error))
            return
        if not sound:
            self._heal(DIVERGED)

    def _class_of(self, y: PredictionValue | None) -> int | None:
        if y is None or (isinstance(y, float) and not isfinite(y)):
            return None
        if isinstance(y, str) and len(y) > MAX_LABEL:
            return None
        index = self._classes.get(y)
        if index is None and len(self._labels) < MAX_CLASSES:
            index = self._classes[y] = len(self._labels)
            self._labels.append(y)
        return index

    def _choose(self, encoded: dict[str, Feature]) -> None:
        # a tree splits on strings as they are; how wide the data is shows with the first event
        if len(encoded) <= _WIDE:
            self._make(tree(len(encoded)))
        else:
            self._make(LINEAR)
            self._encoder.one_hot = True

    def _replace(self) -> None:
        self._model: river_model.Estimator = None
        self._encoder = Encoder(one_hot=self.configuration.model is not None)
        if self.configuration.model is not None:
            self._make(self.configuration.model)

    def _make(self, spec: str) -> None:
        model = river_model.new(spec, self.configuration.seed)
        if not river_model.is_classifier(model):
            raise ConfigurationError(
                "learner.model",
                river_model.describe(model),
                "a classifier for the task classification",
            )
        self._model = river_model.for_many_classes(model)
