"""Seeds that are the same on every machine, and unlike for unlike things."""

from __future__ import annotations

import hashlib


def seed_of(seed: int, what: str, number: int) -> int:
    """A 48-bit seed for the `number`-th `what` of a run with `seed`."""
    digest = hashlib.sha256(f"{seed}/{what}/{number}".encode()).digest()
    return int.from_bytes(digest[:6], "big")
