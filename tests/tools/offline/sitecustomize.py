"""Python imports this at start-up when its folder is on PYTHONPATH: child processes go offline."""

import network_guard

network_guard.block()
