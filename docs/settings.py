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

| variable | argument | default | meaning |
|---|---|---|---|
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

A path is that of an SQLite file, as is `sqlite:///keys.db`. A store for many machines has a URL, with
parameters of its own and those of its client library; [scaling out](scaling-out.md) tells what they do.

| parameter | default | meaning |
|---|---|---|
| `max_staleness` | `2` | How many seconds after a change it holds everywhere, 0.5 to 60; kept in the store when it is made |
| `stale_if_error` | `0` | For how many seconds more what is remembered may be used while the store is down, 0 to 60; kept in the store, and counted into `effective_by` |
| `sslmode` | `verify-full`; `disable` on this machine | `postgres://`: whether the connection is encrypted, and its certificate verified: `verify-full` or `disable` |
| `sslrootcert` | the certificates of the system | A file of certificates (PEM), by one of which the server's must be signed |
| `may_lose` | `false` | `redis://`: `true` takes a Redis that can lose what it has acknowledged |

`rediss://` is encrypted and verified, `redis://` is not encrypted. A password may have any character that
is written in percent: `%2F` for `/`, `%40` for `@`, `%3F` for `?`.
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
    return HEAD + "".join(package) + LOCATION + PROGRAM + "".join(program)


if __name__ == "__main__":
    PAGE.write_text(page())
