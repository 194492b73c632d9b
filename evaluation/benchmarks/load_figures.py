"""What a load test counted, and what is compared: see `evaluation.benchmarks.load`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.benchmarks.load_asking import Reply


@dataclass(frozen=True, slots=True)
class Result:
    """Times in seconds. `memory_mib` is the server's at the start, in the middle and at the end; None when unknown."""

    address: str
    variants: list[str]
    clients: int
    stream: bool
    questions: int
    requests: int
    seconds: float
    answered: int
    per_second: float
    tokens_per_second: float
    first_token: tuple[float, float, float] | None
    whole: tuple[float, float, float] | None
    errors: dict[str, int]
    lost: int
    mixed: int
    different: int
    refused_429: int
    answered_after_429: int
    memory_mib: tuple[float, float, float] | None

    @property
    def is_good(self) -> bool:
        """Say whether every request got its own answer."""
        return not self.errors and not self.lost and not self.mixed


def summed(
    address: str,
    alone: Sequence[Reply],
    replies: Sequence[Reply],
    *,
    clients: int,
    stream: bool,
    sent: int,
    took: float,
    memory: Sequence[float | None],
) -> Result:
    """Sum up what many clients got, compared with what one got alone."""
    expected = {reply.ask: reply.print for reply in alone}
    owners: dict[str, set[str]] = {}
    for reply in alone:
        owners.setdefault(reply.print, set()).add(reply.ask.question)

    def is_of_another(reply: Reply) -> bool:
        owned = owners.get(reply.print, set())  # several own what is no question's alone: a refusal
        return reply.print != expected[reply.ask] and len(owned) == 1 and reply.ask.question not in owned

    answered = [reply for reply in replies if not reply.error]
    mixed = [reply for reply in answered if reply.echo != reply.ask.question or is_of_another(reply)]
    unlike = [reply for reply in answered if reply.print != expected[reply.ask]]
    errors = Counter(reply.error for reply in replies if reply.error and reply.error != "cut")
    first, middle, end = memory[:3]
    known = None if first is None or middle is None or end is None else (first, middle, end)
    return Result(
        address=address,
        variants=sorted({reply.ask.variant for reply in alone}),
        clients=clients,
        stream=stream,
        questions=len(alone),
        requests=sent,
        seconds=round(took, 2),
        answered=len(answered),
        per_second=round(len(answered) / took, 2),
        tokens_per_second=round(sum(reply.tokens for reply in answered) / took, 1),
        first_token=_percentiles([reply.first for reply in answered if reply.first is not None]),
        whole=_percentiles([reply.seconds for reply in answered]),
        errors=dict(sorted(errors.items())),
        lost=sum(reply.error == "cut" for reply in replies) + sent - len(replies),
        mixed=len(mixed),
        different=len([reply for reply in unlike if reply not in mixed]),
        refused_429=sum(reply.busy for reply in replies),
        answered_after_429=sum(reply.busy > 0 for reply in answered),
        memory_mib=known,
    )


def _percentiles(values: Sequence[float]) -> tuple[float, float, float] | None:
    if not values:
        return None
    p50, p95, p99 = (round(float(value), 3) for value in np.percentile(values, (50, 95, 99)))
    return p50, p95, p99


def lines(result: Result) -> list[str]:
    """Return a result as text."""
    who = ", ".join(name or "the server's own variant" for name in result.variants)
    written = [
        f"{result.clients} clients, {result.requests} requests of {result.questions} questions to {who}, "
        f"{result.seconds:.1f} s",
        f"answered {result.answered}, {result.per_second:.2f} a second, {result.tokens_per_second:.1f} tokens a second",
        f"{'seconds':12}{'p50':>9}{'p95':>9}{'p99':>9}",
    ]
    for name, times in (("first token", result.first_token), ("whole", result.whole)):
        if times is not None:
            written.append(f"{name:12}" + "".join(f"{value:>9.3f}" for value in times))
    errors = ", ".join(f"{count} {kind}" for kind, count in result.errors.items()) or "0"
    written.append(
        f"errors {errors}; lost {result.lost}, mixed up {result.mixed}, that differ {result.different}; "
        f"429s {result.refused_429}, answered after one {result.answered_after_429}"
    )
    if result.memory_mib is not None:
        start, middle, end = result.memory_mib
        written.append(
            f"memory of the server, MiB: {start:,.0f} at first, {middle:,.0f} halfway, {end:,.0f} at the end"
        )
    return written
