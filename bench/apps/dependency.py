"""One route with our dependency."""

from fastapi import Depends, FastAPI

from fastapi_simple_security import api_key_security

app = FastAPI()


@app.get("/", dependencies=[Depends(api_key_security)])
async def route() -> dict[str, str]:
    """What every app of the benchmark answers."""
    return {"message": "hello"}
