"""The configuration: built-in default < TOML file < environment < command line.

`load_settings` reads all four and refuses what it does not know, in one line that names the field,
the value and what is allowed. In the environment ``DRIFTLINE_KAFKA__BOOTSTRAP_SERVERS`` is
``kafka.bootstrap_servers``; lists and tables are written there as JSON.
"""

from schemas.settings.broker import Checkpoint, Kafka, TopicName, Topics
from schemas.settings.detection import Budget, DetectorName, Detectors, Episodes, Hygiene
from schemas.settings.fleet import Fleet, Maintenance
from schemas.settings.learning import Labels, LearnerSettings, ModelSpec
from schemas.settings.policy import Policy, Rule
from schemas.settings.process import Http, Log, Predictions, State
from schemas.settings.sources import CONFIG_FILE, load_settings
from schemas.settings.whole import SensorOverride, SensorSettings, Settings

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
