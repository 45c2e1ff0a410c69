"""The whole platform killed at random moments, and what it must come to in the end."""
