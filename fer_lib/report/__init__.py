"""An evaluation as one web page: everything in the file, nothing loaded from elsewhere."""

from fer_lib.report.page import render_report, write_report

__all__ = ["render_report", "write_report"]
