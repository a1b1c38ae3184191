"""A listing is complete or it is an error: every way an answer can be short or wrong must raise."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hashmark.core.errors import BrokenListing, HashmarkError, ServerError, UnexpectedAnswer, WrongRegion
from hashmark.s3.bucket import Bucket
from hashmark.s3.endpoint import Remote
from support.faults import NS, Reply, Request, error, listing, scripted


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "TESTKEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret-key")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "very-secret-token")


def keys_from(answer: Callable[[Request], Reply], prefix: str = "") -> list[str]:
    with scripted(answer) as server:
        bucket = Bucket(Remote("b", "", server.url))
        return [row.key for row in bucket.objects(prefix)]


def pages(*bodies: bytes) -> Callable[[Request], Reply]:
    """The first body without a token, then the one whose number the token is."""

    def answer(request: Request) -> Reply:
        return Reply(body=bodies[int(request.query.get("continuation-token", 0))])

    return answer


def test_pages_are_joined_in_order() -> None:
    assert keys_from(pages(listing("a", "b", token="1"), listing("c"))) == ["a", "b", "c"]


HTML = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Welcome to the hotel</body></html>"
BOMB = b'<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa">]><ListBucketResult>&a;</ListBucketResult>'


@pytest.mark.parametrize(
    ("body", "why"),
    [
        pytest.param(HTML, "document type", id="a login page"),
        pytest.param(b"<html><body>hello</body></html>", "<html>", id="a well-formed web page"),
        pytest.param(b"", "not S3's XML", id="nothing"),
        pytest.param(b"<ListBucketResult>", "not S3's XML", id="cut XML"),
        pytest.param(BOMB, "document type", id="an entity bomb"),
        pytest.param(f"<ListAllMyBucketsResult {NS}/>".encode(), "ListAllMyBucketsResult", id="another answer"),
        pytest.param(listing("a", truncated="true"), "not how", id="truncated without a token"),
        pytest.param(listing("a", truncated=""), "last one", id="no word on being complete"),
        pytest.param(listing("a", truncated="True"), "last one", id="an odd word on being complete"),
        pytest.param(listing("a", count=2), "has 2 keys, but has 1", id="a key lost"),
        pytest.param(listing("b", "a"), "not in order", id="out of order"),
        pytest.param(listing("a", "a"), "not in order", id="a key twice"),
        pytest.param(listing("a", token="0"), "repeat themselves", id="the same token again"),
        pytest.param(listing("a").replace(b"<Size>1</Size>", b""), "no size", id="no size"),
        pytest.param(listing("a").replace(b"<Size>1</Size>", b"<Size>-1</Size>"), "no size", id="a negative size"),
        pytest.param(listing("a").replace(b"<Key>a</Key>", b""), "no key", id="no key"),
    ],
)
def test_a_broken_answer_with_status_200_is_an_error(body: bytes, why: str) -> None:
    with pytest.raises(BrokenListing, match=why):
        keys_from(pages(body, body))


def test_a_key_outside_the_prefix_is_an_error() -> None:
    with pytest.raises(BrokenListing, match="does not begin with the prefix"):
        keys_from(pages(listing("p/a", "q/b")), "p/")


def test_a_second_page_that_goes_back_is_an_error() -> None:
    with pytest.raises(BrokenListing, match="not in order"):
        keys_from(pages(listing("b", "c", token="1"), listing("a", "d")))


def test_an_error_on_a_later_page_is_an_error_of_the_whole() -> None:
    def answer(request: Request) -> Reply:
        if "continuation-token" in request.query:
            return Reply(403, error("AccessDenied"))
        return Reply(body=listing("a", token="1"))

    with pytest.raises(HashmarkError, match="AccessDenied"):
        keys_from(answer)


def test_an_error_document_with_status_200_is_an_error() -> None:
    with pytest.raises(HashmarkError):
        keys_from(lambda _: Reply(body=error("InternalError")))


def test_endless_empty_pages_end() -> None:
    def answer(request: Request) -> Reply:
        number = int(request.query.get("continuation-token", 0))
        return Reply(body=listing(token=str(number + 1)))

    with pytest.raises(BrokenListing, match="repeat themselves"):
        keys_from(answer)


@pytest.mark.slow
def test_a_store_that_keeps_failing_is_given_up() -> None:
    with pytest.raises(ServerError, match="server error"):
        keys_from(lambda _: Reply(500, error("InternalError")))


def test_keys_come_decoded_only_where_the_answer_says_they_are_encoded() -> None:
    plain = listing("a%20b+c")
    encoded = plain.replace(b"<KeyCount>", b"<EncodingType>url</EncodingType><KeyCount>")
    assert keys_from(pages(plain)) == ["a%20b+c"]
    assert keys_from(pages(encoded)) == ["a b c"]


def test_a_redirect_is_not_followed_and_the_token_goes_nowhere() -> None:
    with scripted(lambda _: Reply(body=listing("stolen"))) as thief:

        def answer(_: Request) -> Reply:
            return Reply(307, b"", {"Location": f"{thief.url}/b?list-type=2"})

        with pytest.raises((WrongRegion, UnexpectedAnswer)) as caught:
            keys_from(answer)
        assert thief.seen == []
        assert "very-secret" not in str(caught.value)


def test_a_bucket_of_another_region_names_it() -> None:
    body = error("PermanentRedirect")
    with pytest.raises(WrongRegion, match='region = "eu-west-3"'):
        keys_from(lambda _: Reply(301, body, {"x-amz-bucket-region": "eu-west-3"}))


@pytest.mark.parametrize(
    ("status", "code", "name"),
    [
        (403, "RequestTimeTooSkewed", "clock-skew"),
        (400, "ExpiredToken", "expired-credentials"),
        (403, "InvalidAccessKeyId", "wrong-credentials"),
        (403, "SignatureDoesNotMatch", "wrong-credentials"),
        (403, "AccessDenied", "access-denied"),
        (404, "NoSuchBucket", "no-such-bucket"),
        (404, "", "no-such-bucket"),
        (418, "", "unexpected-answer"),
    ],
)
def test_a_refusal_is_called_by_its_name(status: int, code: str, name: str) -> None:
    with pytest.raises(HashmarkError) as caught:
        keys_from(lambda _: Reply(status, error(code) if code else b""))
    assert caught.value.code == name
    assert caught.value.hint


def test_what_a_store_says_is_never_repeated() -> None:
    """Stores quote the signed request, and with it the session token, in their messages."""
    body = b"<Error><Code>SignatureDoesNotMatch</Code><CanonicalRequest>very-secret-token</CanonicalRequest></Error>"
    with pytest.raises(HashmarkError) as caught:
        keys_from(lambda _: Reply(403, body))
    assert "very-secret" not in f"{caught.value} {caught.value!r}"
