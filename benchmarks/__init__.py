"""What is measured, not tested: calibration on planted truth."""
