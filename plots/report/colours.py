"""Colours of a light page as they are on a dark one, in Oklab (Ottosson 2020).

https://bottosson.github.io/posts/oklab, where the matrices stand.
"""

import math

_NEUTRAL = 0.02
"""Chroma below which a colour is a grey."""
_FILL = 0.85
"""Lightness from which a colour is a tint behind words, which has to become a shade."""


def dark(colour: str) -> str:
    """The twin of `#rrggbb`: greys and tints change sides, other colours become light enough."""
    lightness, a, b = _to_oklab(colour)
    if math.hypot(a, b) < _NEUTRAL or lightness >= _FILL:
        return _from_oklab(min(0.93, 1.22 - lightness), a, b)
    return _from_oklab(max(lightness, 1.2 - lightness, 0.7), a, b)


def _to_oklab(colour: str) -> tuple[float, float, float]:
    red, green, blue = (_linear(int(colour[at : at + 2], 16) / 255) for at in (1, 3, 5))
    long = math.cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue)
    middle = math.cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue)
    brief = math.cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue)
    return (
        0.2104542553 * long + 0.7936177850 * middle - 0.0040720468 * brief,
        1.9779984951 * long - 2.4285922050 * middle + 0.4505937099 * brief,
        0.0259040371 * long + 0.7827717662 * middle - 0.8086757660 * brief,
    )


def _from_oklab(lightness: float, a: float, b: float) -> str:
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    middle = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    brief = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    parts = (
        4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * brief,
        -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * brief,
        -0.0041960863 * long - 0.7034186147 * middle + 1.7076147010 * brief,
    )
    return "#" + "".join(f"{round(255 * _encoded(min(1.0, max(0.0, p)))):02x}" for p in parts)


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def _encoded(value: float) -> float:
    return 12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055
