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

    def test_forward_with_a_cache(self):
        penstock = self.forward(cache={"memory": "64MiB"})
        self.assertEqual(self.matrix.failures(penstock, absolute=True), [])

    def test_reverse_with_a_cache(self):
        sections = self.matrix.reverse_sections() | {"cache": {"memory": "64MiB"}}
        self.assertEqual(self.matrix.failures(self.penstock(sections), absolute=False), [])


if __name__ == "__main__":
    unittest.main()
