"""Writes a very small encoder of chance weights into a folder: run with the Python of the stack."""

from __future__ import annotations

import string
import sys
from pathlib import Path

from transformers import BertConfig, BertModel, BertTokenizerFast, set_seed

WIDTH, LENGTH = 64, 32


def write(folder: Path) -> None:
    """A BERT of two layers, whose tokenizer knows letters and digits."""
    letters = string.ascii_lowercase + string.digits
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters)]
    folder.mkdir(parents=True)
    (folder / "vocab.txt").write_text("".join(f"{token}\n" for token in tokens), "utf-8")
    set_seed(0)
    config = BertConfig(
        vocab_size=len(tokens), hidden_size=WIDTH, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=2 * WIDTH, max_position_embeddings=LENGTH,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)
    BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
