"""What follows from an answer, whose turn it is, and signatures: as tables."""

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.features.webhooks import rules
from fairway.features.webhooks.model import Answer, Waiting
from fairway.features.webhooks.rules import FAILED, REFUSED, TAKEN, Facts, fate, turns, verdict

DAY = 86_400


@pytest.mark.parametrize(
    ("status", "said"),
    [
        *((status, TAKEN) for status in (200, 201, 202, 204, 299)),
        *((status, REFUSED) for status in (100, 301, 302, 307, 308, 400, 401, 403, 404, 410, 413, 422)),
        *((status, FAILED) for status in (None, 408, 429, 500, 502, 503, 504, 599)),
    ],
)
def test_answers_are_taken_refused_or_failed(status: int | None, said: str) -> None:
    assert verdict(Answer(status)) == said


def test_what_may_not_be_sent_is_a_refusal() -> None:
    assert verdict(Answer(None, forbidden=True)) == REFUSED


def test_what_was_taken_ends() -> None:
    assert fate(Answer(200), Facts(7, 2, 1.0, 0), 0.5) == rules.Fate(ends=True)


@pytest.mark.parametrize(("refusals", "wait"), [(1, 10.0), (2, 60.0), (3, None), (9, None)])
def test_three_refusals_are_the_end(refusals: int, wait: float | None) -> None:
    found = fate(Answer(404, "answered 404"), Facts(50, refusals, 5 * DAY, 0), 1)
    assert found == rules.Fate(wait is None, "answered 404", wait or 0.0)


@pytest.mark.parametrize(
    ("tries", "failures", "wait", "rest"),
    [
        (1, 1, 1, 0),
        (2, 1, 2, 0),
        (5, 2, 16, 0),
        (11, 1, 600, 0),
        (10**6, 2, 600, 0),
        (1, 3, 1, 1),
        (9, 4, 2, 2),
        (9, 9, 60, 60),
        (10**6, 10**6, 60, 60),
    ],
)
def test_failures_put_off_the_delivery_and_in_a_row_the_queue(
    tries: int, failures: int, wait: float, rest: float
) -> None:
    assert fate(Answer(500, "m"), Facts(tries, 0, 60, failures), 1) == rules.Fate(False, "m", wait, rest)


@pytest.mark.parametrize(("asked", "rest"), [(0.0, 0.0), (5.0, 5.0), (3600.0, 3600.0), (1e9, 3600.0)])
def test_what_a_target_asks_for_is_honoured_within_bounds(asked: float, rest: float) -> None:
    found = fate(Answer(429, "m", retry_after=asked), Facts(1, 0, 1, 1), 1)
    assert (found.rest, found.wait) == (rest, max(rest, 1.0))


@pytest.mark.parametrize(
    ("tries", "age", "failures", "ends"),
    [
        (10, DAY + 1, 1, True),
        (10, DAY - 1, 1, False),
        (9, DAY + 1, 1, False),  # it has waited behind others, or for a target that took nothing
        (99, DAY + 1, 3, False),  # so does every other
        (1, 3 * DAY + 1, 3, True),
        (1, 3 * DAY + 1, 1, True),
    ],
)
def test_what_fails_for_too_long_is_given_up(tries: int, age: float, failures: int, ends: bool) -> None:
    assert fate(Answer(500, "m"), Facts(tries, 0, age, failures), 1).ends is ends


@given(st.integers(1, 100), st.integers(1, 100), st.floats(0, 1))
def test_waits_vary_and_are_bounded(tries: int, failures: int, chance: float) -> None:
    found = fate(Answer(500), Facts(tries, 0, 1, failures), chance)
    most = fate(Answer(500), Facts(tries, 0, 1, failures), 1)
    assert 0.75 * most.wait <= found.wait <= most.wait <= rules.LONGEST_PAUSE
    assert 0.75 * most.rest <= found.rest <= most.rest <= rules.LONGEST_REST


@given(st.lists(st.sampled_from("abc"), max_size=12), st.sets(st.sampled_from("abc")))
def test_only_what_follows_its_head_has_its_turn(topics: list[str], held_up: set[str]) -> None:
    heads: dict[str, int] = dict.fromkeys(held_up, 0)
    found = [Waiting(id, topic, heads.setdefault(topic, id)) for id, topic in enumerate(topics, start=1)]
    may, behind = turns(found)
    assert {each.topic for each in behind} == held_up & set(topics)
    assert {each.topic for each in may} == set(topics) - held_up
    assert [each.id for each in may] == sorted(each.id for each in may)
    assert len(may) + len(behind) == len(found)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("", 0), ("7", 7), (" 30 ", 30), ("-1", 0), ("1.5", 0), ("x" * 99, 0), ("9" * 99, 0), ("٣", 0), ("Wed, 21 Oct 2026 07:28:00 GMT", 0)],
)  # fmt: skip
def test_only_seconds_are_read(value: str, seconds: float) -> None:
    assert rules.retry_after(value) == seconds


@given(st.binary(max_size=2000))
def test_what_is_shown_can_be_printed(text: bytes) -> None:
    shown = rules.printable(text, 100)
    assert len(shown) <= 100
    assert shown.isprintable()


# The example that Standard Webhooks has in its specification and its libraries.
KNOWN = (
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "msg_p5jXN8AQM9LWM0D4loKWxJek",
    1614265330,
    b'{"test": 2432232314}',
    "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
)


def test_the_signature_is_that_of_standard_webhooks() -> None:
    secret, id, at, body, signature = KNOWN
    assert rules.signed(secret, id, at, body)["webhook-signature"] == signature


@pytest.mark.parametrize(
    "secret", ["plain", "whsec_not base64!", "ünï", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]
)
def test_the_other_signature_is_that_of_the_body_by_the_secret_itself(secret: str) -> None:
    mac = hmac.new(secret.encode(), b"body", hashlib.sha256).hexdigest()
    assert rules.signed(secret, "id", 1, b"body")["x-signature"] == f"sha256={mac}"


def test_a_secret_that_is_no_base64_signs_by_its_own_bytes() -> None:
    mac = hmac.new(b"plain", b"id.5.body", hashlib.sha256).digest()
    assert (
        rules.signed("plain", "id", 5, b"body")["webhook-signature"] == f"v1,{base64.b64encode(mac).decode()}"
    )
