"""Every operation of the hub's own OpenAPI document with generated input, by every kind of caller (T73).

Whatever is asked: no answer is a 5xx, no status is missing in the document, every body is of the shape the document
gives it, and every error has the one shape of errors.  `FAIRWAY_TEST_FUZZ_SECONDS` asks for as long, with new input
every time; without it a short list, the same every time.
"""

import json
import os
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jsonschema_rs
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from faults.images import image
from hub import PASSWORD, Hub
from postgres import Postgres
from system.test_login import add_user
from system.wire import Wire

pytestmark = [pytest.mark.system, pytest.mark.slow]

SECONDS = float(os.environ.get("FAIRWAY_TEST_FUZZ_SECONDS", "0"))
EXAMPLES = 5
"""Per operation and caller."""

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
DOCUMENT = "/api/v2.0/openapi.json"
PURGE = "/api/v2.0/system/purgeaudit/schedule"


RULE = {
    "tag_selectors": [{"kind": "doublestar", "decoration": "matches", "pattern": "release-*"}],
    "scope_selectors": {"repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "**"}]},
}
HOOK = {
    "name": "ci",
    "enabled": True,
    "event_types": ["PUSH_ARTIFACT", "PULL_ARTIFACT"],
    "targets": [{"type": "http", "address": "http://192.0.2.1/"}],
}


@dataclass(frozen=True)
class Fuzzed:
    """A running hub, its description, what is in it, and who may be asking: headers by the kind of caller."""

    hub: Hub
    schema: Any
    error: Any
    known: dict[str, list[str]]
    callers: dict[str, dict[str, str]]


@pytest.fixture(scope="module", params=["sqlite"])
def fuzzed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fuzzed]:
    name = f"z_{uuid.uuid4().hex}"
    server: Postgres | None = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    hub = Hub(
        tmp_path_factory.mktemp("fuzzed"),
        workers=3 if server else 1,
        database_url=server.create(name) if server else None,
    )
    try:
        yield prepared(hub.start())
    finally:
        hub.kill()
        if server:
            server.drop(name)


def prepared(hub: Hub) -> Fuzzed:
    """A hub with a little in it, so that generated input finds something now and then."""
    admin = Wire(hub)
    add_user(hub, "someone", PASSWORD)
    admin.create_project("team", public=True)
    pushed = image(b"{}", [b"layer"])
    blobs = [admin.push_blob("team/app", data) for data in pushed.blobs.values()]
    put = admin.ask("PUT", "/v2/team/app/manifests/v1", pushed.raw, {"Content-Type": pushed.media_type})
    assert put.status == 201, put
    for target, made in (
        ("labels", {"name": "stable", "scope": "g"}),
        ("usergroups", {"group_name": "devs", "group_type": 3}),
        ("projects/team/immutabletagrules", RULE),
        ("projects/team/webhook/policies", HOOK),
        ("retentions", {"rules": [{"template": "always"}], "scope": {"level": "project", "ref": 2}}),
    ):
        body = json.dumps(made).encode()
        answer = admin.ask("POST", f"/api/v2.0/{target}", body, {"Content-Type": "application/json"})
        assert answer.status == 201, answer
    upload = admin.start_upload("team/app").rpartition("/")[2]
    purge = {"audit_retention_hour": 1, "include_event_types": "other"}
    body = json.dumps({"schedule": {"type": "Manual"}, "parameters": purge}).encode()
    purged = admin.ask("POST", PURGE, body, {"Content-Type": "application/json"})
    assert purged.status == 201, purged
    document = admin.ask("GET", DOCUMENT).json()
    return Fuzzed(
        hub,
        schemathesis.openapi.from_dict(document),
        jsonschema_rs.validator_for(document["components"]["schemas"]["Errors"]),
        {
            "name": ["team/app", "library/none", "team"],
            "reference": ["v1", "nothing", pushed.digest],
            "digest": [*blobs, f"sha256:{0:064x}"],
            "id": [upload, "1", "none"],
            "project_name_or_id": ["team", "library", "1", "2", "999"],
            "project_name": ["team", "library", "none"],
            "repository_name": ["app", "none", "a%2Fb"],
            "tag_name": ["v1", "none"],
            "addition": ["build_history", "none"],
            "execution_id": ["1", "2", "999"],
            "mid": ["1", "2", "999"],
            "robot_id": ["1", "2", "999"],
            "immutable_rule_id": ["1", "2", "999"],
            "webhook_policy_id": ["1", "2", "999"],
            "policy_id": ["1", "2", "999"],
            "task_id": ["1", "2", "999"],
            "eid": ["1", "2", "999"],
            "tid": ["1", "999"],
            "label_id": ["1", "2", "999"],
            "group_id": ["1", "2", "999"],
            "session_id": ["1", "999"],
            "role_id": ["1", "100", "999"],
            "user_id": ["1", "2", "999"],
            "token_id": ["1", "2", "999"],
            "scope": ["g", "p"],
            "project_id": ["1", "2", "999"],
            "meta_name": ["public", "severity", "nothing"],
            "former_name": ["old", "nothing"],
            "job_id": ["1", "all", "999"],
            "job_type": ["PURGE_AUDIT_LOG", "all", "none"],
            "pool_id": ["all", "none"],
            "mount": blobs,
            "from": ["team/app", "team/app:v1", f"team/app@{pushed.digest}"],
        },
        {"anonymous": {}, "user": Wire(hub, "someone").headers, "admin": admin.headers},
    )


def run(fuzzed: Fuzzed, operation: Any, caller: str, seconds: float) -> Counter[int]:
    """Generated requests to one operation, by status.  Raises what `validate_response` does."""
    statuses: Counter[int] = Counter()
    session = requests.Session()
    session.trust_env = False

    @settings(
        max_examples=EXAMPLES if not seconds else 40,
        derandomize=not seconds,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases(operation, fuzzed.known))
    def ask(case: Any) -> None:
        answer = case.call(
            base_url=fuzzed.hub.url, session=session, headers=fuzzed.callers[caller], allow_redirects=False
        )
        statuses[answer.status_code] += 1
        case.validate_response(answer, checks=CHECKS)
        if answer.status_code >= 400 and case.method != "HEAD":
            fuzzed.error.validate(answer.json())

    ends = time.monotonic() + seconds
    while True:
        ask()
        if time.monotonic() >= ends:
            return statuses


def cases(operation: Any, known: Mapping[str, Sequence[str]]) -> st.SearchStrategy[Any]:
    """What the document allows and what it does not, with some names replaced by those of things that are there."""
    generated = operation.as_strategy(generation_mode=GenerationMode.POSITIVE) | operation.as_strategy(
        generation_mode=GenerationMode.NEGATIVE
    )

    @st.composite
    def case(draw: st.DrawFn) -> Any:
        made = draw(generated)
        for values in (made.path_parameters, made.query):
            for name in sorted((values or {}).keys() & known.keys()):
                if draw(st.sampled_from([True, True, True, False])):
                    values[name] = draw(st.sampled_from(known[name]))
        return made

    return case()


def test_every_way_to_log_in_is_described(fuzzed: Fuzzed) -> None:
    described = fuzzed.schema.raw_schema["components"]["securitySchemes"]
    named = {
        name
        for operation in (each.ok() for each in fuzzed.schema.get_all_operations())
        for way in operation.definition.raw["security"]
        for name in way
    }
    assert {"basic", "personal", "session"} <= named <= described.keys()


def test_what_needs_a_login_says_so(fuzzed: Fuzzed) -> None:
    """Where the document demands credentials, nobody without them gets anything."""
    for operation in (each.ok() for each in fuzzed.schema.get_all_operations()):
        if {} in operation.definition.raw["security"]:
            continue
        path = operation.path.format(**{name: values[0] for name, values in fuzzed.known.items()})
        query = f"?digest={fuzzed.known['digest'][0]}"
        answer = requests.request(operation.method, f"{fuzzed.hub.url}{path}{query}", timeout=60)
        assert answer.status_code == 401, operation.label


@pytest.mark.parametrize(
    ("fuzzed", "caller"),
    [("sqlite", "anonymous"), ("sqlite", "user"), ("sqlite", "admin"), ("postgresql", "admin")],
    indirect=["fuzzed"],
    scope="module",  # a hub per engine, not per caller
)
def test_no_input_gets_an_answer_that_is_not_described(fuzzed: Fuzzed, caller: str) -> None:
    operations = [each.ok() for each in fuzzed.schema.get_all_operations()]
    assert len(operations) >= 23, "the document has lost operations"
    statuses: Counter[int] = Counter()
    for each in operations:
        statuses += run(fuzzed, each, caller, SECONDS / len(operations))
    print(f"{fuzzed.hub.workers} workers, {caller}: {dict(sorted(statuses.items()))}")
    assert statuses.total() >= len(operations)
    assert "request failed" not in fuzzed.hub.log
