"""The steps by which a database is brought to the present tables, for Alembic."""
