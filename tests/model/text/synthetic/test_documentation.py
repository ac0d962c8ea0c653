"""The samples in docs/synthetic.md are what the code says today."""

import re
from pathlib import Path

import numpy as np

from model.config import SyntheticConfig
from model.text.synthetic import world_of
from model.text.synthetic.grammar import Grammar
from model.text.synthetic.inference import rendered
from model.text.synthetic.randomness import generator

PAGE = Path(__file__).parents[4] / "docs" / "synthetic.md"


def test_samples_are_current() -> None:
    text = PAGE.read_text(encoding="utf-8")
    config = SyntheticConfig()
    world = world_of(config)
    events = world.sample(generator("sample", 72), 1).take(np.array([1, 16, 5]))
    samples = re.findall(
        r"^\| (\w+) \| (.*) \| (?:THE )?(?:person|place)1?.* \|$", text, re.MULTILINE
    )
    assert len(samples) == 30
    languages = dict.fromkeys(code for code, _ in samples)
    sentences = [Grammar(config, world, code).sentences(events) for code in languages]
    assert [sentence for _, sentence in samples] == [
        sentence for event in zip(*sentences, strict=True) for sentence in event
    ]


def test_examples_of_the_task_are_current() -> None:
    text = PAGE.read_text(encoding="utf-8")
    pairs = re.findall(r"^\| (en|sw) \| (.*\.) \| (.*\.) \| ?(\w*).* ?\|$", text, re.MULTILINE)
    assert len(pairs) == 8
    made = {code: list(rendered(SyntheticConfig(), code, "test", 5_010)) for code in ("en", "sw")}
    for english, swahili in zip(pairs[::2], pairs[1::2], strict=True):
        place = made["en"].index((*english[1:3], english[3]))
        assert made["sw"][place] == (*swahili[1:3], english[3])
