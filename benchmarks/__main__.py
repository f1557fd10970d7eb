"""`make bench`: every measurement, in one run on one machine. `python -m benchmarks twelve`: twelve destinations, most
of them ill, which takes long and is no part of that."""

from __future__ import annotations

import sys

from benchmarks import again, deliver, latency, sign, twelve, widget
from benchmarks.machine import describe


def main() -> None:
    print(describe())
    if sys.argv[1:2] == ["twelve"]:
        twelve.main(*sys.argv[2:])
        return
    widget.main()
    sign.main()
    again.main()
    deliver.main()
    latency.main()


if __name__ == "__main__":
    main()
