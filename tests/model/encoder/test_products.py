"""Products of bf16 on CPUs without instructions for them: as exact, and the same model."""

import pytest
import torch

from model.config import EncoderConfig
from model.encoder import products
from model.encoder.encoder import build


@pytest.fixture
def widened(monkeypatch: pytest.MonkeyPatch) -> None:
    """This CPU has no instructions for bf16, whatever it has."""
    monkeypatch.setattr(products, "cpu_has_bf16", lambda: False)


def drawn(*shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(shape, generator=generator)


@pytest.mark.usefixtures("widened")
def test_results_and_gradients_are_the_exact_ones_rounded_once() -> None:
    x, weight, bias = (drawn(*shape).bfloat16() for shape in [(40, 96), (64, 96), (64,)])
    outer = drawn(40, 64).bfloat16()

    def computed(dtype: torch.dtype) -> list[torch.Tensor]:
        leaves = [tensor.detach().to(dtype).requires_grad_() for tensor in (x, weight, bias)]
        result = products.linear(*leaves)
        return [result, *torch.autograd.grad(result, leaves, outer.to(dtype))]

    for exact, found in zip(computed(torch.float64), computed(torch.bfloat16), strict=True):
        assert found.dtype == torch.bfloat16
        # Half a unit in the last place of 8 bits, and what sums of 96 fp32 numbers may add.
        assert torch.allclose(found.double(), exact, rtol=2**-8, atol=1e-5)


def test_a_model_is_the_same_to_the_rounding_of_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    config = EncoderConfig(
        layers=2,
        width=32,
        heads=4,
        max_positions=24,
        norm="pre",
        dropout=0.0,
        attention_dropout=0.0,
    )
    model = build(config, 100, seed=1).bfloat16()
    tokens = torch.randint(4, 100, (6, 24), generator=torch.Generator().manual_seed(1))
    positions = torch.arange(0, 144, 7)
    targets = tokens.flatten()[positions]
    found = {}
    for has in (True, False):
        monkeypatch.setattr(products, "cpu_has_bf16", lambda has=has: has)
        model.zero_grad()
        loss, _ = model(tokens, positions, targets)
        loss.backward()
        found[has] = [loss.detach(), *(p.grad.float() for p in model.parameters())]
    for native, widened in zip(found[True], found[False], strict=True):
        assert (native - widened).norm() <= 0.03 * native.norm() + 1e-4


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.usefixtures("widened")
def test_other_types_are_left_alone(dtype: torch.dtype) -> None:
    x, weight, bias = (drawn(*shape).to(dtype) for shape in [(5, 8), (6, 8), (6,)])
    assert torch.equal(
        products.linear(x, weight, bias), torch.nn.functional.linear(x, weight, bias)
    )
