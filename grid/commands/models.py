"""The commands that take models out and bring them in: `export` and `import`."""

import re
from argparse import Namespace

from grid.cli import DONE
from grid.commands import call_of, load_study, say


def export(options: Namespace) -> int:
    """Writes a finished cell as a folder for transformers; prints the folder."""
    from grid.export import export

    study = load_study(options)
    folder = export(
        study,
        study.cell(options.cell),
        options.folder,
        precision=options.dtype,
        milestone=options.milestone,
        force=options.force,
        filled_by=call_of("run", options.study, options),
    )
    print(folder)
    return DONE


def import_(options: Namespace) -> int:
    """Checks a published model's folder; prints the lines that a study needs to start from it."""
    from grid.checkpoints import yaml_lines
    from model.encoder.published import check, inspect

    folder = options.folder.expanduser().absolute()
    say(f"reading {folder}")
    published = inspect(folder)
    check(published)
    name = re.sub(r"[^a-z0-9]+", "_", folder.name.lower()).strip("_")
    name = name if name[:1].isalpha() else f"model_{name}".strip("_")
    encoder = published.encoder
    parameters = sum(parameter.size for parameter in published.parameters)
    print(
        f"# {encoder.norm}-LN, {parameters:,} parameters with the tied head, "
        f"{', '.join(published.dtypes)}, all finite;\n"
        f"# tokenizer: {published.pieces:,} pieces ({published.kind}), {published.ids:,} ids; "
        f"sequences of at most {published.sequence_length} tokens."
    )
    print(yaml_lines(published, name), end="")
    return DONE
