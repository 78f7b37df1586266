# syntax=docker/dockerfile:1
# docker build --target server . | docker build --target sensor . | docker build --target ray .

FROM debian:bookworm-slim AS wasm
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends clang-19 lld-19 make && rm -rf /var/lib/apt/lists/*
WORKDIR /wasm
COPY Makefile setup.py ./
COPY server/stream/_frames.c server/stream/_frames.c
COPY model/kernel model/kernel
RUN make wasm

FROM node:20-bookworm-slim AS page
WORKDIR /page/clients/browser
COPY clients/browser/package.json clients/browser/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY LICENSE MODEL_CARD.md PROTOCOL.md /page/
COPY clients/javascript ../javascript
COPY --from=wasm /wasm/clients/javascript/wasm ../javascript/wasm
COPY model/weights ../../model/weights
COPY clients/browser ./
RUN npm run build

FROM python:3.11-slim-bookworm AS build
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app
COPY pyproject.toml setup.py constraints.txt README.md LICENSE ./
COPY model model
COPY sensor_sim sensor_sim
COPY server server
COPY clients clients
RUN python -m venv --without-pip /venv && pip --python /venv/bin/python install --no-compile -c constraints.txt .

FROM build AS sensor-build
RUN pip --python /venv/bin/python install --no-compile -c constraints.txt scikit-image

# `default` brings what KubeRay asks of a node: the dashboard's process, which takes jobs and says how the node is.
FROM build AS ray-build
RUN pip --python /venv/bin/python install --no-compile -c constraints.txt '.[ray]' 'ray[default]'

FROM build AS server-build
WORKDIR /venv
# What only its makers use goes; what the service imports is compiled, since its root is read-only.
RUN find lib -type d -name tests -prune -exec rm -rf {} + \
    && find lib -path '*/uvloop/*.so' -exec strip --strip-unneeded {} + \
    && bin/python -c 'import server.__main__, model.kernel.native'

FROM python:3.11-slim-bookworm AS sensor
COPY --from=sensor-build /venv /venv
ENV PATH=/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1
RUN useradd --system --uid 10001 rascanet
USER 10001
CMD ["rascanet", "stream", "--samples", "--repeat", "--url", "http://server:8000"]

FROM python:3.11-slim-bookworm AS ray
COPY --from=ray-build /venv /venv
ENV PATH=/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 RAY_USAGE_STATS_ENABLED=0
# KubeRay starts login shells, whose PATH is another.
RUN useradd --system --uid 10001 rascanet && ln -s /venv/bin/ray /venv/bin/rascanet /usr/local/bin/
USER 10001
CMD ["rascanet", "classify", "--help"]

FROM python:3.11-slim-bookworm AS server
COPY --from=server-build /venv /venv
COPY --from=page /page/clients/browser/dist /page
ENV PATH=/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 RASCANET_HOST=0.0.0.0 RASCANET_PAGE_FOLDER=/page
RUN useradd --system --uid 10001 rascanet
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz/live', timeout=2)"]
CMD ["python", "-m", "server"]
