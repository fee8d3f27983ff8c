# SPDX-FileCopyrightText: 2026 fact8ra.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""``python3 -m fact8ra_lab.standin --config CONFIG.json``: runs in the foreground until SIGTERM or SIGINT.

Writes ``standin.pid`` and, once it answers, ``standin.ready`` (JSON with the three addresses) into its state directory.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import threading
from pathlib import Path

from .app import Site
from .config import ConfigError, load


def main(arguments: list[str] | None = None) -> int:
    """Runs the stand-in; returns the exit status."""
    parser = argparse.ArgumentParser(prog="fact8ra_lab.standin", description=__doc__)
    parser.add_argument("--config", required=True, help="the JSON file of the configuration")
    options = parser.parse_args(arguments)
    done = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: done.set())
    try:
        config = load(options.config)
        if not config.state_dir:
            raise ConfigError(f"configuration {options.config}: state_dir is empty; give the directory for the state")
        directory = Path(config.state_dir)
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        logging.basicConfig(
            filename=config.log or directory / "standin.log",
            level=logging.INFO,
            format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        )
        ready, pid = directory / "standin.ready", directory / "standin.pid"
        ready.unlink(missing_ok=True)
        site = Site(config)
        site.start()
    except (ConfigError, OSError, ImportError) as error:
        print(f"fact8ra_lab.standin: {error}", file=sys.stderr)
        return 2
    pid.write_text(f"{os.getpid()}\n", encoding="utf-8")
    addresses = {"endpoint": site.endpoint, "flow_endpoint": site.flow_endpoint, "gate_endpoint": site.gate_endpoint}
    ready.write_text(json.dumps(addresses) + "\n", encoding="utf-8")
    logging.getLogger(__name__).info("stand-in %s answers: %s", config.name, addresses)
    done.wait()
    ready.unlink(missing_ok=True)
    site.stop()
    pid.unlink(missing_ok=True)
    # Workers may still wait for a machine; the driver finds it again after the next start.
    logging.shutdown()
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
