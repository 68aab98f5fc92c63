"""Recursive Feature Machines and kernel ridge regression as scikit-learn estimators.

Features are taken as they come (the published procedure expects them standardised): put a ``StandardScaler`` in front,
in a pipeline, where their scales differ. There is no intercept: far from all training rows the predictor is 0.

Beyond 10,000 training rows kernels are formed block by block, systems solved by preconditioned conjugate gradients, and
metrics learned from the gradients at no more than 20,000 rows (see :mod:`rfm.solvers.choice`). ``solver_`` says how the
last system was solved.

On the CPU PyTorch has one thread while an estimator fits or predicts, and so has the BLAS where no matrix of more than
1,000 rows is factorised: their threads would wait for each other (:mod:`rfm.threads`).

With fewer training rows than features, learning a full M takes no (d, d) array: rows are followed among coordinates of
their span, and ``metric_`` keeps M as factors. ``M_`` forms the array when it is asked for.

Bad values raise ``ValueError`` from ``fit``, naming the parameter. So do features beyond the working precision, from
``fit`` and prediction, naming the row, and validation labels of which none is a class. After any error in ``fit``, and
after Ctrl-C, the estimator is as it was before.
"""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from rfm import parameters
from rfm.factored import FactoredMatrix
from rfm.kernels import RadialKernel, make_kernel
from rfm.machine import FloatArray, Judge, NeuralTangent, Recipe, fit_machine
from rfm.problem import METRIC_SCALINGS
from rfm.solvers.choice import SOLVERS
from rfm.targets import ClassTargets, NumericTargets, Validation
from rfm.threads import few_threads

RADIAL_KERNELS = ("laplace", "gaussian", "generalised_laplace")
LARGEST_ARRAY = 4 << 30
"""Bytes up to which ``M_`` forms the array of a metric that is kept without it: 23,170 features."""


class _KernelMachine(BaseEstimator):
    """The fitted machine behind an estimator, and its scores."""

    device: str

    def _recipe(self) -> Recipe:
        raise NotImplementedError

    def _radial_kernel(self, name: str, bandwidth: float, exponent: float) -> RadialKernel:
        owner = type(self).__name__
        q = parameters.positive(owner, "exponent", exponent, at_most=2.0)
        return make_kernel(name, parameters.positive(owner, "bandwidth", bandwidth), q)

    def _fit_machine(self, X: FloatArray, Y: FloatArray, validation: tuple[FloatArray, Judge] | None = None) -> None:
        recipe = self._recipe()
        with few_threads(len(X), recipe.device):
            self._machine = fit_machine(recipe, X, Y, validation)
        self.X_fit_ = self._machine.rows
        self.dual_coef_ = self._machine.alpha
        self.solver_ = self._machine.solver

    def _scores(self, X: ArrayLike) -> FloatArray:
        check_is_fitted(self)
        checked = validate_data(self, X, dtype=np.float64, reset=False)
        device = parameters.predicting_device(self.device)
        with few_threads(len(self._machine.rows), device):
            return self._machine.scores(checked, device)


class _KernelRidge(_KernelMachine):
    def __init__(
        self,
        kernel: str = "laplace",
        *,
        bandwidth: float = 10.0,
        exponent: float = 1.0,
        depth: int = 1,
        ridge: float = 0.1,
        unit_norm: bool = False,
        device: str = "cpu",
        dtype: str = "float32",
        solver: str = "auto",
        cache_size: float = 2000.0,
    ) -> None:
        self.kernel = kernel
        self.bandwidth = bandwidth
        self.exponent = exponent
        self.depth = depth
        self.ridge = ridge
        self.unit_norm = unit_norm
        self.device = device
        self.dtype = dtype
        self.solver = solver
        self.cache_size = cache_size

    def _recipe(self) -> Recipe:
        owner = type(self).__name__
        name = parameters.one_of(owner, "kernel", self.kernel, (*RADIAL_KERNELS, "ntk"))
        depth = parameters.count(owner, "depth", self.depth, at_least=1)
        radial = self._radial_kernel(name if name != "ntk" else "laplace", self.bandwidth, self.exponent)
        return Recipe(
            kernel=NeuralTangent(depth) if name == "ntk" else radial,
            ridge=parameters.positive(owner, "ridge", self.ridge),
            unit_norm=parameters.flag(owner, "unit_norm", self.unit_norm),
            dtype=parameters.working_dtype(owner, self.dtype),
            device=parameters.fitting_device(owner, self.device),
            solver=parameters.one_of(owner, "solver", self.solver, SOLVERS),
            cache_bytes=int(1e6 * parameters.positive(owner, "cache_size", self.cache_size, at_most=1e9)),
        )


class _RecursiveFeatureMachine(_KernelMachine):
    def __init__(
        self,
        kernel: str = "laplace",
        *,
        bandwidth: float = 10.0,
        exponent: float = 1.0,
        ridge: float = 0.1,
        iterations: int = 4,
        unit_norm: bool = False,
        diagonal: bool = False,
        center_gradients: bool = False,
        metric_scaling: str = "none",
        device: str = "cpu",
        dtype: str = "float32",
        solver: str = "auto",
        cache_size: float = 2000.0,
    ) -> None:
        self.kernel = kernel
        self.bandwidth = bandwidth
        self.exponent = exponent
        self.ridge = ridge
        self.iterations = iterations
        self.unit_norm = unit_norm
        self.diagonal = diagonal
        self.center_gradients = center_gradients
        self.metric_scaling = metric_scaling
        self.device = device
        self.dtype = dtype
        self.solver = solver
        self.cache_size = cache_size

    def _recipe(self) -> Recipe:
        owner = type(self).__name__
        name = parameters.one_of(owner, "kernel", self.kernel, RADIAL_KERNELS)
        return Recipe(
            kernel=self._radial_kernel(name, self.bandwidth, self.exponent),
            ridge=parameters.positive(owner, "ridge", self.ridge),
            unit_norm=parameters.flag(owner, "unit_norm", self.unit_norm),
            iterations=parameters.count(owner, "iterations", self.iterations, at_least=0),
            diagonal=parameters.flag(owner, "diagonal", self.diagonal),
            center_gradients=parameters.flag(owner, "center_gradients", self.center_gradients),
            metric_scaling=parameters.one_of(owner, "metric_scaling", self.metric_scaling, METRIC_SCALINGS),
            dtype=parameters.working_dtype(owner, self.dtype),
            device=parameters.fitting_device(owner, self.device),
            solver=parameters.one_of(owner, "solver", self.solver, SOLVERS),
            cache_bytes=int(1e6 * parameters.positive(owner, "cache_size", self.cache_size, at_most=1e9)),
        )

    def _fit_machine(self, X: FloatArray, Y: FloatArray, validation: tuple[FloatArray, Judge] | None = None) -> None:
        super()._fit_machine(X, Y, validation)
        machine = self._machine
        self.metric_ = machine.metric
        self._of_diagonal = bool(self.diagonal)
        weights = _diagonal(machine.metric, X.shape[1])
        total = weights.sum()
        self.feature_importances_: FloatArray = weights / total if total > 0 else np.zeros(X.shape[1])
        self.best_iteration_ = machine.iterations
        self.path_ = machine.path

    @property
    def M_(self) -> FloatArray:
        """The metric as an array: (d, d), or its diagonal (d,); formed anew each time where ``metric_`` is no array.

        Raises ``AttributeError`` before ``fit``, and where the array would take more than 4 GiB.
        """
        try:
            metric = self.metric_
        except AttributeError:
            raise AttributeError(f"{type(self).__name__} has no M_ before fit") from None
        if isinstance(metric, np.ndarray):
            return metric
        d = self.n_features_in_
        if metric is None and self._of_diagonal:
            return np.ones(d)
        if 8 * d * d > LARGEST_ARRAY:
            kept = "the identity" if metric is None else "metric_ keeps it as factors, with diagonal(), @ and leading()"
            raise AttributeError(
                f"M_ would be an array of {d} x {d}, {8 * d * d / 1e9:.3g} GB, and is not formed: {kept}; its diagonal "
                "over its sum is feature_importances_"
            )
        return np.eye(d) if metric is None else metric.dense().numpy()


def _diagonal(metric: FloatArray | FactoredMatrix | None, d: int) -> FloatArray:
    """The diagonal (d,) of a metric (d, d) or of one that is given by it; None is the identity."""
    if metric is None:
        return np.ones(d)
    if isinstance(metric, FactoredMatrix):
        return metric.diagonal().clamp_min(0.0).numpy()  # rounding may leave less than nothing of an idle feature
    return metric if metric.ndim == 1 else np.diagonal(metric)


class KernelRidgeClassifier(ClassTargets, _KernelRidge):
    """Kernel ridge regression on one-hot targets.

    Parameters
    ----------
    kernel : str, default="laplace"
        ``"laplace"`` exp(-t/L), ``"gaussian"`` exp(-t^2/(2 L^2)) or ``"generalised_laplace"`` exp(-(t/L)^q) of the
        distance t; or ``"ntk"``, the neural tangent kernel of ReLU networks, which sees rows from the origin and works
        in float64 (in float32 on large tables).
    bandwidth : float, default=10.0
        L > 0. The neural tangent kernel has none.
    exponent : float, default=1.0
        q in (0, 2], of the generalised Laplace kernel only.
    depth : int, default=1
        Hidden layers >= 1 of the network, of the neural tangent kernel only.
    ridge : float, default=0.1
        Above 0, added to the kernel matrix's diagonal.
    unit_norm : bool, default=False
        Divide each row by its Euclidean norm first (a zero row stays zero).
    device : str, default="cpu"
        ``"cpu"``, ``"cuda"``, or ``"auto"``: the GPU if there is one. What was fitted on a GPU predicts on the CPU
        where there is none.
    dtype : str, default="float32"
        ``"float32"``: kernels and factors, with coefficients refined and scores summed in float64; or ``"float64"``
        throughout.
    solver : str, default="auto"
        ``"auto"``: Cholesky's method up to 10,000 training rows, conjugate gradients beyond. Or one of ``"cholesky"``
        (8 n^2 bytes in float32), ``"cg"`` and ``"eigenpro"`` (the published code's on its largest table) whatever the
        size.
    cache_size : float, default=2000.0
        MB of the kernel matrix that conjugate gradients keep; the result does not depend on it.

    Attributes
    ----------
    classes_ : ndarray of shape (c,)
        The classes, as in the scores.
    X_fit_ : ndarray of shape (n, d)
        The training rows as the kernel sees them.
    dual_coef_ : ndarray of shape (n, c)
        Dual coefficients.
    solver_ : str
        How the last system was solved.
    n_features_in_, feature_names_in_
        As in scikit-learn.
    """

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Fit labels ``y`` (n,) on the rows of ``X`` (n, d)."""
        return self._fit_classes(X, y)


class KernelRidgeRegressor(NumericTargets, _KernelRidge):
    """Kernel ridge regression with one or many targets.

    Parameters
    ----------
    kernel : str, default="laplace"
        ``"laplace"`` exp(-t/L), ``"gaussian"`` exp(-t^2/(2 L^2)) or ``"generalised_laplace"`` exp(-(t/L)^q) of the
        distance t; or ``"ntk"``, the neural tangent kernel of ReLU networks, which sees rows from the origin and works
        in float64 (in float32 on large tables).
    bandwidth : float, default=10.0
        L > 0. The neural tangent kernel has none.
    exponent : float, default=1.0
        q in (0, 2], of the generalised Laplace kernel only.
    depth : int, default=1
        Hidden layers >= 1 of the network, of the neural tangent kernel only.
    ridge : float, default=0.1
        Above 0, added to the kernel matrix's diagonal.
    unit_norm : bool, default=False
        Divide each row by its Euclidean norm first (a zero row stays zero).
    device : str, default="cpu"
        ``"cpu"``, ``"cuda"``, or ``"auto"``: the GPU if there is one. What was fitted on a GPU predicts on the CPU
        where there is none.
    dtype : str, default="float32"
        ``"float32"``: kernels and factors, with coefficients refined and scores summed in float64; or ``"float64"``
        throughout.
    solver : str, default="auto"
        ``"auto"``: Cholesky's method up to 10,000 training rows, conjugate gradients beyond. Or one of ``"cholesky"``
        (8 n^2 bytes in float32), ``"cg"`` and ``"eigenpro"`` (the published code's on its largest table) whatever the
        size.
    cache_size : float, default=2000.0
        MB of the kernel matrix that conjugate gradients keep; the result does not depend on it.

    Attributes
    ----------
    X_fit_ : ndarray of shape (n, d)
        The training rows as the kernel sees them.
    dual_coef_ : ndarray of shape (n, t)
        Dual coefficients.
    solver_ : str
        How the last system was solved.
    n_features_in_, feature_names_in_
        As in scikit-learn.
    """

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Fit targets ``y`` (n,) or (n, t) on the rows of ``X`` (n, d)."""
        return self._fit_targets(X, y)


class RFMClassifier(ClassTargets, _RecursiveFeatureMachine):
    """Recursive Feature Machine [1]_ on one-hot targets.

    Parameters
    ----------
    kernel : str, default="laplace"
        ``"laplace"`` exp(-t/L), ``"gaussian"`` exp(-t^2/(2 L^2)) or ``"generalised_laplace"`` exp(-(t/L)^q) of the
        distance t.
    bandwidth : float, default=10.0
        L > 0.
    exponent : float, default=1.0
        q in (0, 2], of the generalised Laplace kernel only.
    ridge : float, default=0.1
        Above 0, added to the kernel matrix's diagonal.
    iterations : int, default=4
        Metric updates; 0 is plain kernel ridge regression. With a validation set, their upper bound. The best number
        differs from table to table, and the last is often not the best: do give one.
    unit_norm : bool, default=False
        Divide each row by its Euclidean norm first (a zero row stays zero).
    diagonal : bool, default=False
        Learn only the diagonal of the metric M.
    center_gradients : bool, default=False
        Learn M from gradients minus their mean.
    metric_scaling : str, default="none"
        Divide each new M by its ``"trace"`` / d or its ``"max"`` entry, or not: ``"none"``, as published.
    device : str, default="cpu"
        ``"cpu"``, ``"cuda"``, or ``"auto"``: the GPU if there is one. What was fitted on a GPU predicts on the CPU
        where there is none.
    dtype : str, default="float32"
        ``"float32"``: kernels and factors, with coefficients refined and scores summed in float64; or ``"float64"``
        throughout.
    solver : str, default="auto"
        ``"auto"``: Cholesky's method up to 10,000 training rows, conjugate gradients beyond. Or one of ``"cholesky"``
        (8 n^2 bytes in float32), ``"cg"`` and ``"eigenpro"`` (the published code's on its largest table) whatever the
        size.
    cache_size : float, default=2000.0
        MB of the kernel matrix that conjugate gradients keep; the result does not depend on it.

    Attributes
    ----------
    M_ : ndarray of shape (d, d) or (d,)
        The metric, or its diagonal; formed when asked for where ``metric_`` is no array.
    metric_ : ndarray, FactoredMatrix or None
        What is kept of M: the same array, a :class:`rfm.factored.FactoredMatrix` of a full M learned from fewer rows
        than features, or None for the identity, after 0 updates.
    feature_importances_ : ndarray of shape (d,)
        The diagonal of M over its sum; zeros if M is zero: nothing was learned.
    best_iteration_ : int
        The number of updates that M went through.
    path_ : ndarray of shape (iterations + 1,) or None
        The accuracy on the validation set after 0, 1, ... updates; None without one.
    classes_ : ndarray of shape (c,)
        The classes, as in the scores.
    X_fit_ : ndarray of shape (n, d)
        The training rows as the kernel sees them.
    dual_coef_ : ndarray of shape (n, c)
        Dual coefficients.
    solver_ : str
        How the last system was solved.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    References
    ----------
    .. [1] A. Radhakrishnan, D. Beaglehole, P. Pandit, M. Belkin: Mechanism for feature learning in neural networks and
       backpropagation-free machine learning models. Science 383, 2024.
    """

    def fit(self, X: ArrayLike, y: ArrayLike, validation: Validation | None = None) -> Self:
        """Fit labels ``y`` (n,) on ``X`` (n, d); ``validation`` rows select the number of updates, fewer if equal."""
        return self._fit_classes(X, y, validation)


class RFMRegressor(NumericTargets, _RecursiveFeatureMachine):
    """Recursive Feature Machine [1]_ with one or many targets.

    Parameters
    ----------
    kernel : str, default="laplace"
        ``"laplace"`` exp(-t/L), ``"gaussian"`` exp(-t^2/(2 L^2)) or ``"generalised_laplace"`` exp(-(t/L)^q) of the
        distance t.
    bandwidth : float, default=10.0
        L > 0.
    exponent : float, default=1.0
        q in (0, 2], of the generalised Laplace kernel only.
    ridge : float, default=0.1
        Above 0, added to the kernel matrix's diagonal.
    iterations : int, default=4
        Metric updates; 0 is plain kernel ridge regression. With a validation set, their upper bound. The best number
        differs from table to table, and the last is often not the best: do give one.
    unit_norm : bool, default=False
        Divide each row by its Euclidean norm first (a zero row stays zero).
    diagonal : bool, default=False
        Learn only the diagonal of the metric M.
    center_gradients : bool, default=False
        Learn M from gradients minus their mean.
    metric_scaling : str, default="trace"
        Divide each new M by its ``"trace"`` / d or its ``"max"`` entry, or not: ``"none"``, as published. M grows with
        the square of the targets' scale; divided by its trace it does not.
    device : str, default="cpu"
        ``"cpu"``, ``"cuda"``, or ``"auto"``: the GPU if there is one. What was fitted on a GPU predicts on the CPU
        where there is none.
    dtype : str, default="float32"
        ``"float32"``: kernels and factors, with coefficients refined and scores summed in float64; or ``"float64"``
        throughout.
    solver : str, default="auto"
        ``"auto"``: Cholesky's method up to 10,000 training rows, conjugate gradients beyond. Or one of ``"cholesky"``
        (8 n^2 bytes in float32), ``"cg"`` and ``"eigenpro"`` (the published code's on its largest table) whatever the
        size.
    cache_size : float, default=2000.0
        MB of the kernel matrix that conjugate gradients keep; the result does not depend on it.

    Attributes
    ----------
    M_ : ndarray of shape (d, d) or (d,)
        The metric, or its diagonal; formed when asked for where ``metric_`` is no array.
    metric_ : ndarray, FactoredMatrix or None
        What is kept of M: the same array, a :class:`rfm.factored.FactoredMatrix` of a full M learned from fewer rows
        than features, or None for the identity, after 0 updates.
    feature_importances_ : ndarray of shape (d,)
        The diagonal of M over its sum; zeros if M is zero: nothing was learned.
    best_iteration_ : int
        The number of updates that M went through.
    path_ : ndarray of shape (iterations + 1,) or None
        R^2 on the validation set after 0, 1, ... updates; None without one.
    X_fit_ : ndarray of shape (n, d)
        The training rows as the kernel sees them.
    dual_coef_ : ndarray of shape (n, t)
        Dual coefficients.
    solver_ : str
        How the last system was solved.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    References
    ----------
    .. [1] A. Radhakrishnan, D. Beaglehole, P. Pandit, M. Belkin: Mechanism for feature learning in neural networks and
       backpropagation-free machine learning models. Science 383, 2024.
    """

    def __init__(
        self,
        kernel: str = "laplace",
        *,
        bandwidth: float = 10.0,
        exponent: float = 1.0,
        ridge: float = 0.1,
        iterations: int = 4,
        unit_norm: bool = False,
        diagonal: bool = False,
        center_gradients: bool = False,
        metric_scaling: str = "trace",
        device: str = "cpu",
        dtype: str = "float32",
        solver: str = "auto",
        cache_size: float = 2000.0,
    ) -> None:
        super().__init__(
            kernel,
            bandwidth=bandwidth,
            exponent=exponent,
            ridge=ridge,
            iterations=iterations,
            unit_norm=unit_norm,
            diagonal=diagonal,
            center_gradients=center_gradients,
            metric_scaling=metric_scaling,
            device=device,
            dtype=dtype,
            solver=solver,
            cache_size=cache_size,
        )

    def fit(self, X: ArrayLike, y: ArrayLike, validation: Validation | None = None) -> Self:
        """Fit targets ``y`` (n,) or (n, t) on ``X`` (n, d); ``validation`` rows select the number of updates."""
        return self._fit_targets(X, y, validation)
