"""How often each language is drawn: q proportional to p^alpha.

p is a language's share of what is counted (Conneau and Lample 2019, arXiv 1901.07291, Section 3.1;
Conneau et al. 2020, arXiv 1911.02116, Section 3). alpha = 1 keeps the shares, 0 makes them equal.
"""

from collections.abc import Mapping

from model.errors import InputError


def probabilities(counts: Mapping[str, int], alpha: float) -> dict[str, float]:
    """q of each language, in the languages' alphabetical order; they sum to 1.

    Raises InputError for an alpha outside 0 to 1, and for a language of which there is nothing.
    """
    if not 0 <= alpha <= 1:
        raise InputError(f"alpha: expected 0 to 1, found {alpha}")
    if not counts:
        raise InputError("languages: expected at least one language to draw from, found none")
    empty = sorted(language for language, count in counts.items() if count <= 0)
    if empty:
        raise InputError(
            f"languages: there is no text of {', '.join(empty)} to draw from. Leave them out, or "
            "add text."
        )
    total = sum(counts.values())
    weights = {language: (counts[language] / total) ** alpha for language in sorted(counts)}
    scale = sum(weights.values())
    return {language: weight / scale for language, weight in weights.items()}
