"""What one cell comes to: counts, layout, seconds. The device and its calibration are given."""

from collections.abc import Iterator
from dataclasses import dataclass, is_dataclass, replace
from typing import Any

from grid import sizes
from grid.budget import text
from grid.budget.calibration import Calibration
from grid.budget.devices import PROFILES, Device, device
from grid.budget.layout import Layout, lay_out
from grid.budget.memory import Shape, rank_parameters
from grid.budget.scoring import Measuring, measuring
from grid.budget.time import start_seconds, update_seconds
from grid.execution import ExecutionConfig
from model.config import CellConfig, EncoderConfig, PretrainingConfig
from model.text.sampling import probabilities
from model.training.schedule import total_updates

_COPIES = (2, 4, 8, 16, 32, 64)
_WITHOUT_PRICE = ("seed", "milestone")
"""Fields of stages that measure an encoder, at whatever value for the same price."""


@dataclass(frozen=True, kw_only=True)
class Price:
    """What the stages that a cell has to itself come to. Seconds are of all ranks together."""

    rows: int
    """Of the embedding table: pieces, what they lack, and padding."""
    parameters: int
    embedding_parameters: int
    formula_parameters: int
    """The paper's approximation: Conneau et al. 2020, Appendix B."""
    rank_parameters: int
    updates: int
    tokens: int
    flops: float
    """Of pretraining: forward and backward, nothing computed twice."""
    layout: Layout
    smallest: Layout
    """At the smallest tensor-parallel degree that fits, whatever the study says."""
    device: Device
    remedies: tuple[str, ...]
    """What would make it fit, each alone, if it does not."""
    pretraining_seconds: float

    @property
    def device_seconds(self) -> float:
        """Time that devices are held for to pretrain it, on all ranks."""
        return self.pretraining_seconds * self.layout.ranks


class Pricer:
    """Prices cells on one device; what they share is computed once."""

    def __init__(
        self,
        *,
        device: Device,
        execution: ExecutionConfig,
        calibration: Calibration,
        factor: float = 1.0,
    ) -> None:
        """factor: what finished runs took over what was predicted."""
        self.device = device
        self.execution = execution
        self.calibration = calibration
        self.factor = factor
        self._known: dict[tuple[object, ...], Price] = {}
        self._measured: dict[tuple[object, ...], tuple[Price, Measuring]] = {}
        self._shares: dict[tuple[object, ...], dict[str, float]] = {}
        self._values: dict[int, tuple[object, tuple[object, ...]]] = {}

    def price(self, config: CellConfig) -> Price:
        """What a cell comes to; the same for every seed."""
        encoder, recipe = config.encoder, config.pretraining
        updates = self._updates(config)
        key = (
            self._values_of(encoder),
            self._values_of(recipe),
            config.tokenizer.vocab_size,
            updates,
            len(config.languages) if encoder.language_embeddings else 0,
        )
        if key not in self._known:
            self._known[key] = self._price(config, replace(recipe, updates=updates))
        return self._known[key]

    def _updates(self, config: CellConfig) -> int:
        """Updates, with those that a share of the languages (equal exposure) asks for."""
        recipe = config.pretraining
        if recipe.counted_languages is None:
            return recipe.updates
        corpus = config.corpus
        key = (tuple(config.languages), corpus.source, self._values_of(corpus.synthetic),
               config.sampling.alpha)  # fmt: skip
        if key not in self._shares:
            found = {code: text.estimated_bytes(corpus, code) for code in config.languages}
            self._shares[key] = probabilities(
                {code: size or 1 for code, size in found.items()}, config.sampling.alpha
            )
        return total_updates(recipe.updates, self._shares[key], recipe.counted_languages)

    def _price(self, config: CellConfig, recipe: PretrainingConfig) -> Price:
        encoder = config.encoder
        rows = sizes.embedding_rows(config.tokenizer.vocab_size, encoder)
        smallest = self._lay_out(encoder, rows, recipe, None)
        wanted = self.execution.tensor_parallel
        laid = smallest if wanted is None else self._lay_out(encoder, rows, recipe, wanted)
        update = self._update_seconds(laid.shape)
        start = start_seconds(laid.shape, self.calibration.seconds)
        told_apart = len(config.languages) * encoder.width if encoder.language_embeddings else 0
        return Price(
            rows=rows,
            parameters=sizes.parameters(encoder, rows) + told_apart,
            embedding_parameters=sizes.embedding_parameters(encoder, rows) + told_apart,
            formula_parameters=sizes.formula_parameters(encoder, config.tokenizer.vocab_size),
            rank_parameters=rank_parameters(encoder, rows, laid.shape.tensor_parallel) + told_apart,
            updates=recipe.updates,
            tokens=sizes.tokens(recipe),
            flops=sizes.training_flops(encoder, rows, recipe),
            layout=laid,
            smallest=smallest,
            device=self.device,
            remedies=() if laid.fits else tuple(self._remedies(encoder, rows, recipe)),
            pretraining_seconds=self.factor * (start + recipe.updates * update),
        )

    def _values_of(self, config: object) -> tuple[object, ...]:
        """A configuration as something that can be looked up; cells share most of theirs."""
        if id(config) not in self._values:
            # It is kept, so that nothing else can get its id.
            self._values[id(config)] = (config, _values(config))
        return self._values[id(config)][1]

    def measuring(self, price: Price, stage: Any) -> Measuring:
        """What a stage comes to that measures an encoder of this price."""
        parts = [value for name, value in vars(stage).items() if name not in _WITHOUT_PRICE]
        key = (id(price), type(stage), *(self._lookup(part) for part in parts))
        if key not in self._measured:
            found = measuring(stage, price.layout.shape, self.device, self.calibration)
            found = replace(found, seconds=self.factor * found.seconds)
            # The price is kept, so that nothing else can get its id.
            self._measured[key] = (price, found)
        return self._measured[key][1]

    def _lookup(self, part: object) -> object:
        return self._values_of(part) if is_dataclass(part) else _hashable(part)

    def _lay_out(
        self,
        encoder: EncoderConfig,
        rows: int,
        recipe: PretrainingConfig,
        degree: int | None,
        *,
        on: Device | None = None,
        **changes: Any,
    ) -> Layout:
        """The layout, with other values of `execution` or on another device."""
        return lay_out(
            encoder,
            rows,
            recipe,
            device=on or self.device,
            execution=replace(self.execution, **changes),
            calibration=self.calibration,
            degree=degree,
        )

    def _remedies(
        self, encoder: EncoderConfig, rows: int, recipe: PretrainingConfig
    ) -> Iterator[str]:
        """Changes of the execution, or other devices, each of which is enough alone."""
        degree = self.execution.tensor_parallel
        changes: list[dict[str, Any]] = [{"micro_batch": 1}, {"activation_checkpointing": True}]
        if self.device.kind == "cuda":
            changes += [{"data_parallel": copies} for copies in _COPIES]
            other = self._lay_out(encoder, rows, recipe, None)
            if other.fits:
                yield f"execution.tensor_parallel={other.shape.tensor_parallel}"
        told: set[str] = set()
        for change in changes:
            ((key, value),) = change.items()
            if key not in told and self._lay_out(encoder, rows, recipe, degree, **change).fits:
                told.add(key)
                yield f"execution.{key}={str(value).lower()}"
        for name in PROFILES:
            larger = device(name)
            same = larger.kind == self.device.kind and larger.memory > self.device.memory
            if same and self._lay_out(encoder, rows, recipe, degree, on=larger).fits:
                yield f"--device-profile {name}"

    def _update_seconds(self, shape: Shape) -> float:
        return update_seconds(shape, self.device, self.calibration.seconds)


def _values(config: object) -> tuple[object, ...]:
    """The values of a configuration's fields."""
    return tuple(_hashable(value) for value in vars(config).values())


def _hashable(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def fault(price: Price) -> str | None:
    """Why a cell cannot be pretrained, by how much, and what would help; None if it can."""
    laid, device = price.layout, price.device
    if laid.fits or price.updates == 0:
        return None
    lacking = laid.memory.total - laid.room
    needs = (
        f"needs {laid.memory.total / 1e9:.1f} GB on a rank of {device.name}, "
        f"{lacking / 1e9:.1f} GB more than there are"
    )
    if not price.remedies:
        return f"{needs}; no other layout of this encoder fits"
    return f"{needs}; it fits with {', or with '.join(price.remedies)}"
