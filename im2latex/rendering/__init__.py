"""Rendering: formulas become pictures, as LaTeX prints them."""
