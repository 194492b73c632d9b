"""What `streamlit run` is given: the page as an application whose answers carry our headers."""

from __future__ import annotations

from pathlib import Path

from streamlit.starlette import App

from ui.page_headers import with_headers
from ui.page_process import shown_in_a_browser

# Streamlit looks for an application by this name.
app = App(Path(__file__).parent / "chat.py", middleware=[with_headers()], lifespan=shown_in_a_browser)
