"""The methods of matrix completion as the report names them, in the order of its figures and tables."""

from __future__ import annotations

EXACT = 1e-3
"""Root mean squared error, relative to the entries', below which a matrix counts as recovered."""

HOPELESS = 0.5
"""The same above which a matrix counts as not completed at all: 0 everywhere has an error of about 1."""

FLOOR = 1e-8
TITLES = {
    "as published 1/2": "lin-RFM as published, alpha 1/2",
    "as published 1": "lin-RFM as published, alpha 1",
    "lin-RFM alternating": "lin-RFM, alternating",
    "lin-RFM columns": "lin-RFM, columns",
    "lin-RFM columns 1/4": "lin-RFM, columns, alpha 1/4",
    "lin-RFM factored": "lin-RFM, factored",
    "soft-impute": "Soft-impute",
    "ALS": "ALS",
    "IRLS-1": "IRLS-1, SVD",
    "network 2": "Linear network, depth 2",
    "network 3": "Linear network, depth 3",
    "network 4": "Linear network, depth 4",
}
SERIES = {
    "lin-RFM alternating": 0,
    "lin-RFM columns": 1,
    "soft-impute": 2,
    "ALS": 3,
    "network 2": 4,
    "network 3": 5,
    "network 4": 6,
    "lin-RFM columns 1/4": 7,
    "as published 1/2": 8,
    "as published 1": 9,
    "lin-RFM factored": 10,
    "IRLS-1": 11,
}
NETWORKS = ("network 2", "network 3", "network 4")
PUBLISHED = ("as published 1/2", "as published 1")
