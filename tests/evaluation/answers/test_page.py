from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

from evaluation.answers.figures import Prices, figures
from evaluation.answers.items import Item, digest
from evaluation.answers.outcome import Outcome
from evaluation.answers.page import write_report
from evaluation.answers.runfile import FORMAT, QuestionsAsked, RunFile
from tests.evaluation.answers.making import citation

EVIL = "<script>alert(1)</script><img src=http://evil.example/x.png>"


class Tags(HTMLParser):
    """Collects the tags and addresses of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]


def test_the_page_shows_every_answer_escaped_and_loads_nothing(tmp_path: Path) -> None:
    items = (
        Item("1", "en", f"When? {EVIL}", (f"Monday {EVIL}",), places=((f"d{EVIL}", 2),)),
        Item("2", "ja", "いつ？", answerable=False),
    )
    quoted = citation(f"d{EVIL}", 0, 5, page=2).model_copy(update={"quote": EVIL})
    answers = [
        Outcome(
            id="1",
            run="<b>x</b>/zero_shot",
            answer=f"On Monday [1]. It is gold. {EVIL}",
            short_answer="Monday",
            citations=[quoted],
            unsupported=["It is gold."],
            variant="base",
            scores={"f1": 0.5, "short_f1": 1.0},
            timings_ms={"total": 5.0},
        ),
        Outcome(id="2", run="<b>x</b>/zero_shot", error=f"too long {EVIL}"),
    ]
    run = RunFile(
        format=FORMAT,
        made="now",
        questions=QuestionsAsked(
            path="q", form="own", name=EVIL, digest=digest(items), count=2, answerable=1, pool=False
        ),
        about={"documents": 1},
        methods={"faithfulness": "own", "relevance": "own"},
        judge=None,
        ways=[],
        runs=[
            {
                "name": "<b>x</b>/zero_shot",
                "figures": figures(answers, {item.id: item for item in items}, Prices()),
            }
        ],
        comparisons=[],
        notices=[EVIL],
        items=list(items),
        outcomes=answers,
    )
    page = write_report(tmp_path / "report", run)
    text = page.read_text("utf-8")
    found = Tags()
    found.feed(text)
    assert "script" not in found.tags
    assert "b" not in found.tags
    assert len(found.addresses) == 3
    assert all(address.startswith("data:image/png;base64,") for address in found.addresses)
    assert "<mark>It is gold.</mark>" in text
    assert '<span class="short">Monday</span>' in text
    assert "p. 2" in text
    assert "failed: too long &lt;script&gt;" in text
    assert re.search(r"Content-Security-Policy\" content=\"default-src 'none'", text)
    assert (tmp_path / "report" / "latency.png").read_bytes().startswith(b"\x89PNG")
