# syntax=docker/dockerfile:1
FROM node:20-bookworm-slim AS page
WORKDIR /page/clients/browser
COPY clients/browser/package.json clients/browser/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY clients/browser ./
RUN npm run build

FROM python:3.11-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev
WORKDIR /app
COPY pyproject.toml setup.py constraints.txt README.md LICENSE ./
COPY model model
COPY sensor_sim sensor_sim
COPY server server
COPY clients clients
RUN python -m venv .venv && .venv/bin/pip install --no-cache-dir -c constraints.txt -e '.[samples]'

FROM python:3.11-slim-bookworm
COPY --from=build /app /app
COPY --from=page /page/clients/browser/dist /app/clients/browser/dist
WORKDIR /app
ENV PATH=/app/.venv/bin:$PATH
RUN useradd --system rascanet
USER rascanet
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
CMD ["rascanet", "serve", "--host", "0.0.0.0"]
