"""Claims: what a publication states, as comparisons that are judged on a study's own results.

from grid.claims import read
verdicts = read(study.folder)     # None before the study's claims have been judged

declaration.py reads `expect`; points.py finds the cells that it means; values.py takes their values
from a results frame; significance.py and judge.py come to verdicts; settle.py adds seeds.
"""

from grid.claims.verdicts import (
    CLAIMS,
    FAILS,
    HOLDS,
    NOT_APPLICABLE,
    UNDECIDED,
    Comparison,
    Side,
    Verdict,
    Verdicts,
    read,
)

__all__ = [
    "CLAIMS",
    "FAILS",
    "HOLDS",
    "NOT_APPLICABLE",
    "UNDECIDED",
    "Comparison",
    "Side",
    "Verdict",
    "Verdicts",
    "read",
]
