"""Tests in a browser that cannot be run: skipped on a machine without one, failures where one is required."""

from __future__ import annotations

import pytest

from tests.ui.browsing import REQUIRED, chromium, library


@pytest.mark.parametrize(
    ("required", "ends"),
    [("1", pytest.fail.Exception), ("", pytest.skip.Exception), ("0", pytest.skip.Exception)],
)
def test_what_a_browser_needs_may_be_missing_only_where_it_is_not_required(
    required: str, ends: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv(REQUIRED, required)
    with pytest.raises(ends, match="apt-get install chromium"), chromium():
        pass
    with pytest.raises(ends, match="nonesuch"):
        library("nonesuch.sync_api")
