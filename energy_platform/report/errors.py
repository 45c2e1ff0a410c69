"""What can go wrong while a report is made."""


class ReportError(RuntimeError):
    """A report cannot be made; the message says why and what to do."""
