"""The database: every SQL statement and migration of paddock."""
