"""A study at scale smoke: its second model is trained under faults, with checkpoints all the time.

What is upstream of it, text, tokenizer and shards, is finished before and copied for each point.
"""

from pathlib import Path

from tests.faults.campaign import ROOT, Bench, Command, contents, grid, replace, run

STUDY = """\
title: Smoke
extends: {base}
cell: {{languages: xlm-7, evaluation: {{languages: xlm-7}}}}
axes:
  - name: widths
    product: {{encoder.width: {widths}}}
"""
SITE = """\
store: disk/runs
execution: {checkpoint_seconds: 0.2, workers: 2}
"""
UPSTREAM, STUDIED = "upstream.yaml", "smoke.yaml"


def bench(folder: Path) -> Bench:
    """The study in `folder`/place, and beside it the store that it begins with."""
    line = grid("run", STUDIED, "--scale", "smoke")
    made = Bench(
        folder=folder / "place",
        commands=[Command(name="run smoke", line=line, store=folder / "upstream")],
        again=line,
        expected={},
    )
    made.folder.mkdir(parents=True)
    (made.folder / "grid.yaml").write_text(SITE)
    for file, widths in ((UPSTREAM, "[16]"), (STUDIED, "[16, 24]")):
        text = STUDY.format(base=ROOT / "studies" / "base.yaml", widths=widths)
        (made.folder / file).write_text(text)
        result = run(made.folder, grid("run", file, "--scale", "smoke"))
        assert result.returncode == 0, result.stdout
        replace(folder / Path(file).stem, made.store)
    made.expected.update(contents(made.store))
    return made
