"""Half an hour of three models, room for two, and forty clients, while engines and clients are killed."""
