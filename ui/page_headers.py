"""What the page's answers tell browsers: whose scripts run, who may frame it, and that nothing of it is passed on."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

from starlette.middleware import Middleware

from ui.rest_headers import SecurityHeaders

_INLINE = re.compile(r"<script(?![^>]*\bsrc\s*=)[^>]*>(.*?)</script>", re.DOTALL | re.IGNORECASE)


def with_headers() -> Middleware:
    """Return what gives every answer of Streamlit's server its headers."""
    import streamlit

    return Middleware(
        SecurityHeaders, headers=page_headers(Path(streamlit.__file__).parent / "static" / "index.html")
    )


def page_headers(index: Path) -> dict[str, str]:
    """Return the headers.

    Args:
        index: Streamlit's own HTML page, whose few lines of script are let in by what they are.
    """
    return {
        "Content-Security-Policy": content_policy(index.read_text("utf-8")),
        "X-Frame-Options": "SAMEORIGIN",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    }


def content_policy(html: str) -> str:
    """Return a policy under which a page runs no script but the server's files and those that stand in its own HTML.

    Streamlit gives the script of a component (`ui/page/signals.py`) to the browser as a blob, and writes styles.
    Its plots are Vega's, which makes functions out of expressions (`unsafe-eval`): what stands in a page is not run
    by that.
    """
    known = [f"'sha256-{_sha256(text)}'" for text in _INLINE.findall(html)]
    parts = {
        "default-src": ["'self'"],
        "script-src": ["'self'", "blob:", "'unsafe-eval'", *known],
        "style-src": ["'self'", "'unsafe-inline'"],
        "img-src": ["'self'", "data:", "blob:"],
        "font-src": ["'self'", "data:"],
        "connect-src": ["'self'", "ws:", "wss:"],  # to some browsers `'self'` means no web socket
        "media-src": ["'self'", "data:", "blob:"],
        "worker-src": ["'self'", "blob:"],
        "object-src": ["'none'"],
        "base-uri": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'self'"],
    }
    return "; ".join(" ".join((name, *sources)) for name, sources in parts.items())


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
