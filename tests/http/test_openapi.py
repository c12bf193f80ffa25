"""The description of all routes: that it is one, that it is complete, and that the server is like it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from darnerpy.http.routes.every import every_route
from tests.http import schemathesis_hooks
from tests.http.web import Web
from tests.servers import ServerProcess

SERVERS = {"http": {"http": "127.0.0.1:0"}}

CHECKS = (
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "missing_required_header",
    "unsupported_method",
    "allow_header_conformance",
)


def test_it_is_valid(web: Web) -> None:
    said = web.get("/openapi.json")
    assert said.headers["content-type"] == "application/json"
    validate(said.json, cls=OpenAPIV31SpecValidator)


def test_every_route_is_in_it(web: Web) -> None:
    paths = web.get("/openapi.json").json["paths"]
    said = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    routes = [route for route in every_route() if route.tag != "pages"]
    assert said == {(route.method, route.path) for route in routes}
    names = [route.name for route in routes]
    assert len(set(names)) == len(names)
    for route in routes:
        operation = paths[route.path][route.method.lower()]
        assert all(
            part in {each["name"] for each in operation["parameters"]}
            for part in re.findall(r"\{(\w+)\}", route.path)
        )


@pytest.mark.timeout(300)
def test_the_server_is_like_it(server: ServerProcess, tmp_path: Path) -> None:
    """Whatever is asked, right or wrong: no status, header, type or shape that it does not name."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run"),
            f"http://{server.http_address}/openapi.json",
            *("--phases", "coverage,fuzzing", "--max-examples", "3", "--seed", "1"),
            *("--checks", ",".join(CHECKS), "--exclude-path", "/v1/events"),
            *("--warnings", "off", "--no-shrink", "--request-timeout", "30"),
        ],
        cwd=tmp_path,
        env=os.environ | {"SCHEMATHESIS_HOOKS": str(Path(schemathesis_hooks.__file__))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-10_000:] + done.stderr
    assert int(re.findall(r"([0-9]+) generated", done.stdout)[0]) > 500
    # 503 is an answer, of a paused queue for one; 500 never is.
    assert " a request failed" not in server.log()
