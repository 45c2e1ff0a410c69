"""What Wattics acknowledged and how packets get there."""
