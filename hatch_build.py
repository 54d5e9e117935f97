"""Writes the commit into what is built, so that `zero1toa --version` and every avatar can name it."""

from __future__ import annotations

import importlib.util
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CommitHook(BuildHookInterface):
    """Adds `_commit.txt` to the package; a source package hands its own on to the wheel made of it."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before a wheel or source package is made; an editable one asks git itself."""
        source = Path(self.root) / "src" / "zero1toa" / "_version.py"
        spec = importlib.util.spec_from_file_location("zero1toa_version", source)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        commit = module.git_commit(Path(self.root))
        if version == "editable" or not commit:
            return
        self._folder = tempfile.TemporaryDirectory()
        file = Path(self._folder.name) / module.COMMIT_FILE
        file.write_text(commit + "\n", encoding="ascii")
        place = "zero1toa" if self.target_name == "wheel" else "src/zero1toa"
        build_data["force_include"][str(file)] = f"{place}/{module.COMMIT_FILE}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Called when the package is written."""
        if hasattr(self, "_folder"):
            self._folder.cleanup()
