"""Texts of plug-in files for tests: nearest class mean and nearest neighbours through scikit-learn."""

from __future__ import annotations

from pathlib import Path

CENTROIDS = '''
"""Nearest class mean."""
from sklearn.neighbors import NearestCentroid
from bench.methods.plugin import EstimatorMethod

class Centroids(EstimatorMethod):
    name, title = "centroids", "Nearest <centroid>"
    grid = {"shrink_threshold": [None, 0.5]}

    def classifier(self, config, fitting):
        return NearestCentroid(**config)
'''

NEIGHBOURS = '''
"""Nearest neighbours in ten lines."""
from sklearn.neighbors import KNeighborsClassifier
from bench.methods.plugin import EstimatorMethod

class Neighbours(EstimatorMethod):
    name, title = "knn", "Nearest neighbours"
    grid = {"n_neighbors": [1, 3]}

    def classifier(self, config, fitting):
        return KNeighborsClassifier(min(config["n_neighbors"], fitting.n))
'''


def write_plugin(folder: Path, text: str = CENTROIDS, name: str = "my_method.py") -> str:
    """The path of a new plug-in file in ``folder``."""
    path = folder / name
    path.write_text(text)
    return str(path)
