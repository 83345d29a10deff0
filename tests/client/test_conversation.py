"""Retries, redirects and refusals, told as a talk in which nothing is sent."""

import json

import pytest

from fairway.client import projects
from fairway.client.address import Login, parse_address
from fairway.client.call import Call, Reply
from fairway.client.conversation import Send, Wait, conversation
from fairway.client.errors import ApiError, SentElsewhere, said_no

HUB = parse_address("https://hub.example")
KIM = Login("kim", "s3cret")
GET = projects.get("team")
DELETE = projects.delete("team")
FOUND = Reply(200, {}, b'{"project_id": 1, "name": "team"}')


class Talk:
    """A conversation to which the test gives the answers."""

    def __init__(self, call: Call[object], login: Login | None = KIM, **options: bool) -> None:
        self.talk = conversation(HUB, login, call, **options)
        self.step = next(self.talk)
        self.story: list[str] = []
        self.waited: list[float] = []

    def answer(self, *replies: Reply) -> object:
        """What the call answers after these."""
        for reply in replies:
            assert isinstance(self.step, Send)
            self.story.append(f"{self.step.request.method} {self.step.request.path}")
            try:
                self.step = self.talk.send(reply)
                while isinstance(self.step, Wait):
                    self.waited.append(self.step.seconds)
                    self.step = self.talk.send(None)
            except StopIteration as end:
                return end.value
        raise AssertionError("it asks on")


def test_a_login_goes_with_every_request() -> None:
    talk = Talk(GET)
    assert isinstance(talk.step, Send)
    assert talk.step.request.headers["authorization"] == KIM.header
    assert talk.answer(FOUND) == projects.Project(1, "team")


def test_nobody_sends_no_login() -> None:
    talk = Talk(GET, None)
    assert isinstance(talk.step, Send)
    assert "authorization" not in talk.step.request.headers


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_get_is_sent_again_while_the_hub_cannot_just_now(status: int) -> None:
    talk = Talk(GET)
    assert talk.answer(Reply(status), Reply(status, {"retry-after": "7"}), FOUND)
    assert talk.story == ["GET /api/v2.0/projects/team"] * 3
    assert talk.waited == [0.5, 7]


@pytest.mark.parametrize(
    ("retry_after", "waited"),
    [("99999", 30), ("soon", 0.5), ("-1", 0.5), ("Wed, 21 Oct 2099 07:28:00 GMT", 0.5)],
)
def test_it_waits_neither_for_ever_nor_not_at_all(retry_after: str, waited: float) -> None:
    talk = Talk(GET)
    assert talk.answer(Reply(503, {"retry-after": retry_after}), FOUND)
    assert talk.waited == [waited]


def test_it_gives_up_in_the_end() -> None:
    talk = Talk(GET)
    with pytest.raises(ApiError) as refused:
        talk.answer(*[Reply(503)] * 9)
    assert len(talk.story) == 3
    assert refused.value.status == 503
    assert "try again later" in str(refused.value)


@pytest.mark.parametrize("call", [DELETE, projects.create("team"), projects.change("team", {})])
def test_a_change_is_never_sent_again(call: Call[object]) -> None:
    talk = Talk(call)
    with pytest.raises(ApiError):
        talk.answer(Reply(503))
    assert len(talk.story) == 1


@pytest.mark.parametrize("status", [500, 429, 408])
def test_nor_is_a_get_for_another_reason(status: int) -> None:
    talk = Talk(GET)
    with pytest.raises(ApiError):
        talk.answer(Reply(status, {"retry-after": "1"}))


def test_somebody_in_a_hurry_asks_once() -> None:
    talk = Talk(GET, patient=False)
    with pytest.raises(ApiError):
        talk.answer(Reply(503))


@pytest.mark.parametrize("location", ["/api/v2.0/projects/1", "https://hub.example/api/v2.0/projects/1", "1"])
def test_a_redirect_on_the_same_hub_is_followed(location: str) -> None:
    talk = Talk(GET)
    assert talk.answer(Reply(307, {"location": location}), FOUND)
    assert talk.story == ["GET /api/v2.0/projects/team", "GET /api/v2.0/projects/1"]


@pytest.mark.parametrize(
    "location",
    [
        "https://other.example/api/v2.0/projects/team",
        "//other.example/",
        "http://hub.example/",
        "https://hub.example:8443/",
        "https://hub.example@other.example/",
        "https://hub.example.other.example/",
        "ftp://hub.example/",
        "javascript:alert(1)",
        "",
    ],
)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_anywhere_else_gets_nothing(location: str, status: int) -> None:
    talk = Talk(GET)
    with pytest.raises(SentElsewhere, match="sent") as refused:
        talk.answer(Reply(status, {"location": location}))
    assert "s3cret" not in str(refused.value)
    assert len(talk.story) == 1


def test_a_redirect_without_end_ends() -> None:
    talk = Talk(GET)
    with pytest.raises(ApiError):
        talk.answer(*[Reply(302, {"location": "/api/v2.0/projects/team"})] * 9)
    assert len(talk.story) == 4


def test_a_change_is_not_made_into_something_else_by_a_redirect() -> None:
    for status in (301, 302, 303):
        with pytest.raises(SentElsewhere, match="nothing was changed"):
            Talk(DELETE).answer(Reply(status, {"location": "/elsewhere"}))
    talk = Talk(DELETE)
    assert talk.answer(Reply(308, {"location": "/elsewhere"}), Reply(200)) is None
    assert talk.story[1] == "DELETE /elsewhere"


class TestRefusals:
    def told(self, status: int, body: object, **headers: str) -> ApiError:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return said_no(status, headers, raw)

    def test_the_words_of_the_hub(self) -> None:
        error = self.told(
            409, {"errors": [{"code": "CONFLICT", "message": "the project team exists already"}]}
        )
        assert (error.status, error.code, error.message) == (
            409,
            "CONFLICT",
            "the project team exists already",
        )
        assert str(error) == "the project team exists already"

    def test_its_id_for_the_operator(self) -> None:
        error = said_no(500, {"x-request-id": "abc"}, b"")
        assert error.request_id == "abc"
        assert str(error) == ("the hub answered with status 500 (tell the hub's operator the request id abc)")

    @pytest.mark.parametrize(
        ("status", "words"),
        [
            (401, "log in"),
            (403, "for the right to do this"),
            (429, "wait a little"),
            (504, "try again later"),
        ],
    )
    def test_what_to_do_next(self, status: int, words: str) -> None:
        assert words in str(self.told(status, {}))

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"<html>502</html>",
            b"\xff",
            [],
            {},
            {"errors": []},
            {"errors": {}},
            {"errors": ["x"]},
            {"errors": [{"code": 1}]},
            b"[" * 100_000,
        ],
    )
    def test_a_page_of_whoever_stands_in_front(self, body: object) -> None:
        error = self.told(400, body)
        assert (error.code, error.message) == ("UNKNOWN", "the hub answered with status 400")

    def test_endless_words_are_cut(self) -> None:
        assert len(self.told(400, {"errors": [{"message": "x" * 10**6}]}).message) == 2000
