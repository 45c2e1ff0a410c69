"""Where delivered packets go: one folder for each destination."""
