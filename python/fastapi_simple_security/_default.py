"""The instance that the package exports. In its own module, so that others can import it too."""

from fastapi_simple_security._security import SimpleSecurity

api_key_security = SimpleSecurity()
