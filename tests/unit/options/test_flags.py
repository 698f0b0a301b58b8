"""Settings as flags, of which secrets have none."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Literal

import pytest
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings

from palimpsest.app.cli import main
from palimpsest.app.options.environment import Environment
from palimpsest.app.options.flags import add_flags, secret_on
from palimpsest.app.options.option import NO_FLAG, options_of
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


def test_help_names_every_setting_and_the_flag_of_none_that_is_secret(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["serve", "--help"])
    assert left.value.code == 0
    shown = capsys.readouterr().out
    for option in options_of(Settings):
        assert (option.flag if option.takes_flag else option.variable) in shown
        assert option.takes_flag or f"{option.flag} " not in shown.replace("--version ", "")


def test_secrets_take_no_flag_and_are_not_repeated(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = {option.field for option in options_of(Some) if not option.takes_flag}
    assert secrets == {"api_key", "keys", "quiet"}
    for words in (["--api-key", "s3cret"], ["--api-key=s3cret"], ["--keys", "s3cret"]):
        assert secret_on(words, Some) is not None
    assert secret_on(["--number", "1"], Some) is None
    monkeypatch.setattr("palimpsest.app.cli.Settings", Some)
    with pytest.raises(SystemExit) as left:
        main(["serve", "--api-key=s3cret"])
    assert left.value.code == 2
    told = capsys.readouterr().err
    assert "set PALIMPSEST_API_KEY in the environment" in told
    assert "s3cret" not in told


def test_values_of_unknown_flags_are_not_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--api-kye", "s3cret"], ["--api-kye=s3cret"]):
        with pytest.raises(SystemExit) as left:
            main(["serve", *words])
        assert left.value.code == 2
        told = capsys.readouterr().err
        assert told.endswith("unrecognized arguments: --api-kye\n")
        assert "s3cret" not in told


def test_switches_and_abbreviations() -> None:
    parser = ArgumentParser(allow_abbrev=False)
    add_flags(parser, Some)
    assert parser.parse_args([]).switch is None
    assert parser.parse_args(["--switch"]).switch is True
    assert parser.parse_args(["--no-switch"]).switch is False
    with pytest.raises(SystemExit):
        parser.parse_args(["--numb", "1"])


@pytest.mark.parametrize(
    "words",
    [
        ["--apikey", "hunter2", "serve"],
        ["--apikey=hunter2", "serve"],
        ["serve", "--apikey", "hunter2"],
        ["--api-key", "hunter2", "serve"],
        ["demo", "--api-key=hunter2"],
    ],
)
def test_the_value_of_a_flag_that_is_none_is_not_repeated(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(words)
    assert left.value.code == 2
    told = capsys.readouterr()
    assert "hunter2" not in told.out + told.err
    assert "--api" in told.err
