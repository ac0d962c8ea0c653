"""Attention as matrix products, against the textbook's formula in double precision."""

import math

import pytest
import torch

from model.config import EncoderConfig
from model.encoder import attention
from model.encoder.layers import Attention

SHAPES = [(6, 24, 24, 8), (6, 1, 24, 8), (4, 33, 33, 4), (2, 40, 40, 16)]


def drawn(N: int, Q: int, K: int, D: int, scale: float = 1.0) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(N * 1000 + Q * 100 + K + D)
    sizes = ((N, Q, D), (N, K, D), (N, K, D))
    return [(scale * torch.randn(size, generator=generator)).bfloat16() for size in sizes]


def hidden(N: int, K: int) -> torch.Tensor:
    """Of every second row the last five keys are padding."""
    hide = torch.zeros(N, 1, K, dtype=torch.bool)
    hide[::2, :, -5:] = True
    return hide


def textbook(tensors: list[torch.Tensor], hide: torch.Tensor | None) -> torch.Tensor:
    query, key, value = tensors
    scores = query @ key.transpose(1, 2) / math.sqrt(query.shape[-1])
    if hide is not None:
        scores = scores.masked_fill(hide, -math.inf)
    return scores.softmax(-1) @ value


def with_gradients(compute, tensors, hide, outer, dtype) -> list[torch.Tensor]:  # type: ignore[no-untyped-def]
    """The result and the gradients of query, key and value, all in double precision."""
    leaves = [tensor.to(dtype).requires_grad_() for tensor in tensors]
    result = compute(leaves, hide)
    gradients = torch.autograd.grad(result, leaves, outer.to(dtype))
    return [value.detach().double() for value in (result, *gradients)]


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_bf16_is_nearly_as_near_the_truth_as_pytorchs_softmax(
    shape: tuple[int, int, int, int], padded: bool
) -> None:
    tensors = drawn(*shape)
    hide = hidden(shape[0], shape[2]) if padded else None
    outer = torch.randn(shape[0], shape[1], shape[3], generator=torch.Generator().manual_seed(7))

    outer = outer.bfloat16()
    truth = with_gradients(textbook, tensors, hide, outer, torch.float64)
    of_plain = with_gradients(plain, tensors, hide, outer, torch.bfloat16)
    of_ours = with_gradients(ours, tensors, hide, outer, torch.bfloat16)
    for exact, theirs, found in zip(truth, of_plain, of_ours, strict=True):
        error = (found - exact).square().mean().sqrt()
        assert error <= 1.6 * (theirs - exact).square().mean().sqrt()
        assert error <= 0.01 * exact.square().mean().sqrt()


@pytest.mark.parametrize("shape", SHAPES)
def test_fp32_is_the_textbooks(shape: tuple[int, int, int, int]) -> None:
    tensors = drawn(*shape)
    found = attention.attend(*(tensor.float() for tensor in tensors), None)
    torch.testing.assert_close(
        found.double(), textbook([t.double() for t in tensors], None), rtol=1e-5, atol=1e-5
    )


def ours(leaves: list[torch.Tensor], hide: torch.Tensor | None) -> torch.Tensor:
    return attention.attend(*leaves, hide)


def plain(leaves: list[torch.Tensor], hide: torch.Tensor | None) -> torch.Tensor:
    query, key, value = leaves
    return torch.bmm(attention.attention_weights(query, key, hide), value)


@pytest.mark.parametrize("scale", [0.0, 1.0, 7.0, 40.0, 1000.0])
def test_scores_of_any_size(scale: float) -> None:
    """exp() of large scores overflows and of small ones underflows: both take the softmax."""
    tensors = drawn(4, 12, 12, 8, scale)
    outer = torch.ones(4, 12, 8, dtype=torch.bfloat16)
    found = with_gradients(ours, tensors, None, outer, torch.bfloat16)
    exact = with_gradients(textbook, tensors, None, outer, torch.float64)
    assert all(value.isfinite().all() for value in found)
    torch.testing.assert_close(found[0], exact[0], rtol=0.02, atol=0.02 * max(scale, 1e-3))


@pytest.mark.parametrize("score", [0, 20, 39, 41, 60, 75, 79, 88, 200, -20, -39, -41, -75, -200])
@pytest.mark.parametrize("size", [1e-12, 1e-7, 1.0])
def test_small_gradients_of_high_and_low_scores(score: int, size: float) -> None:
    """All scores of a query are about `score`, which its softmax does not see."""
    query, key, value = drawn(4, 12, 12, 4)
    query[..., 0], key[..., 0] = 2.0, float(score)  # over sqrt(4)
    outer = (size * torch.randn(4, 12, 4, generator=torch.Generator().manual_seed(3))).bfloat16()
    exact = with_gradients(textbook, [query, key, value], None, outer, torch.float64)
    theirs = with_gradients(plain, [query, key, value], None, outer, torch.bfloat16)
    found = with_gradients(ours, [query, key, value], None, outer, torch.bfloat16)
    for true, rounded, value in zip(exact[2:], theirs[2:], found[2:], strict=True):
        error, allowed = (value - true).norm(), (rounded - true).norm()
        assert error <= 2 * allowed + 0.01 * true.norm()


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize(("of_keys", "of_values"), [(0, 0), (3, 3), (3, 10)])
def test_a_common_part_of_keys_and_values_costs_no_precision(
    of_keys: float, of_values: float, padded: bool
) -> None:
    """As biases make it. Rounded sums times it would be far more than all else."""
    B, T, A, D = 8, 24, 4, 8
    generator = torch.Generator().manual_seed(5)
    qkv = torch.randn(B, T, 3, A * D, generator=generator)
    qkv[:, :, 1] += of_keys
    qkv[:, :, 2] += of_values
    qkv = qkv.flatten(2).bfloat16()
    outer = torch.randn(B, T, A * D, generator=generator).bfloat16()
    module = Attention(EncoderConfig(width=A * D, heads=A, attention_dropout=0.0))
    keep = torch.ones(B, T, dtype=torch.bool)
    keep[::2, -5:] = False
    keep_BT = keep if padded else None

    def gradient(dtype: torch.dtype, through: bool) -> torch.Tensor:
        leaf = qkv.to(dtype).requires_grad_()
        if through:
            result = module.by_products(leaf, keep_BT, first_only=False)
        else:
            parts = module.by_head(leaf).reshape(3, B * A, T, D).unbind(0)
            hide = None if keep_BT is None else ~keep.repeat_interleave(A, 0)[:, None]
            result = plain(list(parts), hide).view(B, A, T, D).transpose(1, 2).flatten(2)
        (found,) = torch.autograd.grad(result, leaf, outer.to(dtype))
        return found.double().view(B, T, 3, A * D)

    exact = gradient(torch.float64, through=False)
    theirs, found = gradient(torch.bfloat16, False), gradient(torch.bfloat16, True)
    for part in range(3):
        error = (found - exact)[:, :, part].norm()
        assert error <= 1.6 * (theirs - exact)[:, :, part].norm()
        assert error <= 0.02 * exact[:, :, part].norm()


def test_rows_of_whole_vectors_take_the_softmax() -> None:
    """Which is as fast there, and nearer the truth."""
    for keys, round_ in ((24, True), (32, False), (40, True), (128, False)):
        assert attention.goes_round(torch.bfloat16, keys) is round_
        assert not attention.goes_round(torch.float32, keys)
        tensors = drawn(2, keys, keys, 4)
        same = torch.equal(attention.attend(*tensors, None), plain(tensors, None))
        assert same is not round_


def test_no_sequences() -> None:
    empty = torch.empty(0, 4, 8, dtype=torch.bfloat16)
    assert attention.attend(empty, empty, empty, None).shape == (0, 4, 8)


def test_all_keys_far_below_zero() -> None:
    query = torch.full((1, 2, 4), 20.0, dtype=torch.bfloat16)
    key = -query
    value = torch.arange(8, dtype=torch.bfloat16).view(1, 2, 4)
    found = attention.attend(query, key, value, None)  # each score is -800
    torch.testing.assert_close(found[0, 0], value.mean(1)[0])


def test_what_is_not_a_number_stays_so() -> None:
    query, key, value = drawn(2, 4, 4, 4)
    query[0, 0, 0] = math.nan
    assert attention.attend(query, key, value, None)[0, 0].isnan().all()


def test_padding_gets_no_weight_and_no_gradient() -> None:
    tensors = drawn(4, 12, 12, 8)
    hide = hidden(4, 12)
    leaves = [tensor.clone().requires_grad_() for tensor in tensors]
    result = attention.attend(*leaves, hide)
    _, of_key, of_value = torch.autograd.grad(result.float().sum(), leaves)
    assert not of_key[::2, -5:].any()
    assert not of_value[::2, -5:].any()
    changed = tensors[2].clone()
    changed[::2, -5:] = 100.0
    assert torch.equal(attention.attend(tensors[0], tensors[1], changed, hide), result)
