# One image for the router and the backend. docs/containers.md says how to use it.
#
#   docker build --tag cutover .
#   docker build --tag cutover --build-arg DATA_PLANE=compiled .    (about a third faster in a worker; needs a compiler)
ARG PYTHON=3.12
ARG DATA_PLANE=plain

FROM python:${PYTHON}-slim AS wheels
WORKDIR /src
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
# Every file is checked against the lock; nothing of it is run before.
COPY requirements.lock ./
RUN python -m pip download --only-binary :all: --require-hashes --requirement requirements.lock --dest /wheels
RUN python -m pip install --no-index --find-links /wheels hatchling
COPY . .
RUN python -m pip wheel --no-index --no-deps --no-build-isolation --wheel-dir /wheels .

# From here on only what was checked: of the wheels, those that the products need, and no build tool.
FROM python:${PYTHON}-slim AS plain
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/cutover
RUN --mount=type=bind,from=wheels,source=/wheels,target=/wheels \
    /opt/cutover/bin/python -m pip install --no-index --find-links /wheels cutover

FROM plain AS compiled
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
RUN --mount=type=bind,from=wheels,source=/wheels,target=/wheels \
    /opt/cutover/bin/python -m pip install --no-index --find-links /wheels --target /compiler mypy setuptools
RUN PYTHONPATH=/compiler /opt/cutover/bin/python -m router.accelerate

FROM ${DATA_PLANE} AS installed

FROM python:${PYTHON}-slim
COPY --from=installed /opt/cutover /opt/cutover
# The Go backend writes /dbdata as root; whoever shares it gives both one user (docs/containers.md).
RUN useradd --uid 10001 --create-home --home-dir /var/lib/cutover cutover \
    && mkdir -p /dbdata/sqlite /dbdata/duckdb && chown -R cutover /dbdata
ENV PATH=/opt/cutover/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER cutover
WORKDIR /var/lib/cutover
VOLUME ["/var/lib/cutover", "/dbdata"]
EXPOSE 8080 8081 8000 50053
STOPSIGNAL SIGTERM
# Of the router; docker-compose.yml has the backend's.
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s --retries=5 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8081/readyz', timeout=2)"]
ENTRYPOINT ["cutover"]
CMD ["serve", "--listen", "0.0.0.0:8080", "--admin", "0.0.0.0:8081"]
