"""Pictures of a report for the documents: `python -m tests.plots.report.picture PAGE FOLDER`.

Writes report.png, as on a desk, and report_phone.png, as on a phone in the dark.
"""

import sys
from pathlib import Path

from tests.plots.report.browser import browser


def main(page: Path, folder: Path) -> None:
    with browser() as chromium:
        for name, size, theme in (
            ("report", (1180, 1500), "light"),
            ("report_phone", (390, 1500), "dark"),
        ):
            chromium.resize(*size)
            chromium.prefer(prefers_color_scheme=theme)
            chromium.open(page)
            chromium.screenshot(folder / f"{name}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
