"""A flood of keys that cannot be checked fills no log."""

import logging

import pytest
from starlette.exceptions import HTTPException

from fastapi_simple_security import _answers
from fastapi_simple_security._core import LogThrottle
from fastapi_simple_security._errors import ConfigurationError, StoreUnavailable


def test_a_flood_is_a_line_a_second(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(_answers, "_outages", LogThrottle())
    caplog.set_level(logging.ERROR, logger="fastapi_simple_security")
    for _ in range(1000):
        answer = _answers.unavailable("http", StoreUnavailable("the store is asked too much"))
        assert isinstance(answer, HTTPException)
        assert answer.status_code == 503
        assert (answer.headers or {})["Retry-After"] == "1"
    assert 1 <= len(caplog.records) < 100
    first = caplog.records[0].getMessage()
    assert first == "the store is asked too much (requests refused since the last such line: 1)"


def test_a_wrong_setting_is_logged_whatever_else_is(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        _answers.unavailable("http", StoreUnavailable("down"))
    _answers.unavailable("http", ConfigurationError("secret", "it is empty"))
    assert caplog.records[-1].getMessage() == "secret: it is empty"
