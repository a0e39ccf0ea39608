"""The worker of an export: the only place of this room where torch and its like are imported."""
