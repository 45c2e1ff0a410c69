"""Local stand-ins for the four vendors over one deterministic world.

They share no code with the platform's clients: each was written apart, from the vendor's
description. Demo, tests and benchmarks run against them; the clients do not know they exist.
"""
