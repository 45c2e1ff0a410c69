"""What pyproject.toml cannot say: a wheel carries the dbt project and the docs in the package."""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithProject(build_py):
    """Copies the folders next to the package, but for what runs left in them."""

    def run(self) -> None:
        """Build the package, then put the folders in."""
        super().run()
        if self.editable_mode:
            return
        for folder in ("dbt_models", "docs"):
            target = Path(self.build_lib, "energy_platform", folder)
            shutil.rmtree(target, ignore_errors=True)
            left = shutil.ignore_patterns("target", "logs", ".user.yml", "_build", "conf.py")
            shutil.copytree(folder, target, ignore=left)


setup(cmdclass={"build_py": BuildWithProject})
