"""The chat page's parts: what is drawn where, and what lives longer than one run of the page."""
