"""Functions of other programs, attached by settings: from an OpenAPI description, or from an MCP server."""
