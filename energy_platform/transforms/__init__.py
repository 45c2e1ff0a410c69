"""Pure functions from frames to frames: no clock, no disk, no network."""
