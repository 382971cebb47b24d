"""The 44 cases of http_matrix.tsv, through a forward and a reverse listener."""

import unittest

from harness import ScenarioTest
from matrix import Matrix


class MatrixTest(ScenarioTest):
    def setUp(self):
        self.matrix = Matrix(self)

    def test_forward(self):
        self.assertEqual(self.matrix.failures(self.forward(), absolute=True), [])

    def test_reverse(self):
        penstock = self.penstock(self.matrix.reverse_sections())
        self.assertEqual(self.matrix.failures(penstock, absolute=False), [])


if __name__ == "__main__":
    unittest.main()
