"""Tekio for Python programs: `tekio.client` asks a server."""
