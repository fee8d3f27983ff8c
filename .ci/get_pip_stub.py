# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Stands in for the get-pip.py that ansible-test would download into each of its virtual environments.

``tools/sanity.sh`` puts it into ansible-test's cache with a link to uv beside it; ansible-test then runs it as
``get_pip.py [options] pip==VERSION``. So everything comes from the configured package index, and in a tenth of the
time.
"""

from __future__ import annotations

import pathlib
import subprocess
import sys

uv = pathlib.Path(__file__).with_name("uv")
wanted = [argument for argument in sys.argv[1:] if argument.startswith(("pip==", "setuptools==", "wheel=="))]
subprocess.run([uv, "pip", "install", "--quiet", "--system-certs", "--python", sys.executable, *wanted], check=True)
