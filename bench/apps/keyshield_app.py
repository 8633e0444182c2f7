"""One route with the dependency of keyshield: its cached service, on SQLite.

As its README shows it, but for two things that are in its favour: the table is made once and not at
each request, and the cache is one for all requests. `KEYSHIELD_DELAY=0` sets the delay to 0 with
which it answers each request.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiocache
from fastapi import Depends, FastAPI
from keyshield.api import create_depends_api_key
from keyshield.hasher.argon2 import Argon2ApiKeyHasher
from keyshield.repositories.sql import SqlAlchemyApiKeyRepository
from keyshield.services.cached import CachedApiKeyService
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

engine = create_async_engine(f"sqlite+aiosqlite:///{os.environ['DATABASE']}")
sessions = async_sessionmaker(engine, expire_on_commit=False)
cache = aiocache.SimpleMemoryCache()
hasher = Argon2ApiKeyHasher(pepper="only for this measurement")
delay = {"min_delay": 0.0, "max_delay": 0.0} if os.environ.get("KEYSHIELD_DELAY") == "0" else {}


async def session() -> AsyncIterator[AsyncSession]:
    """A transaction for each request."""
    async with sessions() as opened, opened.begin():
        yield opened


async def service(session: AsyncSession = Depends(session)) -> CachedApiKeyService:  # noqa: B008, as its README does it
    """The service, with the cache of all."""
    return CachedApiKeyService(SqlAlchemyApiKeyRepository(session), hasher, cache=cache, **delay)


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """Makes the table, and one key, which it leaves in a file."""
    async with sessions() as opened, opened.begin():
        repository = SqlAlchemyApiKeyRepository(opened)
        await repository.ensure_table(engine)
        _, key = await CachedApiKeyService(repository, hasher).create(name="bench")
    Path(os.environ["KEY_FILE"]).write_text(key)
    yield


app = FastAPI(lifespan=lifespan)


@app.get("/", dependencies=[Depends(create_depends_api_key(service))])
async def route() -> dict[str, str]:
    """What every app of the benchmark answers."""
    return {"message": "hello"}
