"""A figure as SVG inside of a page: small, with ids of its own, and turning dark with it."""

import re
from io import StringIO

from plots import style
from plots.chart import Chart
from plots.render import Layout, render
from plots.report.colours import dark
from plots.report.markup import Html, tag

_NAMED = {
    style.INK: "ink",
    style.MUTED: "muted",
    style.PAPER: "card",
}
"""Colours that are the page's own."""
_LONG = re.compile(r"-?\d+\.\d{3,}")


def draw(chart: Chart, layout: Layout, name: str, told: str) -> Html:
    """The SVG of a chart in a layout.

    name: sets its ids apart from those of other drawings. told: stands for it where it is heard.
    """
    text = StringIO()
    figure = render(chart, layout)
    with style.applied():
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return inline(text.getvalue(), name, told)


def inline(svg: str, name: str, told: str) -> Html:
    """Matplotlib's SVG as an element of a page, at half of its size."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", body, flags=re.S)
    used = dict.fromkeys(re.findall(r'(?:href="|url\()#([\w.-]+)', body))
    ids = {id: f"{name}-{index:x}" for index, id in enumerate(used)}
    body = re.sub(r' id="([^"]*)"', lambda m: f' id="{ids[m[1]]}"' if m[1] in ids else "", body)
    body = re.sub(r'(href="|url\()#([\w.-]+)', lambda m: f"{m[1]}#{ids[m[2]]}", body)
    body = body.replace("xlink:href", "href").replace("<g></g>", "").replace("<g/>", "")
    body = _LONG.sub(_rounded, body)
    body = re.sub(r"\s*\n\s*", " ", body).replace("> <", "><")
    body, twins = _coloured(body)
    box = re.search(r'viewBox="[\d. ]+"', body)
    opening = tag("svg", role="img", aria_label=told, style=twins)
    start = opening.removesuffix("></svg>") + (f" {box[0]}>" if box else ">")
    return Html(start + body[body.index(">") + 1 :])


def _coloured(body: str) -> tuple[str, str]:
    """Every colour as a variable, and the variables: each colour with its twin on a dark page."""
    found = dict.fromkeys(colour.lower() for colour in re.findall(r"#[0-9A-Fa-f]{6}\b", body))
    named = {colour.lower(): name for colour, name in _NAMED.items()}
    own = [colour for colour in found if colour not in named]
    names = named | {colour: f"c{colour[1:]}" for colour in own}
    body = re.sub(r"#[0-9A-Fa-f]{6}\b", lambda m: f"var(--{names[m[0].lower()]})", body)
    return body, ";".join(f"--{names[each]}:light-dark({each},{dark(each)})" for each in own)


def _rounded(found: re.Match[str]) -> str:
    """Hundredths of a point; below one four digits, for the size of letters is given so."""
    value = float(found[0])
    return f"{value:.4g}" if abs(value) < 1 else f"{value:.2f}".rstrip("0").rstrip(".")
