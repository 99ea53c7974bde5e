"""All sections together, and what of them holds for one sensor."""

from __future__ import annotations

import fnmatch
import re
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, PrivateAttr, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from schemas.settings.broker import Checkpoint, Kafka, TopicName, Topics
from schemas.settings.detection import Budget, Detectors, Episodes, Hygiene
from schemas.settings.fields import Glob, Section
from schemas.settings.fleet import Fleet, Maintenance
from schemas.settings.learning import Labels, LearnerSettings
from schemas.settings.policy import Policy
from schemas.settings.process import Http, Log, Predictions, State
from schemas.settings.trees import merge
from schemas.settings_errors import Allowed, explained

PREFIX: Final = "DRIFTLINE_"


class SensorOverride(Section):
    """Other settings for the sensors whose id matches a glob; later overrides win."""

    match: Glob
    learner: dict[str, Any] = {}
    detectors: dict[str, Any] = {}
    budget: dict[str, Any] = {}
    hygiene: dict[str, Any] = {}
    episodes: dict[str, Any] = {}
    policy: dict[str, Any] = {}
    labels: dict[str, Any] = {}


class SensorSettings(Section):
    """The settings that hold for one sensor."""

    learner: LearnerSettings
    detectors: Detectors
    budget: Budget
    hygiene: Hygiene
    episodes: Episodes
    policy: Policy
    labels: Labels


_PER_SENSOR: Final = tuple(SensorSettings.model_fields)


class Settings(BaseSettings):
    """The whole configuration. Use `load_settings`, which reads all its sources."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        env_ignore_empty=True,
        validate_default=False,
        serialize_by_alias=True,
    )

    kafka: Kafka = Kafka()
    group: Annotated[
        str, Field(min_length=1, max_length=200), Allowed("a name of 1 to 200 characters")
    ] = "driftline"
    topics: Topics = Topics()
    guarantee: Literal["exactly_once", "at_least_once"] = "exactly_once"
    checkpoint: Checkpoint = Checkpoint()
    learner: LearnerSettings = LearnerSettings()
    labels: Labels = Labels()
    detectors: Detectors = Detectors()
    budget: Budget = Budget()
    hygiene: Hygiene = Hygiene()
    episodes: Episodes = Episodes()
    fleet: Fleet = Fleet()
    policy: Policy = Policy()
    predictions: Predictions = Predictions()
    http: Http = Http()
    log: Log = Log()
    state: State = State()
    maintenance: tuple[Maintenance, ...] = ()
    sensors: tuple[SensorOverride, ...] = ()

    _matchers: tuple[re.Pattern[str], ...] = PrivateAttr(default=())
    _by_matches: dict[tuple[int, ...], SensorSettings] = PrivateAttr(default_factory=dict)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is passed in: `load_settings` reads the other sources itself."""
        return (init_settings,)

    @model_validator(mode="after")
    def _overrides_fit(self) -> Self:
        """Merge each override once, so that nothing is wrong with any of them later."""
        self._matchers = tuple(
            re.compile(fnmatch.translate(override.match)) for override in self.sensors
        )
        self._by_matches.clear()
        self._by_matches[()] = SensorSettings(
            **{section: getattr(self, section) for section in _PER_SENSOR}
        )
        for number in range(len(self.sensors)):
            self._merged((number,))
        return self

    def topic(self, name: TopicName) -> str:
        """Full name of a topic: ``<prefix>.<name>``."""
        return f"{self.topics.prefix}.{name}"

    def for_sensor(self, sensor_id: str) -> SensorSettings:
        """The settings of one sensor; the same object for all with the same overrides."""
        matches = tuple(
            number
            for number, matcher in enumerate(self._matchers)
            if matcher.match(sensor_id) is not None
        )
        found = self._by_matches.get(matches)
        return self._merged(matches) if found is None else found

    def variants(self) -> tuple[SensorSettings, ...]:
        """The settings of sensors that match no override, and of those that match one each."""
        return tuple(self._by_matches.values())

    def masked(self) -> dict[str, Any]:
        """All settings as JSON-ready objects, secrets as asterisks."""
        return self.model_dump(mode="json")

    def _merged(self, matches: tuple[int, ...]) -> SensorSettings:
        """Lay overrides over what holds for all sensors."""
        merged = self._by_matches[()].model_dump()
        for number in matches:
            for section in _PER_SENSOR:
                given = getattr(self.sensors[number], section)
                merged[section] = merge(merged[section], given)
        try:
            settings = SensorSettings.model_validate(merged)
        except ValidationError as error:
            place = f"sensors[{matches[-1]}]"
            raise explained(error, merged, SensorSettings, place) from None
        self._by_matches[matches] = settings
        return settings
