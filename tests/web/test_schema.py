"""The OpenAPI is true: requests made from it, sensible and senseless, never meet a fault of the server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from hashmark.library.library import Library
from hashmark.library.settings import create
from support.datasets import write_pairs
from support.stores import BUCKET, Store
from support.web.serving import Served, serving


@pytest.fixture(scope="module")
def served(seaweedfs: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    root = tmp_path_factory.mktemp("schema")
    create(root, {"url": f"s3://{BUCKET}/schema", "endpoint_url": seaweedfs.endpoint_url, "region": "us-east-1"})
    write_pairs(root, "82_stellar_sketch", 3)
    found = Library.open(root)
    remote = seaweedfs.remote("schema")
    library = Library(root, type(found.settings)(remote, False, found.settings.pairing, found.settings.prefixes))
    with serving(library) as running:
        yield running
    library.close()
    found.close()


def real(case: Any) -> None:
    """Often name what is there, so that more than the look-up is tried."""
    if "dataset" in case.path_parameters and len(str(case.path_parameters["dataset"])) % 3:
        case.path_parameters["dataset"] = "82"
    if case.path.endswith("/events"):
        case.path_parameters["job"] = "0" * 12


def check(operation: Any, served: Served) -> int:
    """Make requests of one operation; returns how many."""
    made = 0

    @settings(max_examples=30, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(operation.as_strategy())
    def ask(case: Any) -> None:
        nonlocal made
        made += 1
        real(case)
        answer = case.call(base_url=served.base, headers=served.headers, timeout=20)
        assert answer.status_code < 500 or answer.status_code == 502, (case.as_curl_command(), answer.text)
        case.validate_response(answer, checks=[status_code_conformance, response_schema_conformance])

    ask()
    return made


@pytest.mark.slow
def test_no_request_meets_a_fault_of_the_server(served: Served) -> None:
    schema = schemathesis.openapi.from_dict(served.get("/api/openapi.json"))
    operations: list[Any] = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    made = {operation.label: check(operation, served) for operation in operations}
    assert len(made) > 20
    assert sum(made.values()) > 300
