"""The checks of `tekio doctor` that are about serving: who may ask, where from, and whether what is kept is whole."""

from __future__ import annotations

import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from retrieval.errors import TekioError
from ui.check_rows import FAIL, OK, WARN, Check
from ui.failures import describe

if TYPE_CHECKING:
    from kernel.settings import Settings

PORTS = {"the API": 8400, "the page": 8501}
_TIMEOUT_SECONDS = 3.0


def serving(settings: Settings, *, fast: bool) -> Iterator[Check]:
    """Look at what serving needs; `fast` asks nobody over the network and reads no whole file."""
    yield from ports()
    yield who_may_ask(settings)
    if settings.oidc_issuer and not fast:
        yield issuer(settings)
    yield from databases(settings, fast=fast)
    if settings.audit_log is not None:
        yield writable("audit log", settings.audit_log, "audit_log")


def ports(wanted: dict[str, int] | None = None) -> Iterator[Check]:
    """Tell whether the ports are free that servers take unless told otherwise."""
    for what, port in (wanted or PORTS).items():
        with socket.socket() as probe:
            probe.settimeout(_TIMEOUT_SECONDS)
            taken = probe.connect_ex(("127.0.0.1", port)) == 0
        if taken:
            found = f"{port} is taken"
            yield Check(f"port of {what}", WARN, found, "if that is not Tekio, choose another with --port")
        else:
            yield Check(f"port of {what}", OK, f"{port} is free")


def who_may_ask(settings: Settings) -> Check:
    """Tell by what the API knows who asks."""
    from kernel.api_keys import KeyStore

    try:
        keys = KeyStore(settings.memory_place).listed()
    except TekioError as error:
        return Check("access", FAIL, describe(error), "do what it says; until then the API answers nobody")
    now = datetime.now(UTC)
    active = [key for key in keys if key.state(now) == "active"]
    ways = [f"{len(active)} key{'s' * (len(active) != 1)} of {len(keys)} made"] if keys else []
    if settings.user_header:
        ways.append(f"the header {settings.user_header} of a proxy")
    if settings.oidc_issuer:
        ways.append(f"tokens of {settings.oidc_issuer}")
    if not ways:
        return Check("access", OK, "no keys and no users: the API serves this machine alone")
    if keys and not active and len(ways) == 1:
        return Check("access", WARN, f"{ways[0]} hold", "make one: tekio keys create NAME --scope read")
    return Check("access", OK, ", ".join(ways))


def issuer(settings: Settings) -> Check:
    """Ask the issuer of tokens for its keys."""
    from ui.oidc import TokenVerifier

    verifier = TokenVerifier(
        settings.oidc_issuer, settings.oidc_audience, user_claim=settings.oidc_user_claim, groups_claim=""
    )
    try:
        count = verifier.count_keys()
    except TekioError as error:
        return Check("issuer of tokens", FAIL, describe(error), "check oidc_issuer and the network")
    return Check("issuer of tokens", OK, f"{settings.oidc_issuer} has {count} keys")


def databases(settings: Settings, *, fast: bool) -> Iterator[Check]:
    """Look into the database files of folders: of which layout they are, and whether they are whole."""
    from plugins.memory.said import SAID_FILE
    from retrieval.database import DATABASE_FILE, SCHEMA_VERSION

    files = {"memory": settings.memory / DATABASE_FILE, "conversations": settings.memory / SAID_FILE}
    if not settings.store:
        files = {"index": settings.index / DATABASE_FILE} | files
    for what, path in files.items():
        if path.is_file():
            newest = None if what == "conversations" else SCHEMA_VERSION
            yield _database(f"file of the {what}", path, newest, fast=fast)


def _database(check: str, path: Path, newest: int | None, *, fast: bool) -> Check:
    restore = "put a backup back with `tekio restore FILE --force`, or move it away"
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            layout = newest
            if newest is not None:
                query = "SELECT value FROM meta WHERE key = 'schema'"
                layout = int(connection.execute(query).fetchone()[0])
            # It reads the whole file, which takes a second for each few hundred megabytes.
            said = "ok" if fast else str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    except (sqlite3.Error, TypeError, ValueError) as error:
        return Check(check, FAIL, f"{path} cannot be read: {describe(error)}", restore)
    if said != "ok":
        return Check(check, FAIL, f"{path} is damaged: {said}", restore)
    if newest is None or layout is None or layout == newest:
        return Check(check, OK, "can be read" if fast else "whole")
    if layout > newest:
        return Check(check, FAIL, f"of layout {layout}, this Tekio knows {newest}", "update Tekio")
    advice = "it is brought up to date when it is next opened; `tekio backup FILE` first"
    return Check(check, WARN, f"of layout {layout}, the present one is {newest}", advice)


def writable(check: str, file: Path, setting: str) -> Check:
    """Tell whether a file can be written, without leaving one where there was none."""
    was_there = file.is_file()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a", encoding="utf-8"):
            pass
    except OSError as error:
        found = f"{file} cannot be written: {error.strerror or error}"
        return Check(check, FAIL, found, f"give Tekio the right to write it, or change the setting {setting}")
    if not was_there:
        with suppress(OSError):
            file.unlink()
    return Check(check, OK, str(file))
