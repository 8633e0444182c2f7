"""An app with bodies: one route by the route class, one by the dependency alone."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, FastAPI

from fastapi_simple_security import api_key_router, api_key_security

app = FastAPI()
app.include_router(api_key_router, prefix="/auth")

router = APIRouter(
    route_class=api_key_security.route_class, dependencies=[Depends(api_key_security)]
)


@router.post("/by-class")
async def by_class(body: Annotated[dict[str, Any], Body()]) -> int:
    return len(body)


app.include_router(router)


@app.post("/by-dependency", dependencies=[Depends(api_key_security)])
async def by_dependency(body: Annotated[dict[str, Any], Body()]) -> int:
    return len(body)
