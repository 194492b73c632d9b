"""`serve` and `chat`: the ways in that stay up."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from retrieval.access import Caller
from retrieval.errors import TekioError, UsageError
from ui.console import quiet_libraries, say
from ui.opening import opened
from ui.options import AsOption, GroupOption, IndexOption, chosen_caller

if TYPE_CHECKING:
    from kernel.settings import Settings

HostOption = Annotated[
    str, typer.Option("--host", help="Address to listen on; 127.0.0.1 is this machine only.")
]
AllowedHostOption = Annotated[
    list[str] | None,
    typer.Option(
        "--allowed-host",
        metavar="NAME",
        help="A further host name to serve; may be repeated.",
        show_default=False,
    ),
]

McpFlag = Annotated[
    bool,
    typer.Option(
        "--mcp", help="Be an MCP server over standard input and output, with the functions in mcp_functions."
    ),
]
HttpFlag = Annotated[
    bool,
    typer.Option("--http", help="With --mcp: over HTTP, at /mcp, beside the REST API and for the same keys."),
]


def serve(
    host: HostOption = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port to listen on.")] = 8400,
    allowed_host: AllowedHostOption = None,
    mcp: McpFlag = False,
    http: HttpFlag = False,
    user: AsOption = None,
    group: GroupOption = None,
    index: IndexOption = None,
) -> None:
    """Serve the REST API (documentation at /docs), or with --mcp be an MCP server over standard input and output."""
    if http and not mcp:
        raise UsageError("--http belongs to --mcp; the REST API is over HTTP anyway")
    if mcp and not http:
        _serve_mcp(chosen_caller(user, group), index)
        return
    if user is not None or group:
        raise UsageError(
            "--as and --group belong to --mcp over standard input and output; the API is told by keys, tokens or "
            "user_header"
        )
    _require_free(host, port)
    with opened(index) as tekio:
        import uvicorn

        from ui.addresses import is_loopback
        from ui.authentication import require_guard
        from ui.connections import Connection, Watch, room_for
        from ui.rest import create_app
        from ui.rest_mcp import PATH as MCP_PATH
        from ui.server_logs import configure_logs, redaction_of
        from ui.stopping import Server, Stopping, leave_streams_to_end

        require_guard(tekio, host)
        configure_logs(tekio.settings, redaction_of(tekio.settings))
        stopping = Stopping()
        application = create_app(
            tekio,
            allowed_hosts=[host, *(allowed_host or [])],
            exposed=not is_loopback(host),
            stopping=stopping,
        )
        if mcp:
            if not tekio.settings.mcp_functions:
                raise UsageError("mcp_functions is empty: name the functions that MCP clients are offered")
            say(f"MCP clients are served at http://{_in_url(host)}:{port}{MCP_PATH}")
        say(f"Tekio listens on http://{_in_url(host)}:{port}/ (documentation at /docs); Ctrl-C stops it")
        leave_streams_to_end()
        config = uvicorn.Config(
            application,
            host=host,
            port=port,
            http=Connection,
            log_config=None,
            access_log=False,
            server_header=False,
        )
        watch = Watch(
            unread_seconds=tekio.settings.unread_seconds,
            request_seconds=tekio.settings.request_seconds,
            most=room_for(tekio.settings.max_connections),
        )
        server = Server(config, stopping, tekio.settings.stop_seconds, watch)
        try:
            server.run()
        except SystemExit as ended:  # uvicorn's own code would read as "part of the work failed"
            raise TekioError("the server could not start; the lines above say why") from ended
        if not server.started:
            raise TekioError("the server could not start; the lines above say why")


def _serve_mcp(caller: Caller | None, index: str | None) -> None:
    with opened(index) as tekio:
        from ui.mcp_server import OneCaller, chosen_tools, create_server, serve_stdio

        tools = chosen_tools(tekio, tekio.settings.mcp_functions, OneCaller(caller))
        say(f"Tekio offers {', '.join(each.tool.name for each in tools) or 'nothing'} over MCP")
        serve_stdio(create_server(tools))


def chat(
    host: HostOption = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port of the page.")] = 8501,
    anyone: Annotated[
        bool, typer.Option("--anyone", help="Let whoever reaches the page read and change everything.")
    ] = False,
    index: IndexOption = None,
) -> None:
    """Open the chat page in a browser."""
    quiet_libraries()
    from kernel.settings import load_settings

    settings = load_settings(index=index)  # a wrong setting is said here, not on the page
    _require_names(settings, host, anyone=anyone)
    _require_free(host, port)
    say(f"The page is at http://{_in_url(host)}:{port}/ ; Ctrl-C stops it")
    command, environment = chat_command(host, port), _chat_environment(settings)
    # Standard output would only repeat the address; what goes wrong comes on standard error.
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as page:  # noqa: S603 - our own words
        signal.signal(signal.SIGTERM, lambda *_: page.terminate())  # or the page would outlive its command
        try:
            code = page.wait()
        except KeyboardInterrupt:  # Streamlit got the same Ctrl-C and is on its way out
            page.wait()
            raise
    if code > 0:
        raise TekioError(f"the chat page ended with code {code}; the lines above say why")


def _require_names(settings: Settings, host: str, *, anyone: bool) -> None:
    """Refuse to show the page to other machines where it takes everyone for who owns this one."""
    from ui.addresses import is_loopback

    if not (anyone or settings.user_header or is_loopback(host)):
        raise UsageError(
            f"on {host} everyone in the network could read and change the documents: set user_header to what a proxy "
            "in front says of who asks, or say --anyone if that is what is meant"
        )


def chat_command(host: str, port: int) -> list[str]:
    """Return the command that runs the page."""
    options = {
        "server.address": host,
        "server.port": str(port),
        "server.headless": "false" if _has_display() else "true",
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": "false",
        "client.showErrorDetails": "none",
        "client.toolbarMode": "minimal",
        "global.developmentMode": "false",
        "logger.level": "error",
        "logger.enableRich": "false",  # else it prints what went wrong past every log
    }
    script = str(Path(__file__).parents[1] / "page_app.py")
    flags = [part for name, value in options.items() for part in (f"--{name}", value)]
    return [sys.executable, "-m", "ui.page_process", "run", script, *flags]


def _chat_environment(settings: Settings) -> dict[str, str]:
    # Streamlit runs the page as a script, so the rooms have to be importable in that process too.
    root = str(Path(__file__).parents[2])
    known = os.environ.get("PYTHONPATH")
    return {
        **os.environ,
        "TEKIO_INDEX": str(settings.index),
        "TEKIO_STORE": settings.store,
        "PYTHONPATH": os.pathsep.join([root, known]) if known else root,
        "STREAMLIT_SERVER_SHOW_EMAIL_PROMPT": "false",
        # As variables, not flags: a Streamlit that has one theme only passes over them. A colour set for
        # both at once would take the choice of light or dark away from the browser.
        "STREAMLIT_THEME_LIGHT_PRIMARY_COLOR": "#2f6f6a",
        "STREAMLIT_THEME_DARK_PRIMARY_COLOR": "#5fb8ae",
    }


def _has_display() -> bool:
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _require_free(host: str, port: int) -> None:
    """Say in one line that a port is taken or a host is not ours, before anything is loaded."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            if os.name == "posix":  # a port that just closed may be taken again, as the servers do
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except socket.gaierror as error:
        raise TekioError(f"the host {host} is unknown; --host takes an address of this machine") from error
    except OSError as error:
        raise TekioError(
            f"cannot listen on {host} port {port}: {error.strerror or error}; "
            "choose another with --port, or stop what uses it"
        ) from error


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
