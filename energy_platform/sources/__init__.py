"""What the platform reads from: one folder for each source, and what they share."""
