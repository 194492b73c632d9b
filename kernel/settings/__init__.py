"""Settings: from `tekio.toml` in the working folder, then from TEKIO_* variables, which win.

Read here and handed on as plain arguments by `kernel/app.py`; no other room reads them.
"""

from kernel.settings.reading import load_settings
from kernel.settings.whole import SETTINGS_FILE, Settings

__all__ = ["SETTINGS_FILE", "Settings", "load_settings"]
