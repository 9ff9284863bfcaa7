"""The audit: is this data set whole, clean and free of leakage?

`check_dataset` finds what is wrong and says what to do; it changes nothing. `dataset.without` takes
out the images that a finding, or the whole report, names.
"""

from fer_lib.audit.audit_report import AuditReport, Finding
from fer_lib.audit.checks import check_dataset

__all__ = ["AuditReport", "Finding", "check_dataset"]
