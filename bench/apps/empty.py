"""One route with one empty dependency, the cheapest there is."""

from fastapi import Depends, FastAPI


async def nothing() -> None:
    """Does nothing."""


app = FastAPI()


@app.get("/", dependencies=[Depends(nothing)])
async def route() -> dict[str, str]:
    """What every app of the benchmark answers."""
    return {"message": "hello"}
