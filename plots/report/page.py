"""Puts the sections into one page that needs nothing else, and writes it."""

import base64
import hashlib
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from string import Template

from grid.study_files import replace_file
from plots.report.curves import curves_section
from plots.report.facts import Facts
from plots.report.figures import figures_section
from plots.report.head import head
from plots.report.languages import languages_section
from plots.report.markup import Html, join, plural, tag
from plots.report.published import published_section
from plots.report.scores import cells_section, results_section, scores_section
from plots.report.study import cells_data, grid_section, settings_section
from plots.report.verdicts import verdicts_section
from plots.report.work import cost_section, failures_section, reproduce_section

FILE = "report.html"
SCRIPTS = ("elements", "tables", "heat_map", "curves", "cell", "start")
SECTIONS: tuple[tuple[str, str, Callable[[Facts], Html | None]], ...] = (
    ("verdicts", "Verdicts", verdicts_section),
    ("failures", "Failures", failures_section),
    ("figures", "Figures", figures_section),
    ("tables", "Published tables", published_section),
    ("summary", "Results", results_section),
    ("languages", "Languages", languages_section),
    ("curves", "Training curves", curves_section),
    ("grid", "The grid", grid_section),
    ("cells", "Cells", cells_section),
    ("every-score", "Every score", scores_section),
    ("cost", "Cost", cost_section),
    ("settings-shared", "Settings", settings_section),
    ("reproduce", "Reproduce", reproduce_section),
)
"""Id, heading and content, in the order of the page; one without content is left out."""


def page(facts: Facts) -> str:
    """The whole page. Equal facts give equal bytes."""
    script = "\n".join(_asset(f"{name}.js") for name in SCRIPTS)
    made = [(id, title, section(facts)) for id, title, section in SECTIONS]
    shown = [(id, title, content) for id, title, content in made if content is not None]
    return Template(_asset("page.html")).substitute(
        policy=_policy(script),
        title=join(f"{facts.study.title} · {facts.study.scale}"),
        style=_asset("style.css"),
        links=join(tag("li", tag("a", title, href=f"#{id}")) for id, title, _ in shown),
        head=head(facts),
        sections=join(
            tag(
                "section",
                tag("h2", title, id=f"{id}-title"),
                content,
                id=id,
                aria_labelledby=f"{id}-title",
            )
            for id, title, content in shown
        ),
        footer=_footer(facts),
        data=cells_data(facts),
        script=script,
    )


def write(facts: Facts) -> Path:
    """Writes the page into the study's folder, whole or not at all. Raises StoreError."""
    path = facts.study.folder / FILE
    # A log or manifest can hold half a surrogate pair, which no file can: a question mark.
    content = page(facts).encode("utf-8", "replace")
    replace_file(path, lambda temporary: temporary.write_bytes(content))
    return path


def _asset(name: str) -> str:
    return files("plots.report").joinpath("assets", name).read_text(encoding="utf-8")


def _policy(script: str) -> str:
    """Nothing may be fetched, and of scripts only this very one may run."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _footer(facts: Facts) -> Html:
    last = max((each.finished for each in facts.made.values()), default="")
    told = f", the last of them {last[:16].replace('T', ' ')} UTC" if last else ""
    return tag(
        "p",
        f"multilingual-grid, from {plural(len(facts.made), 'artifact')}{told}. "
        "This page is whole: it needs no network.",
    )
