"""Comes first on a process's path: Python runs it before anything else, so no module has read the clock yet."""

import json
import os
import sys
import time
from datetime import timedelta

import time_machine

skew = timedelta(seconds=float(os.environ["CLOCK_SKEW"]))
time_machine.travel(skew, tick=True).start()  # what is monotonic stays: a wrong clock makes no wait longer
print(json.dumps({"event": "clock is skewed", "shows": time.time()}), file=sys.stderr, flush=True)
