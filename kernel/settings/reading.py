"""Reads the settings, and says what is wrong with them in words."""

from __future__ import annotations

import tomllib

from pydantic import ValidationError
from pydantic_settings import SettingsError

from kernel.settings.whole import SETTINGS_FILE, Settings
from retrieval.errors import UsageError
from retrieval.stores.opening import is_address


def load_settings(**overrides: object) -> Settings:
    """Read the settings; overrides that are None are left out, and an `index` may be a folder or an address.

    Raises:
        UsageError: a value is wrong or unknown; names the field and where it may come from.
    """
    given = {key: value for key, value in overrides.items() if value is not None}
    if "index" in given:
        named = given.pop("index")
        given |= {"store": named} if is_address(str(named)) else {"index": named, "store": ""}
    try:
        return Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        if not field:
            raise UsageError(
                f"the settings do not fit each other: {message}; mend it in {SETTINGS_FILE}"
            ) from error
        raise UsageError(
            f"setting '{field}' is wrong: {message[:1].lower()}{message[1:]}; mend it in {SETTINGS_FILE} "
            f"or in TEKIO_{field.partition('.')[0].upper()} (tekio config lists the settings)"
        ) from error
    except SettingsError as error:
        raise UsageError(f"{error}: its value is no JSON (tekio config lists the settings)") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{SETTINGS_FILE} is not valid TOML: {error}") from error
