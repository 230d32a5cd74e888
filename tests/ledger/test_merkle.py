"""The tree against Certificate Transparency's known answers, the RFC's own recursion, and random trees."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.ledger.tree.merkle import (
    Frontier,
    RootFunction,
    consistency_path,
    inclusion_path,
    leaf_hash,
    node_hash,
    tree_hash,
    verify_consistency,
    verify_inclusion,
)

# https://github.com/transparency-dev/merkle: testonly/constants.go and tree_test.go
INPUTS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
A, B, C = (
    "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
    "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
)
D, E, F = (
    "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
    "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
)
LEAVES = [leaf_hash(bytes.fromhex(data)) for data in INPUTS]


def hexed(path: list[bytes]) -> list[str]:
    return [step.hex() for step in path]


def over(leaves: list[bytes]) -> RootFunction:
    return lambda start, stop: tree_hash(leaves[start:stop])


def test_the_known_roots() -> None:
    tree = Frontier()
    for size, root in enumerate(ROOTS):
        assert tree.root().hex() == tree_hash(LEAVES[:size]).hex() == root
        if size < len(LEAVES):
            tree = tree.append(LEAVES[size])


@pytest.mark.parametrize(
    ("index", "size", "path"),
    [(0, 1, []), (0, 8, [A, B, C]), (5, 8, [D, E, ROOTS[4]]), (2, 3, [ROOTS[2]]), (1, 5, [ROOTS[1], B, D])],
)
def test_the_known_inclusion_proofs(index: int, size: int, path: list[str]) -> None:
    assert hexed(inclusion_path(index, size, over(LEAVES))) == path
    assert verify_inclusion(
        bytes.fromhex(ROOTS[size]), size, LEAVES[index], index, [bytes.fromhex(step) for step in path]
    )


@pytest.mark.parametrize(
    ("old", "size", "path"), [(1, 1, []), (1, 8, [A, B, C]), (6, 8, [F, E, ROOTS[4]]), (2, 5, [B, D])]
)
def test_the_known_consistency_proofs(old: int, size: int, path: list[str]) -> None:
    assert hexed(consistency_path(old, size, over(LEAVES))) == path
    roots = bytes.fromhex(ROOTS[old]), old, bytes.fromhex(ROOTS[size]), size
    assert verify_consistency(*roots, [bytes.fromhex(step) for step in path])


def recursive(leaves: list[bytes]) -> bytes:
    """MTH as the RFC writes it."""
    if len(leaves) == 1:
        return leaves[0]
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return node_hash(recursive(leaves[:half]), recursive(leaves[half:]))


def leaves(size: int) -> list[bytes]:
    return [leaf_hash(b"%d" % number) for number in range(size)]


@given(st.integers(1, 300))
def test_a_root_is_what_the_rfc_defines(size: int) -> None:
    assert tree_hash(leaves(size)) == recursive(leaves(size))


@given(st.integers(1, 200), st.data())
def test_every_inclusion_is_proved_and_nothing_else(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    made, root = inclusion_path(index, size, over(leaves(size))), tree_hash(leaves(size))
    leaf = leaves(size)[index]
    assert verify_inclusion(root, size, leaf, index, made)
    other = data.draw(st.integers(0, size))
    assert other == index or not verify_inclusion(root, size, leaf, other, made)
    assert not verify_inclusion(root, size, leaf_hash(b"another"), index, made)
    assert not verify_inclusion(root, size, leaf, index, [*made, root]) and not verify_inclusion(
        root, size, leaf, -1, made
    )
    for wrong in broken(made, data.draw):
        assert not verify_inclusion(root, size, leaf, index, wrong)


@given(st.integers(1, 200), st.data())
def test_every_extension_is_proved_and_nothing_else(size: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, size))
    made = consistency_path(old, size, over(leaves(size)))
    first, second = tree_hash(leaves(old)), tree_hash(leaves(size))
    assert verify_consistency(first, old, second, size, made)
    assert not verify_consistency(leaf_hash(b"another"), old, second, size, made)
    assert not verify_consistency(first, old, leaf_hash(b"another"), size, made)
    other = data.draw(st.integers(-1, size + 1))
    assert other == old or not verify_consistency(first, other, second, size, made)
    assert not verify_consistency(first, old, second, size, [*made, second])
    for wrong in broken(made, data.draw):
        assert not verify_consistency(first, old, second, size, wrong)


def broken(path: list[bytes], draw: Callable[..., int]) -> list[list[bytes]]:
    """The path with one bit changed, a step left out, and two of them swapped."""
    if not path:
        return []
    place = draw(st.integers(0, len(path) - 1))
    step = bytearray(path[place])
    step[draw(st.integers(0, 31))] ^= 1 << draw(st.integers(0, 7))
    made = [[*path[:place], bytes(step), *path[place + 1 :]], path[:place] + path[place + 1 :]]
    return made if len(path) == 1 else [*made, [path[1], path[0], *path[2:]]]
