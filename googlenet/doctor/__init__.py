"""What is wrong with a training run, from the files in its folder: ``googlenet doctor``.

`open_case` reads the folder, `diagnose` says what is wrong with it, `drawings` draws. Each kind of
trouble is a function in `outside` (seen in the figures of the epochs) or `inside` (seen within the
network); the numbers from which on something is trouble are in `thresholds`, with their reasons.
"""

from googlenet.doctor.case import Case, open_case
from googlenet.doctor.diagnosis import diagnose
from googlenet.doctor.finding import SEVERITIES, Finding

__all__ = ["SEVERITIES", "Case", "Finding", "diagnose", "open_case"]
