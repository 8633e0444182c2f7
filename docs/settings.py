"""Writes docs/settings.md from what the engine declares. `make docs` calls it, a test compares."""

from pathlib import Path

from fastapi_simple_security import _core

PAGE = Path(__file__).with_name("settings.md")

HEAD = """\
# Settings

Environment variables, read at first use (so `load_dotenv()` may come after the import);
`FASTAPI_SIMPLE_SECURITY_HIDE_DOCS` is read at the import. An instance of `SimpleSecurity` takes the
argument instead of the variable. A setting that is wrong stops the start of the app with an error
that names it; where no lifespan runs, each request is answered 503 until it is right.

`SimpleSecurity.open()` and the start of the app raise one exception per cause. All are subclasses
of `SecurityError` and are imported from `fastapi_simple_security`:

- `ConfigurationError`: a setting is wrong, or the location has no store that can be used
  (`.setting`, `.problem`)
- `StoreUnavailable`: the store cannot be reached now, or failed; try again later
- `SystemFailure`: the operating system gave no random bytes or no thread

| variable | argument | default | meaning |
|---|---|---|---|
"""

KEY_HEADERS = """
## Where a key is read

FastAPI reads a key in two steps:

1. The query parameter `api-key`, then the header `api-key`. If both are sent, one good key is
   enough.
2. Only if both are absent or empty: the header `X-API-Key`, then `Authorization: Bearer <key>`. The
   first that is not empty decides alone.

A parameter or header that is read must not be sent twice: the request is rejected, whatever the
values are. The search stops at the one that decides: with a key in `api-key`, a request may send
anything in `X-API-Key` and `Authorization`.

An app may use `Authorization` for its own tokens: schemes other than `Bearer` count as not sent,
and so do JWTs. Any other `Bearer` token is verified as a key, so remove `authorization` from
`key_headers` if the tokens of your app are not JWTs.

`SimpleSecurity(key_headers=("api-key", "x-api-key", "authorization"))` is the default. List fewer
headers to leave the others to your app: `("api-key",)` reads what 1.x reads, `()` only the query
parameter. There is no environment variable for it.

The tower layer and the server read the same headers, but a request may send only one of them:
[the server](server.md#what-decides).
"""

PROGRAM = """
## The program simple-security

It reads the same settings by variables with a prefix of their own. Where [a
command](command-line.md) or [the server](server.md) has a flag for one, the flag goes before the
variable. `fastapi-simple-security`, which comes with the Python package, reads the variables above.

| variable | default | meaning |
|---|---|---|
"""

LOCATION = """
## The location of the keys

A path is that of an SQLite file, as is `sqlite:///keys.db`. A store for many machines has a URL,
with parameters of its own and those of its client library; [scaling out](scaling-out.md) tells what
they do. Of those of a PostgreSQL URL, `connect_timeout`, `tcp_user_timeout`, `keepalives*`,
`target_session_attrs` and `load_balance_hosts` have no effect: the store keeps to its own deadlines
and to the primary.

| parameter | default | meaning |
|---|---|---|
"""

PASSWORDS = """
`rediss://` is encrypted and verified, `redis://` is not encrypted. A password may have any
character that is written in percent: `%2F` for `/`, `%40` for `@`, `%3F` for `?`.
"""


def page() -> str:
    """The whole page."""
    package, program = [], []
    for variable, of_program, other_spelling, argument, default, meaning in _core.settings():
        shown = default if " " in default else f"`{default}`"
        if variable:
            variables = f"`{variable}`" + (f" or `{other_spelling}`" if other_spelling else "")
            package.append(f"| {variables} | `{argument}` | {shown} | {meaning} |\n")
        if of_program:
            program.append(f"| `{of_program}` | {shown} | {meaning} |\n")
    parameters = [
        f"| `{name}` | {default} | {meaning} |\n" for name, default, meaning in _core.parameters()
    ]
    location = LOCATION + "".join(parameters) + PASSWORDS
    return HEAD + "".join(package) + KEY_HEADERS + location + PROGRAM + "".join(program)


if __name__ == "__main__":
    PAGE.write_text(page())
