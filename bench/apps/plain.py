"""One plain route."""

from fastapi import FastAPI

app = FastAPI()


@app.get("/")
async def route() -> dict[str, str]:
    """What every app of the benchmark answers."""
    return {"message": "hello"}
