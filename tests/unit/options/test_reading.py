"""Settings are read from one text, however it is given, and what is wrong is told."""

from __future__ import annotations

from typing import Literal

import pytest
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings

from palimpsest.app.options.environment import Environment
from palimpsest.app.options.option import NO_FLAG
from palimpsest.app.options.reading import WrongSettings, read_settings
from palimpsest.app.settings import Settings


class Some(BaseSettings):
    """Every kind of setting there is."""

    number: int | None = Field(default=None, description="A number.")
    switch: bool = Field(default=False, description="A switch.")
    names: tuple[str, ...] = Field(default=(), description="Names.")
    api_key: SecretStr | None = Field(default=None, description="A key.")
    keys: tuple[SecretStr, ...] = Field(default=(), description="Keys.")
    quiet: str = Field(default="a", description="No flag.", json_schema_extra=NO_FLAG)
    choice: Literal["this", "that"] = Field(default="this", description="Choose.")

    @classmethod
    def settings_customise_sources(cls, settings_cls, **sources):
        return sources["init_settings"], Environment(settings_cls)


def test_text_means_the_same_as_flag_and_as_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in (
        ("NUMBER", "7"),
        ("SWITCH", "true"),
        ("NAMES", "a, b"),
        ("KEYS", '["x,y"]'),
        ("API_KEY", "k"),
        ("CHOICE", "that"),
    ):
        monkeypatch.setenv(f"PALIMPSEST_{name}", text)
    found = Some()
    assert (found.number, found.switch, found.names) == (7, True, ("a", "b"))
    assert [key.get_secret_value() for key in found.keys] == ["x,y"]
    assert found.api_key is not None and found.api_key.get_secret_value() == "k"
    assert found.choice == "that"
    monkeypatch.setenv("PALIMPSEST_LOG_LEVEL", "warning")
    assert Settings().log_level == "WARNING"
    assert read_settings({"log_level": "error"}, {}).log_level == "ERROR"


@pytest.mark.parametrize("name", ["PALIMPSEST_HOST", "PALIMPSEST_DATA", "PALIMPSEST_TITLE"])
@pytest.mark.parametrize("text", ["", "  "])
def test_empty_text_is_refused(name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, text)
    with pytest.raises(WrongSettings) as wrong:
        read_settings({}, {})
    assert wrong.value.problems == [f"{name}: is empty: give it a value, or leave it out"]


@pytest.mark.parametrize("name", ["PALIMPSEST_PORT", "PALIMPSEST_UNKNOWN_FIELDS"])
def test_empty_numbers_and_choices_are_as_good_as_none(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "")
    assert read_settings({}, {}) == Settings()
    assert Settings().model_fields_set == set()


def test_all_that_is_wrong_is_told_at_once_with_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PALIMPSEST_THREADS", "many")
    with pytest.raises(WrongSettings) as wrong:
        read_settings({"port": "70000"}, {"PALIMPSEST_PROT": "1", "PALIMPSEST_HOTS": "x"})
    hosts, ports, flag, variable = wrong.value.problems
    assert hosts == "PALIMPSEST_HOTS is no setting: did you mean PALIMPSEST_HOST?"
    assert ports == "PALIMPSEST_PROT is no setting: did you mean PALIMPSEST_PORT?"
    assert flag.startswith("--port: ") and flag.endswith("got '70000'")
    assert variable.startswith("PALIMPSEST_THREADS: ") and variable.endswith("got 'many'")


def test_wrong_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    class Keyed(Some):
        api_key: SecretStr | None = Field(default=None, min_length=20, description="A key.")

    monkeypatch.setattr("palimpsest.app.options.reading.Settings", Keyed)
    monkeypatch.setenv("PALIMPSEST_API_KEY", "s3cret")
    with pytest.raises(WrongSettings) as wrong:
        read_settings({}, {})
    assert "PALIMPSEST_API_KEY" in str(wrong.value)
    assert "s3cret" not in str(wrong.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *((name, "inf") for name in ("head_timeout", "body_timeout", "idle_timeout")),
        *(("send_timeout", text) for text in ("nan", "inf", "1e-300", "-1", "0")),
        *(("drain_seconds", text) for text in ("nan", "inf", "-1", "1e9")),
        *((name, "9" * 400) for name in ("body_limit", "rate_limit", "memory_limit", "threads")),
        *((name, str(10**30)) for name in ("connection_limit", "request_limit", "batch_limit")),
        *(("port", text) for text in ("\u0666", "\u00b2", "65536", "-1")),
    ],
)
def test_numbers_that_no_server_could_keep_to_are_refused_by_name(field: str, value: str) -> None:
    with pytest.raises(WrongSettings, match="--" + field.replace("_", "-")):
        read_settings({field: value}, {})
