"""Settings of the local Prefect server."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flows import _server


@pytest.mark.parametrize("is_ours", [True, False])
def test_pages_are_unpacked_where_we_may_write(monkeypatch, tmp_path, is_ours):
    asked = []

    def access(path, mode):
        asked.append((Path(path), mode))
        return is_ours

    monkeypatch.setattr(_server.os, "access", access)
    found = _server.server_environment(tmp_path, 4711)
    ((folder, mode),) = asked
    assert (folder / "ui").is_dir()  # where Prefect has its pages
    assert mode == os.W_OK
    assert found.get("PREFECT_SERVER_UI_STATIC_DIRECTORY") == (
        None if is_ours else str(tmp_path / "ui")
    )
