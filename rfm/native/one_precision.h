/* All that is computed in one precision, whose names are forgotten then: precisions.h has them. */
#include "passes.h"
#include "chain.h"
#include "tangent.h"
#include "tiles.h"
#undef REAL
#undef INTEGER
#undef UNSIGNED
#undef N
#undef WIDER /* where there is one */
#undef SQRT
#undef EPSILON
#undef ACCURATE
#undef EXP_LEAST
#undef EXP_ROUNDING
#undef EXP_LOG2_HIGH
#undef EXP_LOG2_LOW
#undef EXP_MANTISSA
#undef EXP_SERIES
#undef PARALLEL
#undef ASIN_SERIES
#undef TERMS
#undef PROFILE_STEPS
#undef GEMM
#undef SYMM
#undef SYRK
#undef POTRF
#undef TRSM
