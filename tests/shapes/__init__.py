"""Owns what each dialect's answers must look like, checked with the SDKs' own models and with rules; holds no tests."""
