"""Text that enters the page stays text."""

import json
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plots.report.colours import dark
from plots.report.markup import Html, data, number, short, signed, tag

# What a file can hold and HTML can carry: no NUL, and no carriage return, which HTML makes a feed.
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=60)


class Reader(HTMLParser):
    """What a browser makes of a piece of HTML."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@given(TEXT, TEXT)
def test_text_and_attributes_come_back_as_they_were(text: str, value: str) -> None:
    read = Reader(tag("p", text, title=value))
    assert read.elements == [("p", {"title": value})]
    assert read.text == text


@given(st.recursive(TEXT, lambda inner: st.lists(inner, max_size=4), max_leaves=8))
def test_no_nesting_of_children_escapes_escaping(children: object) -> None:
    assert [name for name, _ in Reader(tag("div", children)).elements] == ["div"]


@given(st.dictionaries(TEXT, TEXT, max_size=4))
def test_data_stays_in_its_element(value: dict[str, str]) -> None:
    written = data("facts", value)
    inner = written.partition(">")[2].removesuffix("</script>")
    assert "<" not in inner
    assert json.loads(inner) == value


def test_what_is_html_already_is_left_alone() -> None:
    assert tag("p", Html("<b>x</b>"), None, hidden=True, id=None) == "<p hidden><b>x</b></p>"
    assert tag("input", type="search", for_="x") == '<input type="search" for="x"/>'


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (number(0.45123), "0.451"),
        (number(12345), "12,345"),
        (number(-0.0000421), "−4.2e-05"),
        (number(None), "–"),
        (number(float("nan")), "–"),
        (number(0.0), "0.000"),
        (signed(-0.3, 2), "−0.30"),
        (short(6_201_600), "6.2M"),
        (short(0), "0"),
    ],
)
def test_numbers(written: str, expected: str) -> None:
    assert written == expected


@given(st.from_regex(r"#[0-9a-f]{6}", fullmatch=True))
def test_every_colour_has_a_twin(colour: str) -> None:
    twin = dark(colour)
    assert len(twin) == 7 and int(twin[1:], 16) >= 0


def test_twins_change_sides() -> None:
    ink, rule, blue, tint = (dark(each) for each in ("#1a1a1a", "#ececec", "#0072b2", "#f5ce7a"))
    assert _brightness(ink) > 0.8 > 0.3 > _brightness(rule)
    assert _brightness(blue) > _brightness("#0072b2") and _brightness(tint) < 0.35


def _brightness(colour: str) -> float:
    return sum(int(colour[at : at + 2], 16) for at in (1, 3, 5)) / 765
