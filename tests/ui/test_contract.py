"""The API keeps to its description: generated requests to every address of a real server.

Two for each address, to be quick; `make contract` sends many, also such as follow from each other's answers.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import FlakyStrategyDefinition, Unsatisfiable
from hypothesis.stateful import run_state_machine_as_test
from limits import RateLimitItemPerDay
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

import ui.limits
from kernel.api_keys import KeyStore
from kernel.settings import load_settings
from tests.ui.serving import served
from ui.scopes import named_scope

if TYPE_CHECKING:
    from tests.ui.conftest import ScriptedTekio

EXAMPLES = int(os.environ.get("TEKIO_CONTRACT_EXAMPLES", "2"))
"""Requests for each address, of those that fit the description, and of those that do not."""
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
STEPS = 8
"""Requests one after the other, each of which may take up what one before it was answered."""
DONE_FOR_REAL = {"POST /v1/jobs"}
"""What would begin long work, and gets requests alone that do not fit."""


def failure(
    operation: Any, mode: schemathesis.GenerationMode, *sessions: requests.Session, examples: int = EXAMPLES
) -> str:
    """Return what is wrong with how an address answers generated requests, each of every session; empty for nothing."""

    @seed(0)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def asked(case: Any) -> None:
        for session in sessions:
            case.call_and_validate(session=session, checks=CHECKS, timeout=60)

    try:
        asked()
    except Unsatisfiable:  # there is nothing to get wrong at this address
        return ""
    except (Exception, BaseExceptionGroup) as error:
        reasons = getattr(error, "exceptions", [error])
        return f"{operation.label} ({mode.value}): {'; '.join(map(repr, reasons))}"
    return ""


def wait_until_ready(session: requests.Session, library: str) -> None:
    """Wait for the models, without which /readyz answers 503 as it should."""
    until = time.monotonic() + 120
    while session.get(f"{library}/readyz", timeout=60).status_code != 200:
        assert time.monotonic() < until, "the server did not become ready"
        time.sleep(0.2)


def test_every_address_answers_as_it_says(library: str, mri: dict[str, Any]) -> None:
    schema = schemathesis.openapi.from_url(f"{library}/openapi.json")
    described: list[Any] = list(schema.get_all_operations())
    operations = [each.ok() for each in described]
    assert len(operations) > 30
    with requests.Session() as session:
        wait_until_ready(session, library)
        found = [
            failure(operation, mode, session)
            for operation in operations
            for mode in schemathesis.GenerationMode
            if mode is schemathesis.GenerationMode.NEGATIVE or operation.label not in DONE_FOR_REAL
        ]
    assert not any(found), "\n".join(each for each in found if each)


def test_every_address_refuses_as_it_says(
    scripted: type[ScriptedTekio], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a key, with one that may not, and with one that asks too often."""
    monkeypatch.setattr(
        ui.limits, "RateLimitItemPerMinute", RateLimitItemPerDay
    )  # however long the test takes
    store = KeyStore(load_settings().memory_place)
    _, read = store.create("reader", "read")  # from here on every request needs a key
    _, busy = store.create("busy", "admin", per_minute=1)
    came: dict[int, list[int]] = {401: [], 403: [], 429: []}

    def noting(status: int, key: str) -> requests.Session:
        made = requests.Session()
        made.headers["Authorization"] = f"Bearer {key}"
        made.hooks["response"].append(lambda response, **_more: came[status].append(response.status_code))
        return made

    with (
        served(scripted) as base,
        noting(401, "") as nobody,
        noting(403, read) as reader,
        noting(429, busy) as often,
    ):
        often.get(f"{base}/v1/variants", timeout=60)  # the one request of this minute
        assert came[429].pop() == 200
        schema = schemathesis.openapi.from_url(f"{base}/openapi.json")
        described: list[Any] = list(schema.get_all_operations())
        found = []
        for operation in (each.ok() for each in described):
            needed = named_scope(operation.method.upper(), operation.path)
            refused = {"open": [], "read": [nobody, often]}.get(str(needed), [nobody, reader, often])
            if refused:
                mode = schemathesis.GenerationMode.POSITIVE
                found.append(failure(operation, mode, *refused, examples=1))
    assert not any(found), "\n".join(each for each in found if each)
    assert len(came[401]) > len(came[403]) > 10
    for status, all_of_them in came.items():
        assert set(all_of_them) == {status}


@pytest.mark.skipif(EXAMPLES <= 2, reason="takes minutes: make contract")
def test_requests_that_follow_from_each_other_are_answered_as_they_are_described(
    library: str, mri: dict[str, Any]
) -> None:
    described = schemathesis.openapi.from_url(f"{library}/openapi.json")
    schema: Any = described.exclude(method="POST", path="/v1/jobs")
    with requests.Session() as session:
        wait_until_ready(session, library)

        class Workflow(schema.as_state_machine()):  # type: ignore[misc]
            def get_call_kwargs(self, case: Any) -> dict[str, Any]:
                return {"session": session, "timeout": 60}

            def validate_response(self, response: Any, case: Any, **_more: Any) -> None:
                case.validate_response(response, checks=CHECKS)

        for number in range(EXAMPLES):
            # Each by itself: what was changed by one is another server for the next, which Hypothesis would call flaky.
            with suppress(FlakyStrategyDefinition):
                run_state_machine_as_test(
                    seed(number)(Workflow),
                    settings=settings(
                        max_examples=2,  # of which the first is always the same
                        stateful_step_count=STEPS,
                        deadline=None,
                        database=None,
                        phases=[Phase.generate],
                        suppress_health_check=list(HealthCheck),
                    ),
                )
