r"""A table as LaTeX: a `table` environment for a document with booktabs and graphicx."""

from plots.tables.notes import Footnotes, decimals, half_width
from plots.tables.table import PRINTED, Entry, Row, Table, Value

_SIGNS = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "±": r"$\pm$", "×": r"$\times$", "−": r"$-$",
    "–": "--", "·": r"\textperiodcentered{}", "α": r"$\alpha$", "`": r"\textasciigrave{}",
}  # fmt: skip
_ABSENT = "--"


def latex(table: Table) -> str:
    r"""The table as wide as the text, intervals below their means, footnotes in small print.

    The document needs \usepackage{booktabs} and \usepackage{graphicx}.
    """
    notes = Footnotes(table)
    left = 1 + len(table.settings)
    unit = f" ({table.unit})" if table.unit else ""
    badge = rf" \textbf{{{_escaped(table.badge)}.}}" if table.badge else ""
    about = f"After {table.after}; study {table.study}, scale {table.scale}."
    width = left + len(table.columns)
    lines = [
        f"% {table.name}: needs booktabs and graphicx",
        r"\begin{table}[t]",
        r"\centering",
        rf"\caption{{{_escaped(f'{table.title}{unit}. {about}')}{badge}}}",
        rf"\label{{tab:{table.name}}}",
        r"\medskip",
        r"\setlength{\tabcolsep}{3pt}",
        r"\resizebox{\linewidth}{!}{%",
        rf"\begin{{tabular}}{{{'l' * left}{'r' * len(table.columns)}}}",
        r"\toprule",
        _line(["model", *table.settings, *table.columns], escape=True),
    ]
    for section in table.sections:
        lines.append(r"\midrule")
        if section.title:
            lines.append(
                rf"\multicolumn{{{width}}}{{l}}{{\textbf{{{_escaped(section.title)}}}}} \\"
            )
        for row in section.rows:
            lines.append(_line(_row(row, notes)))
            if any(half_width(value) is not None for entry in row.entries for value in entry):
                lines.append(_line(_intervals(row)))
    lines += [r"\bottomrule", r"\end{tabular}}", r"\par\smallskip", r"\raggedright\footnotesize"]
    lines += [
        rf"\textsuperscript{{{letter}}} {_escaped(note)}\par"
        for note, letter in notes.letters.items()
    ]
    lines += [rf"{_escaped(note)}\par" for note in table.notes]
    lines += [rf"Claim, {_escaped(claim)}\par" for claim in table.claims]
    lines += [rf"Missing: {_escaped(gap.what)}.\par" for gap in table.gaps]
    return "\n".join([*lines, r"\end{table}"]) + "\n"


def _line(texts: list[str], escape: bool = False) -> str:
    return " & ".join(_escaped(text) if escape else text for text in texts) + r" \\"


def _row(row: Row, notes: Footnotes) -> list[str]:
    label = _escaped(row.label)
    if row.kind != PRINTED:
        label = rf"\emph{{{label}}}"
    return [
        label + _marks(notes.of(row)),
        *(_escaped(setting) for setting in row.settings),
        *(_entry(entry, notes) for entry in row.entries),
    ]


def _entry(entry: Entry, notes: Footnotes) -> str:
    values = (f"{_escaped(value.text)}{_marks(notes.of(value))}" for value in entry)
    return "/".join(values) or _ABSENT


def _intervals(row: Row) -> list[str]:
    """A line of its own: beside their means, intervals would make the columns twice as wide."""
    halves = ["/".join(map(_half, entry)) for entry in row.entries]
    small = [rf"{{\scriptsize {text}}}" if text else "" for text in halves]
    return ["", *[""] * len(row.settings), *small]


def _half(value: Value) -> str:
    half = half_width(value)
    return _ABSENT if half is None else rf"$\pm${half:.{decimals(value)}f}"


def _marks(letters: list[str]) -> str:
    return rf"\textsuperscript{{{','.join(letters)}}}" if letters else ""


def _escaped(text: str) -> str:
    return "".join(_SIGNS.get(sign, sign) for sign in text)
