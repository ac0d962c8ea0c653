"""Device profiles: the published memory, peak FLOP/s and bandwidth of what a study may run on."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from grid.machine import memory
from grid.tree import near
from model.errors import InputError

GIB = 1 << 30


@dataclass(frozen=True, kw_only=True)
class Device:
    """One rank's device. Peaks are of dense products, without sparsity."""

    name: str
    kind: str
    """`cuda` or `cpu`."""
    memory: int
    """Bytes that a rank may fill."""
    peak: Mapping[str, float]
    """FLOP/s by precision, as published; empty where it is measured (cpu)."""
    bandwidth: float = 0.0
    """Bytes/s of its memory, as published."""
    link: float = 0.0
    """Bytes/s to the other ranks of a tensor-parallel group, one way, as published."""
    source: str

    def peak_of(self, precision: str) -> float:
        """Peak of products in `precision`; fp16's where bf16 is asked for and there is none."""
        if precision == "bf16" and "bf16" not in self.peak:
            return self.peak["fp16"]
        return self.peak[precision]


_GPUS = MappingProxyType(
    {
        device.name: device
        for device in (
            Device(
                name="h100",
                kind="cuda",
                memory=80 * 10**9,
                peak={"bf16": 989e12, "fp32": 67e12},
                bandwidth=3.35e12,
                link=450e9,
                source="NVIDIA H100 SXM5 80 GB, data sheet 2023",
            ),
            Device(
                name="h200",
                kind="cuda",
                memory=141 * 10**9,
                peak={"bf16": 989e12, "fp32": 67e12},
                bandwidth=4.8e12,
                link=450e9,
                source="NVIDIA H200 SXM 141 GB, data sheet 2024",
            ),
            Device(
                name="a100",
                kind="cuda",
                memory=80 * 10**9,
                peak={"bf16": 312e12, "fp32": 19.5e12},
                bandwidth=2.039e12,
                link=300e9,
                source="NVIDIA A100 SXM4 80 GB, data sheet 2021",
            ),
            Device(
                name="v100",
                kind="cuda",
                memory=32 * 10**9,
                peak={"fp16": 125e12, "fp32": 15.7e12},
                bandwidth=0.9e12,
                link=150e9,
                source="NVIDIA V100 SXM2 32 GB, data sheet 2018",
            ),
        )
    }
)
PROFILES = (*_GPUS, "cpu")
DEFAULT_GPU = "h100"


def device(name: str) -> Device:
    """The profile of this name; `cpu` is this machine. Raises InputError with the nearest name."""
    if name == "cpu":
        return Device(
            name="cpu", kind="cpu", memory=memory(), peak={}, source="this machine's memory"
        )
    if name not in _GPUS:
        raise InputError(
            f"execution.profile: expected one of {', '.join(PROFILES)}, found {name!r}"
            f"{near(name, PROFILES)}"
        )
    return _GPUS[name]
