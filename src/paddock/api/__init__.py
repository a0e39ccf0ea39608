"""Owns the HTTP edge: routes, request schemas, error shapes; decides nothing about models or processes."""
