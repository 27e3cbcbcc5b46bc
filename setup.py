"""Builds the console before the files of a wheel are collected. Everything else is in setup.cfg."""

import subprocess
import sys

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildPyWithConsole(build_py):
    def run(self) -> None:
        # An editable installation reads the files of the checkout: `make console` builds them.
        if not self.editable_mode:
            subprocess.run([sys.executable, "tams_server/console/web/build.py"], check=True)
            self.__dict__.pop("data_files", None)  # collected before, perhaps
        super().run()


setup(cmdclass={"build_py": BuildPyWithConsole})
