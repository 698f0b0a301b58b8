"""Which release of Palimpsest this is; the version of Qdrant's API is ``app.announced``'s."""

from importlib.metadata import version

RELEASE = version("palimpsest-server")
