"""Fine-tuning: what is to be trained (`spec`), and the runs of it; torch is imported by the worker alone."""
