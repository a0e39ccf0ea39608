"""What served models get right: tool calls, own sets of prompts, perplexity, and two evaluations side by side."""
