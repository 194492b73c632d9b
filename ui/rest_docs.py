"""The API's documentation as one page without scripts.

FastAPI's own page loads its viewer from the web, which a machine without a network does not have.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

from fastapi import FastAPI
from fastapi.responses import HTMLResponse

from ui.rest_problems import PROBLEMS

_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.6 system-ui, sans-serif; max-width: 58rem; margin: 2rem auto; padding: 0 1.2rem; }
section { border-top: 1px solid color-mix(in srgb, currentColor 20%, transparent); padding: .4rem 0 .8rem; }
code { background: color-mix(in srgb, currentColor 8%, transparent);
  padding: .1em .3em; border-radius: .25em; }
h3 .verb { color: #2f8f86; }
table { border-collapse: collapse; width: 100%; font-size: .93rem; }
th, td { text-align: left; vertical-align: top; padding: .25rem .8rem .25rem 0; }
.intro { white-space: pre-line; }
"""
Schema = dict[str, Any]


def add_docs(app: FastAPI) -> None:
    """Serve the page at `/docs` and at the root."""

    @app.get("/", include_in_schema=False)
    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
        return HTMLResponse(docs_html(app.openapi()), headers={"Content-Security-Policy": policy})


def docs_html(openapi: Schema) -> str:
    """Return a page that describes every address and every model of an OpenAPI document."""
    info = openapi["info"]
    title = escape(f"{info['title']} API, version {info['version']}")
    addresses = "".join(
        _operation(verb, path, operation)
        for path, verbs in openapi["paths"].items()
        for verb, operation in verbs.items()
    )
    schemas = openapi.get("components", {}).get("schemas", {})
    models = "".join(_model(name, schema) for name, schema in sorted(schemas.items()))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>'
        f'<h1>{title}</h1><p class="intro">{_prose(info.get("description", ""))}</p>'
        f'<p>For programs: <a href="/openapi.json">openapi.json</a></p>'
        f"<h2>Addresses</h2>{addresses}<h2>Problems</h2>{_problems()}"
        f"<h2>Models</h2>{models}</body></html>"
    )


def _problems() -> str:
    return "".join(
        f'<section id="problem-{escape(name)}"><h3>{escape(name)}</h3>'
        f"<p>{escape(title)}.</p><p>{_prose(remedy)}</p></section>"
        for name, (title, remedy) in PROBLEMS.items()
    )


def _operation(verb: str, path: str, operation: Schema) -> str:
    taken = operation.get("requestBody", {}).get("content", {})
    first: Schema = next(iter(taken.values()), {})
    body = first.get("schema")
    takes = f"<p>Takes {_type(body)}</p>" if body else ""
    rows = "".join(
        f"<tr><th>{escape(status)}</th><td>{_contents(response)}</td>"
        f"<td>{_prose(response.get('description', ''))}</td></tr>"
        for status, response in operation["responses"].items()
    )
    return (
        f'<section><h3><span class="verb">{verb.upper()}</span> {escape(path)}</h3>'
        f"<p>{_prose(operation.get('description', ''))}</p>{takes}<table>{rows}</table></section>"
    )


def _contents(response: Schema) -> str:
    kinds = response.get("content", {}).items()
    return ", ".join(
        _type(content.get("schema", {})) if kind.endswith("json") else escape(kind) for kind, content in kinds
    )


def _model(name: str, schema: Schema) -> str:
    rows = "".join(
        f"<tr><th><code>{escape(field)}</code></th><td>{_type(value)}</td>"
        f"<td>{_prose(value.get('description', ''))}</td></tr>"
        for field, value in schema.get("properties", {}).items()
    )
    values = ", ".join(f"<code>{escape(str(value))}</code>" for value in schema.get("enum", []))
    return (
        f'<section id="{escape(name)}"><h3>{escape(name)}</h3>'
        f"<p>{_prose(schema.get('description', ''))} {values}</p><table>{rows}</table></section>"
    )


def _type(schema: Schema) -> str:
    """Return a schema as a short text, with links to the models it names."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rsplit("/", 1)[-1])
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_type(part) for part in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(escape(repr(value)) for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return escape(str(schema.get("type", "any")))


def _prose(text: str) -> str:
    return "".join(_code_spans(text))


def _code_spans(text: str) -> Iterator[str]:
    for place, part in enumerate(text.split("`")):
        yield f"<code>{escape(part)}</code>" if place % 2 else escape(part)
