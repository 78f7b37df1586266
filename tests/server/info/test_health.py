from fastapi import FastAPI

from server.info import health
from server.settings import Settings
from tests.server.asking import ask


def test_what_operators_are_told() -> None:
    app, admits = FastAPI(), [True]
    limits = Settings(max_streams=7).limits
    app.include_router(health.router(limits, lambda: 3, lambda: admits[0], lambda: b"a 1\n", lambda: {"asyncapi": "3"}))
    assert ask(app, "GET", "/healthz").json == {"status": "ok", "streams": 3}
    assert ask(app, "GET", "/healthz/live").json == {"status": "ok"}
    assert ask(app, "GET", "/healthz/ready").status == 200
    admits[0] = False
    assert (ask(app, "GET", "/healthz/ready").status, ask(app, "GET", "/healthz/live").status) == (503, 200)
    assert ask(app, "GET", "/v1/limits").json == limits.model_dump()
    assert ask(app, "GET", "/asyncapi.json").json == {"asyncapi": "3"}
    told = ask(app, "GET", "/metrics")
    assert (told.body, told.headers["content-type"].split(";")[0]) == (b"a 1\n", "text/plain")
