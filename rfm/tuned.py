"""Kernel machines that tune themselves, for tables as they come: numbers, categories, missing values.

What happens in ``fit`` stands in :mod:`rfm.tuned_machine`; how columns are prepared in :mod:`rfm.preparation`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

from numpy.typing import ArrayLike

from rfm.tuned_machine import RIDGES, LearnedMetric, TunedClassifier, TunedRegressor


class RFMClassifierCV(LearnedMetric, TunedClassifier):
    """Recursive Feature Machine on one-hot targets that selects its hyperparameters by cross-validation.

    It takes tables as they come: standardises numbers, gives categories columns of their own, fills and marks missing
    numbers, all learned from the fitted rows of each fold alone. Scores are then calibrated to probabilities.

    Parameters
    ----------
    kernels : iterable of str, default=("laplace",)
        Kernels to select among: ``"laplace"``, ``"gaussian"``.
    bandwidths : iterable of float, default=(10.0,)
        Bandwidths >= 1e-15.
    ridges : iterable of float, default=(10.0, 1.0, 0.1, 0.01, 0.001)
        Values > 0 added to the kernel matrix's diagonal.
    unit_norms : iterable of bool, default=(False, True)
        Whether prepared rows are divided by their norms.
    iterations : int, default=4
        Metric updates are selected among 0 (kernel ridge regression) to this number.
    categorical_features : "from_dtype", None, or list, default="from_dtype"
        Columns of categories: those of pandas' dtype ``category``, none, or those listed by name, number or truth
        values. A missing value is a category too; one that only new rows have counts as none. Of more than 255
        categories in a column, the rarest share one.
    cv : int, splitter or iterable, default=5
        Number of stratified folds, a splitter of scikit-learn, or pairs (fitted rows, validation rows).
        A class with fewer rows is validated in fewer folds; a class of one row is in every fit.
    scoring : str, default="neg_brier_score"
        What selects: the mean over folds of this score, or of ``"accuracy"`` or ``"balanced_accuracy"``. Equal ones are
        decided by the Brier score, then by the larger ridge and fewer updates.
        Not by the log loss: scores are calibrated after selection.
    ensemble : bool, default=False
        Predict with the mean of points of the grid that is chosen greedily by the squared error of the scores out of
        fold [1]_, instead of the best point.
    max_tuning_samples : int, default=5000
        Of more than twice as many rows, only so many, drawn at random, select hyperparameters (if ``cv`` is a number).
        All rows are fitted in the end.
    random_state : int, RandomState or None, default=0
        Draws folds and samples.
    device : str, default="cpu"
        ``"cpu"``, ``"cuda"``, or ``"auto"``: the GPU if there is one.

    Attributes
    ----------
    classes_ : ndarray of shape (c,)
        The classes, as in the scores.
    inverse_temperature_ : float
        What scores are multiplied by before softmax makes probabilities of them.
    best_params_ : dict
        The best point of the grid, as parameters of :class:`RFMClassifier`.
    best_score_ : float
        Its mean score in cross-validation.
    best_index_ : int
        Its place in ``cv_results_``.
    cv_results_ : dict of arrays
        As of scikit-learn's ``GridSearchCV``: ``params``, ``param_*``, ``split*_test_score``, ``mean_test_score``,
        ``std_test_score``, ``rank_test_score``; and ``mean_squared_error`` over all rows validated, summed over
        outputs.
    weights_ : ndarray of shape (p,)
        The weight of each point of the grid in predictions.
    members_ : list of (float, dict)
        The points with a weight above 0, and their parameters.
    feature_importances_ : ndarray of shape (d,)
        The diagonal of the learned metric over its sum, by columns of X.
    n_splits_ : int
        Number of folds.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Notes
    -----
    ``sample_weight`` weighs squared errors, gradients, scaling, scores and calibration: a row of weight 2 counts as two
    rows, one of weight 0 as none. Systems with unequal weights are solved for at most 15,000 rows.

    References
    ----------
    .. [1] R. Caruana, A. Niculescu-Mizil, G. Crew, A. Ksikes: Ensemble selection from libraries of models. ICML 2004.

    Examples
    --------
    >>> import pandas as pd
    >>> from rfm import RFMClassifierCV
    >>> X = pd.DataFrame({"size": [1.0, 2.0, None, 4.0, 5.0, 6.0] * 5, "colour": ["red", "blue"] * 15})
    >>> y = ["small", "small", "small", "large", "large", "large"] * 5
    >>> model = RFMClassifierCV(categorical_features=["colour"]).fit(X, y)
    >>> model.predict(X.head(2)).tolist()
    ['small', 'small']
    """

    _updates = True

    def __init__(
        self,
        kernels: Iterable[str] = ("laplace",),
        *,
        bandwidths: Iterable[float] = (10.0,),
        ridges: Iterable[float] = RIDGES,
        unit_norms: Iterable[bool] = (False, True),
        iterations: int = 4,
        categorical_features: Any = "from_dtype",
        cv: Any = 5,
        scoring: str = "neg_brier_score",
        ensemble: bool = False,
        max_tuning_samples: int = 5000,
        random_state: Any = 0,
        device: str = "cpu",
    ) -> None:
        self.kernels = kernels
        self.bandwidths = bandwidths
        self.ridges = ridges
        self.unit_norms = unit_norms
        self.iterations = iterations
        self.categorical_features = categorical_features
        self.cv = cv
        self.scoring = scoring
        self.ensemble = ensemble
        self.max_tuning_samples = max_tuning_samples
        self.random_state = random_state
        self.device = device

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Select, fit and calibrate.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n, d)
            Numbers, NaN where missing, and categories.
        y : array-like of shape (n,)
            Labels.
        sample_weight : array-like of shape (n,), optional
            Weights >= 0 of the rows.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For bad parameters, texts in columns that are no categories, columns of one name, infinite numbers, missing
            labels, negative weights or none above 0, and a single class. The estimator is then as it was before.
        """
        return self._fit_labels(X, y, sample_weight)


class RFMRegressorCV(LearnedMetric, TunedRegressor):
    """Recursive Feature Machine for one or many numbers that selects its hyperparameters by cross-validation.

    It takes tables as they come: standardises numbers and targets, gives categories columns of their own, fills and
    marks missing numbers, all learned from the fitted rows of each fold alone.

    Parameters
    ----------
    kernels : iterable of str, default=("laplace",)
        Kernels to select among: ``"laplace"``, ``"gaussian"``.
    bandwidths : iterable of float, default=(10.0,)
        Bandwidths >= 1e-15.
    ridges : iterable of float, default=(10.0, 1.0, 0.1, 0.01, 0.001)
        Values > 0 added to the kernel matrix's diagonal.
    unit_norms : iterable of bool, default=(False, True)
        Whether prepared rows are divided by their norms.
    iterations : int, default=4
        Metric updates are selected among 0 (kernel ridge regression) to this number.
    categorical_features : "from_dtype", None, or list, default="from_dtype"
        Columns of categories: those of pandas' dtype ``category``, none, or those listed by name, number or truth
        values. A missing value is a category too; one that only new rows have counts as none. Of more than 255
        categories in a column, the rarest share one.
    cv : int, splitter or iterable, default=5
        Number of folds, a splitter of scikit-learn, or pairs (fitted rows, validation rows).
    scoring : str, default="neg_mean_squared_error"
        What selects: the mean over folds of this score, or of ``"neg_mean_absolute_error"`` or ``"r2"``. Equal ones are
        decided by the squared error, then by the larger ridge and fewer updates.
    ensemble : bool, default=False
        Predict with the mean of points of the grid that is chosen greedily by the squared error of the scores out of
        fold [1]_, instead of the best point.
    max_tuning_samples : int, default=5000
        Of more than twice as many rows, only so many, drawn at random, select hyperparameters (if ``cv`` is a number).
        All rows are fitted in the end.
    random_state : int, RandomState or None, default=0
        Draws folds and samples.
    device : str, default="cpu"
        ``"cpu"``, ``"cuda"``, or ``"auto"``: the GPU if there is one.

    Attributes
    ----------
    best_params_ : dict
        The best point of the grid, as parameters of :class:`RFMRegressor`.
    best_score_ : float
        Its mean score in cross-validation.
    best_index_ : int
        Its place in ``cv_results_``.
    cv_results_ : dict of arrays
        As of scikit-learn's ``GridSearchCV``: ``params``, ``param_*``, ``split*_test_score``, ``mean_test_score``,
        ``std_test_score``, ``rank_test_score``; and ``mean_squared_error`` over all rows validated, summed over
        outputs in units of their variance.
    weights_ : ndarray of shape (p,)
        The weight of each point of the grid in predictions.
    members_ : list of (float, dict)
        The points with a weight above 0, and their parameters.
    feature_importances_ : ndarray of shape (d,)
        The diagonal of the learned metric over its sum, by columns of X.
    n_splits_ : int
        Number of folds.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Notes
    -----
    ``sample_weight`` weighs squared errors, gradients, scaling, scores and calibration: a row of weight 2 counts as two
    rows, one of weight 0 as none. Systems with unequal weights are solved for at most 15,000 rows.

    References
    ----------
    .. [1] R. Caruana, A. Niculescu-Mizil, G. Crew, A. Ksikes: Ensemble selection from libraries of models. ICML 2004.

    Examples
    --------
    >>> import numpy as np
    >>> from rfm import RFMRegressorCV
    >>> X = np.linspace(0.0, 6.0, 60)[:, None]
    >>> model = RFMRegressorCV().fit(X, np.sin(X[:, 0]))
    >>> bool(abs(model.predict([[1.5]])[0] - np.sin(1.5)) < 0.05)
    True
    """

    _updates = True

    def __init__(
        self,
        kernels: Iterable[str] = ("laplace",),
        *,
        bandwidths: Iterable[float] = (10.0,),
        ridges: Iterable[float] = RIDGES,
        unit_norms: Iterable[bool] = (False, True),
        iterations: int = 4,
        categorical_features: Any = "from_dtype",
        cv: Any = 5,
        scoring: str = "neg_mean_squared_error",
        ensemble: bool = False,
        max_tuning_samples: int = 5000,
        random_state: Any = 0,
        device: str = "cpu",
    ) -> None:
        self.kernels = kernels
        self.bandwidths = bandwidths
        self.ridges = ridges
        self.unit_norms = unit_norms
        self.iterations = iterations
        self.categorical_features = categorical_features
        self.cv = cv
        self.scoring = scoring
        self.ensemble = ensemble
        self.max_tuning_samples = max_tuning_samples
        self.random_state = random_state
        self.device = device

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Select, fit.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n, d)
            Numbers, NaN where missing, and categories.
        y : array-like of shape (n,) or (n, t)
            Numbers to predict.
        sample_weight : array-like of shape (n,), optional
            Weights >= 0 of the rows.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For bad parameters, texts in columns that are no categories, columns of one name, infinite numbers, missing
            targets, negative weights or none above 0. The estimator is then as it was before.
        """
        return self._fit_numbers(X, y, sample_weight)


class KernelRidgeClassifierCV(TunedClassifier):
    """Kernel ridge regression on one-hot targets that selects its hyperparameters by cross-validation.

    Columns are prepared and scores calibrated as in :class:`RFMClassifierCV`.

    Parameters
    ----------
    kernels : iterable of str, default=("laplace",)
        Kernels to select among: ``"laplace"``, ``"gaussian"``. The neural tangent kernel is not offered here, by
        ``cv="loo"`` neither; :class:`KernelRidgeClassifier` fits it.
    bandwidths : iterable of float, default=(10.0,)
        Bandwidths >= 1e-15.
    ridges : iterable of float, default=(10.0, 1.0, 0.1, 0.01, 0.001)
        Values > 0 added to the kernel matrix's diagonal.
    unit_norms : iterable of bool, default=(False, True)
        Whether prepared rows are divided by their norms.
    categorical_features : "from_dtype", None, or list, default="from_dtype"
        Columns of categories: those of pandas' dtype ``category``, none, or those listed by name, number or truth
        values. A missing value is a category too; one that only new rows have counts as none. Of more than 255
        categories in a column, the rarest share one.
    cv : int, splitter, "loo" or iterable, default=5
        Number of stratified folds, a splitter of scikit-learn, or pairs (fitted rows, validation rows).
        A class with fewer rows is validated in fewer folds; a class of one row is in every fit.
        ``"loo"`` leaves out one row at a time, in closed form; columns are then prepared once, and scores are not
        given fold by fold but over all rows.
    scoring : str, default="neg_brier_score"
        What selects: the mean over folds of this score, or of ``"accuracy"`` or ``"balanced_accuracy"``. Equal ones are
        decided by the Brier score, then by the larger ridge and fewer updates.
        Not by the log loss: scores are calibrated after selection.
    ensemble : bool, default=False
        Predict with the mean of points of the grid that is chosen greedily by the squared error of the scores out of
        fold [1]_, instead of the best point.
    max_tuning_samples : int, default=5000
        Of more than twice as many rows, only so many, drawn at random, select hyperparameters (if ``cv`` is a number).
        All rows are fitted in the end.
    random_state : int, RandomState or None, default=0
        Draws folds and samples.
    device : str, default="cpu"
        ``"cpu"``, ``"cuda"``, or ``"auto"``: the GPU if there is one.

    Attributes
    ----------
    classes_ : ndarray of shape (c,)
        The classes, as in the scores.
    inverse_temperature_ : float
        What scores are multiplied by before softmax makes probabilities of them.
    best_params_ : dict
        The best point of the grid, as parameters of :class:`KernelRidgeClassifier`.
    best_score_ : float
        Its mean score in cross-validation.
    best_index_ : int
        Its place in ``cv_results_``.
    cv_results_ : dict of arrays
        As of scikit-learn's ``GridSearchCV``: ``params``, ``param_*``, ``split*_test_score``, ``mean_test_score``,
        ``std_test_score``, ``rank_test_score``; and ``mean_squared_error`` over all rows validated, summed over
        outputs.
    weights_ : ndarray of shape (p,)
        The weight of each point of the grid in predictions.
    members_ : list of (float, dict)
        The points with a weight above 0, and their parameters.
    n_splits_ : int
        Number of folds.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Notes
    -----
    ``sample_weight`` weighs squared errors, gradients, scaling, scores and calibration: a row of weight 2 counts as two
    rows, one of weight 0 as none. Systems with unequal weights are solved for at most 15,000 rows.

    References
    ----------
    .. [1] R. Caruana, A. Niculescu-Mizil, G. Crew, A. Ksikes: Ensemble selection from libraries of models. ICML 2004.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from rfm import KernelRidgeClassifierCV
    >>> model = KernelRidgeClassifierCV().fit(*load_iris(return_X_y=True))
    >>> sorted(model.best_params_)
    ['bandwidth', 'kernel', 'ridge', 'unit_norm']
    """

    _updates = False

    def __init__(
        self,
        kernels: Iterable[str] = ("laplace",),
        *,
        bandwidths: Iterable[float] = (10.0,),
        ridges: Iterable[float] = RIDGES,
        unit_norms: Iterable[bool] = (False, True),
        categorical_features: Any = "from_dtype",
        cv: Any = 5,
        scoring: str = "neg_brier_score",
        ensemble: bool = False,
        max_tuning_samples: int = 5000,
        random_state: Any = 0,
        device: str = "cpu",
    ) -> None:
        self.kernels = kernels
        self.bandwidths = bandwidths
        self.ridges = ridges
        self.unit_norms = unit_norms
        self.categorical_features = categorical_features
        self.cv = cv
        self.scoring = scoring
        self.ensemble = ensemble
        self.max_tuning_samples = max_tuning_samples
        self.random_state = random_state
        self.device = device

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Select, fit and calibrate.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n, d)
            Numbers, NaN where missing, and categories.
        y : array-like of shape (n,)
            Labels.
        sample_weight : array-like of shape (n,), optional
            Weights >= 0 of the rows.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For bad parameters, texts in columns that are no categories, columns of one name, infinite numbers, missing
            labels, negative weights or none above 0, and a single class. The estimator is then as it was before.
        """
        return self._fit_labels(X, y, sample_weight)


class KernelRidgeRegressorCV(TunedRegressor):
    """Kernel ridge regression that selects its hyperparameters by cross-validation.

    Columns and targets are prepared as in :class:`RFMRegressorCV`.

    Parameters
    ----------
    kernels : iterable of str, default=("laplace",)
        Kernels to select among: ``"laplace"``, ``"gaussian"``. The neural tangent kernel is not offered here, by
        ``cv="loo"`` neither; :class:`KernelRidgeRegressor` fits it.
    bandwidths : iterable of float, default=(10.0,)
        Bandwidths >= 1e-15.
    ridges : iterable of float, default=(10.0, 1.0, 0.1, 0.01, 0.001)
        Values > 0 added to the kernel matrix's diagonal.
    unit_norms : iterable of bool, default=(False, True)
        Whether prepared rows are divided by their norms.
    categorical_features : "from_dtype", None, or list, default="from_dtype"
        Columns of categories: those of pandas' dtype ``category``, none, or those listed by name, number or truth
        values. A missing value is a category too; one that only new rows have counts as none. Of more than 255
        categories in a column, the rarest share one.
    cv : int, splitter, "loo" or iterable, default=5
        Number of folds, a splitter of scikit-learn, or pairs (fitted rows, validation rows).
        ``"loo"`` leaves out one row at a time, in closed form; columns are then prepared once, and scores are not
        given fold by fold but over all rows.
    scoring : str, default="neg_mean_squared_error"
        What selects: the mean over folds of this score, or of ``"neg_mean_absolute_error"`` or ``"r2"``. Equal ones are
        decided by the squared error, then by the larger ridge and fewer updates.
    ensemble : bool, default=False
        Predict with the mean of points of the grid that is chosen greedily by the squared error of the scores out of
        fold [1]_, instead of the best point.
    max_tuning_samples : int, default=5000
        Of more than twice as many rows, only so many, drawn at random, select hyperparameters (if ``cv`` is a number).
        All rows are fitted in the end.
    random_state : int, RandomState or None, default=0
        Draws folds and samples.
    device : str, default="cpu"
        ``"cpu"``, ``"cuda"``, or ``"auto"``: the GPU if there is one.

    Attributes
    ----------
    best_params_ : dict
        The best point of the grid, as parameters of :class:`KernelRidgeRegressor`.
    best_score_ : float
        Its mean score in cross-validation.
    best_index_ : int
        Its place in ``cv_results_``.
    cv_results_ : dict of arrays
        As of scikit-learn's ``GridSearchCV``: ``params``, ``param_*``, ``split*_test_score``, ``mean_test_score``,
        ``std_test_score``, ``rank_test_score``; and ``mean_squared_error`` over all rows validated, summed over
        outputs in units of their variance.
    weights_ : ndarray of shape (p,)
        The weight of each point of the grid in predictions.
    members_ : list of (float, dict)
        The points with a weight above 0, and their parameters.
    n_splits_ : int
        Number of folds.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Notes
    -----
    ``sample_weight`` weighs squared errors, gradients, scaling, scores and calibration: a row of weight 2 counts as two
    rows, one of weight 0 as none. Systems with unequal weights are solved for at most 15,000 rows.

    References
    ----------
    .. [1] R. Caruana, A. Niculescu-Mizil, G. Crew, A. Ksikes: Ensemble selection from libraries of models. ICML 2004.

    Examples
    --------
    >>> import numpy as np
    >>> from rfm import KernelRidgeRegressorCV
    >>> X = np.linspace(0.0, 6.0, 60)[:, None]
    >>> model = KernelRidgeRegressorCV().fit(X, np.sin(X[:, 0]))
    >>> bool(abs(model.predict([[1.5]])[0] - np.sin(1.5)) < 0.05)
    True
    """

    _updates = False

    def __init__(
        self,
        kernels: Iterable[str] = ("laplace",),
        *,
        bandwidths: Iterable[float] = (10.0,),
        ridges: Iterable[float] = RIDGES,
        unit_norms: Iterable[bool] = (False, True),
        categorical_features: Any = "from_dtype",
        cv: Any = 5,
        scoring: str = "neg_mean_squared_error",
        ensemble: bool = False,
        max_tuning_samples: int = 5000,
        random_state: Any = 0,
        device: str = "cpu",
    ) -> None:
        self.kernels = kernels
        self.bandwidths = bandwidths
        self.ridges = ridges
        self.unit_norms = unit_norms
        self.categorical_features = categorical_features
        self.cv = cv
        self.scoring = scoring
        self.ensemble = ensemble
        self.max_tuning_samples = max_tuning_samples
        self.random_state = random_state
        self.device = device

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Select, fit.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n, d)
            Numbers, NaN where missing, and categories.
        y : array-like of shape (n,) or (n, t)
            Numbers to predict.
        sample_weight : array-like of shape (n,), optional
            Weights >= 0 of the rows.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For bad parameters, texts in columns that are no categories, columns of one name, infinite numbers, missing
            targets, negative weights or none above 0. The estimator is then as it was before.
        """
        return self._fit_numbers(X, y, sample_weight)
