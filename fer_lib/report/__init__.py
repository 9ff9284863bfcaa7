"""An evaluation as one web page: everything in the file, nothing loaded from elsewhere."""

from fer_lib.report.page import write_report

__all__ = ["write_report"]
