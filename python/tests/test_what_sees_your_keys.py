"""The page "What sees your keys" is right: its snippets run, in front of the software they name."""

import json
import logging
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import fastapi
import pytest
import servers
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient
from guarded_app import GuardedApp
from old_package import OldRow, write_old_file
from test_zz_leaks import leaks

from fastapi_simple_security import ApiKey, ApiKeyMiddleware, mask_keys
from fastapi_simple_security._logs.traces import redact_keys_in_traces

sentry_sdk = pytest.importorskip("sentry_sdk")
telemetry = pytest.importorskip("fastapi.telemetry")
trace = pytest.importorskip("opentelemetry.sdk.trace")
exporters = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")

PAGE = Path(__file__).parents[2] / "docs/what-sees-your-keys.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
# Of 1.x: nothing in its form says that it is a key.
OLD_KEY = "51f0a3cf-6f0b-4d0c-8f0e-9f6f2a4f7b21"


def block(text: str) -> str:
    [found] = [each for each in BLOCKS if text in each]
    return found


@pytest.fixture
def guarded(guard: Callable[..., GuardedApp], database: Path, canaries: set[str]) -> GuardedApp:
    """With a key of 1.x too."""
    write_old_file(database, [OldRow(OLD_KEY, name="from before")])
    canaries.add(OLD_KEY)
    return guard()


@pytest.fixture
def spans() -> Iterator[Any]:
    """What a tracer exports, which each test sets on its app."""
    exporter = exporters.InMemorySpanExporter()
    yield exporter
    exporter.shutdown()


def exported(spans: Any) -> str:
    return "\n".join(span.to_json() for span in spans.get_finished_spans())


def provider_to(spans: Any, provider: Any = None) -> Any:
    provider = provider or trace.TracerProvider()
    provider.add_span_processor(trace.export.SimpleSpanProcessor(spans))
    return provider


@pytest.mark.parametrize("middleware", [False, True])
def test_traces_of_fastapi_show_no_key(
    guarded: GuardedApp, canaries: set[str], spans: Any, middleware: bool
) -> None:
    app = FastAPI(telemetry={"tracer_provider": provider_to(spans)})
    app.include_router(guarded.security.legacy_router, prefix="/auth")
    app.include_router(guarded.security.admin_router, prefix="/auth")
    if middleware:
        app.add_middleware(ApiKeyMiddleware, security=guarded.security)

    @app.get("/secure")
    async def secure(key: Annotated[ApiKey, Depends(guarded.security)]) -> str:
        if key.name == "broken":
            raise RuntimeError(f"broken on purpose for {key!r}")
        return key.id

    client = TestClient(app, raise_server_exceptions=False)
    for key in (guarded.new(), guarded.new("broken"), OLD_KEY):
        status = client.get(f"/secure?api-key={key}&other=shown").status_code
        assert status in (200, 500)
        client.get(f"/secure?api%2Dkey={key}")
        client.get("/secure", headers={"api-key": key})
        client.get(f"/secure?api-key={key}&api-key={key}x")
        secret = {"secret-key": guarded.secret}
        assert client.get(f"/auth/revoke?api-key={key}", headers=secret).status_code == 200
        client.get(f"/auth/logs?secret-key={guarded.secret}")
    shown = exported(spans)
    assert not leaks(canaries, shown.encode())
    assert "api-key=REDACTED&other=shown" in shown


def moved(patch: pytest.MonkeyPatch) -> None:
    patch.delattr(telemetry, "_asgi")


def renamed(patch: pytest.MonkeyPatch) -> None:
    patch.delattr(telemetry._asgi, "_SENSITIVE_QUERY_PARAMETERS")


def of_another_type(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(telemetry._asgi, "_SENSITIVE_QUERY_PARAMETERS", {"sig": "REDACTED"})


@pytest.mark.parametrize("change", [moved, renamed, of_another_type])
def test_another_list_of_fastapi_is_a_warning(
    change: Callable[[pytest.MonkeyPatch], None],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    change(monkeypatch)
    redact_keys_in_traces()
    [(logger, level, line)] = caplog.record_tuples
    assert (logger, level) == ("fastapi_simple_security", logging.WARNING)
    assert line.startswith("traces of FastAPI may show keys")
    assert f"see docs/{PAGE.name}" in line


def absent(patch: pytest.MonkeyPatch) -> None:
    """As in a FastAPI that makes no traces."""
    patch.delattr(fastapi, "telemetry")
    patch.setitem(sys.modules, "fastapi.telemetry", None)


@pytest.mark.parametrize("change", [absent, lambda _: None])
def test_the_known_list_and_none_are_no_warning(
    change: Callable[[pytest.MonkeyPatch], None],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    change(monkeypatch)
    redact_keys_in_traces()
    assert not caplog.records


def test_the_processor_masks_other_traces(
    guarded: GuardedApp, canaries: set[str], spans: Any
) -> None:
    names: dict[str, Any] = {}
    exec(block("class MaskKeys"), names)
    tracer = provider_to(spans, names["provider"]).get_tracer("another")
    for key in (guarded.new(), OLD_KEY):
        for name in ("url.full", "url.query", "http.url", "http.target"):
            url = f"http://a/secure?api-key={key}&other=shown"
            with tracer.start_as_current_span("GET", attributes={name: url, "number": 7}):
                pass
    shown = exported(spans)
    assert shown.count("/secure?api-key=***&other=shown") == 8
    assert '"number": 7' in shown
    assert not leaks(canaries, shown.encode())


@pytest.fixture
def reported() -> Iterator[list[Any]]:
    """The events that Sentry sends, after the page's `init`."""
    events: list[Any] = []

    class Kept(sentry_sdk.transport.Transport):  # type: ignore[name-defined, misc]
        def capture_envelope(self, envelope: Any) -> None:
            events.extend(item.payload.json for item in envelope.items if item.payload.json)

    init = sentry_sdk.init

    def init_kept(**settings: Any) -> None:
        init(dsn="http://public@localhost/1", transport=Kept, traces_sample_rate=1.0, **settings)

    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.setattr(sentry_sdk, "init", init_kept)
        yield events
    sentry_sdk.get_client().close()
    init()


def fail_with(guarded: GuardedApp, key: str) -> None:
    @guarded.app.get("/broken")
    async def broken(key: Annotated[ApiKey, Depends(guarded.security)]) -> None:
        raise RuntimeError(f"broken on purpose for {key!r}")

    client = TestClient(guarded.app, raise_server_exceptions=False)
    for send in (
        lambda: client.get(f"/broken?api-key={key}&other=shown"),
        lambda: client.get("/broken", headers={"api-key": key}),
        lambda: client.get("/broken", headers={"X-API-Key": key}),
        lambda: client.get("/broken", headers={"Authorization": f"Bearer {key}"}),
        lambda: client.get(
            "/broken",
            headers={"api-key": key, "X-API-Key": key, "Authorization": f"Bearer {key}"},
        ),
    ):
        assert send().status_code == 500


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_error_tracker_shows_no_key(
    guarded: GuardedApp, canaries: set[str], reported: list[Any]
) -> None:
    exec(block("before_send="), {})
    for key in (guarded.new(), OLD_KEY):
        fail_with(guarded, key)
    kinds = [event.get("type") for event in reported]
    assert kinds.count("transaction") >= 6
    assert kinds.count(None) >= 6
    shown = json.dumps(reported)
    assert "broken on purpose" in shown
    assert "other=shown" in shown
    assert not leaks(canaries, shown.encode())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_it_would_without_the_mask(guarded: GuardedApp, reported: list[Any]) -> None:
    sentry_sdk.init()
    fail_with(guarded, OLD_KEY)
    assert leaks({OLD_KEY}, json.dumps(reported).encode())


def test_the_filter_masks_the_log_of_another_server(database: Path, canaries: set[str]) -> None:
    write_old_file(database, [OldRow(OLD_KEY, name="from before")])
    canaries.add(OLD_KEY)
    app = database.with_name("filtered_app.py")
    app.write_text(f"{block('hypercorn.access')}\nfrom served_app import app\n")
    # The status, and the target with its query.
    options = ["--access-logfile=-", "--access-logformat=%(s)s %(U)s?%(q)s"]
    with servers.hypercorn(
        database, secret="the-secret-of-hypercorn", app="filtered_app:app", options=options
    ) as server:
        key = server.admin("the-secret-of-hypercorn", canaries).new()
        for each in (key, OLD_KEY):
            assert server.connect().get("/secure", api_key=each, other="shown").status == 200
            server.connect().get("/broken", api_key=each)
        server.stop()
        log = server.log()
    assert not leaks(canaries, log.encode())
    assert log.count("200 /secure?api-key=***&other=shown") == 2
    assert "broken on purpose" in log


def test_the_log_shows_changes(guarded: GuardedApp, caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("fastapi_simple_security")
    level = logger.level
    try:
        exec(block("logging.basicConfig"), {})
        key = guarded.new("bob")
        guarded.revoke(key)
    finally:
        logger.setLevel(level)
    assert f"revoked key {key[4:15]}" in caplog.messages


def test_the_documentation_page_loads_nothing_from_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("static").mkdir()
    names: dict[str, Any] = {}
    exec(block("get_swagger_ui_html"), names)
    client = TestClient(names["app"])
    loaded = re.findall(r'(?:src|href)="([^"]+)"', client.get("/docs").text)
    assert len(loaded) == 3
    assert all(url.startswith("/static/") for url in loaded)
    assert client.get("/redoc").status_code == 404
    # As the page says of the default.
    assert "https://cdn." in TestClient(FastAPI()).get("/docs").text


def test_every_snippet_is_tested() -> None:
    assert len(BLOCKS) == 5


def test_structures_are_masked_and_not_changed() -> None:
    event = {
        "headers": {"Api-Key": OLD_KEY, "host": "a"},
        "scope": [(b"api-key", OLD_KEY.encode()), ["b'secret-key'", "b'x'"], (b"host", b"a")],
        "query": f"api-key={OLD_KEY}&a=1".encode(),
        "other": [1, None, 2.5, {"nested": f"?x-api-key={OLD_KEY}"}],
        f"api-key={OLD_KEY}": {f"?api-key={OLD_KEY}"},
    }
    masked = mask_keys(event)
    assert masked == {
        "headers": {"Api-Key": "***", "host": "a"},
        "scope": [(b"api-key", "***"), ["b'secret-key'", "***"], (b"host", b"a")],
        "query": b"api-key=***&a=1",
        "other": [1, None, 2.5, {"nested": "?x-api-key=***"}],
        "api-key=***": {"?api-key=***"},
    }
    assert event["headers"]["Api-Key"] == OLD_KEY  # type: ignore[index]
