"""The errors of this package: one class per cause. The engine raises them too."""
# ruff: noqa: N818 (each is named after its cause)


class SecurityError(Exception):
    """The base class of the errors of this package."""


class ConfigurationError(SecurityError):
    """A setting is wrong or missing. The text names it, and says what is wrong and what to do.

    Attributes:
        setting: the environment variable or the argument.
        problem: what is wrong, and what to do.
    """

    def __init__(self, setting: str, problem: str) -> None:
        super().__init__(setting, problem)
        self.setting = setting
        self.problem = problem

    def __str__(self) -> str:
        """The setting and the problem. They are apart in `args`, so that pickling works."""
        return f"{self.setting}: {self.problem}"


class StoreUnavailable(SecurityError):
    """The store is unavailable. A key that was to be verified may be valid; try again later."""


class SystemFailure(SecurityError):
    """The operating system gave no random bytes or no thread."""


class InvalidInput(SecurityError):
    """An argument of a call is wrong. Nothing was changed.

    Attributes:
        parameter: the name of the argument.
        message: what is wrong with it.
    """

    def __init__(self, parameter: str, message: str) -> None:
        super().__init__(parameter, message)
        self.parameter = parameter
        self.message = message

    def __str__(self) -> str:
        """The parameter and the message. They are apart in `args`, so that pickling works."""
        return f"{self.parameter}: {self.message}"


class KeyNotFound(SecurityError):
    """There is no such key. Nothing was changed."""


class KeyExists(SecurityError):
    """The key to import already exists, active or not. Nothing was changed."""


class KeyRejected(SecurityError):
    """`verify` rejected the key. The reason is for logs: do not send it to a client.

    Attributes:
        reason: `malformed`, `unknown`, `revoked` or `expired`.
        key_id: the id of a revoked or an expired key; `None` otherwise.
    """

    def __init__(self, reason: str, key_id: str | None = None) -> None:
        super().__init__(reason, key_id)
        self.reason = reason
        self.key_id = key_id

    def __str__(self) -> str:
        """The reason, and the id. They are apart in `args`, so that pickling works."""
        key = "the key" if self.key_id is None else f"key {self.key_id}"
        return f"{key} is {self.reason} (the reason is for logs: do not send it to a client)"
