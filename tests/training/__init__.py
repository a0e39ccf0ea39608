"""The tier `training`: trainings for real, with the training stack; `python3 dev.py test --tier training`."""
