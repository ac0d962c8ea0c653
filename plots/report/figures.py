"""Figures in the page: their SVG made small, its own in the page, and in the page's colours."""

import re
from collections.abc import Mapping
from typing import Any

from plots import style
from plots.report.facts import Facts, Figure
from plots.report.markup import Html, number, plural, tag

_PALETTE = {
    style.INK: "ink",
    style.MUTED: "muted",
    style.FAINT: "rule",
    style.PAPER: "card",
    style.BLUE: "blue",
    style.SKY: "sky",
    style.GREEN: "green",
    style.VERMILION: "vermilion",
    style.PURPLE: "purple",
    style.ORANGE: "orange",
    "#00755a": "green",  # words in the colour of a mark that is too light to read
    "#8f3f72": "purple",
    "#8a3b00": "brown",
    "#ececec": "rule",  # the grid behind the marks
    "#a0a0a0": "faint",  # hatches where nothing was measured
    "#f5ce7a": "badge",
}
"""A figure's colours by the names that they have in the page, so that they turn dark with it."""
_NUMBER = re.compile(r"-?\d+\.\d{3,}")


def figures_section(facts: Facts) -> Html | None:
    """The figures that the study declares; what to do about those that are not drawn."""
    if not facts.study.figures:
        return None
    drawn = {figure.name for figure in facts.figures}
    missing = [name for name in facts.study.figures if name not in drawn]
    return tag(
        "div",
        map(_figure, facts.figures),
        missing
        and tag("p", f"Not drawn: {', '.join(missing)}. The results lack what they show; to run "
                "it: ", tag("code", facts.command("run")), class_="note") or None,
    )  # fmt: skip


def _figure(figure: Figure) -> Html:
    title = str(figure.sidecar.get("title", figure.name))
    return tag(
        "figure",
        tag(
            "div",
            tag("div", inline(figure.svg, figure.name, _told(figure))),
            class_="scroll drawing", role="region", tabindex=0, aria_label=title,
        ),
        tag("figcaption", tag("h3", title, class_="heard"), figure.name, class_="fine"),
        tag("details", tag("summary", "The numbers in this figure"),
            (_panel(panel) for row in figure.sidecar["rows"] for panel in row)),
        class_="figure",
        id=figure.name,
    )  # fmt: skip


def _told(figure: Figure) -> str:
    """What stands for the drawing where it is heard: its panels and their series."""
    panels = [panel for row in figure.sidecar["rows"] for panel in row]
    titles = "; ".join(panel["title"] for panel in panels)
    return (
        f"{figure.sidecar.get('title', figure.name)}. {plural(len(panels), 'panel')}: {titles}. "
        "The numbers follow as tables."
    )


def inline(svg: str, name: str, told: str) -> Html:
    """Matplotlib's SVG for use inside HTML: a third of its size, with ids of its own.

    Only shapes stay: anything else that could come in with a file, a script or a link, is an error
    of the file. Raises ValueError for it.
    """
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", body, flags=re.S)
    foreign = re.search(r"<(script|a|image|foreignObject|iframe)\b|\son\w+\s*=|javascript:", body)
    if foreign is not None:
        raise ValueError(f"{name}.svg: expected shapes only, found {foreign[0]!r}")
    used = set(re.findall(r"(?:href=\"|url\()#([\w.-]+)", body))
    body = re.sub(r' id="([^"]*)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "", body)
    body = re.sub(r"((?:href=\"|url\()#)", rf"\g<1>{name}-", body)
    body = re.sub(r"#[0-9A-Fa-f]{6}\b", _colour, body)
    body = _NUMBER.sub(_rounded, body)
    body = re.sub(r"\s*\n\s*", " ", body).replace("> <", "><").replace("<g></g>", "")
    width, height = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', body).groups()  # type: ignore[union-attr]
    opening = tag("svg", xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {width} {height}",
                  role="img", aria_label=told, style=f"--width:{width}")  # fmt: skip
    return Html(opening.removesuffix("</svg>") + body[body.index(">") + 1 :])


def _colour(found: re.Match[str]) -> str:
    by_lower = {colour.lower(): name for colour, name in _PALETTE.items()}
    name = by_lower.get(found[0].lower())
    return found[0] if name is None else f"var(--{name})"


def _rounded(found: re.Match[str]) -> str:
    """Hundredths of a point; below one four digits, for the size of letters is given so."""
    value = float(found[0])
    return f"{value:.4g}" if abs(value) < 1 else f"{value:.2f}".rstrip("0").rstrip(".")


def _panel(panel: Mapping[str, Any]) -> Html:
    """The points of a panel as a table: for readers, and for screen readers."""
    rows = [
        tag(
            "tr",
            tag("th", _name(series), scope="row"),
            tag("td", point["x"]),
            tag("td", number(point["mean"]), class_="number"),
            tag("td", _interval(point), class_="number"),
            tag("td", len(point["seeds"]) or "–", class_="number"),
        )
        for series in panel["series"]
        for point in series["points"]
    ]
    headings = ("series", "at", "mean", "95 % interval", "seeds")
    return tag(
        "div",
        tag(
            "table",
            tag("caption", f"{panel['title']}: {panel['subtitle']}".replace("\n", " ")),
            tag("thead", tag("tr", (tag("th", each, scope="col") for each in headings))),
            tag("tbody", rows),
        ),
        class_="scroll", role="region", tabindex=0, aria_label=panel["title"],
    )  # fmt: skip


def _name(series: Mapping[str, Any]) -> str:
    words = [series["label"].replace("\n", " ") or series["role"], series["kind"]]
    return ", ".join(dict.fromkeys(filter(None, words)))


def _interval(point: Mapping[str, Any]) -> str:
    if point["low"] is None:
        return "–"
    return f"{number(point['low'])} to {number(point['high'])}"
