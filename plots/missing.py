"""What is missing under the ticks of a panel."""

from collections.abc import Collection, Sequence

from plots.chart import NOT_PLANNED, NOT_RUN, Point, Series, X


def missing(
    ticks: Sequence[X],
    shown: Sequence[Series],
    planned: Sequence[Collection[X]],
    published: Collection[X],
    *,
    has_plan: bool,
) -> dict[X, str]:
    """A note for each tick that lacks something.

    planned: where the study has points of each series that is shown. published: where the paper has
    some; a study that has none there is told from one that has not run.
    """
    notes: dict[X, str] = {}
    places = [{point.x for point in series.points} for series in shown]
    for x in ticks:
        here = [point for series in shown for point in series.points if point.x == x]
        wanted = sum(x in own for own in planned)
        there = sum(x in own and x in of for own, of in zip(planned, places, strict=True))
        if not here:
            if shown and (wanted or x in published):
                unknown = not has_plan or not any(planned)
                notes[x] = NOT_RUN if wanted or unknown else NOT_PLANNED
        elif there < wanted:
            notes[x] = "partly\nrun"
        elif short := [point for point in here if not point.complete]:
            worst = min(short, key=_seeds)
            notes[x] = f"{len(worst.seeds)} of {worst.expected_seeds}\nseeds"
    return notes


def _seeds(point: Point) -> tuple[int, int]:
    return len(point.seeds), point.expected_seeds
