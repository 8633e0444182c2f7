"""The paths that need no key: exact, and only where they are sent plainly.

A path that is spelled in another way may lead elsewhere than it seems to. So it is not read in a
clever way: whatever is not exactly an open path needs a key.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import quote

from fastapi_simple_security._errors import ConfigurationError

# What may stand for itself in a path (RFC 3986, 3.3), but for `;`, which some servers cut at.
_PLAIN = "/:@!$&'()*+,=-._~"

# Compiled by who has open paths.
_PROBLEMS = [
    (r"^(?!/)", "does not start with `/`: write it as the app's route has it"),
    (r"//", "has an empty part: write each `/` once"),
    (r"/\.{1,2}(/|$)", "has a part `.` or `..`: write the path that is meant"),
    (r"%", "has a `%`: write the path decoded, as in `/café`"),
    (r"[?#]", "has a `?` or `#`: a path ends before them"),
    (r"[{}*]", "is a pattern: only exact paths can be open, list each of them"),
    (r"[\\;]", "has a `\\` or `;`, which servers read differently: rename the route"),
    (r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]", "has a control character: leave it out"),
]


class OpenPaths:
    """The open paths of one middleware.

    Args:
        paths: each as the app's route has it, such as `/health`.

    Raises:
        ConfigurationError: one of them is no exact path; the text says which and what to do.
    """

    def __init__(self, paths: Collection[str]) -> None:
        if isinstance(paths, (str, bytes)) or not isinstance(paths, Collection):
            raise _wrong(f"{paths!r} is no list: write a list of paths, such as ['/health']")
        self._paths = frozenset(_checked(path) for path in paths)

    def __contains__(self, path: object) -> bool:
        """Whether a path of the app, decoded and without `root_path`, is open."""
        return path in self._paths

    def lets_in(self, scope: Mapping[str, Any]) -> bool:
        """Whether a request is for an open path, and says so plainly."""
        path: str = scope.get("path", "")
        root_path: str = scope.get("root_path", "")
        inside = _inside(path, root_path)
        if inside not in self._paths:
            return False
        raw_path: bytes | None = scope.get("raw_path")
        if raw_path is None:
            # Litestar has cut the path by now to what comes after a mount, which only the raw
            # path would tell.
            return quoted(path) is not None and "route_handler" not in scope
        if inside is path:
            # A path without its `root_path`: a proxy has cut it off, or Litestar has.
            return raw_path in (quoted(path), quoted(root_path + path))
        return raw_path == quoted(path)


def quoted(path: str) -> bytes | None:
    """The one way to send a path; `None` where it is not plain, whatever way it is sent."""
    if "//" in path or "/./" in path or "/../" in path:
        return None
    return quote(path, safe=_PLAIN).encode()


def _inside(path: str, root_path: str) -> str:
    """The path that the app's routes are compared with: `get_route_path` of Starlette."""
    if not root_path or not path.startswith(root_path):
        return path
    if path == root_path:
        return ""
    return path[len(root_path) :] if path[len(root_path)] == "/" else path


def _checked(path: object) -> str:
    if not isinstance(path, str):
        raise _wrong(f"{path!r} is no text: write paths such as '/health'")
    for pattern, problem in _PROBLEMS:
        if re.search(pattern, path):
            raise _wrong(f"{path!r} {problem}")
    return path


def _wrong(problem: str) -> ConfigurationError:
    return ConfigurationError("open_paths", problem)
