"""Which server a command speaks to, and by which key: never from the command line, all may read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from palimpsest.app.options.option import PREFIX
from palimpsest.app.transfer.client import Address
from palimpsest.app.transfer.errors import WrongUse

DEFAULT_URL = "http://127.0.0.1:6333"
URL, KEY, KEY_FILE, CA = PREFIX + "URL", PREFIX + "API_KEY", PREFIX + "API_KEY_FILE", PREFIX + "CA"
SOURCE_KEY, SOURCE_KEY_FILE = PREFIX + "SOURCE_API_KEY", PREFIX + "SOURCE_API_KEY_FILE"


def address_of(
    url: str | None, key_file: Path | None, ca: Path | None, environment: Mapping[str, str]
) -> Address:
    """Return the server that is meant: flags before the environment. Raises WrongUse."""
    named = environment.get(CA)
    return Address(
        url or environment.get(URL) or DEFAULT_URL,
        key_of(key_file, environment, KEY, KEY_FILE),
        ca or (Path(named) if named else None),
    )


def key_of(
    file: Path | None, environment: Mapping[str, str], variable: str, file_variable: str
) -> str | None:
    """Return a key: the first line of a file or of a variable, None when there is none.

    Several lines are several keys that are valid at once, as the server reads them.

    Raises:
        WrongUse: the file cannot be read, or there is no key in it.
    """
    text = environment.get(variable)
    where = variable
    if file is None and text is None and environment.get(file_variable):
        file = Path(environment[file_variable])
    if file is not None:
        where = str(file)
        try:
            text = file.read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise WrongUse(f"{file}: expected a key: {error}") from error
    if text is None:
        return None
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise WrongUse(f"{where}: expected a key, got nothing")
    if not (lines[0].isascii() and lines[0].isprintable()):
        raise WrongUse(f"{where}: expected a key of printable ASCII")
    return lines[0]
