"""One plain route behind our middleware."""

from fastapi import FastAPI

from fastapi_simple_security import ApiKeyMiddleware

app = FastAPI()
app.add_middleware(ApiKeyMiddleware)


@app.get("/")
async def route() -> dict[str, str]:
    """What every app of the benchmark answers."""
    return {"message": "hello"}
