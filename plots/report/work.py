"""What the study cost against its plan, what failed, and how each number is made again."""

from collections import Counter
from collections.abc import Iterator

from grid.graph import DONE, StageId
from grid.outcome import CAUSES
from grid.overview_text import failures, last_lines
from grid.plan import OWN
from grid.plan_text import hours
from grid.status import Standing
from plots.report.facts import SHARED, Facts, Made
from plots.report.markup import Html, plural, tag
from plots.report.tables import Column, Shown, facts_list, table

_NAMED = 4
"""Failed stages of one cause that are named."""


def cost_section(facts: Facts) -> Html:
    """Hours planned against used, by kind of stage, and what sharing saved."""
    planned = facts.overview.plan.stage_hours()
    alone = Counter(
        id[0] for roles in facts.roles.values() for id in roles.values()
    )  # what the cells would run if each were on its own
    unit = facts.overview.unit
    columns = [
        Column(title="stage"),
        *(
            Column(title=name, numeric=True, explained=told)
            for name, told in (
                ("stages", "that the study needs"),
                ("unshared", "that its cells would run if each were on its own"),
                ("done", "finished, here or elsewhere"),
                ("planned", f"{unit} hours"),
                (
                    "used",
                    f"{unit} hours of all attempts, the failed ones too; of work on text, of what "
                    "is finished",
                ),
            )
        ),
        Column(title="used of planned"),
    ]
    rows = []
    for kind in dict.fromkeys(id[0] for id in facts.look.stages):
        ids = [id for id in facts.look.stages if id[0] == kind]
        plan = sum(sum(planned.get(id, (0.0, 0.0))) for id in ids)
        used = sum(_used(facts, id) for id in ids)
        done = sum(facts.look.stages[id].state == DONE for id in ids)
        rows.append(
            [
                kind,
                len(ids),
                alone[kind] or len(ids),
                done,
                _hours(plan),
                _hours(used),
                _bar(used, plan),
            ]
        )
    caption = (
        f"Stages that the study needs; that its cells would run each on its own; {unit} hours as "
        "planned, and as used by all attempts"
    )
    return tag("div", tag("p", _shared(facts)), table("cost-table", caption, columns, rows))


def _used(facts: Facts, id: StageId) -> float:
    if id[0] in OWN:
        return facts.look.used.get(id, 0.0)
    return facts.made[id].seconds / 3600 if id in facts.made else 0.0


def _hours(amount: float) -> Shown:
    return Shown(text=hours(amount), value=amount)


def _bar(used: float, planned: float) -> Html | str:
    if not planned:
        return "–"
    share = used / planned
    return tag(
        "span",
        tag("i", style=f"width:{min(share, 2.0) / 2:.1%}"),
        tag("b", f"{share:.0%}"),
        class_="share",
    )


def _shared(facts: Facts) -> str:
    totals = facts.overview.plan.totals()
    alone, shared = totals["alone"], totals["shared"]
    both = [each.device_hours + each.cpu_hours for each in (alone, shared)]
    text = f"{shared.stages:,} stages in place of {alone.stages:,}"
    if both[0] > both[1]:
        text += f", {hours(both[1])} in place of {hours(both[0])}"
    return f"{text}: what cells have in common is made once. Priced for {_device(facts)}."


def _device(facts: Facts) -> str:
    device = facts.overview.plan.device
    return "this machine's CPU" if device.kind == "cpu" else device.name


def failures_section(facts: Facts) -> Html | None:
    """Failures by cause, with the last lines of a log of each; None if nothing failed."""
    groups = failures(facts.look)
    if not groups:
        return None
    return tag("div", (_failure(facts, *group) for group in groups), class_="failures")


def _failure(facts: Facts, what: tuple[str, str], members: list[tuple[StageId, Standing]]) -> Html:
    id, found = members[0]
    names = [f"{stage} {key}" for (stage, key), _ in members]
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    lines = [] if found.log is None else last_lines(found.log)
    return tag(
        "article",
        tag("h3", (found.message or "failed without a word").partition("\n")[0]),
        tag("p", f"{plural(len(members), 'stage')}: {CAUSES.get(what[0], what[0])}"),
        tag("p", tag("code", ", ".join(names[:_NAMED])), more),
        lines and tag("pre", "\n".join(lines), tabindex=0, aria_label="The end of the log"),
        facts_list(
            [
                ("whole log", tag("code", facts.command("logs", "/".join(id)))),
                ("once more", tag("code", facts.command("retry"))),
                ("attempts", found.attempts),
                ("on", found.node),
            ]
        ),
        class_="failure",
    )


def reproduce_section(facts: Facts) -> Html:
    """The commands, revisions, versions and checksums behind the numbers."""
    made = {id: each for id, each in facts.made.items() if id[0] not in SHARED} or facts.made
    return tag(
        "div",
        tag(
            "p",
            "Everything on this page comes from these results. A cell's id, wherever it "
            "stands, opens the cell: its settings, the keys of its artifacts, and its commands.",
        ),
        tag(
            "ol",
            (
                tag("li", told, tag("pre", tag("code", command), tabindex=0))
                for told, command in _steps(facts, made)
            ),
            class_="steps",
        ),
        facts_list(
            [
                ("results.parquet, SHA-256", facts.checksum and tag("code", facts.checksum)),
                ("program", _revisions(made)),
                ("made on", ", ".join(_machines(made))),
                ("versions", [tag("p", text) for text in _environments(made)]),
            ]
        ),
    )


def _steps(facts: Facts, made: dict[StageId, Made]) -> Iterator[tuple[str, str]]:
    revisions = Counter(each.revision for each in made.values() if each.revision)
    if revisions:
        revision = revisions.most_common(1)[0][0].removesuffix("-dirty")
        yield "The program as it was:", f"git checkout {revision}"
    yield "What would run, and what it costs:", facts.command("plan")
    yield "All of it; what is in the store is found there:", facts.command("run")
    yield "Every number as a table:", facts.command("results", "--format", "csv")
    yield "This page:", facts.command("report")


def _revisions(made: dict[StageId, Made]) -> list[Html]:
    counts = Counter(each.revision or "unknown" for each in made.values())
    return [
        tag("p", tag("code", revision), f" ({plural(count, 'artifact')})")
        for revision, count in counts.most_common()
    ]


def _machines(made: dict[StageId, Made]) -> list[str]:
    found = Counter(
        f"{each.execution.get('device', 'unknown device')}, "
        f"{plural(int(each.execution.get('threads') or 1), 'thread')}"
        for each in made.values()
    )
    return [name for name, _ in found.most_common()]


def _environments(made: dict[StageId, Made]) -> list[str]:
    found = Counter(
        ", ".join(f"{name} {version}" for name, version in sorted(each.environment.items()))
        for each in made.values()
    )
    return [text for text, _ in found.most_common() if text]
