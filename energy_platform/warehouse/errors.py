"""What can go wrong between the lake and the published file."""


class WarehouseError(RuntimeError):
    """A build or a publication failed; the message says what to do. What was published stays."""
