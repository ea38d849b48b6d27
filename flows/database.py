"""The PostgreSQL database of Prefect's server, where the environment names one; its address holds a password and is never shown."""

import asyncio
import os
from collections.abc import MutableMapping
from dataclasses import dataclass, field

from edgeloop.errors import ConfigError, ServiceError

VARIABLE = "EDGELOOP_DATABASE_URL"
FORM = f"{VARIABLE} looks like postgresql://USER:PASSWORD@HOST:5432/DATABASE; without it the server keeps its data in SQLite."
CHECK_S = 10.0
DRIVER = "postgresql+asyncpg"


@dataclass(frozen=True)
class Database:
    """Where Prefect's server keeps its data."""

    address: str = field(repr=False)
    """As SQLAlchemy takes it, with the password."""
    shown: str
    """Without the password and options."""


def take_database(environment: MutableMapping[str, str] = os.environ) -> Database | None:
    """The database that the environment names, which then names it no more: no child of this process gets to know the password.

    Raises:
        ConfigError: it is no address of a PostgreSQL database.
    """
    address = environment.pop(VARIABLE, "")
    if not address:
        return None
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        raise ConfigError(f"{VARIABLE} is no address of a database.", FORM) from None
    if url.drivername not in ("postgres", "postgresql", DRIVER) or not url.database:
        raise ConfigError(f"{VARIABLE} is no address of a PostgreSQL database.", FORM)
    url = url.set(drivername=DRIVER)
    where = f"{url.host or url.query.get('host', 'localhost')}:{url.port or 5432}"
    return Database(
        url.render_as_string(hide_password=False), f"PostgreSQL {url.database} on {where} as {url.username or 'nobody in particular'}"
    )


def check(database: Database) -> None:
    """Connect once, as Prefect's server will.

    Raises:
        ServiceError: nothing answers there, or it does not let this user into that database.
    """
    import asyncpg
    from sqlalchemy.exc import SQLAlchemyError

    try:
        asyncio.run(asyncio.wait_for(_connect(database.address), CHECK_S))
    except TimeoutError:
        why = f"no answer within {CHECK_S:.0f} s"
    except asyncpg.PostgresError as error:
        why = f"it says: {error}"
    except (asyncpg.InterfaceError, SQLAlchemyError, OSError, TypeError) as error:
        why = f"{type(error).__name__}: {error}"
    else:
        return
    raise ServiceError(
        f"Prefect's server cannot use its database, {database.shown}: {why}.",
        f"Start that database, or correct {VARIABLE}; without it the server keeps its data in SQLite.",
    ) from None


async def _connect(address: str) -> None:
    from sqlalchemy.ext.asyncio import create_async_engine

    engine = create_async_engine(address)
    try:
        async with engine.connect():
            return
    finally:
        await engine.dispose()
