"""Studies that fill one table together, and the printed models that their points stand for."""

from collections.abc import Iterable, Mapping, Sequence

from plots.studies import StudyOutput, find_studies
from plots.tables.gaps import Gaps
from plots.tables.measured import Point, points

Models = Mapping[str, Mapping[str, str]]
"""By study, and by `encoder.size`: the models that a paper prints, in order."""


def stand_ins(
    study: StudyOutput, models: Models, gaps: Gaps, together: Sequence[str] = ()
) -> list[tuple[Point, str]]:
    """The points of a study and its sisters, each with the model that it stands for, or "".

    That is the model of its named size; at a scale that names none, the one at its place where a
    study has as many points as models. A sister that has not run is a gap.
    """
    sizes = {size: name for each in models.values() for size, name in each.items()}
    made = []
    for each in _sisters(study, models, gaps):
        found = points(each, together)
        own = list(models.get(each.name, {}).values())
        in_order = own if len(own) == len(found) else [""] * len(found)
        for point, model in zip(found, in_order, strict=True):
            made.append((point, sizes.get(str(point.values.get("encoder.size")), model)))
    return made


def _sisters(study: StudyOutput, names: Iterable[str], gaps: Gaps) -> list[StudyOutput]:
    """The studies of these names at a study's scale.

    A study of another name stands alone: someone's own, to which none of these belongs.
    """
    names = list(names)
    if study.name not in names:
        return [study]
    found = find_studies(study.store, None, study.scale)
    there = {each.name: each for each in found} | {study.name: study}
    for name in names:
        if name not in there:
            gaps.study(study, name)
    return [there[name] for name in names if name in there]
