# One image for `serve`, `worker` and `migrate up`. BuildKit builds it: `docker build -t authapi .`
# OTEL=1 adds what AUTHAPI_TELEMETRY needs. ARGON2=avx2 compiles Argon2 for processors with AVX2: the same hashes, twice
# as many of them a second; on any other processor that image says so and does not start.
ARG ARGON2=wheel

FROM python:3.13-slim-trixie AS base

FROM base AS argon2-wheel

FROM base AS argon2-avx2
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
ENV CFLAGS="-O3 -mavx2" \
    UV_NO_BINARY_PACKAGE=argon2-cffi-bindings

# hadolint ignore=DL3006
FROM argon2-${ARGON2} AS build
ARG ARGON2
ARG OTEL=
ENV UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_PROJECT_ENVIRONMENT=/app \
    UV_PYTHON=/usr/local/bin/python3 \
    UV_PYTHON_DOWNLOADS=never
WORKDIR /src
COPY .ci/uv.txt ./
# hadolint ignore=DL3042
RUN --mount=type=cache,target=/root/.cache/pip \
    pip install --require-hashes --requirement uv.txt
COPY pyproject.toml uv.lock ./
RUN --mount=type=cache,target=/root/.cache/uv \
    uv sync --frozen --no-dev --no-install-project ${OTEL:+--extra otel}
COPY LICENSE README.md ./
COPY migrations ./migrations
COPY src ./src
RUN --mount=type=cache,target=/root/.cache/uv \
    uv sync --frozen --no-dev --no-editable ${OTEL:+--extra otel} \
    && if [ "$ARGON2" = avx2 ]; then \
        sed -i '/^import sys$/a if " avx2 " not in open("/proc/cpuinfo").read(): sys.exit("This image needs a processor with AVX2, which this one lacks: use the image that was built without ARGON2=avx2.")' /app/bin/authapi \
        && grep -q '" avx2 "' /app/bin/authapi; \
    fi

FROM base
ARG REVISION=unknown
LABEL org.opencontainers.image.title="authapi" \
      org.opencontainers.image.description="A self-hosted authentication service" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.revision="$REVISION"
RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin authapi
COPY --from=build /app /app
# The host also holds where another command replaces CMD; 127.0.0.1 would be the container's own.
ENV PATH=/app/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    AUTHAPI_HOST=0.0.0.0
USER 10001:10001
WORKDIR /tmp
EXPOSE 8000
STOPSIGNAL SIGTERM
# Alive, not ready: a restart mends no database. Only for `serve`; whoever runs the worker switches it off.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-ISc", "import os; from http.client import HTTPConnection; c = HTTPConnection('127.0.0.1', int(os.environ.get('AUTHAPI_PORT', 8000)), timeout=2); c.request('GET', '/health/live'); raise SystemExit(c.getresponse().status != 200)"]
ENTRYPOINT ["authapi"]
CMD ["serve", "--host", "0.0.0.0"]
