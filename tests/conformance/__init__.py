"""The protocol's own conformance suite and inspector, against a server and a client of ours: the same with the sensor.

``.ci/conformance`` (``python -m conformance``) runs it; it needs npm. ``server``, ``rounds`` and ``client`` run with
the SDK and import nothing of this package.
"""
