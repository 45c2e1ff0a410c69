"""The HTTP transport of all sources: patience, logins, masking, limits; no vendor's name."""
