"""How numbers are written in the report."""

from __future__ import annotations

MINUS = "\N{MINUS SIGN}"


def number(value: float, decimals: int = 2) -> str:
    """Return ``1,234.50``; a whole number has no decimals."""
    # 0.0 is added so that what rounds to nothing has no sign.
    text = f"{value:,}" if isinstance(value, int) else f"{round(value, decimals) + 0.0:,.{decimals}f}"
    return text.replace("-", MINUS)


def difference(value: float, decimals: int = 2) -> str:
    """Return the number with its sign, ``±0`` for what rounds to nothing."""
    rounded = round(value, decimals)
    if not rounded:
        return "±0"
    return ("+" if rounded > 0 else MINUS) + number(abs(value), decimals)


def both_or_all(number: int) -> str:
    """Return ``both``, or ``all 3``: so many experiments."""
    return "both" if number == 2 else f"all {number}"


def short(value: float) -> str:
    """Return a number as briefly as possible: ``0.003``, ``12``, ``1.5``, ``20k``."""
    if abs(value) >= 10_000:
        return f"{value / 1000:g}k".replace("-", MINUS)
    return f"{value:.6g}".replace("-", MINUS)


def duration(seconds: float) -> str:
    """Return ``0.4 s``, ``12 s``, ``5 min 8 s`` or ``3 h 5 min``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if minutes else f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes} min"


def size(num_bytes: float) -> str:
    """Return ``38 B``, ``1.5 KiB``, ``138.6 MiB`` and so on."""
    if num_bytes < 1024:
        return f"{num_bytes:.0f} B"
    units = ("KiB", "MiB", "GiB", "TiB")
    for unit in units:
        num_bytes /= 1024
        if num_bytes < 999.95 or unit == units[-1]:
            break
    return f"{num_bytes:,.1f} {unit}"
