"""Fuzz targets: ``.ci/fuzz`` runs them under atheris, coverage-guided, and ``unit/test_fuzz_corpus.py`` what it found.

A target is a module with ``one(data)``: it takes any bytes, and raises where a promise is broken.
"""
