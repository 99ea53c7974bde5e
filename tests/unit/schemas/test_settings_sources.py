"""Default < TOML file < environment < command line; what is wrong is said in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from schemas.errors import ConfigurationError
from schemas.settings import ModelSpec, Settings, load_settings

pytestmark = pytest.mark.usefixtures("clean")


def refusal(overrides: dict[str, Any] | None = None, toml: str | None = None) -> str:
    """What is said about a configuration that is refused."""
    if toml is not None:
        Path("driftline.toml").write_text(toml, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load_settings(None, overrides)
    told = str(caught.value)
    assert "\n" not in told
    return told


def test_the_defaults_of_the_contract() -> None:
    settings = load_settings()
    assert settings == Settings()
    assert settings.kafka.bootstrap_servers == "localhost:9092"
    assert settings.kafka.outage_timeout == 600.0
    assert settings.group == "driftline"
    assert settings.topics.prefix == "driftline"
    assert settings.topics.partitions == 8
    assert settings.guarantee == "exactly_once"
    assert settings.checkpoint.interval == 1.0
    assert settings.learner.task == "forecast"
    assert settings.policy.enabled is True
    assert settings.predictions.enabled is False
    assert (settings.http.host, settings.http.port) == ("127.0.0.1", 8080)


def test_each_source_outranks_the_one_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("driftline.toml").write_text(
        'group = "file"\n[http]\nport = 1\nhost = "file"\n[topics]\nprefix = "file"\n'
    )
    assert load_settings().http.port == 1
    monkeypatch.setenv("DRIFTLINE_HTTP__PORT", "2")
    monkeypatch.setenv("DRIFTLINE_TOPICS__PREFIX", "environment")
    assert load_settings().http.port == 2
    settings = load_settings(None, {"http.port": 3})
    assert settings.http.port == 3
    assert settings.http.host == "file"
    assert settings.topics.prefix == "environment"
    assert settings.group == "file"
    assert settings.topics.partitions == 8


def test_a_named_file_is_read_instead_of_the_one_in_the_working_directory(clean: Path) -> None:
    Path("driftline.toml").write_text('group = "here"')
    other = clean / "other.toml"
    other.write_text('group = "other"')
    assert load_settings(other).group == "other"


def test_an_override_of_none_is_not_given() -> None:
    assert load_settings(None, {"http.port": None}).http.port == 8080


def test_lists_and_tables_are_json_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTLINE_DETECTORS__VALUE", '["adwin","kswin"]')
    monkeypatch.setenv("DRIFTLINE_DETECTORS__PARAMS__PAGE_HINKLEY__THRESHOLD", "25.5")
    monkeypatch.setenv("DRIFTLINE_DETECTORS__PARAMS__PAGE_HINKLEY__MODE", "up")
    monkeypatch.setenv("DRIFTLINE_DETECTORS__PARAMS__KSWIN", '{"seed":7}')
    monkeypatch.setenv("DRIFTLINE_POLICY__RULES", '[{"actions":["reset"]}]')
    monkeypatch.setenv("DRIFTLINE_SENSORS", '[{"match":"a*","learner":{"lags":5}}]')
    settings = load_settings()
    assert settings.detectors.value == ("adwin", "kswin")
    assert settings.detectors.params == {
        "page-hinkley": {"threshold": 25.5, "mode": "up"},
        "kswin": {"seed": 7},
    }
    assert settings.policy.rules[0].actions == ("reset",)
    assert settings.sensors[0].match == "a*"


def test_lists_and_tables_are_json_on_the_command_line() -> None:
    settings = load_settings(None, {"detectors.value": '["adwin"]', "http.port": "0"})
    assert settings.detectors.value == ("adwin",)
    assert settings.http.port == 0


def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTLINE_KAFKA__SASL_PASSWORD", "")
    assert load_settings().kafka.sasl_password is None


def test_a_model_is_a_class_with_parameters_or_a_pipeline_of_them() -> None:
    toml = """
    [[learner.model]]
    class = "river.preprocessing.StandardScaler"
    [[learner.model]]
    class = "river.linear_model.LinearRegression"
    [learner.model.params]
    l2 = 0.1
    optimizer = {class = "river.optim.SGD", params = {lr = 0.05}}
    """
    Path("driftline.toml").write_text(toml)
    optimizer = ModelSpec(class_="river.optim.SGD", params={"lr": 0.05})
    assert load_settings().learner.model == (
        ModelSpec(class_="river.preprocessing.StandardScaler"),
        ModelSpec(
            class_="river.linear_model.LinearRegression",
            params={"l2": 0.1, "optimizer": optimizer},
        ),
    )


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (
            {"kafka.bootstrap_servers": "x"},
            "kafka.bootstrap_servers: 'x' is not allowed: expected host:port[,host:port]",
        ),
        (
            {"kafka.bootstrap_servers": "a:1,b:99999"},
            "kafka.bootstrap_servers: 'a:1,b:99999' is not allowed: expected host:port[,host:port]",
        ),
        (
            {"http.port": 65536},
            "http.port: 65536 is not allowed: expected a port from 0 to 65535",
        ),
        (
            {"http.port": "many"},
            "http.port: 'many' is not allowed: expected a port from 0 to 65535",
        ),
        (
            {"topics.partitions": 0},
            "topics.partitions: 0 is not allowed: expected a whole number of at least 1",
        ),
        (
            {"topics.partitions": 1.5},
            "topics.partitions: 1.5 is not allowed: expected a whole number of at least 1",
        ),
        (
            {"topics.partitions": True},
            "topics.partitions: True is not allowed: expected a whole number of at least 1",
        ),
        (
            {"state.max_sensors": 0},
            "state.max_sensors: 0 is not allowed: expected a whole number of at least 1",
        ),
        (
            {"checkpoint.interval": 0},
            "checkpoint.interval: 0 is not allowed: expected a number of seconds greater than 0",
        ),
        (
            {"checkpoint.interval": "inf"},
            "checkpoint.interval: 'inf' is not allowed: "
            "expected a number of seconds greater than 0",
        ),
        (
            {"guarantee": "twice"},
            "guarantee: 'twice' is not allowed: expected one of 'exactly_once' or 'at_least_once'",
        ),
        (
            {"learner.task": "forcast"},
            "learner.task: 'forcast' is not allowed: "
            "expected one of 'forecast', 'classification', 'regression' or 'anomaly'",
        ),
        (
            {"learner.model": {"class": "os.system"}},
            "learner.model.class: 'os.system' is not allowed: expected the dotted path of a River "
            "class, such as river.linear_model.LinearRegression",
        ),
        (
            {"learner.model": {"class": "river.a.B", "params": {"x": {"class": "os.system"}}}},
            "learner.model.params.x.class: 'os.system' is not allowed: expected the dotted path of "
            "a River class, such as river.linear_model.LinearRegression",
        ),
        (
            {"learner.model": []},
            "learner.model: a list is not allowed: expected something that is not empty",
        ),
        ({"detectors.value": "adwin"}, "detectors.value: 'adwin' is not allowed: expected a list"),
        (
            {"detectors.value": ["adwn"]},
            "detectors.value[0]: 'adwn' is not allowed: expected one of 'adwin', 'ddm', "
            "'page-hinkley', 'kswin', 'eddm', 'hddm-a', 'hddm-w' or 'cusum'",
        ),
        (
            {"detectors.params.adwin.delta": [1]},
            "detectors.params.adwin.delta: a list is not allowed: "
            "expected a number, a string, true or false",
        ),
        (
            {"policy.enabled": "maybe"},
            "policy.enabled: 'maybe' is not allowed: expected true or false",
        ),
        (
            {"policy.rules": [{"diagnosis": "data"}]},
            "policy.rules[0].actions: nothing is not allowed: expected a value",
        ),
        (
            {"policy.rules": [{"signal": "", "actions": []}]},
            "policy.rules[0].signal: '' is not allowed: "
            "expected a pattern that is not empty, such as press-*",
        ),
        (
            {"sensors": [{"match": ""}]},
            "sensors[0].match: '' is not allowed: "
            "expected a pattern that is not empty, such as press-*",
        ),
        (
            {"topics.prefix": "a b"},
            "topics.prefix: 'a b' is not allowed: "
            "expected 1 to 200 of the characters a-z A-Z 0-9 . _ -",
        ),
        (
            {"topics.replication_factor": 0},
            "topics.replication_factor: 0 is not allowed: "
            "expected -1 (the broker's default) or 1 to 32767",
        ),
        ({"group": ""}, "group: '' is not allowed: expected a name of 1 to 200 characters"),
        (
            {"kafka.security_protocol": "sasl_ssl"},
            "kafka.sasl_mechanism: nothing is not allowed: "
            "expected one, such as PLAIN, with sasl_ssl",
        ),
        (
            {"kafka.security_protocol": "SASL_SSL", "kafka.sasl_mechanism": "plain"},
            "kafka.sasl_username: nothing is not allowed: expected one with PLAIN",
        ),
    ],
)
def test_a_bad_value_is_named_with_what_is_allowed(overrides: dict[str, Any], told: str) -> None:
    assert refusal(overrides) == told


@pytest.mark.parametrize(
    ("toml", "meant"),
    [
        ('[kafka]\nbootstrap_server = "x:1"', "kafka.bootstrap_servers"),
        ('bootstrap_servers = "x:1"', "kafka.bootstrap_servers"),
        ("[kakfa]\na = 1", "kafka"),
        ("[topics]\npartiton = 1", "topics.partitions"),
        ('[[policy.rules]]\ndiagnose = "data"\nactions = []', "policy.rules[0].diagnosis"),
        ('[learner.model]\nclass = "river.a.B"\nparam = {}', "learner.model.params"),
        ('[[sensors]]\nmatch = "a"\nlerner = {}', "sensors[0].learner"),
        ('[[sensors]]\nmatch = "a"\nlearner = {lag = 1}', "sensors[0].learner.lags"),
    ],
)
def test_an_unknown_key_in_the_file_is_refused_with_the_nearest_right_one(
    toml: str, meant: str
) -> None:
    assert refusal(toml=toml).endswith(f"is not a known key: did you mean {meant}?")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("DRIFTLINE_GRUOP", "DRIFTLINE_GROUP"),
        ("DRIFTLINE_KAFKA_BOOTSTRAP_SERVERS", "DRIFTLINE_KAFKA__BOOTSTRAP_SERVERS"),
        ("DRIFTLINE_GROUP__NAME", "DRIFTLINE_GROUP"),
        ("DRIFTLINE_HTTP__PROT", "http.port"),
    ],
)
def test_an_unknown_variable_is_refused_with_the_nearest_right_one(
    name: str, meant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "secret")
    told = refusal()
    assert told.endswith(f"is not a known key: did you mean {meant}?")
    assert "secret" not in told


def test_an_unknown_override_is_refused_with_the_nearest_right_one() -> None:
    assert refusal({"http.prot": 1}) == "http.prot is not a known key: did you mean http.port?"


@pytest.mark.parametrize(
    "name",
    ["DRIFTLINE_PORT", "DRIFTLINE_SERVICE_HOST", "DRIFTLINE_PORT_8080_TCP_ADDR"],
)
def test_what_kubernetes_sets_for_a_service_of_our_name_is_not_ours(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "tcp://10.0.0.1:8080")
    assert load_settings() == Settings()


def test_a_variable_that_is_no_json_where_json_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTLINE_KAFKA", '{"sasl_password": "geheim"')
    assert refusal() == "kafka: its text is not allowed: expected JSON"


def test_a_file_that_is_not_there_or_no_toml() -> None:
    with pytest.raises(ConfigurationError, match=r"^-c: 'nowhere\.toml' is not allowed"):
        load_settings(Path("nowhere.toml"))
    assert "expected TOML (" in refusal(toml="a = ")
    Path("driftline.toml").write_bytes(b'group = "\xff"')
    assert "expected TOML (" in refusal()


def test_secrets_are_never_shown() -> None:
    overrides = {
        "kafka.security_protocol": "sasl_ssl",
        "kafka.sasl_mechanism": "PLAIN",
        "kafka.sasl_username": "u",
        "kafka.sasl_password": "geheim",
        "kafka.ssl_key_password": "geheim",
        "state.signing_key": "geheim",
    }
    settings = load_settings(None, overrides)
    assert "geheim" not in repr(settings)
    assert "geheim" not in str(settings.masked())
    assert settings.masked()["kafka"]["sasl_password"] == "**********"
    assert settings.kafka.sasl_password == SecretStr("geheim")
    for wrong in (
        {"kafka.sasl_password": ["geheim"]},
        {"kafka": "geheim"},
        {"kafka.sasl_pasword": "geheim"},
        {"state": ["geheim"]},
        {"state.signing_key": {"geheim": "geheim"}},
    ):
        assert "geheim" not in refusal(wrong)


def test_librdkafka_gets_its_own_names(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.touch()
    assert Settings().kafka.librdkafka() == {
        "bootstrap.servers": "localhost:9092",
        "security.protocol": "plaintext",
    }
    secured = load_settings(
        None,
        {
            "kafka.security_protocol": "SASL_SSL",
            "kafka.sasl_mechanism": "scram-sha-512",
            "kafka.sasl_username": "u",
            "kafka.sasl_password": "p",
            "kafka.ssl_ca_location": str(ca),
        },
    )
    assert secured.kafka.librdkafka() == {
        "bootstrap.servers": "localhost:9092",
        "security.protocol": "sasl_ssl",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "u",
        "sasl.password": "p",
        "ssl.ca.location": str(ca),
    }


def test_topics_are_named_by_their_prefix() -> None:
    settings = load_settings(None, {"topics.prefix": "plant"})
    assert settings.topic("sensors") == "plant.sensors"
    assert settings.topic("dead-letters") == "plant.dead-letters"


def test_settings_are_frozen() -> None:
    settings = Settings()
    with pytest.raises(ValidationError):
        settings.group = "x"  # type: ignore[misc]
    with pytest.raises(ValidationError):
        settings.http.port = 1  # type: ignore[misc]


def test_the_masked_settings_are_a_configuration_again() -> None:
    settings = load_settings(None, {"learner.model": {"class": "river.a.B"}})
    again = {key: value for key, value in settings.masked().items() if value is not None}
    assert Settings.model_validate(again) == settings


def test_a_rule_tells_what_it_fits_and_does() -> None:
    rules = [str(rule) for rule in Settings().policy.rules]
    assert rules == [
        "diagnosis=upstream -> nothing",
        "diagnosis=concept -> relearn+retrain",
        "diagnosis=data -> relearn",
        "diagnosis=prior -> relearn+retrain",
    ]
