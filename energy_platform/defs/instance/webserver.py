"""Dagster's web server behind the platform's guard; takes the options of ``dagster-webserver``.

It has no option for an application around its own, so the one function that makes the application
is replaced. The release is pinned; a test asks the running server, and where the function is gone
the web server does not start.
"""

import sys
from typing import Any, Final

from dagster_webserver import cli

from energy_platform.settings import PlatformSettings
from energy_platform.web.guard import Guard
from energy_platform.web.hosts import parse_hosts

_MAKES_THE_APPLICATION: Final = "create_app_from_workspace_process_context"


def serve() -> None:
    """Serve until stopped.

    Raises:
        AttributeError: Dagster makes its application elsewhere.
    """
    settings = PlatformSettings()
    make = getattr(cli, _MAKES_THE_APPLICATION)

    def guarded(*words: Any, **named: Any) -> Guard:
        app = make(*words, **named)
        hosts = parse_hosts(settings.ui_hosts)
        return Guard(app, hosts=hosts, prefix=settings.ui_path_prefix)

    setattr(cli, _MAKES_THE_APPLICATION, guarded)
    # By its own name, so that a word in its messages can be typed.
    sys.argv[0] = "dagster-webserver"
    cli.cli(auto_envvar_prefix="DAGSTER_WEBSERVER")


if __name__ == "__main__":
    serve()
