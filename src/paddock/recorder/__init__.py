"""The flight recorder: bounded copies of requests, without secrets."""
