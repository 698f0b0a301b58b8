# syntax=docker/dockerfile:1
# The compiler stays in the first stage; the second holds the interpreter and one environment.

FROM python:3.13-slim-bookworm AS build

RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ \
    && rm -rf /var/lib/apt/lists/*

# Whatever is compiled here must run on any x86-64-v2 machine: nothing may pick the flags of the CPU
# the image happens to be built on (hnswlib's setup does, unless told so). The wider kernels of
# index/native are chosen at import.
ENV HNSWLIB_NO_NATIVE=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1

WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY index index
COPY app app
RUN python -m venv /opt/palimpsest && /opt/palimpsest/bin/pip install .


FROM python:3.13-slim-bookworm

LABEL org.opencontainers.image.title="palimpsest" \
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
VOLUME /data
EXPOSE 6333

HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-m", "palimpsest.app.health.probe"]

ENTRYPOINT ["palimpsest"]
CMD ["serve"]
