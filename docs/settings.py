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


def page() -> str:
    """The whole page."""
    rows = []
    for variable, other_spelling, argument, default, meaning in _core.settings():
        variables = f"`{variable}`" + (f" or `{other_spelling}`" if other_spelling else "")
        shown = default if " " in default else f"`{default}`"
        rows.append(f"| {variables} | `{argument}` | {shown} | {meaning} |\n")
    return HEAD + "".join(rows)


if __name__ == "__main__":
    PAGE.write_text(page())
