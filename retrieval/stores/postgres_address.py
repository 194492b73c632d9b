"""The address of an index in PostgreSQL: `postgresql://user:password@host:port/database?schema=tekio&sslmode=require`."""

from __future__ import annotations

import getpass
import os
import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from retrieval.errors import UsageError

_SCHEMA = re.compile(r"[a-z][a-z0-9_]{0,50}")
_SSL = ("disable", "prefer", "require", "verify-full")
_OPTIONS = ("schema", "sslmode", "host", "connect_timeout")


@dataclass(frozen=True, slots=True)
class PostgresAddress:
    """Where a server listens, who comes, and the schema that holds the index.

    A `host` that begins with / is the folder of a Unix socket. Without a password in the address, that of the
    variable PGPASSWORD is taken.
    """

    host: str
    port: int
    database: str
    user: str
    password: str | None
    schema: str
    sslmode: str
    connect_timeout: float

    @staticmethod
    def parse(text: str) -> PostgresAddress:
        """Read an address.

        Raises:
            UsageError: it is none; the line names what is wrong, and no password.
        """
        try:
            parts = urlsplit(text)
            port = parts.port or 5432
            options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
            timeout = float(options.get("connect_timeout", "10"))
        except ValueError as error:
            raise UsageError(
                "the address of the PostgreSQL is wrong: write postgresql://user@host:port/database?schema=name"
            ) from error
        unknown = sorted(set(options) - set(_OPTIONS))
        if unknown:
            raise UsageError(
                f"the address of the PostgreSQL has '{unknown[0]}', which is not known; there are {', '.join(_OPTIONS)}"
            )
        schema, sslmode = options.get("schema", "tekio"), options.get("sslmode", "prefer")
        if not _SCHEMA.fullmatch(schema):
            raise UsageError(f"'{schema[:50]}' cannot be a schema: use small letters, digits and _")
        if sslmode not in _SSL:
            raise UsageError(f"sslmode is one of {', '.join(_SSL)}, not '{sslmode[:20]}'")
        user = unquote(parts.username or "") or os.environ.get("PGUSER") or getpass.getuser()
        password = unquote(parts.password) if parts.password else os.environ.get("PGPASSWORD")
        database = unquote(parts.path.lstrip("/")) or user
        host = options.get("host") or parts.hostname or "localhost"
        return PostgresAddress(host, port, database, user, password, schema, sslmode, timeout)

    @property
    def shown(self) -> str:
        """The address without the password."""
        at = f"{self.user}@{self.host}:{self.port}" if not self.host.startswith("/") else f"{self.user}@"
        socket = f"host={self.host}&" if self.host.startswith("/") else ""
        return f"postgresql://{at}/{self.database}?{socket}schema={self.schema}"


def beside(text: str, name: str) -> str:
    """Return the address of another index in the same database, in a schema that is named after this one's."""
    schema = PostgresAddress.parse(text).schema
    parts = urlsplit(text)
    options = dict(parse_qsl(parts.query)) | {"schema": f"{schema}_{name}"}
    return urlunsplit(parts._replace(query=urlencode(options)))
