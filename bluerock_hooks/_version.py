"""The version, alone in a module that both the build and the sensor can read."""

__version__ = "0.1.0"
