"""The app that `make run` serves on http://localhost:8080, with the admin secret TEST_SECRET."""

from fastapi import Depends, FastAPI

from fastapi_simple_security import api_key_router, api_key_security

app = FastAPI(title="Simple security")

app.include_router(api_key_router, prefix="/auth", tags=["auth"])
# The resource API, for tools: /auth/keys.
app.include_router(api_key_security.admin_router, prefix="/auth", tags=["keys"])


@app.get("/unsecured")
async def unsecured() -> dict[str, str]:
    """Anyone may ask this."""
    return {"message": "This is an unsecured endpoint"}


@app.get(
    "/secure",
    dependencies=[Depends(api_key_security)],
    responses={403: {"description": "No good API key"}},
)
async def secure() -> dict[str, str]:
    """Only a caller with a good key may ask this."""
    return {"message": "This is a secure endpoint"}
