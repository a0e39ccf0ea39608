"""Owns the tests of the page: Debian's Chromium before an installed wheel; holds no fakes."""
