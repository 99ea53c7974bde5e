"""The configuration: built-in default < TOML file < environment < command line.

`load_settings` reads all four and refuses what it does not know, in one line that names the field,
the value and what is allowed. In the environment ``DRIFTLINE_KAFKA__BOOTSTRAP_SERVERS`` is
``kafka.bootstrap_servers``; lists and tables are written there as JSON.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
import tomllib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    JsonValue,
    PlainSerializer,
    PrivateAttr,
    SecretStr,
    Tag,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from schemas.errors import ConfigurationError, UnknownKey
from schemas.settings_errors import NOTHING, Allowed, Words, dotted_keys, explained, models_in
from schemas.timestamps import format_timestamp, parse_timestamp

__all__ = [
    "CONFIG_FILE",
    "Budget",
    "Checkpoint",
    "DetectorName",
    "Detectors",
    "Episodes",
    "Fleet",
    "Http",
    "Hygiene",
    "Kafka",
    "Labels",
    "LearnerSettings",
    "Log",
    "Maintenance",
    "ModelSpec",
    "Policy",
    "Predictions",
    "Rule",
    "SensorOverride",
    "SensorSettings",
    "Settings",
    "State",
    "TopicName",
    "Topics",
    "load_settings",
]

CONFIG_FILE: Final = "driftline.toml"
_PREFIX: Final = "DRIFTLINE_"

DetectorName = Literal["adwin", "ddm", "page-hinkley", "kswin", "eddm", "hddm-a", "hddm-w", "cusum"]
CheckName = Literal["stuck", "range", "rate", "unit", "schema"]
TopicName = Literal[
    "sensors",
    "labels",
    "control",
    "predictions",
    "alerts",
    "adaptations",
    "retrain",
    "models",
    "dead-letters",
    "state",
]


def _no_bool(value: object) -> object:
    if isinstance(value, bool):
        raise PydanticCustomError("number", "expected a number")
    return value


def _servers(text: str) -> str:
    for server in text.split(","):
        host, _, port = server.strip().rpartition(":")
        if not host.strip() or not port.isdecimal() or not 0 < int(port) < 65536:
            raise PydanticCustomError("servers", "expected host:port[,host:port]")
    return text


def _readable(field: str, path: Path) -> None:
    try:
        path.open("rb").close()
    except OSError as error:
        reason = (error.strerror or "not readable").lower()
        allowed = f"a file that can be read ({reason})"
        raise ConfigurationError(field, str(path), allowed) from None


def _glob(text: str) -> str:
    if not text:
        raise PydanticCustomError("glob", "expected a pattern such as press-*")
    return text


def _some_replicas(count: int) -> int:
    if count != -1 and not 1 <= count <= 32767:
        raise PydanticCustomError("replicas", "expected -1 or 1 to 32767")
    return count


def _not_negative(count: int | None) -> int | None:
    if count is not None and count < 0:
        raise PydanticCustomError("count", "expected a whole number of at least 0")
    return count


_Number = BeforeValidator(_no_bool)
Seconds = Annotated[
    float,
    _Number,
    Field(gt=0, allow_inf_nan=False),
    Allowed("a number of seconds greater than 0"),
]
Count = Annotated[int, _Number, Field(ge=1), Allowed("a whole number of at least 1")]
CountOrNone = Annotated[int, _Number, Field(ge=0), Allowed("a whole number of at least 0")]
Warmup = Annotated[int, _Number, Field(ge=10), Allowed("a whole number of at least 10")]
FalseAlarms = Annotated[
    float,
    _Number,
    Field(gt=0, le=1e6, allow_inf_nan=False),
    Allowed("a number greater than 0"),
]
Port = Annotated[int, _Number, Field(ge=0, le=65535), Allowed("a port from 0 to 65535")]
Glob = Annotated[
    str,
    AfterValidator(_glob),
    Allowed("a pattern that is not empty, such as press-*"),
]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True)


class Kafka(_Section):
    """How to reach the brokers; the names and values are librdkafka's."""

    bootstrap_servers: Annotated[
        str, AfterValidator(_servers), Allowed("host:port[,host:port]")
    ] = "localhost:9092"
    security_protocol: Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] = "plaintext"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    ssl_ca_location: Path | None = None
    ssl_certificate_location: Path | None = None
    ssl_key_location: Path | None = None
    ssl_key_password: SecretStr | None = None
    outage_timeout: Seconds = 600.0
    session_timeout: Seconds = 10.0

    @field_validator("security_protocol", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("sasl_mechanism", mode="before")
    @classmethod
    def _upper(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.security_protocol.startswith("sasl"):
            if self.sasl_mechanism is None:
                allowed = f"one, such as PLAIN, with {self.security_protocol}"
                raise ConfigurationError("kafka.sasl_mechanism", NOTHING, allowed)
            for name in ("sasl_username", "sasl_password"):
                if getattr(self, name) is None:
                    allowed = f"one with {self.sasl_mechanism}"
                    raise ConfigurationError(f"kafka.{name}", NOTHING, allowed)
        if self.security_protocol.endswith("ssl"):
            for name in ("ssl_ca_location", "ssl_certificate_location", "ssl_key_location"):
                if (path := getattr(self, name)) is not None:
                    _readable(f"kafka.{name}", path)
        return self

    def librdkafka(self) -> dict[str, str]:
        """The connection as librdkafka's properties, secrets in clear: never to be printed."""
        properties = {
            "bootstrap.servers": self.bootstrap_servers,
            "security.protocol": self.security_protocol,
        }
        for name, value in (
            ("sasl.mechanism", self.sasl_mechanism),
            ("sasl.username", self.sasl_username),
            ("sasl.password", self.sasl_password),
            ("ssl.ca.location", self.ssl_ca_location),
            ("ssl.certificate.location", self.ssl_certificate_location),
            ("ssl.key.location", self.ssl_key_location),
            ("ssl.key.password", self.ssl_key_password),
        ):
            if value is not None:
                clear = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
                properties[name] = clear
        return properties


class Topics(_Section):
    """Names and shapes of the topics."""

    prefix: Annotated[
        str,
        Field(pattern=r"^[A-Za-z0-9._-]{1,200}$"),
        Allowed("1 to 200 of the characters a-z A-Z 0-9 . _ -"),
    ] = "driftline"
    partitions: Count = 8
    replication_factor: Annotated[
        int,
        _Number,
        AfterValidator(_some_replicas),
        Allowed("-1 (the broker's default) or 1 to 32767"),
    ] = -1
    retention: Seconds = 604_800.0
    """Seconds that records stay on the topics that are cut by time."""


class Checkpoint(_Section):
    """When state, alerts and position are made durable."""

    interval: Seconds = 1.0


class ModelSpec(_Section):
    """A River estimator by class name, with its parameters, which may be estimators themselves."""

    model_config = ConfigDict(validate_by_name=True)

    class_: Annotated[
        str,
        Field(alias="class", pattern=r"^river(\.[A-Za-z_][A-Za-z0-9_]*)+$"),
        Allowed("the dotted path of a River class, such as river.linear_model.LinearRegression"),
    ]
    params: dict[str, ModelParameter] = {}


def _parameter_kind(value: object) -> str:
    def is_spec(item: object) -> bool:
        return isinstance(item, ModelSpec) or (isinstance(item, Mapping) and "class" in item)

    if is_spec(value):
        return "model"
    if isinstance(value, list | tuple) and value and all(is_spec(item) for item in value):
        return "pipeline"
    return "json"


ModelParameter = Annotated[
    Annotated[ModelSpec, Tag("model")]
    | Annotated[tuple[ModelSpec, ...], Tag("pipeline")]
    | Annotated[JsonValue, Tag("json")],
    Discriminator(_parameter_kind),
]
ModelSpec.model_rebuild()


def _model_kind(value: object) -> str:
    return "pipeline" if isinstance(value, list | tuple) else "model"


class LearnerSettings(_Section):
    """What is learned of each sensor."""

    task: Literal["forecast", "classification", "regression", "anomaly"] = "forecast"
    lags: Count = 3
    """``forecast``: how many of the last values the next one is predicted from."""
    target: str | None = None
    """``forecast`` on events with features: the feature to forecast."""
    model: (
        Annotated[
            Annotated[ModelSpec, Tag("model")]
            | Annotated[tuple[ModelSpec, ...], Field(min_length=1), Tag("pipeline")],
            Discriminator(_model_kind),
        ]
        | None
    ) = None
    """A River estimator, or several in a row; None is the task's own default."""
    grace: CountOrNone = 100
    """Events learned before the model's errors are looked at."""


class Labels(_Section):
    """How long predictions wait for their labels, and labels for their events, per sensor."""

    max_pending: Count = 1000
    max_age: Seconds = 2_592_000.0


def _scalar(value: object) -> object:
    if not isinstance(value, bool | int | float | str):
        raise PydanticCustomError("parameter", "expected a number, a string, true or false")
    return value


DetectorParameter = Annotated[bool | int | float | str, BeforeValidator(_scalar)]


class Detectors(_Section):
    """Which detectors watch which signal; None is the built-in choice for that signal."""

    value: tuple[DetectorName, ...] | None = None
    error: tuple[DetectorName, ...] | None = None
    label: tuple[DetectorName, ...] | None = None
    prediction: tuple[DetectorName, ...] | None = None
    missing: tuple[DetectorName, ...] | None = None
    feature: tuple[DetectorName, ...] | None = None
    warmup: Warmup = 100
    """Values that make the reference of a signal."""
    params: dict[DetectorName, dict[str, DetectorParameter]] = {}
    """Parameters by detector, under River's names."""

    @field_validator("params", mode="before")
    @classmethod
    def _names_from_the_environment(cls, value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        # a variable's name can't hold a hyphen
        return {
            name.replace("_", "-") if isinstance(name, str) else name: _numbers(parameters)
            for name, parameters in value.items()
        }


def _numbers(parameters: object) -> object:
    if not isinstance(parameters, Mapping):
        return parameters
    return {
        name: _from_json(value) if isinstance(value, str) else value
        for name, value in parameters.items()
    }


class Budget(_Section):
    """How many false alarms are worth it; of the three the strictest counts."""

    per_10k_events: FalseAlarms = 0.5
    """False drifts per 10,000 events of a sensor."""
    per_sensor_per_year: FalseAlarms | None = None
    fleet_per_day: FalseAlarms | None = None
    """Of all sensors together."""


def _interval(limits: tuple[float, float]) -> tuple[float, float]:
    if not limits[0] < limits[1]:
        raise PydanticCustomError("interval", "expected [lowest, highest]")
    return limits


_Limit = Annotated[float, _Number]
Ranges = Annotated[
    dict[
        Annotated[str, Field(pattern=r"^(value|feature:.+)$")],
        Annotated[tuple[_Limit, _Limit], AfterValidator(_interval)],
    ],
    Allowed("the lowest and highest reading by value or feature:GLOB: { value = [-40, 125] }"),
]


class Hygiene(_Section):
    """What is told apart from drift as a fault on the way here."""

    checks: tuple[CheckName, ...] = ("stuck", "range", "rate", "unit", "schema")
    range: Ranges = {}
    """Lowest and highest reading there can be, by ``value`` or a glob on ``feature:<name>``."""

    def limits(self, signal: str) -> tuple[float, float] | None:
        """The limits of a reading; where several globs match, the first of them counts."""
        found = self.range.get(signal)
        if found is None:
            for pattern, limits in self.range.items():
                if fnmatch.fnmatchcase(signal, pattern):
                    return limits
        return found


class Episodes(_Section):
    """When a change counts as over, and how soon the next one is told."""

    quiet_events: Count = 200
    """Events without a finding that end an episode; more than a warm-up takes."""
    cooldown_events: Annotated[
        int | None,
        _Number,
        AfterValidator(_not_negative),
        Allowed("a whole number of at least 0"),
    ] = None
    """See `detectors.episodes.Episodes`; None is half of `quiet_events`."""

    @property
    def cooldown(self) -> int:
        """The cool-down that holds, in events."""
        return self.quiet_events // 2 if self.cooldown_events is None else self.cooldown_events


class Fleet(_Section):
    """When many sensors of a partition that change at once are one drift event."""

    enabled: bool = True
    window: Seconds = 300.0
    """Of event time."""
    min_sensors: Annotated[int, _Number, Field(ge=2), Allowed("a whole number of at least 2")] = 5
    min_share: Annotated[
        float,
        _Number,
        Field(gt=0, le=1, allow_inf_nan=False),
        Allowed("a number greater than 0, up to 1"),
    ] = 0.2
    """Of the sensors that sent something within the window."""


class Rule(_Section):
    """What to do about a drift event that fits; of all rules the first that fits counts."""

    diagnosis: Literal["upstream", "data", "prior", "concept", "*"] = "*"
    signal: Glob = "*"
    severity: Literal["low", "medium", "high", "*"] = "*"
    actions: tuple[Literal["reset", "relearn", "retrain"], ...]

    def __str__(self) -> str:
        """How an adaptation names the rule."""
        conditions = [
            f"{name}={value}"
            for name, value in (
                ("diagnosis", self.diagnosis),
                ("signal", self.signal),
                ("severity", self.severity),
            )
            if value != "*"
        ]
        return f"{' '.join(conditions) or 'any'} -> {'+'.join(self.actions) or 'nothing'}"


class Policy(_Section):
    """What drift events lead to."""

    enabled: bool = True
    rules: tuple[Rule, ...] = (
        Rule(diagnosis="upstream", actions=()),
        Rule(diagnosis="concept", actions=("relearn", "retrain")),
        Rule(diagnosis="data", actions=("relearn",)),
        Rule(diagnosis="prior", actions=("relearn", "retrain")),
    )
    relearn: Literal["background", "fresh"] = "background"
    """A challenger learns beside the model until it is better, or a fresh model takes over."""
    cooldown_events: CountOrNone = 200
    challenger_events: Count = 200
    margin: Annotated[
        float, _Number, Field(ge=0, lt=1, allow_inf_nan=False), Allowed("a number from 0 to 1")
    ] = 0.05
    """How much smaller, in parts of the model's error, the challenger's error must be."""
    retrain_min_events: Count = 500


class Predictions(_Section):
    """The topic of predictions."""

    enabled: bool = False


class Http(_Section):
    """/metrics, /healthz, /readyz and the dashboard."""

    host: Annotated[str, Field(min_length=1), Allowed("a host name or an address")] = "127.0.0.1"
    port: Port = 8080


class Log(_Section):
    """What is logged, and how."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "console", "json"] = "auto"

    @field_validator("level", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value


class State(_Section):
    """How much is kept, and the key that stored state and models are signed with."""

    max_sensors: Count = 125_000
    """Sensors that a partition keeps; those silent for the longest are forgotten."""
    signing_key: SecretStr | None = None
    signing_key_file: Path | None = None


def _moment(value: object) -> object:
    if isinstance(value, datetime):
        value = value.isoformat()
    if not isinstance(value, str):
        raise PydanticCustomError("time", "expected a time")
    try:
        return parse_timestamp(value)
    except ValueError:
        raise PydanticCustomError("time", "expected a time") from None


Moment = Annotated[
    int,
    BeforeValidator(_moment),
    PlainSerializer(format_timestamp, return_type=str),
]
_TIME: Final = "a time with a zone, such as 2026-01-05T22:00:00Z"


class Maintenance(_Section):
    """A stretch of event time in which what sensors send says nothing of them."""

    model_config = ConfigDict(validate_by_name=True)

    match: Glob
    from_: Annotated[Moment, Field(alias="from"), Allowed(_TIME)]
    until: Annotated[Moment, Allowed(f"{_TIME}, later than `from`")]

    @field_validator("until")
    @classmethod
    def _not_before_it_begins(cls, until: int, info: ValidationInfo) -> int:
        if until <= info.data.get("from_", until - 1):
            raise PydanticCustomError("time", "expected a later time")
        return until


class SensorOverride(_Section):
    """Other settings for the sensors whose id matches a glob; later overrides win."""

    match: Glob
    learner: dict[str, Any] = {}
    detectors: dict[str, Any] = {}
    budget: dict[str, Any] = {}
    hygiene: dict[str, Any] = {}
    episodes: dict[str, Any] = {}
    policy: dict[str, Any] = {}
    labels: dict[str, Any] = {}


class SensorSettings(_Section):
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
        env_prefix=_PREFIX,
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
        merged = self._by_matches[()].model_dump()
        for number in matches:
            for section in _PER_SENSOR:
                given = getattr(self.sensors[number], section)
                merged[section] = _merge(merged[section], given)
        try:
            settings = SensorSettings.model_validate(merged)
        except ValidationError as error:
            place = f"sensors[{matches[-1]}]"
            raise explained(error, merged, SensorSettings, place) from None
        self._by_matches[matches] = settings
        return settings


def load_settings(
    config_file: Path | None = None, overrides: Mapping[str, Any] | None = None
) -> Settings:
    """Read the configuration: default < TOML file < environment < ``overrides``.

    Parameters
    ----------
    config_file
        A TOML file; without it, ``driftline.toml`` in the working directory if it is there.
    overrides
        From the command line, by dotted key: ``{"http.port": 0}``. Text for a list or a table is
        JSON.

    Raises
    ------
    ConfigurationError
        For the first thing that is wrong: one line that names the field, the value and what is
        allowed, or for an unknown key the nearest right one.
    """
    file = _from_file(config_file)
    _refuse_unknown_variables()
    try:
        environment = EnvSettingsSource(Settings)()
    except SettingsError as error:
        raise _not_json(error) from None
    given = _merge(_merge(file, environment), _nested(overrides or {}))
    try:
        return Settings(**given)
    except ValidationError as error:
        raise explained(error, given, Settings) from None


# The sources.

_KUBERNETES: Final = re.compile(r"DRIFTLINE_(SERVICE_(HOST|PORT)|PORT)(_[A-Z0-9_]+)?")
"""Set in every pod beside a Service named driftline; not meant for us."""


def _from_file(config_file: Path | None) -> dict[str, Any]:
    path = Path(CONFIG_FILE) if config_file is None else config_file
    if config_file is None and not path.is_file():
        return {}
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        reason = (error.strerror or "not readable").lower()
        raise ConfigurationError(
            "-c", str(path), f"a TOML file that can be read ({reason})"
        ) from None
    except ValueError as error:
        raise ConfigurationError(str(path), Words("its text"), f"TOML ({error})") from None


def _refuse_unknown_variables() -> None:
    for name in os.environ:
        upper = name.upper()
        if not upper.startswith(_PREFIX) or _KUBERNETES.fullmatch(upper):
            continue
        section, nested, _ = upper.removeprefix(_PREFIX).lower().partition("__")
        field = Settings.model_fields.get(section)
        if field is None or (nested and models_in(field.annotation) == []):
            known = [_PREFIX + key.upper().replace(".", "__") for key in dotted_keys(Settings)]
            raise UnknownKey(name, known)


def _nested(overrides: Mapping[str, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for key, value in overrides.items():
        if value is None:
            continue
        branch: Any = _from_json(value) if isinstance(value, str) and value[:1] in "[{" else value
        for part in reversed(key.split(".")):
            branch = {part: branch}
        tree = _merge(tree, branch)
    return tree


def _merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with ``over`` laid on it; a list, or a model with its class, replaces the other."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        is_part = isinstance(value, Mapping) and "class" not in value
        if is_part and isinstance(below, Mapping):
            merged[key] = _merge(below, value)
        else:
            merged[key] = value
    return merged


def _from_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _not_json(error: SettingsError) -> ConfigurationError:
    quoted = re.search(r'field "(\w+)"', str(error))
    return ConfigurationError(
        quoted.group(1) if quoted else "environment", Words("its text"), "JSON"
    )
