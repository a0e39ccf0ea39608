"""Has a process, from its first moment, a clock that is wrong by `CLOCK_AHEAD_S` seconds; its folder is on its path.

Files get the kernel's time, which is right, unless the process sets it.
"""

import datetime
import os
import time

_AHEAD_S = float(os.environ["CLOCK_AHEAD_S"])
_time = time.time


class _Wrong(datetime.datetime):
    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> datetime.datetime:
        """The wrong time."""
        return super().now(tz) + datetime.timedelta(seconds=_AHEAD_S)


time.time = lambda: _time() + _AHEAD_S
datetime.datetime = _Wrong
