"""Work that takes long: a process of its own, what it tells, and how it is stopped; not what the work means."""
