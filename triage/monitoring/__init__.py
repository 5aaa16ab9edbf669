"""When reports are expected of a patient: doses, courses, stays in hospital, the end of monitoring."""
