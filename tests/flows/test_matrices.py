"""Matrix structures against dense matrices written out in NumPy, and SciPy's solvers."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import torch

from colorflow import flows
from colorflow.flows.matrices import random_rotation
from tests.flows.samples import normal

C, N = 6, 5


def plu_with_signs() -> flows.PLUMatrix:
    structure = flows.PLUMatrix(C)
    structure.order.copy_(torch.tensor([3, 0, 5, 1, 2, 4]))
    structure.negative.copy_(torch.tensor([True, False, False, True, True, False]))
    return structure


STRUCTURES = {
    "diagonal": flows.DiagonalMatrix(C),
    "lower": flows.TriangularMatrix(C, lower=True),
    "upper": flows.TriangularMatrix(C, lower=False),
    "blocks": flows.BlockDiagonalMatrix(C, 3),
    "full": flows.FullMatrix(C),
    "plu": flows.PLUMatrix(C),
    "plu-with-signs": plu_with_signs(),
}


@pytest.fixture(params=STRUCTURES)
def structure(request: pytest.FixtureRequest) -> flows.MatrixStructure:
    return STRUCTURES[request.param]


def scales(raw: np.ndarray) -> np.ndarray:
    """exp of a log-scale that the arctangent keeps within -10 .. 10."""
    return np.exp(20 / np.pi * np.arctan(np.pi * raw / 20))


def dense(structure: flows.MatrixStructure, parameters: np.ndarray) -> np.ndarray:
    """The (C, C) matrix that the docstrings promise."""
    matrix = np.zeros((C, C))
    below, above = np.tril_indices(C, -1), np.triu_indices(C, 1)
    if isinstance(structure, flows.DiagonalMatrix):
        return np.diag(scales(parameters))
    if isinstance(structure, flows.TriangularMatrix):
        matrix[below if structure.lower else above] = parameters[C:]
        return matrix + np.diag(scales(parameters[:C]))
    if isinstance(structure, flows.BlockDiagonalMatrix):
        changes = parameters.reshape(-1, structure.block, structure.block)
        return np.eye(C) + scipy.linalg.block_diag(*changes)
    assert isinstance(structure, flows.PLUMatrix)
    lower, upper = np.eye(C), matrix
    lower[below], upper[above] = np.split(parameters[C:], 2)
    signs = np.where(structure.negative.numpy(), -1, 1)
    return (lower @ (upper + np.diag(signs * scales(parameters[:C]))))[structure.order.numpy()]


def test_products_and_solutions_are_those_of_the_dense_matrix(
    structure: flows.MatrixStructure,
) -> None:
    parameters, x = normal(structure.size), normal(4, C, N, seed=1)
    matrix = dense(structure, parameters.numpy())
    product, ladj = structure.multiply(parameters, x)
    np.testing.assert_allclose(product, matrix @ x.numpy(), rtol=1e-12, atol=1e-12)
    solution, minus_ladj = structure.solve(parameters, x)
    expected = [scipy.linalg.solve(matrix, columns) for columns in x.numpy()]
    np.testing.assert_allclose(solution, expected, rtol=1e-9, atol=1e-9)
    assert ladj.shape == ()
    for one in (ladj, -minus_ladj):
        np.testing.assert_allclose(one, np.linalg.slogdet(matrix)[1], atol=1e-12)


@pytest.mark.parametrize("structure", [flows.BlockDiagonalMatrix(C, 3), flows.FullMatrix(C)])
def test_a_singular_matrix_is_reported(structure: flows.BlockDiagonalMatrix) -> None:
    block = structure.block
    parameters = normal(3, structure.size)
    changes = parameters[1].unflatten(-1, (-1, block, block))
    changes[-1, 0] = -torch.eye(block, dtype=torch.float64)[0]  # a row of zeros, in one sample
    assert structure.multiply(parameters, normal(3, C, N))[1].isneginf().tolist() == [0, 1, 0]
    with pytest.raises(
        flows.InversionError, match=r"singular to the precision .* condition number is inf"
    ):
        structure.solve(parameters, normal(3, C, N))


@pytest.mark.parametrize("structure", [flows.BlockDiagonalMatrix(C, 1), flows.FullMatrix(C)])
def test_a_nearly_singular_matrix_is_inverted_only_in_float64(
    structure: flows.BlockDiagonalMatrix,
) -> None:
    diagonal = torch.tensor([1, 1, 1, 1, 1, 1e-6], dtype=torch.float64)
    blocks = torch.diag(diagonal)[None] if structure.block > 1 else diagonal.view(-1, 1, 1)
    identity = torch.eye(structure.block, dtype=torch.float64)
    parameters, y = (blocks - identity).flatten(), normal(C, N)
    x, _ = structure.solve(parameters, y)
    torch.testing.assert_close(x, y / diagonal[:, None], rtol=1e-9, atol=1e-9)
    with pytest.raises(flows.InversionError, match=r"condition number is \S+, at most 8\.4e\+04"):
        structure.solve(parameters.float(), y.float())


@pytest.mark.parametrize("seed", range(4))
def test_factorize_gives_back_the_matrix(seed: int) -> None:
    matrix = normal(C, C, seed=seed)
    structure, parameters = flows.PLUMatrix.factorize(matrix)
    rebuilt, ladj = structure.multiply(parameters, torch.eye(C, dtype=torch.float64))
    torch.testing.assert_close(rebuilt, matrix, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(ladj, np.linalg.slogdet(matrix.numpy())[1], atol=1e-10)
    permutation, _, _ = scipy.linalg.lu(matrix.numpy())
    assert np.array_equal(np.eye(C)[structure.order.numpy()], permutation)


@pytest.mark.parametrize("pivot", [0.0, 1e-5, 1e5])
def test_factorize_refuses_pivots_outside_of_the_bounds(pivot: float) -> None:
    with pytest.raises(ValueError, match=r"matrix: expected pivots within e\^±10, got"):
        flows.PLUMatrix.factorize(torch.diag(torch.tensor([1.0, pivot])))


@pytest.mark.parametrize("channels", [1, 2, 7])
def test_random_rotation_is_a_rotation_and_repeatable(channels: int) -> None:
    for seed in range(4):
        matrix = random_rotation(channels, seed)
        identity = torch.eye(channels, dtype=torch.float64)
        torch.testing.assert_close(matrix @ matrix.T, identity, rtol=0, atol=1e-14)
        assert abs(np.linalg.det(matrix.numpy()) - 1) < 1e-13
        assert torch.equal(matrix, random_rotation(channels, seed))
        assert channels == 1 or not torch.equal(matrix, random_rotation(channels, seed + 9))
