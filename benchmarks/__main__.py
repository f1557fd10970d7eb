"""`make bench`: every measurement, in one run on one machine."""

from __future__ import annotations

from benchmarks import deliver, sign, widget
from benchmarks.machine import describe


def main() -> None:
    print(describe())
    widget.main()
    sign.main()
    deliver.main()


if __name__ == "__main__":
    main()
