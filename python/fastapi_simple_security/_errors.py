"""The errors of this package."""


class SecurityError(Exception):
    """What this package raises by itself."""


class ConfigurationError(SecurityError):
    """A setting is wrong. The text names it, and says what is wrong and what to do.

    Attributes:
        setting: the environment variable or the argument.
        problem: what is wrong, and what to do.
    """

    def __init__(self, setting: str, problem: str) -> None:
        super().__init__(f"{setting}: {problem}")
        self.setting = setting
        self.problem = problem


class StoreUnavailable(SecurityError):  # noqa: N818 (it is no mistake of anybody)
    """The store of the keys cannot be asked now. This is no word about a key."""
