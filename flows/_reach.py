"""Whether the Prefect server that PREFECT_API_URL names is there, and lets us in."""

from __future__ import annotations

import os
import re
from typing import Final

from flows._server import ServerError

_REFUSED: Final = (401, 403)


def server_in_words() -> str:
    """The configured server; a password in its address is not for everybody to read."""
    return "PREFECT_API_URL: " + re.sub(r"//[^/@]*@", "//", os.environ["PREFECT_API_URL"])


def require_answer() -> None:
    """Refuses to go on without an answer of the configured Prefect server.

    Raises
    ------
    ServerError
        When it cannot be reached, lets us not in, or is no Prefect server.
    """
    import httpx
    from prefect.client.orchestration import get_client

    where = server_in_words()
    try:
        with get_client(sync_client=True) as client:
            client.api_version()
    except httpx.HTTPStatusError as error:
        code = error.response.status_code
        if code in _REFUSED:
            msg = f"{where} refuses us ({code}): is PREFECT_API_AUTH_STRING its user:password?"
        else:
            msg = f"{where} answers with {code}: is it the address of a Prefect server's API?"
        raise ServerError(msg) from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        msg = f"{where} cannot be reached ({error}): is the Prefect server running?"
        raise ServerError(msg) from None
    except ValueError:
        msg = f"{where} is not the address of a Prefect server's API, which ends in /api"
        raise ServerError(msg) from None
