"""The data doctor: is this data set whole, clean and free of leaks?

`check_dataset` finds what is wrong and says what to do; it changes nothing. `dataset.without` takes
out the pictures that a finding, or the whole report, names.
"""

from fer_lib.doctor.check import check_dataset
from fer_lib.doctor.findings import Finding
from fer_lib.doctor.report import DoctorReport

__all__ = ["DoctorReport", "Finding", "check_dataset"]
