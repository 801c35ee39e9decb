"""The whole suites of third parties, with the sensor off and on, compared test by test: ``python -m suites``."""
