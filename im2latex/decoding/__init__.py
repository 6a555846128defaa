"""Decoder: pictures to the most probable token ids that make a formula; scriptable, for any formula model."""

from im2latex.decoding.decoder import Decoder

__all__ = ["Decoder"]
