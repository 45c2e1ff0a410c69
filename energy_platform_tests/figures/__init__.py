"""Every published figure against an independent recomputation from the raw files."""
