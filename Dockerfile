# syntax=docker/dockerfile:1
# The compiler stays in the first stage; the second holds the interpreter and one environment.
# `make image-check` carries these steps out without a container engine, and tries what they make.

FROM python:3.13-slim-bookworm AS build

# Debian keeps one version of a package, so that a pinned one is soon not to be had.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ \
    && rm -rf /var/lib/apt/lists/*

ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore

# Dependencies first: they change less often than the sources. Both lists name every package with
# its version and the checksums of its files (`make lock`), and nothing but wheels is taken.
WORKDIR /source
COPY docker/build.lock docker/runtime.lock docker/
RUN python -m venv /opt/build \
    && /opt/build/bin/pip install --require-hashes --only-binary :all: -r docker/build.lock \
    && python -m venv --without-pip /opt/palimpsest \
    && /opt/build/bin/pip --python /opt/palimpsest install \
        --require-hashes --only-binary :all: -r docker/runtime.lock

# The compiled module runs on any x86-64-v2 machine: wider kernels are chosen at import.
COPY pyproject.toml README.md LICENSE ./
COPY index index
COPY app app
RUN PATH=/opt/build/bin:$PATH pip wheel --no-index --no-deps --no-build-isolation --wheel-dir /wheels . \
    && /opt/build/bin/pip --python /opt/palimpsest install --no-index --no-deps /wheels/*.whl


FROM python:3.13-slim-bookworm

LABEL org.opencontainers.image.title="palimpsest" \
      org.opencontainers.image.description="A vector search server whose collections survive a change of embedding model" \
      org.opencontainers.image.licenses="Apache-2.0"

RUN groupadd --system --gid 10001 palimpsest \
    && useradd --system --uid 10001 --gid palimpsest --no-create-home palimpsest \
    && install --directory --owner=palimpsest --group=palimpsest --mode=0750 /data

COPY --from=build /opt/palimpsest /opt/palimpsest

ENV PATH=/opt/palimpsest/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PALIMPSEST_HOST=0.0.0.0 \
    PALIMPSEST_PORT=6333 \
    PALIMPSEST_DATA=/data

# Beyond loopback it does not start without a key (PALIMPSEST_API_KEY, or PALIMPSEST_API_KEY_FILE),
# unless PALIMPSEST_INSECURE=1 says that this is meant.
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 6333

HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-m", "palimpsest.app.health.probe"]

STOPSIGNAL SIGTERM
ENTRYPOINT ["palimpsest"]
CMD ["serve"]
