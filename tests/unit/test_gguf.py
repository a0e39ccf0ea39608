"""What the header reader makes of whole, damaged and foreign files."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import gguf as reference
import pytest

from paddock.errors import ModelUnusable
from paddock.models.catalog import BUNDLED
from paddock.models.gguf import GgufHeader, read_header
from paddock.models.gguf_layout import QUANTISATIONS, TENSOR_KINDS
from tests.fakes.gguf_files import F32, I32, U16, Tensor, Typed, gguf, split, text

POCKET = BUNDLED["pocket-v0"]


def header_of(folder: Path, content: bytes, name: str = "tiny.gguf") -> GgufHeader:
    path = folder / name
    path.write_bytes(content)
    return read_header(path)


def complaint(folder: Path, content: bytes, name: str = "tiny.gguf") -> str:
    with pytest.raises(ModelUnusable) as caught:
        header_of(folder, content, name)
    assert str(folder) not in caught.value.message
    assert caught.value.message.startswith(f"'{name}' ")
    return caught.value.message


def test_pocket_says_what_it_is() -> None:
    header = read_header(POCKET)
    assert (header.architecture, header.name, header.quantisation) == ("qwen2", "pocket v0", "Q8_0")
    assert (header.trained_context_tokens, header.vocabulary_size, header.block_count) == (131072, 2048, 5)
    assert (header.embedding_length, header.head_count, header.head_count_kv) == (256, 4, 4)
    assert header.files == (POCKET,)
    assert header.size_bytes == POCKET.stat().st_size
    assert header.task == "text"


def test_counts_agree_with_the_reference_reader() -> None:
    header, theirs = read_header(POCKET), reference.GGUFReader(POCKET)
    assert header.parameter_count == sum(int(tensor.n_elements) for tensor in theirs.tensors)
    assert header.tensor_count == len(theirs.tensors)
    assert header.chat_template == theirs.fields["tokenizer.chat_template"].contents()
    assert set(header.metadata) == {name for name in theirs.fields if not name.startswith("GGUF.")}


def test_weights_are_told_by_layer_and_by_purpose(tmp_path: Path) -> None:
    tensors = [
        Tensor("token_embd.weight", (64, 3), "Q8_0"),
        Tensor("output.weight", (64, 3)),
        Tensor("blk.0.attn_q.weight", (64, 2)),
        Tensor("blk.1.attn_q.weight", (64, 2)),
        Tensor("blk.1.ffn_up_exps.weight", (64, 2, 4)),
        Tensor("blk.99999.odd.weight", (64,)),
    ]
    header = header_of(tmp_path, gguf(tensors=tensors))
    assert header.bytes_by_block == {0: 512, 1: 512 + 2048}
    assert (header.expert_bytes, header.embedding_bytes, header.output_bytes) == (2048, 204, 768)
    paths = split(tmp_path, "parts", 3)
    assert read_header(paths[0]).bytes_by_block == {0: 256, 1: 256, 2: 256}


def test_tables_agree_with_the_reference_package() -> None:
    theirs = {int(kind): (kind.name, *reference.GGML_QUANT_SIZES[kind]) for kind in reference.GGMLQuantizationType}
    assert theirs == TENSOR_KINDS
    names = {
        int(kind): kind.name.removeprefix("MOSTLY_").removeprefix("ALL_").removesuffix("_MOE")
        for kind in reference.LlamaFileType
        if kind is not reference.LlamaFileType.GUESSED
    }
    assert names == QUANTISATIONS


def test_a_file_of_the_second_version_is_read(tmp_path: Path) -> None:
    assert header_of(tmp_path, gguf(version=2)).version == 2


def test_big_arrays_are_counted_and_not_kept(tmp_path: Path) -> None:
    pieces = [f"piece {number}" for number in range(40_000)]
    header = header_of(tmp_path, gguf(more={"tokenizer.ggml.tokens": pieces, "scores": [1] * 40_000}))
    assert header.vocabulary_size == 40_000
    assert header.chat_template == "{{ messages }}"
    assert len(repr(header.metadata["tokenizer.ggml.tokens"])) < 100


def test_heads_may_differ_by_layer(tmp_path: Path) -> None:
    header = header_of(tmp_path, gguf(more={"llama.attention.head_count_kv": Typed([2, 0, 2], 9, I32)}))
    assert header.head_count_kv == (2, 0, 2)


def test_recommended_sampling_is_read(tmp_path: Path) -> None:
    more = {"general.sampling.temp": Typed(0.5, F32), "general.sampling.top_k": 7}
    assert header_of(tmp_path, gguf(more=more)).recommended_sampling == {"temp": 0.5, "top_k": 7}


def test_without_a_file_type_the_tensors_name_the_quantisation(tmp_path: Path) -> None:
    tensors = [Tensor("a", (256, 8), "Q4_K"), Tensor("b", (64,))]
    assert header_of(tmp_path, gguf(tensors=tensors, without=["general.file_type"])).quantisation == "Q4_K"


@pytest.mark.parametrize(
    ("pooling", "task"), [(0, "text"), (1, "embedding"), (2, "embedding"), (3, "embedding"), (4, "ranking")]
)
def test_a_pooling_type_tells_the_task(tmp_path: Path, pooling: int, task: str) -> None:
    assert header_of(tmp_path, gguf(more={"llama.pooling_type": pooling})).task == task


def test_an_encoder_is_an_embedding_model(tmp_path: Path) -> None:
    assert header_of(tmp_path, gguf(more={"general.architecture": "nomic-bert"})).task == "embedding"


def test_a_tensor_of_an_unknown_kind_is_left_to_the_engine(tmp_path: Path) -> None:
    content = gguf(tensors=[Tensor("a", (64,))])
    shape = text("a") + struct.pack("<IQ", 1, 64)
    at = content.index(shape) + len(shape)
    assert header_of(tmp_path, content[:at] + struct.pack("<I", 999) + content[at + 4 :]).tensor_count == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty. Fetch it again."),
        (b"GG", "ends after its first bytes"),
        (b"GGUF", "is cut short"),
        (struct.pack("<Q", 2) + b"{}" + bytes(20), "it is a safetensors file"),
        (b"PK\x03\x04" + bytes(40), "it is a zip archive, perhaps a PyTorch checkpoint"),
        (b"\x80\x02}q\x00." + bytes(40), "it is a Python pickle"),
        (b"<!DOCTYPE html><html></html>", "it is a web page"),
        (b"\n <html>", "it is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00", "it is a Git LFS pointer"),
        (b"tjgg\x03\x00\x00\x00", "it is of the GGML format"),
        (b"\x1f\x8b\x08" + bytes(20), "it is a compressed archive"),
        (b"hello, this is no model", "it does not begin as one"),
    ],
)
def test_a_file_of_another_kind_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    assert words in complaint(tmp_path, content)


def test_a_newer_version_is_named(tmp_path: Path) -> None:
    message = complaint(tmp_path, gguf(version=4))
    assert "has GGUF version 4, newer than this paddock reads (2 and 3)" in message
    assert "Update paddock" in message


def test_an_older_version_is_named(tmp_path: Path) -> None:
    assert "has GGUF version 1; this paddock reads 2 and 3" in complaint(tmp_path, gguf(version=1))


def test_a_big_endian_file_is_named(tmp_path: Path) -> None:
    assert "big-endian" in complaint(tmp_path, b"GGUF" + struct.pack(">IQQ", 3, 0, 0))


def test_a_truncated_file_is_named(tmp_path: Path) -> None:
    whole = POCKET.read_bytes()
    assert f"holds 4000000 of {len(whole)} bytes" in complaint(tmp_path, whole[:4_000_000])


def test_a_file_that_ends_within_its_header_is_named(tmp_path: Path) -> None:
    assert "is cut short: its 300 bytes end within the header" in complaint(tmp_path, gguf()[:300])


def test_a_file_without_its_last_padding_is_whole(tmp_path: Path) -> None:
    content = gguf(tensors=[Tensor("a", (3,))])
    assert header_of(tmp_path, content[:-20]).tensor_count == 1
    assert "is cut short" in complaint(tmp_path, content[:-21])


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"general.type": "adapter"}, "is an adapter (LoRA)"),
        ({"general.type": "mmproj"}, "is a projector"),
        ({"general.architecture": "clip"}, "is a projector"),
        ({"general.type": "imatrix"}, "is an importance matrix"),
        ({"general.architecture": "controlvector"}, "is a control vector"),
    ],
)
def test_what_is_no_model_is_named(tmp_path: Path, more: dict[str, object], words: str) -> None:
    assert words in complaint(tmp_path, gguf(more=more))


def test_a_vocabulary_without_tensors_is_named(tmp_path: Path) -> None:
    assert "is a vocabulary without a model" in complaint(tmp_path, gguf(tensors=[]))


def test_a_file_without_architecture_is_named(tmp_path: Path) -> None:
    assert "does not name its architecture" in complaint(tmp_path, gguf(without=["general.architecture"]))


@pytest.mark.parametrize("alignment", [0, 3, 2**31])
def test_an_impossible_alignment_is_named(tmp_path: Path, alignment: int) -> None:
    assert "its alignment is" in complaint(tmp_path, gguf(more={"general.alignment": alignment}))


def test_another_alignment_counts(tmp_path: Path) -> None:
    content = gguf(more={"general.alignment": 256}, alignment=256)
    assert header_of(tmp_path, content).tensor_count == 2


def test_a_key_that_is_there_twice_is_named(tmp_path: Path) -> None:
    content = gguf(more={"llama.block_counu": 3}).replace(b"llama.block_counu", b"llama.block_count")
    assert "two values for 'llama.block_count'" in complaint(tmp_path, content)


def test_a_tensor_of_five_dimensions_is_named(tmp_path: Path) -> None:
    assert "5 dimensions" in complaint(tmp_path, gguf(tensors=[Tensor("a", (1, 1, 1, 1, 1))]))


@pytest.mark.parametrize("folder", [True, False])
def test_a_path_that_cannot_be_read_is_named(tmp_path: Path, folder: bool) -> None:
    path = tmp_path / "x.gguf"
    if folder:
        path.mkdir()
    with pytest.raises(ModelUnusable, match=r"'x.gguf' cannot be read"):
        read_header(path)


def test_a_split_model_is_one_model(tmp_path: Path) -> None:
    paths = split(tmp_path, "big", 3)
    header = read_header(paths[0])
    assert header.files == tuple(paths)
    assert (header.tensor_count, header.parameter_count) == (3, 192)
    assert header.size_bytes == sum(path.stat().st_size for path in paths)


def test_a_missing_part_is_named(tmp_path: Path) -> None:
    paths = split(tmp_path, "big", 3)
    paths[1].unlink()
    with pytest.raises(ModelUnusable, match=r"one of 3 parts and 1 of them are missing: 'big-00002-of-00003.gguf'"):
        read_header(paths[0])


def test_a_later_part_points_to_the_first(tmp_path: Path) -> None:
    with pytest.raises(
        ModelUnusable, match=r"is part 2 of 3 of a model. Give the first part, 'big-00001-of-00003.gguf'"
    ):
        read_header(split(tmp_path, "big", 3)[1])


def test_a_damaged_part_is_named(tmp_path: Path) -> None:
    paths = split(tmp_path, "big", 2)
    paths[1].write_bytes(paths[1].read_bytes()[:-200])
    with pytest.raises(ModelUnusable, match=r"cannot be used without its part 'big-00002-of-00002.gguf', which is cut"):
        read_header(paths[0])


def test_a_part_in_the_place_of_another_is_named(tmp_path: Path) -> None:
    paths = split(tmp_path, "big", 3)
    paths[2].write_bytes(paths[1].read_bytes())
    with pytest.raises(ModelUnusable, match=r"which is not its part 3"):
        read_header(paths[0])


def test_a_first_part_under_another_name_is_named(tmp_path: Path) -> None:
    path = split(tmp_path, "big", 2)[0].rename(tmp_path / "renamed.gguf")
    with pytest.raises(ModelUnusable, match=r"is the first of 2 parts, but is not named as one"):
        read_header(path)


def test_part_numbers_of_sixteen_bits_are_read(tmp_path: Path) -> None:
    more = {"split.no": Typed(0, U16), "split.count": Typed(1, U16)}
    assert header_of(tmp_path, gguf(more=more)).tensor_count == 2


def test_a_pipe_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    os.mkfifo(path)
    with pytest.raises(ModelUnusable, match="no regular file"):
        read_header(path)
