"""One HTTP client per vendor API and the transport they share; no orchestration."""
