"""Figures beside named peers, run by hand: each module says how."""
