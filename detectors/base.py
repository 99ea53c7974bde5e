"""The shape that every detector has, and the checks that keep bad numbers out of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from schemas.errors import ConfigurationError, OutOfDomain

Domain = Literal["real", "bit"]

LARGEST = 1e100
"""Largest magnitude a detector takes. Squares and sums of such numbers stay finite, whereas one
overflow to infinity in a running variance makes ADWIN deaf for good."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a detector's parameter may be.

    Parameters
    ----------
    kind
        The type: ``float`` takes integers too, ``int`` and ``float`` never take a bool.
    low, high
        Inclusive limits of a number.
    above
        Exclusive lower limit of a number, used instead of `low`.
    choices
        The words a ``str`` may be.
    """

    kind: type[float] | type[int] | type[bool] | type[str]
    low: float | None = None
    high: float | None = None
    above: float | None = None
    choices: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Say in words what is allowed."""
        if self.kind is bool:
            return "true or false"
        if self.kind is str:
            return "one of " + ", ".join(self.choices)
        words = ["an integer" if self.kind is int else "a number"]
        if self.above is not None:
            words.append(f"above {self.above}")
        if self.low is not None:
            words.append(f"from {self.low}" if self.high is not None else f"not below {self.low}")
        if self.high is not None:
            words.append(f"to {self.high}" if self.above is None else f"and up to {self.high}")
        return " ".join(words)

    def admits(self, value: object) -> bool:
        """Tell whether `value` has the right type and lies within the limits."""
        if self.kind is bool:
            return isinstance(value, bool)
        if self.kind is str:
            return value in self.choices
        if isinstance(value, bool) or not isinstance(value, int | self.kind):
            return False
        number: Any = value
        return bool(
            -LARGEST <= number <= LARGEST
            and (self.above is None or number > self.above)
            and (self.low is None or number >= self.low)
            and (self.high is None or number <= self.high)
        )


MANY = 2**31 - 1
"""Largest count a parameter may be: River's compiled parts keep counts in 32 bits."""


class Detector(ABC):
    """What tells whether a stream of numbers is still the same.

    Constructor arguments carry River's names and are checked before anything is built. A
    detector is picklable at any moment; the copy goes on exactly as the original would have.

    Attributes
    ----------
    name
        The name by which configuration, command line and drift events know the detector.
    domain
        ``"real"`` takes any finite number up to 1e100 in magnitude, ``"bit"`` only 0 and 1.
    allowed
        What each constructor argument may be.
    calibrated
        The constructor argument that `calibrate` stands in for: the limit of a sum that falls back
        to zero again and again while nothing happens. None if there is none.
    """

    __slots__ = ()

    name: ClassVar[str]
    domain: ClassVar[Domain]
    allowed: ClassVar[Mapping[str, Allowed]]
    calibrated: ClassVar[str | None] = None

    @abstractmethod
    def update(self, x: float) -> None:
        """Take the next value of the stream.

        As in River, the first update after a drift starts from nothing.

        Parameters
        ----------
        x
            The value, in the stream's own unit.

        Raises
        ------
        OutOfDomain
            `x` is not finite, too large, or (for a ``"bit"`` detector) neither 0 nor 1. The
            detector is then as it was before the call.
        """

    @property
    @abstractmethod
    def drift_detected(self) -> bool:
        """Whether the last update found a drift."""

    @property
    @abstractmethod
    def warning_detected(self) -> bool:
        """Whether the detector is in its warning zone after the last update."""

    @property
    def score(self) -> float | None:
        """The statistic that the last update compared with `threshold`, where there is one."""
        return None

    @property
    def threshold(self) -> float | None:
        """The limit of `score` beyond which a drift is reported, where there is one."""
        return None

    @property
    @abstractmethod
    def parameters(self) -> dict[str, Any]:
        """The constructor arguments of this detector."""

    def calibrate(self, threshold: float) -> None:
        """Use another limit of `score` from now on, until `reset`.

        Raises
        ------
        NotImplementedError
            For a detector that is not `calibrated`.
        """
        raise NotImplementedError(f"{self.name} has no limit of its own")

    def go_on(self, threshold: float) -> None:
        """Take the drift just found back, and `calibrate`: the next update goes on with the sum.

        Raises
        ------
        NotImplementedError
            For a detector that is not `calibrated`.
        """
        raise NotImplementedError(f"{self.name} has no limit of its own")

    @abstractmethod
    def reset(self) -> None:
        """Forget everything but the parameters."""

    def __repr__(self) -> str:
        """Write the constructor call that makes this detector."""
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.parameters.items())
        return f"{type(self).__name__}({arguments})"

    @classmethod
    def check(cls, **parameters: object) -> None:
        """Refuse parameters of the wrong type or range.

        Raises
        ------
        ConfigurationError
            Names the parameter as ``detector.parameter``, its value and what is allowed.
        """
        for name, value in parameters.items():
            allowed = cls.allowed[name]
            if not allowed.admits(value):
                raise ConfigurationError(f"{cls.name}.{name}", value, str(allowed))


class RiverDetector(Detector):
    """A detector whose meaning is a class of River.

    It adds to River's class what a stream from outside needs: checked parameters, checked
    values, and the statistic behind the decision. Nothing else differs, index by index.
    """

    __slots__ = ("_river",)

    def __init__(self, river: Any) -> None:
        self._river = river

    def update(self, x: float) -> None:
        """Take the next value of the stream; see `Detector.update`."""
        if not -LARGEST <= x <= LARGEST:
            raise OutOfDomain(f"{self.name}: expected a finite number up to 1e100, got {x!r}")
        self._river.update(x)

    @property
    def drift_detected(self) -> bool:
        """Whether the last update found a drift."""
        return bool(self._river.drift_detected)

    @property
    def warning_detected(self) -> bool:
        """Always false: this detector has no warning zone."""
        return False

    @property
    def parameters(self) -> dict[str, Any]:
        """The constructor arguments of this detector."""
        return {name: getattr(self._river, name) for name in self.allowed}

    def reset(self) -> None:
        """Forget everything but the parameters."""
        self._river = type(self._river)(**self.parameters)


class RiverBitDetector(RiverDetector):
    """A detector of River that takes 0 and 1 only and has a warning zone.

    River itself takes any number here, and what it then computes is no error rate: a 2 counts
    as two errors, a -1 as an error taken back.
    """

    __slots__ = ()

    domain: ClassVar[Domain] = "bit"

    def update(self, x: float) -> None:
        """Take the next bit of the stream; see `Detector.update`."""
        if x != 0 and x != 1:
            raise OutOfDomain(f"{self.name}: expected 0 or 1, got {x!r}")
        self._river.update(x)

    @property
    def warning_detected(self) -> bool:
        """Whether the detector is in its warning zone after the last update."""
        return bool(self._river.warning_detected)
