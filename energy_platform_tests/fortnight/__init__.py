"""Long proofs on a fast clock: a fortnight of troubles, a month of runs, the latency of a cycle."""
