"""A fit that does not come to its end leaves the estimator as it was."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

_Fit = TypeVar("_Fit", bound=Callable[..., Any])


def all_or_nothing(fit: _Fit) -> _Fit:
    """``fit``, except that after an error or Ctrl-C the estimator has the attributes of before, fitted or not.

    Otherwise it would predict from the new classes, or the new number of features, and the old coefficients. Its frame
    counts for the ``stacklevel`` of warnings.
    """

    @functools.wraps(fit)
    def whole(estimator: Any, *args: Any, **kwargs: Any) -> Any:
        before = vars(estimator).copy()
        try:
            return fit(estimator, *args, **kwargs)
        except BaseException:
            # One assignment, and no call before it: a second Ctrl-C comes before or after, not in between.
            estimator.__dict__ = before
            raise

    return cast(_Fit, whole)
