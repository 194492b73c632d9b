"""Public forms of training rows, read into ours: chat, Alpaca, ShareGPT and preference pairs.

- chat: `{"messages": [{"role", "content"}, …]}`, as OpenAI's fine-tuning takes it;
- Alpaca: `{"instruction", "input", "output"}` (Taori et al., Stanford Alpaca, 2023);
- ShareGPT: `{"conversations": [{"from": "human" or "gpt", "value"}, …]}`;
- DPO: `{"prompt", "chosen", "rejected"}`, each a text or a list of messages, as TRL takes it;
- SQuAD and PubMedQA are questions with passages, and are read by whoever reads questions.

Files are JSON lines, or one JSON list.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from adaptation.training_sets.rows import ChatRow, Message, PairRow, numbered_lines, reason_of, told
from retrieval.analysis import detect_language
from retrieval.errors import UsageError

_ROLES = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "chatgpt": "assistant",
    "bing": "assistant",
    "bard": "assistant",
    "model": "assistant",
    "system": "system",
}


@dataclass(frozen=True, slots=True)
class PublicRows:
    """What a file holds; `broken` says of each line that was left out why."""

    form: str
    rows: tuple[ChatRow | PairRow, ...]
    broken: tuple[str, ...] = ()


def read_public(path: Path, *, form: str | None = None, strict: bool = True) -> PublicRows:
    """Read a file of training rows in one of the public forms.

    Args:
        path: the file.
        form: one of `FORMS`; None tells it by the fields of the first row.
        strict: a broken row is an error; else it is left out, and named in `broken`.

    Raises:
        UsageError: the file cannot be read or is of no known form, holds no rows, or has broken ones, which are
            named by their lines.
    """
    if form is not None and form not in FORMS:
        raise UsageError(f"there is no form '{form}' of training rows; there are {', '.join(FORMS)}")
    rows: list[ChatRow | PairRow] = []
    broken: list[str] = []
    for number, value in _values(path):
        place = f"line {number}"
        if not isinstance(value, dict):
            broken.append(f"{place}: no JSON object")
            continue
        if form is None:
            form = _form_of(value)
            if form is None:
                raise UsageError(
                    f"{path}, {place}: of no known form of training rows ({', '.join(FORMS)}): its fields are "
                    f"{', '.join(sorted(map(str, value))) or 'none'}"
                )
        try:
            rows.append(FORMS[form](value, f"{path.stem}:{number}", str(path)))
        except ValidationError as error:
            broken.append(f"{place}: {reason_of(error)}")
        except ValueError as error:
            broken.append(f"{place}: {error}")
    if broken and strict:
        raise UsageError(f"{path} has broken rows: {told(broken)}")
    if not rows:
        raise UsageError(f"{path} holds no training rows")
    return PublicRows(form or "chat", tuple(rows), tuple(broken))


def _values(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield the rows of a file, of JSON lines or of one JSON list, with their numbers."""
    if path.suffix == ".json":
        try:
            whole = json.loads(path.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError) as error:
            raise UsageError(f"the training rows in {path} cannot be read: {error}") from error
        if not isinstance(whole, list):
            raise UsageError(f"{path} is no list of training rows")
        yield from enumerate(whole, start=1)
    else:
        yield from numbered_lines(path)


def _form_of(row: Mapping[str, Any]) -> str | None:
    fields = set(row)
    if {"chosen", "rejected"} <= fields:
        return "dpo"
    if "messages" in fields:
        return "chat"
    if "conversations" in fields:
        return "sharegpt"
    return "alpaca" if {"instruction", "output"} <= fields else None


def _text(row: Mapping[str, Any], name: str, *, needed: bool = True) -> str:
    value = row.get(name)
    if isinstance(value, str) and (value.strip() or not needed):
        return value
    if value is None and not needed:
        return ""
    raise ValueError(f"it has no text '{name}'")


def _messages(
    value: object, name: str, *, role: str = "role", content: str = "content"
) -> tuple[Message, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError(f"'{name}' is no list of messages")
    found = []
    for place, item in enumerate(value, start=1):
        said = _ROLES.get(str(item.get(role)).lower()) if isinstance(item, dict) else None
        if said is None or not isinstance(item.get(content), str):
            raise ValueError(f"message {place} of '{name}' has no known '{role}' or no text '{content}'")
        found.append(Message(role=said, content=item[content]))
    return tuple(found)


def _name(row: Mapping[str, Any], otherwise: str) -> str:
    return str(row["id"]) if isinstance(row.get("id"), str | int) and str(row["id"]) else otherwise


def _chat(
    row: Mapping[str, Any], name: str, source: str, messages: tuple[Message, ...] | None = None
) -> ChatRow:
    said = _messages(row.get("messages"), "messages") if messages is None else messages
    name = _name(row, name)
    return ChatRow(id=name, kind="chat", language=_language(said), group=name, source=source, messages=said)


def _alpaca(row: Mapping[str, Any], name: str, source: str) -> ChatRow:
    extra = _text(row, "input", needed=False).strip()
    asked = _text(row, "instruction") + (f"\n\n{extra}" if extra else "")
    said = [Message(role="user", content=asked), Message(role="assistant", content=_text(row, "output"))]
    if system := _text(row, "system", needed=False).strip():
        said.insert(0, Message(role="system", content=system))
    return _chat(row, name, source, tuple(said))


def _sharegpt(row: Mapping[str, Any], name: str, source: str) -> ChatRow:
    said = _messages(row.get("conversations"), "conversations", role="from", content="value")
    if said[-1].role == "user":  # many end with a question that nobody answered
        said = said[:-1]
    return _chat(row, name, source, said)


def _dpo(row: Mapping[str, Any], name: str, source: str) -> PairRow:
    def answer(field: str) -> tuple[Message, ...]:
        value = row.get(field)
        if isinstance(value, list):
            return _messages(value, field)
        return (Message(role="assistant", content=_text(row, field)),)

    chosen, rejected = answer("chosen"), answer("rejected")
    asked = row.get("prompt", row.get("question"))
    if isinstance(asked, list):
        prompt = _messages(asked, "prompt")
    elif asked is None and len(chosen) > 1 and chosen[:-1] == rejected[:-1]:
        prompt, chosen, rejected = chosen[:-1], chosen[-1:], rejected[-1:]  # the prompt is within both
    else:
        prompt = (Message(role="user", content=_text(row, "prompt" if "prompt" in row else "question")),)
        if system := _text(row, "system", needed=False).strip():
            prompt = (Message(role="system", content=system), *prompt)
    if len(chosen) > 1 and chosen[: len(prompt)] == prompt:
        chosen, rejected = chosen[len(prompt) :], rejected[len(prompt) :]
    name = _name(row, name)
    return PairRow(
        id=name,
        language=_language(prompt),
        group=name,
        source=source,
        prompt=prompt,
        chosen=chosen,
        rejected=rejected,
    )


def _language(messages: tuple[Message, ...]) -> str:
    return detect_language(next((item.content for item in messages if item.role == "user"), ""))


FORMS: Mapping[str, Callable[[Mapping[str, Any], str, str], ChatRow | PairRow]] = {
    "chat": _chat,
    "alpaca": _alpaca,
    "sharegpt": _sharegpt,
    "dpo": _dpo,
}
