"""The report: one page of each site and month or week, for the person who manages its energy.

``figures`` reads the published file once into plain records, ``findings`` says what is worth a
look, the section modules put both into words and tables (``view``), and ``page`` and ``pdf`` write
the same view as HTML and PDF. Nothing here computes what a mart has, and nothing knows Dagster.
"""

from energy_platform.report.errors import ReportError
from energy_platform.report.making import FOLDER, Made, make_reports
from energy_platform.report.period import Period

__all__ = ["FOLDER", "Made", "Period", "ReportError", "make_reports"]
