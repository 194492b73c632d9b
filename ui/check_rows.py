"""One row of what `tekio doctor` reports."""

from __future__ import annotations

from dataclasses import asdict, dataclass

OK, WARN, FAIL = "ok", "warn", "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """One row of the report."""

    check: str
    status: str
    found: str
    advice: str = ""

    def as_dict(self) -> dict[str, str]:
        """Return the row as it stands in the JSON."""
        return asdict(self)
