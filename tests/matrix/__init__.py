"""The matrix: every SDK version x transport x protocol era, our events against an independent wire log, one by one.

``cells`` says what there is, ``play`` runs a cell, ``compare`` judges it, ``stage`` holds what runs with the SDK:
servers, clients and witnesses. ``test_matrix`` plays a few cells; ``.ci/matrix`` (``python -m matrix``) plays them all.
"""
