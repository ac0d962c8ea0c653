"""Memory of a rank: counts against the published ones, and how the parts depend on placement."""

from dataclasses import replace

import pytest

from grid.budget.calibration import calibration
from grid.budget.devices import device
from grid.budget.layout import degrees, lay_out, memory_of
from grid.budget.memory import Shape, activation_bytes, logit_bytes, rank_parameters
from grid.budget.price import Price, Pricer, fault
from grid.execution import ExecutionConfig
from model.config import CellConfig, EncoderConfig, PretrainingConfig
from model.errors import InputError

XXL = EncoderConfig(layers=48, width=4096, heads=32, norm="pre", pad_vocab_to=1024)
BASE = EncoderConfig()


def shape(encoder: EncoderConfig = BASE, rows: int = 250_002, **values: object) -> Shape:
    return Shape(encoder=encoder, rows=rows, pretraining=PretrainingConfig(), **values)


def test_a_rank_holds_its_share_and_what_every_rank_holds() -> None:
    """XXL at degree 8: an eighth of 10,712,994,816 and the few million that are not shared."""
    whole = rank_parameters(XXL, 250_880, 1)
    eighth = rank_parameters(XXL, 250_880, 8)
    assert whole == 10_712_994_816
    replicated = (8 * eighth - whole) / 7
    width, positions = 4096, 514
    norms_and_biases = 48 * (4 * width + 2 * width) + 2 * width
    head = width * width + 3 * width
    assert replicated == (positions + 1) * width + norms_and_biases + head


def test_odd_vocabularies_are_rounded_up_on_the_fullest_rank() -> None:
    one = EncoderConfig(layers=1, width=8, heads=2, max_positions=8)
    two_even, two_odd = (rank_parameters(one, rows, 2) for rows in (100, 101))
    assert two_odd - two_even == 9  # a row of eight and its bias


def test_layer_activations_are_korthikantis_34_bytes_on_a_gpu() -> None:
    """arXiv 2205.05198, Equation 2, without the attention weights that are not kept."""
    one = shape(micro_batch=1)
    assert activation_bytes(one, "cuda") == 12 * 512 * 34 * 768
    assert activation_bytes(one, "cpu") == 12 * 512 * (34 * 768 + 5 * 12 * 512)
    shared = replace(one, tensor_parallel=2)
    assert activation_bytes(shared, "cuda") == 12 * 512 * (10 + 24 / 2) * 768


def test_checkpointing_keeps_layer_inputs_and_one_layer() -> None:
    kept = activation_bytes(shape(micro_batch=4, checkpointing=True), "cuda")
    assert kept == 4 * 512 * (12 * 2 * 768 + 34 * 768)


def test_logits_stop_growing_where_the_loss_is_computed_in_chunks() -> None:
    small, large, larger = (logit_bytes(shape(micro_batch=n), "cuda") for n in (1, 64, 128))
    assert small == 510 * 0.15 * 250_002 * 8
    assert large == larger == (1 << 28) * 8


@pytest.mark.parametrize("kind", ["cpu", "cuda"])
def test_parts_add_up_and_data_parallel_ranks_share_the_optimiser(kind: str) -> None:
    known = calibration(kind)
    alone = memory_of(shape(micro_batch=2), kind, known)
    shared = memory_of(shape(micro_batch=2, data_parallel=4), kind, known)
    parts = (alone.weights, alone.gradients, alone.optimizer, alone.activations, alone.logits)
    assert alone.total == pytest.approx(sum(parts) + alone.workspace)
    assert alone.workspace > 0
    assert shared.optimizer == alone.optimizer / 4
    assert shared.weights == alone.weights


def laid(encoder: EncoderConfig, rows: int, profile: str, **execution: object):
    on = device(profile)
    return lay_out(
        encoder,
        rows,
        PretrainingConfig(batch_size=2048),
        device=on,
        execution=ExecutionConfig(**execution),
        calibration=calibration(on.kind),
        degree=execution.get("tensor_parallel"),
    )


def test_the_smallest_degree_that_fits_is_taken_and_the_batch_is_kept() -> None:
    for profile, degree in (("h200", 2), ("h100", 4), ("v100", 8)):
        found = laid(XXL, 250_880, profile)
        assert found.fits
        assert found.shape.tensor_parallel == degree
        one_less = found.shape.accumulation - 1
        assert one_less * found.shape.micro_batch < 2048
        assert found.shape.accumulation * found.shape.micro_batch >= 2048


def priced(profile: str, **execution: object) -> Price:
    on = device(profile)
    pricer = Pricer(
        device=on, execution=ExecutionConfig(**execution), calibration=calibration(on.kind)
    )
    recipe = PretrainingConfig(batch_size=2048)
    return pricer.price(CellConfig(languages=["en"], encoder=XXL, pretraining=recipe))


def test_what_cannot_fit_says_by_how_much_and_what_would_be_enough() -> None:
    price = priced("h100", tensor_parallel=2)
    assert not price.layout.fits
    lacking = (price.layout.memory.total - price.layout.room) / 1e9
    told = fault(price)
    assert told is not None
    assert f"{lacking:.1f} GB more than there are; it fits with" in told
    # The optimiser takes 64 GB of it: to recompute activations is not enough, to share it is.
    assert price.remedies == (
        "execution.tensor_parallel=4",
        "execution.data_parallel=2",
        "--device-profile h200",
    )
    for text in price.remedies[:2]:
        key, _, value = text.removeprefix("execution.").partition("=")
        assert priced("h100", **{"tensor_parallel": 2, key: int(value)}).layout.fits
    assert fault(priced("h100", tensor_parallel=4)) is None


def test_a_micro_batch_that_is_too_large_is_told() -> None:
    price = priced("h100", tensor_parallel=8, micro_batch=64)
    assert not price.layout.fits
    assert "execution.micro_batch=1" in price.remedies
    assert "execution.activation_checkpointing=true" in price.remedies


def test_degrees_cut_heads_and_columns_evenly() -> None:
    assert list(degrees(EncoderConfig(heads=12, width=768), 250_002)) == [1, 2, 4]
    assert list(degrees(XXL, 250_880)) == [1, 2, 4, 8, 16, 32]


def test_an_unknown_profile_names_the_nearest() -> None:
    with pytest.raises(InputError, match=r"expected one of .*a100.* found 'a1000'"):
        device("a1000")
