"""Owns making the tests' small embedding model, `tests/knowledge/words.gguf`, from WordNet's files; judges nothing.

    python3 tools/make_embedder.py FOLDER-OF-data.noun-AND-SO-ON [OUT]

Words that stand in one synset, in its gloss or in those above and beside it, mean something alike. Of how often they
do, as positive pointwise mutual information, the leading eigenvectors are the words' vectors; frequent ones weigh less.
The file is a BERT of one layer that adds nothing: what comes out is the mean of the words' vectors. Each vector has two
further numbers by which mean and length are the same for all, so that the layer's norms only scale it; the last norm
takes them away. The same files make the same bytes.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import gguf
import numpy
from numpy.typing import NDArray

WORDS, WIDTH, LENGTH, INNER = 9000, 64, 512, 32
_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
_ENDINGS = (("ies", "y"), ("sses", "ss"), ("es", "e"), ("es", ""), ("s", ""), ("ied", "y"), ("ed", "e"), ("ed", ""),
            ("ing", "e"), ("ing", ""))  # fmt: skip
_SUFFIXES = ("s", "es", "ed", "d", "ing", "er", "ers", "ly", "ness", "'s", "ment", "ion", "al", "y")
# Marks of what stands above (hypernym), beside (similar, derived, verb group, pertains to) and around (holonym).
_NEAR = {**dict.fromkeys(("@", "@i", "&", "+", "$", "\\", "<", "="), 1.0), "#p": 0.6, "%p": 0.6, ";c": 0.6}
_FREQUENT = 2e-4
_ROUNDS, _SPARE = 12, 40
Floats = NDArray[numpy.float32]


def main() -> None:
    """Make the file."""
    folder = Path(sys.argv[1])
    out = Path(sys.argv[2] if len(sys.argv) > 2 else "tests/knowledge/words.gguf")
    synsets = {kind + number: rest for kind, number, rest in _synsets(folder)}
    counts = Counter(word for words, gloss, _ in synsets.values() for word in (*words, *gloss))
    lemmas = {word for words, _, _ in synsets.values() for word in words}
    counts = Counter({word: count for word, count in counts.items() if word in lemmas or count >= 50})
    chosen = [word for word, _ in sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:WORDS]]
    at = {word: place for place, word in enumerate(chosen)}
    vectors = _vectors(_together(synsets, at))
    shares = numpy.array([counts[word] for word in chosen], numpy.float64) / sum(counts.values())
    vectors *= (_FREQUENT / (_FREQUENT + shares))[:, None].astype(numpy.float32)
    _write(out, chosen, vectors)


def _synsets(folder: Path) -> Iterator[tuple[str, str, tuple[list[str], list[str], list[tuple[str, float]]]]]:
    """Each synset: its own words, those of its gloss, and the synsets near it with what they weigh."""
    heard = re.compile(r"[a-z]{2,}")
    lemmas: set[str] = set()
    lines = [
        (kind, line.split(" | "))
        for name, kind in (("noun", "n"), ("verb", "v"), ("adj", "a"), ("adv", "r"))
        for line in (folder / f"data.{name}").read_text("latin-1").splitlines()
        if line[:1].isdigit()
    ]
    rows: list[tuple[str, list[str], str, list[str]]] = []
    for kind, (head, *gloss) in lines:
        parts = head.split()
        count = int(parts[3], 16)
        words = [piece for one in parts[4 : 4 + 2 * count : 2] for piece in one.lower().split("(")[0].split("_")]
        lemmas.update(words)
        rows.append((kind + parts[0], words, " ".join(gloss).lower(), parts[4 + 2 * count :]))
    for name, words, gloss, rest in rows:
        near = [
            ((rest[place + 2].replace("s", "a")) + rest[place + 1], _NEAR[rest[place]])
            for place in range(1, 1 + 4 * int(rest[0]), 4)
            if rest[place] in _NEAR
        ]
        own = [word for word in words if heard.fullmatch(word)]
        yield name[0], name[1:], (own, [_lemma(word, lemmas) for word in heard.findall(gloss)], near)


def _lemma(word: str, known: set[str]) -> str:
    """The form under which a word stands in WordNet, by the common endings."""
    if word in known:
        return word
    for ending, instead in _ENDINGS:
        if word.endswith(ending) and (found := word.removesuffix(ending) + instead) in known:
            return found
    return word


def _together(synsets: dict[str, tuple[list[str], list[str], list[tuple[str, float]]]], at: dict[str, int]) -> Floats:
    """How much each two words stand together."""
    found = numpy.zeros((len(at), len(at)), numpy.float32)
    for words, gloss, near in synsets.values():
        weights: dict[int, float] = {}

        def add(some: list[str], weight: float, weights: dict[int, float] = weights) -> None:
            for word in some:
                if word in at:
                    weights[at[word]] = max(weights.get(at[word], 0.0), weight)

        add(gloss, 0.6)
        for name, weight in near:
            if name in synsets:
                above, _, higher = synsets[name]
                add(above, weight)
                for further, more in higher:
                    if further in synsets:
                        add(synsets[further][0], 0.4 * weight * more)
        add(words, 1.5)
        places = numpy.fromiter(weights, numpy.int64)
        values = numpy.fromiter(weights.values(), numpy.float32)
        found[numpy.ix_(places, places)] += numpy.outer(values, values)
    return found


def _vectors(together: Floats) -> Floats:
    """The words' vectors: the leading eigenvectors of positive pointwise mutual information, by their roots."""
    sums = together.sum(axis=1) ** numpy.float32(0.75)
    smoothed = sums / sums.sum()
    with numpy.errstate(divide="ignore", invalid="ignore"):
        shared = numpy.log(together / together.sum(axis=1, keepdims=True) / smoothed[None, :])
    shared[~numpy.isfinite(shared)] = 0
    numpy.maximum(shared, 0, out=shared)
    shared = (shared + shared.T) / 2
    wide = WIDTH - 2
    basis = numpy.random.default_rng(7).standard_normal((len(shared), wide + _SPARE)).astype(numpy.float32)
    for _ in range(_ROUNDS):
        basis, _unused = numpy.linalg.qr(shared @ basis)
    values, turned = numpy.linalg.eigh(basis.T @ (shared @ basis))
    order = numpy.argsort(-values)[:wide]
    made = (basis @ turned[:, order]) * numpy.sqrt(numpy.maximum(values[order], 0))
    return made / numpy.maximum(numpy.linalg.norm(made, axis=1, keepdims=True), 1e-6)


def _write(out: Path, words: list[str], vectors: Floats) -> None:
    marked = [f"\u2581{word}" for word in words]
    letters = [*(chr(code) for code in range(97, 123)), *"0123456789", *_SUFFIXES]
    signs = [f"\u2581{sign}" for sign in (*(chr(code) for code in range(33, 127) if not chr(code).isupper()),)]
    rest = [one for one in dict.fromkeys((*letters, *signs)) if one not in set(marked)]
    tokens = [*_SPECIAL, *marked, *rest]
    silent = numpy.zeros((len(_SPECIAL), WIDTH - 2), numpy.float32)
    table = _balanced(numpy.concatenate((silent, vectors, numpy.zeros((len(rest), WIDTH - 2), numpy.float32))))
    writer = gguf.GGUFWriter(out, "bert")
    writer.add_name("Words of WordNet")
    writer.add_context_length(LENGTH)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(INNER)
    writer.add_block_count(1)
    writer.add_head_count(1)
    writer.add_layer_norm_eps(1e-12)
    writer.add_causal_attention(False)
    writer.add_uint32("bert.pooling_type", 1)
    writer.add_tokenizer_model("bert")
    writer.add_token_list(tokens)
    writer.add_token_types([3] * len(_SPECIAL) + [1] * (len(tokens) - len(_SPECIAL)))
    writer.add_token_type_count(2)
    for number, add in enumerate((writer.add_pad_token_id, writer.add_unk_token_id, writer.add_bos_token_id,
                                  writer.add_sep_token_id, writer.add_mask_token_id)):  # fmt: skip
        add(number)
    writer.add_eos_token_id(3)
    writer.add_tensor("token_embd.weight", table.astype(numpy.float16))
    for name, shape in _shapes():
        values = numpy.zeros(shape, numpy.float32)
        if name.endswith("norm.weight"):
            values += 1
            if "layer_output" in name:
                values[-2:] = 0
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _balanced(vectors: Floats) -> Floats:
    """Vectors with two more numbers each, by which all have mean 0 and the same length."""
    lean = -vectors.sum(axis=1) / 2
    squares = (vectors**2).sum(axis=1)
    length = 1.05 * (squares + 2 * lean**2).max()
    more = numpy.sqrt((length - squares) / 2 - lean**2)
    return numpy.concatenate((vectors, (lean + more)[:, None], (lean - more)[:, None]), axis=1)


def _shapes() -> list[tuple[str, tuple[int, ...]]]:
    norms = ("token_embd_norm", "blk.0.attn_output_norm", "blk.0.layer_output_norm")
    layers = (
        *((f"blk.0.attn_{part}", WIDTH, WIDTH) for part in ("q", "k", "v", "output")),
        ("blk.0.ffn_up", INNER, WIDTH),
        ("blk.0.ffn_down", WIDTH, INNER),
    )
    return [
        ("token_types.weight", (2, WIDTH)),
        ("position_embd.weight", (LENGTH, WIDTH)),
        *((f"{norm}.{part}", (WIDTH,)) for norm in norms for part in ("weight", "bias")),
        *((f"{name}.weight", (rows, columns)) for name, rows, columns in layers),
        *((f"{name}.bias", (rows,)) for name, rows, _ in layers),
    ]


if __name__ == "__main__":
    main()
