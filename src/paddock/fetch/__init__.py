"""The guarded way out: fetching what a request names by an address that anybody may reach."""
