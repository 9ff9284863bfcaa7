"""The data doctor: is this data set whole, clean and free of leaks?

`check_dataset` finds what is wrong and says what to do; it changes nothing. `dataset.without` takes
out the pictures that a finding, or the whole report, names.
"""

from fer_lib.audit.check import check_dataset
from fer_lib.audit.findings import Finding
from fer_lib.audit.report import AuditReport

__all__ = ["AuditReport", "Finding", "check_dataset"]
