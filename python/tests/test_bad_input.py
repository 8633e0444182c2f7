"""Bad input gets a clear error and changes nothing. What every face shares: `test_vectors.py`."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from guarded_app import DENIED, PAST_DATE, GuardedApp, RawAnswer, request_raw

BAD_KEYS = {
    "one byte": b"x",
    "10 kB": b"x" * 10_000,
    "100 kB": b"x" * 100_000,
    "NUL": b"\0",
    "NUL within": b"abc\0def",
    "not UTF-8": b"\xff\xfe\xfd",
    "UTF-8": "clé".encode(),
    "surrogate": b"\xed\xa0\x80",
    "line end": b"abc\r\nx-injected: 1",
    "escape": b"\x1b[2J",
    "wrong checksum": b"fss_0aZ9bY8cX7d_0000000000000000000000000000000000aaaaaa",
    "other prefix": b"abc_RNBYYeVjz4h_w2UNiRnAzzhc7M2sbKBlPl3S8Cwqo9blp4G3pIn",
    "the prefix alone": b"fss_",
    "SQL": b"' OR 1=1 --",
    "template": b"{{7*7}}%s%n",
}
BAD_BYTES = pytest.mark.parametrize("value", BAD_KEYS.values(), ids=BAD_KEYS)


@pytest.fixture
def unchanged(guarded: GuardedApp) -> Iterator[str]:
    """A live key; after the test all keys must stand as they stood, its own use apart."""
    key = guarded.new("witness")
    guarded.new_revoked()
    guarded.new_expired()
    before = guarded.logs()
    yield key
    assert guarded.logs() == before
    assert guarded.accepts(key)


def detail(answer: RawAnswer) -> Any:
    return json.loads(answer.body)["detail"]


def encoded(value: bytes) -> bytes:
    return b"".join(b"%%%02X" % byte for byte in value)


@BAD_BYTES
@pytest.mark.parametrize("path", ["/secure", "/secure-sync"])
def test_keys(guarded: GuardedApp, unchanged: str, path: str, value: bytes) -> None:
    for sent in (
        request_raw(guarded.app, path, headers=[(b"api-key", value)]),
        request_raw(guarded.app, path, query=b"api-key=" + encoded(value)),
        request_raw(
            guarded.app,
            path,
            query=b"api-key=" + encoded(value),
            headers=[(b"api-key", value)],
        ),
    ):
        assert (sent.status, detail(sent)) == (403, DENIED)


@pytest.mark.parametrize(
    "query",
    [b"\xff", b"api-key=\xff\x00", b"%", b"api-key=%", b"=", b"&" * 1000, b"api-key=%u0041"],
)
def test_raw_bytes_in_the_query(guarded: GuardedApp, unchanged: str, query: bytes) -> None:
    assert request_raw(guarded.app, "/secure", query=query).status == 403


def test_ten_thousand_parameters(guarded: GuardedApp, unchanged: str) -> None:
    query = b"&".join(b"p%d=x" % number for number in range(10_000))
    assert request_raw(guarded.app, "/secure", query=query).status == 403


@BAD_BYTES
def test_admin_secrets(guarded: GuardedApp, unchanged: str, value: bytes) -> None:
    for path in ("/auth/new", "/auth/logs"):
        answer = request_raw(guarded.app, path, headers=[(b"secret-key", value)])
        assert answer.status == 403
        assert detail(answer).startswith("Wrong secret key.")


def test_a_secret_that_is_no_ascii(guarded: GuardedApp, unchanged: str) -> None:
    """1.3.0 answered 500."""
    answer = guarded.client.get("/auth/new", headers={"secret-key": "clé".encode()})
    assert answer.status_code == 403
    assert answer.json()["detail"].startswith("Wrong secret key.")


@pytest.mark.parametrize("order", [slice(None), slice(None, None, -1)])
@pytest.mark.parametrize("other", ["right", "wrong", "empty"])
def test_a_repeated_secret(guarded: GuardedApp, unchanged: str, other: str, order: slice) -> None:
    secret = guarded.secret.encode()
    second = {"right": secret, "wrong": b"wrong", "empty": b""}[other]
    headers = [(b"secret-key", secret), (b"secret-key", second)][order]
    answer = request_raw(guarded.app, "/auth/new", headers=headers)
    assert answer.status == 403
    assert detail(answer).startswith("Wrong secret key.")


@BAD_BYTES
@pytest.mark.parametrize("action", ["revoke", "renew"])
def test_keys_to_revoke_or_renew(
    guarded: GuardedApp, unchanged: str, action: str, value: bytes
) -> None:
    answer = admin_raw(guarded, action, b"api-key=" + encoded(value))
    assert (answer.status, detail(answer)) == (404, "API key not found")


def admin_raw(guarded: GuardedApp, action: str, query: bytes) -> RawAnswer:
    headers = [(b"secret-key", guarded.secret.encode())]
    return request_raw(guarded.app, f"/auth/{action}", query=query, headers=headers)


@pytest.mark.parametrize("action", ["revoke", "renew"])
@pytest.mark.parametrize("query", [b"", b"api-key", b"api-key=", b"api_key=x", b"API-KEY=x"])
def test_no_key_to_revoke_or_renew(
    guarded: GuardedApp, unchanged: str, action: str, query: bytes
) -> None:
    assert admin_raw(guarded, action, query).status in (404, 422)


@pytest.mark.parametrize("action", ["revoke", "renew"])
def test_two_keys_to_revoke_or_renew(guarded: GuardedApp, unchanged: str, action: str) -> None:
    """Which of them is meant cannot be known."""
    others = [row["api_key"] for row in guarded.logs() if row["api_key"] not in unchanged]
    query = f"api-key={unchanged}&api-key={others[0]}".encode()
    assert admin_raw(guarded, action, query).status == 422


@pytest.mark.parametrize("action", ["revoke", "renew"])
def test_a_key_id_with_something_around(guarded: GuardedApp, unchanged: str, action: str) -> None:
    key_id = unchanged[4:15]
    for text in (f" {key_id}", f"{key_id} ", f"{key_id}\0", f"fss_{key_id}", key_id[:-1], "%"):
        answer = guarded.admin(action, api_key=text)
        assert (answer.status_code, text) == (404, text)


@BAD_BYTES
def test_dates(guarded: GuardedApp, unchanged: str, value: bytes) -> None:
    query = b"api-key=" + unchanged.encode() + b"&expiration-date=" + encoded(value)
    answer = admin_raw(guarded, "renew", query)
    assert answer.status == 422
    assert detail(answer)[0]["loc"] == ["query", "expiration-date"]


@pytest.mark.parametrize(
    "name",
    [b"\0", b"a\nb", b"\x1b[31mred", b"x" * 201, b"x" * 100_000, "\u202egnp.exe".encode()],
    ids=["NUL", "line end", "escape", "201", "100 kB", "direction"],
)
def test_names(guarded: GuardedApp, unchanged: str, name: bytes) -> None:
    answer = admin_raw(guarded, "new", b"name=" + encoded(name))
    assert answer.status == 422
    [error] = detail(answer)
    assert error["loc"] == ["query", "name"]
    assert error["msg"]


def test_a_name_that_is_not_utf_8_is_an_answer_of_ours(guarded: GuardedApp) -> None:
    answer = admin_raw(guarded, "new", b"name=%FF%FE")
    assert answer.status in (200, 422)
    if answer.status == 200:
        guarded.canaries.add(json.loads(answer.body))
    for row in guarded.logs():
        assert "\ufffd" in row["name"]


@pytest.mark.parametrize("value", ["maybe", "2", "-1", "null", "\0"])
def test_never_expires(guarded: GuardedApp, unchanged: str, value: str) -> None:
    answer = guarded.client.get(
        "/auth/new",
        params={"never_expires": value},
        headers={"secret-key": guarded.secret},
    )
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["query", "never_expires"]


def test_html_is_text(guarded: GuardedApp) -> None:
    name = "<script>alert('x')</script>"
    key = guarded.new(name)
    answer = guarded.admin("logs")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["logs"][0]["name"] == name
    assert guarded.use(key).json()["name"] == name


def test_the_last_year(guarded: GuardedApp) -> None:
    key = guarded.new()
    assert guarded.renew(key, "9999-12-31T23:59:59").status_code == 200
    assert guarded.log_of(key)["expiration_date"] == "9999-12-31T23:59:59"
    assert guarded.accepts(key)


def test_the_first_year(guarded: GuardedApp) -> None:
    key = guarded.new()
    assert guarded.renew(key, "0001-01-01").status_code == 200
    assert guarded.log_of(key)["expiration_date"] == "0001-01-01T00:00:00"
    assert not guarded.accepts(key)


@pytest.mark.parametrize("date", ["9999-12-31T23:59:59-00:01", "0001-01-01T00:00:00+00:01"])
def test_a_zone_that_leads_out_of_the_calendar(
    guarded: GuardedApp, unchanged: str, date: str
) -> None:
    assert guarded.renew(unchanged, date).status_code == 422


def test_wrong_input_of_a_renewal_does_not_reactivate(guarded: GuardedApp) -> None:
    key = guarded.new_revoked()
    assert guarded.renew(key, "2222-22-22").status_code == 422
    assert not guarded.accepts(key)
    assert guarded.log_of(key)["is_active"] is False


def test_the_longest_expiration(guard: Callable[..., GuardedApp]) -> None:
    guarded = guard(automatic_expiration=36500)
    key = guarded.new()
    assert guarded.accepts(key)
    assert guarded.renew(key, PAST_DATE).status_code == 200
    assert not guarded.accepts(key)
