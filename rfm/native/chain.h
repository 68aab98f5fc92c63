/* Whole chains in the precision REAL; included once for each precision and instruction set, float64 first.
 *
 * The mathematics and its safeguards are those of rfm/kernels.py, rfm/rows.py, rfm/linalg.py and rfm/agop.py. Where
 * these have a way out that is not here, the chain stops and Python goes on from its last metric. */

/* S (r, r) in float64, both triangles, of the gradients of predictors with coefficients `alpha` (c, n) at rows P (n,
 * r), from weights W (n, n), upper triangle. Returns 1, 0 without memory. See rfm/agop.py for both forms. */
static int N(gradients_by_rows)(const REAL *P, const double *alpha, const REAL *W, Index n, Index r, Index c,
                                int center, double *S) {
    const Index wide = r + 1;
    Index step = CHUNK / (n * wide * (Index)sizeof(REAL));
    step = step < 1 ? 1 : (step > c ? c : step);
    REAL *spread = malloc((size_t)(2 * n * step * wide + r * r) * sizeof(REAL));
    if (!spread) return 0;
    REAL *product = spread + n * step * wide, *sum = product + n * step * wide;
    for (Index first = 0; first < c; first += step) {
        const Index classes = first + step <= c ? step : c - first, width = classes * wide;
        for (Index i = 0; i < n; i++)
            for (Index q = 0; q < classes; q++) {
                const REAL factor = (REAL)alpha[(first + q) * n + i], *row = P + i * r;
                REAL *RESTRICT to = spread + i * width + q * wide;
#pragma omp simd
                for (Index k = 0; k < r; k++) to[k] = factor * row[k];
                to[r] = factor;
            }
        SYMM("R", "L", width, n, 1, W, n, spread, width, 0, product, width);
        for (Index i = 0; i < n; i++)
            for (Index q = 0; q < classes; q++) {
                const REAL *RESTRICT from = product + i * width + q * wide, *row = P + i * r, total = from[r];
                REAL *RESTRICT to = spread + (i * classes + q) * r;
#pragma omp simd
                for (Index k = 0; k < r; k++) to[k] = from[k] - total * row[k];
            }
        if (center)
            for (Index k = 0; k < classes * r; k++) {
                double mean = 0;
                for (Index i = 0; i < n; i++) mean += spread[i * classes * r + k];
                mean /= (double)n;
                for (Index i = 0; i < n; i++) spread[i * classes * r + k] -= (REAL)mean;
            }
        SYRK("L", "N", r, n * classes, 1, spread, r, first ? 1 : 0, sum, r);
    }
    for (Index i = 0; i < r; i++)
        for (Index j = i; j < r; j++) S[i * r + j] = S[j * r + i] = sum[i * r + j];
    free(spread);
    return 1;
}

/* As above by the Gram form, Q (n, n) and W's lower triangle overwritten; *rounding is a bound of what rounding is of
 * the trace of S. */
static int N(gradients_by_gram)(const REAL *P, const double *alpha, REAL *W, Index n, Index r, Index c, int center,
                                double *S, REAL *Q, double *rounding) {
    const Index columns = c + 2, tile = TILE / (2 * n * (Index)sizeof(REAL)) + 1;
    REAL *A = malloc((size_t)(2 * n * columns + 4 * n * c + 2 * tile * n + n * r + r * r + n + (center ? c * r : 0)) *
                     sizeof(REAL));
    if (!A) return 0;
    REAL *products = A + n * columns, *left = products + n * columns, *right = left + 2 * n * c;
    REAL *outer = right + 2 * n * c, *cross = outer + tile * n, *moved = cross + tile * n, *sum = moved + n * r;
    REAL *lengths = sum + r * r, *shift = lengths + n;
    for (Index start = 0; start < n; start += 32) /* the lower triangle of W */
        for (Index from = start; from < n; from += 32)
            for (Index i = start; i < (start + 32 < n ? start + 32 : n); i++)
                for (Index j = from > i ? from : i + 1; j < (from + 32 < n ? from + 32 : n); j++)
                    W[j * n + i] = W[i * n + j];
    for (Index i = 0; i < n; i++) {
        double size = 0, length = 0;
        for (Index q = 0; q < c; q++) {
            const double value = alpha[q * n + i];
            A[i * columns + q] = (REAL)value;
            size += value * value;
        }
        for (Index k = 0; k < r; k++) length += (double)P[i * r + k] * P[i * r + k];
        lengths[i] = (REAL)sqrt(length);
        A[i * columns + c] = (REAL)sqrt(size);
        A[i * columns + c + 1] = A[i * columns + c] * lengths[i];
    }
    GEMM("N", "N", columns, n, n, 1, A, columns, W, n, 0, products, columns);
    double bound = 0;
    for (Index i = 0; i < n; i++) {
        const REAL *row = products + i * columns;
        const double spread = (double)row[c + 1] + (double)row[c] * lengths[i];
        bound += spread * spread;
        for (Index q = 0; q < c; q++) { /* [A B] and [B A]: one product gives A B' + B A' */
            left[i * 2 * c + q] = right[i * 2 * c + c + q] = A[i * columns + q];
            left[i * 2 * c + c + q] = right[i * 2 * c + q] = row[q];
        }
    }
    SYRK("L", "N", n, n, 1, W, n, 0, Q, n);
    for (Index start = 0; start < n; start += tile) {
        const Index rows = start + tile <= n ? tile : n - start, count = n - start;
        GEMM("T", "N", count, rows, c, 1, A + start * columns, columns, A + start * columns, columns, 0, outer, count);
        GEMM("T", "N", count, rows, 2 * c, 1, right + start * 2 * c, 2 * c, left + start * 2 * c, 2 * c, 0, cross,
             count);
        for (Index i = 0; i < rows; i++) {
            REAL *RESTRICT q = Q + (start + i) * n + start;
            const REAL *RESTRICT w = W + (start + i) * n + start, *RESTRICT a = outer + i * count,
                                 *RESTRICT b = cross + i * count;
#pragma omp simd
            for (Index j = 0; j < count; j++) q[j] = q[j] * a[j] - w[j] * b[j];
            REAL own = 0;
            for (Index k = 0; k < c; k++) own += left[(start + i) * 2 * c + c + k] * left[(start + i) * 2 * c + c + k];
            q[i] += own;
        }
    }
    SYMM("R", "L", r, n, 1, Q, n, P, r, 0, moved, r);
    GEMM("N", "T", r, r, n, 1, moved, r, P, r, 0, sum, r);
    if (center) { /* the sum of the gradients of each class over the rows */
        for (Index i = 0; i < n; i++) {
            double total = 0;
            for (Index j = 0; j < n; j++) total += W[i * n + j];
            for (Index q = 0; q < c; q++)
                left[i * 2 * c + q] = (REAL)(A[i * columns + q] * total - left[i * 2 * c + c + q]);
        }
        GEMM("N", "T", r, c, n, 1, P, r, left, 2 * c, 0, shift, r);
        GEMM("N", "T", r, r, c, (REAL)(-1.0 / (double)n), shift, r, shift, r, 1, sum, r);
    }
    double trace = 0;
    for (Index i = 0; i < r; i++) trace += sum[i * r + i];
    for (Index i = 0; i < r; i++)
        for (Index j = 0; j < r; j++) S[i * r + j] = sum[i * r + j];
    free(A);
    bound *= EPSILON / 2;
    *rounding = trace > 0 ? bound / trace : (bound == 0 ? 0 : INFINITY);
    return 1;
}

/* S by the form that costs less, and rounds little enough; W (n, n) and `spare` (n, n) are overwritten. */
static int N(gradients)(const REAL *P, const double *alpha, REAL *W, Index n, Index r, Index c, int center, double *S,
                        REAL *spare) {
    const double N_ = (double)n, by_rows = N_ * N_ * 2 * (double)(c * (r + 1)) + N_ * (double)(c * r) * (double)r;
    const double by_gram = N_ * N_ * (N_ + 5 * (double)c + 2 * (double)r + PASSES);
    if (by_rows > by_gram) {
        double rounding;
        if (!N(gradients_by_gram)(P, alpha, W, n, r, c, center, S, spare, &rounding)) return 0;
        if (rounding <= ACCURATE) return 1;
#ifdef WIDER
        if (by_rows > 2.5 * by_gram) { /* float64 at half the rate, and copies */
            double *wide = malloc((size_t)(2 * n * n + n * r) * sizeof(double));
            if (!wide) return 0;
            double *Q = wide + n * n, *rows = Q + n * n;
            for (Index i = 0; i < n * n; i++) wide[i] = W[i];
            for (Index i = 0; i < n * r; i++) rows[i] = P[i];
            const int done = WIDER(gradients_by_gram)(rows, alpha, wide, n, r, c, center, S, Q, &rounding);
            free(wide);
            if (!done) return 0;
            if (rounding <= ACCURATE) return 1;
        }
#endif
    }
    return N(gradients_by_rows)(P, alpha, W, n, r, c, center, S);
}

/* out (rows, c), rows `stride` apart, = B a' for B (rows, n) and a (c, n); `wide` (rows, n) is overwritten if there are
 * so many targets that a product in float64 pays. */
static void N(targets_of)(const REAL *B, Index rows, Index n, const double *a, Index c, double *out, Index stride,
                          double *wide) {
    if (c < MANY) {
        N(scores)(B, rows, n, a, c, out, stride);
        return;
    }
    for (Index i = 0; i < rows * n; i++) wide[i] = B[i];
    dgemm("T", "N", c, rows, n, 1, a, n, wide, n, 0, out, stride);
}

#ifdef WIDER
/* out (c, n) = K a for the symmetric K (n, n), upper triangle given. */
static void N(symmetric_targets)(const REAL *K, Index n, const double *a, double *out, Index c, double *wide) {
    const Index tile = TILE / (n * (Index)sizeof(REAL)) + 4;
    for (Index i = 0; i < n * c; i++) out[i] = 0;
    if (c < MANY) {
        N(symmetric_product)(K, n, a, out, c);
        return;
    }
    for (Index start = 0; start < n; start += tile) {
        const Index rows = start + tile <= n ? tile : n - start, count = n - start, rest = count - rows;
        for (Index i = 0; i < rows; i++)
            for (Index j = i; j < count; j++) wide[i * count + j] = K[(start + i) * n + start + j];
        const double *square = wide, *beside = wide + rows;
        dsymm("L", "L", rows, c, 1, square, count, a + start, n, 1, out + start, n);
        if (!rest) continue;
        dgemm("T", "N", rows, c, rest, 1, beside, count, a + start + rows, n, 1, out + start, n);
        dgemm("N", "N", rest, c, rows, 1, beside, count, a + start, n, 1, out + start + rows, n);
    }
}
#endif

/* x (c, n) in place of A^-1 x, for what `factor` left of A. */
static void N(back)(const REAL *U, Index n, REAL *x, Index c) {
    if (c < MANY) {
        N(substitute)(U, n, x, c);
        return;
    }
    TRSM("L", "L", "N", "N", n, c, 1, U, n, x, n);
    TRSM("L", "L", "T", "N", n, c, 1, U, n, x, n);
}

/* Upper triangles of the kernel matrix K (n, n) and, if given, of L^2 W, of rows P (n, r). */
static void N(kernel_matrix)(int kernel, const REAL *P, const REAL *squares, Index n, Index r, REAL scale, REAL *K,
                             REAL *W, Index *found) {
    const Index tile = TILE / (n * (Index)sizeof(REAL)) + 1;
    for (Index start = 0; start < n; start += tile) {
        const Index rows = start + tile <= n ? tile : n - start, count = n - start;
        const REAL *first = P + start * r;
        GEMM("T", "N", count, rows, r, -2 * scale, first, r, first, r, 0, K + start * n + start, n);
        N(block)(kernel, K + start * n + start, W ? W + start * n + start : NULL, n, rows, count, 1, first,
                 squares + start, first, squares + start, r, scale, found);
    }
}

/* scores (m, c), rows `stride` apart, of the rows Z (m, r): their kernel with P (n, r) is never stored. */
static void N(score_rows)(int kernel, const REAL *Z, const REAL *z, Index m, const REAL *P, const REAL *squares,
                          Index n, Index r, REAL scale, const double *alpha, Index c, double *scores, Index stride,
                          REAL *block, double *wide, Index *found) {
    const Index tile = TILE / (n * (Index)sizeof(REAL)) + 4;
    for (Index start = 0; start < m; start += tile) {
        const Index rows = start + tile <= m ? tile : m - start;
        GEMM("T", "N", n, rows, r, -2 * scale, P, r, Z + start * r, r, 0, block, n);
        N(block)(kernel, block, NULL, n, rows, n, 0, Z + start * r, z + start, P, squares, r, scale, found);
        N(targets_of)(block, rows, n, alpha, c, scores + start * stride, stride, wide);
    }
}

/* The Cholesky factor of A (n, n) in place; 0 if A is not positive definite, or the call is to end. Where OpenBLAS has kernels for AVX-512,
 * blocks of two sizes are faster than its own recursion, by a tenth from 600 rows on; with those for AVX2 they are not.
 */
static int N(factor)(REAL *A, Index n, Turn *turn) {
    if (!BLOCKED || n <= 300) return POTRF("L", n, A, n) == 0;
    for (Index start = 0; start < n; start += OUTER) {
        const Index end = start + OUTER < n ? start + OUTER : n, below = n - end;
        if (interrupted(turn)) return 0;
        for (Index first = start; first < end; first += INNER) {
            const Index wide = first + INNER < end ? INNER : end - first, next = first + wide, left = n - next;
            REAL *corner = A + first * n + first, *panel = corner + wide;
            if (POTRF("L", wide, corner, n) != 0) return 0;
            if (left == 0) return 1;
            TRSM("R", "L", "T", "N", left, wide, 1, corner, n, panel, n);
            if (next == end) continue;
            SYRK("L", "N", end - next, wide, -1, panel, n, 1, A + next * n + next, n);
            if (below)
                GEMM("N", "T", below, end - next, wide, -1, panel + end - next, n, panel, n, 1, A + next * n + end, n);
        }
        SYRK("L", "N", below, end - start, -1, A + start * n + end, n, 1, A + end * n + end, n);
    }
    return 1;
}

/* alpha (c, n) with (K + ridge I) alpha = Y (c, n); K and `factor` (n, n), in float64 the same if K is not needed
 * again. `x` (c, n) REAL, `residual` (c, n) and `wide` are overwritten. 0 where the precision does not suffice. */
static int N(solve)(REAL *K, double ridge, const double *Y, Index n, Index c, REAL *factor, REAL *x, double *residual,
                    double *alpha, double *wide, Turn *turn) {
    const Index total = n * c;
    for (Index i = 0; i < n; i++) {
        if (factor != K) memcpy(factor + i * n + i, K + i * n + i, (size_t)(n - i) * sizeof(REAL));
        factor[i * n + i] += (REAL)ridge;
    }
    if (!N(factor)(factor, n, turn)) return 0;
    for (Index i = 0; i < total; i++) x[i] = (REAL)Y[i];
    N(back)(factor, n, x, c);
    for (Index i = 0; i < total; i++) alpha[i] = x[i];
#ifdef WIDER
    if ((double)n > ridge * WELL_CONDITIONED) {
        double error = INFINITY, previous = 0;
        int step = 0;
        for (; step < MOST_REFINEMENTS; step++) {
            N(symmetric_targets)(K, n, alpha, residual, c, wide);
            for (Index i = 0; i < total; i++) x[i] = (REAL)(Y[i] - ridge * alpha[i] - residual[i]);
            N(back)(factor, n, x, c);
            double size = 0, moved = 0;
            for (Index i = 0; i < total; i++) {
                const double change = x[i];
                alpha[i] += change;
                size += alpha[i] * alpha[i];
                moved += change * change;
            }
            size = sqrt(size), moved = sqrt(moved);
            if (moved == 0) return 1;
            const double shrinkage = size == 0 ? INFINITY : moved / (step ? previous : size);
            if (!(shrinkage < LEAST_SHRINKAGE)) return 0;
            error = moved / size * shrinkage / (1 - shrinkage);
            if (error <= REFINED) return 1;
            previous = moved;
        }
        return error <= ACCEPTED;
    }
#else
    (void)residual, (void)wide;
#endif
    double sum = 0;
    for (Index i = 0; i < total; i++) sum += fabs(alpha[i]);
    return sum < INFINITY; /* false too where an entry is not a number */
}

static int N(squared_norms)(const REAL *P, Index rows, Index r, REAL scale, REAL *squares) {
    for (Index i = 0; i < rows; i++) {
        REAL sum = 0;
#pragma omp simd reduction(+ : sum)
        for (Index k = 0; k < r; k++) sum += P[i * r + k] * P[i * r + k];
        squares[i] = sum * scale;
        if (!(squares[i] < (REAL)INFINITY)) return 0;
    }
    return 1;
}

/* Working memory of `follow`, and what of the current metric is in it. */
typedef struct {
    REAL *K, *factor, *W;          /* (n, n); W only if weights are needed */
    REAL *P, *squares, *x, *block; /* rows (n + m, r) and their scaled squared norms; (c, n); a tile of scores */
    double *P64, *F, *S, *T;       /* the rows in float64, and the root of the metric (d, r); S and T (d, d) */
    double *Y, *residual, *alphas; /* targets (c, n); (c, n); coefficients (R, c, n) */
    double *work, *several, *wide; /* of metric_root; scores (m, R c); a tile in float64 */
    double *K64, *W64;             /* (n, n), where float32 did not suffice */
    Index *found, *group;
    int *pivots;
    const double *exact; /* the rows where the metric is the identity: P64, or those given */
    Index r;
    REAL scale;
} N(Work);

static void N(release)(N(Work) * w) {
    free(w->K), free(w->P64), free(w->found), free(w->pivots), free(w->K64);
}

/* 0 without memory. */
static int N(allocate)(const Chains *p, N(Work) * w) {
    const Index n = p->n, m = p->m, d = p->d, c = p->c, R = p->ridges_count, rows = n + m;
    const int weights = p->steps > 1 || p->update_last, rooted = p->steps > 1 || p->start;
    const Index tile = TILE / (n * (Index)sizeof(REAL)) + 4;
    /* Of many features there is no metric, or its diagonal alone, when a single point is asked for. */
    const Index square = weights || (rooted && !p->diagonal) ? d * d : d, moved = rooted ? rows * d : 0;
    const Index singles = (2 + weights) * n * n + rows * (d + 1) + n * c + tile * n;
    const Index doubles = moved + 3 * square + (R + 2) * n * c + 4 * d + m * R * c + (R * c < MANY ? 0 : tile * n);
    memset(w, 0, sizeof *w);
    w->K = malloc((size_t)singles * sizeof(REAL));
    w->P64 = malloc((size_t)doubles * sizeof(double));
    w->found = malloc((size_t)(n + R) * sizeof(Index));
    w->pivots = malloc((size_t)d * sizeof(int));
    if (!w->K || !w->P64 || !w->found || !w->pivots) return 0;
    w->factor = w->K + n * n;
    w->W = weights ? w->factor + n * n : NULL;
    w->P = w->K + (2 + weights) * n * n;
    w->squares = w->P + rows * d, w->x = w->squares + rows, w->block = w->x + n * c;
    w->F = w->P64 + moved, w->S = w->F + square, w->T = w->S + square;
    w->Y = w->T + square, w->residual = w->Y + n * c, w->alphas = w->residual + n * c;
    w->work = w->alphas + R * n * c, w->several = w->work + 4 * d, w->wide = w->several + m * R * c;
    w->group = w->found + n;
    w->scale = (REAL)(1.0 / (p->bandwidth * p->bandwidth));
    for (Index i = 0; i < n; i++)
        for (Index q = 0; q < c; q++) w->Y[q * n + i] = p->Y[i * c + q];
    return 1;
}

/* The rows where `metric` (NULL: the identity) is the identity; 0 if they have no coordinates, or norms that overflow.
 */
static int N(place)(const Chains *p, N(Work) * w, const double *metric) {
    const Index d = p->d, rows = p->n + p->m;
    w->r = d, w->exact = p->X;
    if (metric && p->diagonal) {
        for (Index k = 0; k < d; k++) w->F[k] = sqrt(metric[k] > 0 ? metric[k] : 0);
        for (Index i = 0; i < rows; i++)
            for (Index k = 0; k < d; k++) w->P64[i * d + k] = p->X[i * d + k] * w->F[k];
        w->exact = w->P64;
    } else if (metric) {
        w->r = metric_root(metric, p->sizes, d, w->F, w->S, w->work, w->pivots);
        if (w->r == 0) return 0;
        dgemm("N", "N", w->r, rows, d, 1, w->F, w->r, p->X, d, 0, w->P64, w->r);
        w->exact = w->P64;
    }
    for (Index i = 0; i < rows * w->r; i++) w->P[i] = (REAL)w->exact[i];
    return N(squared_norms)(w->P, rows, w->r, w->scale, w->squares);
}

#ifdef WIDER
/* What float32 could not solve, with the kernel anew from the rows in float64; W64 too if it is `heavy`. */
static int N(solve_float64)(const Chains *p, N(Work) * w, Index chain, int heavy, double *alpha) {
    const Index n = p->n, need = (heavy ? 2 : 1) * n * n + n;
    const double scale = 1.0 / (p->bandwidth * p->bandwidth);
    if (!w->K64) w->K64 = malloc((size_t)need * sizeof(double)); /* heavy points come first */
    if (!w->K64) return NO_MEMORY;
    double *squares = w->K64 + need - n;
    w->W64 = heavy ? w->K64 + n * n : NULL;
    if (!WIDER(squared_norms)(w->exact, n, w->r, scale, squares)) return HANDED_BACK;
    WIDER(kernel_matrix)(p->kernel, w->exact, squares, n, w->r, scale, w->K64, w->W64, w->found);
    const int solved =
        WIDER(solve)(w->K64, p->ridges[chain], w->Y, n, p->c, w->K64, alpha, w->residual, alpha, w->wide, p->turn);
    return solved ? SOLVED_FLOAT64 : HANDED_BACK;
}
#endif

/* Coefficients `alpha` (c, n) of one chain in the metric at work and, if the point is `heavy`, the next metric. */
static int N(point)(const Chains *p, N(Work) * w, Index chain, int heavy, int rooted, double *alpha, double *alpha_out,
                    double *metric_out) {
    const Index n = p->n, c = p->c;
    const double scale = 1.0 / (p->bandwidth * p->bandwidth);
    int state = SOLVED, done = 1;
    w->W64 = NULL;
    if (!N(solve)(w->K, p->ridges[chain], w->Y, n, c, w->factor, w->x, w->residual, alpha, w->wide, p->turn)) {
        if (p->turn->raised) return HANDED_BACK;
#ifdef WIDER
        state = N(solve_float64)(p, w, chain, heavy, alpha);
#else
        state = HANDED_BACK;
#endif
        if (state != SOLVED_FLOAT64) return state;
    }
    double size = 0;
    for (Index q = 0; q < c; q++)
        for (Index i = 0; i < n; i++) {
            const double value = alpha[q * n + i] *= p->gain;
            alpha_out[i * c + q] = value;
            size = fabs(value) > size ? fabs(value) : size;
        }
    if (!heavy) return state;
    if (size == 0) size = 1;
    for (Index i = 0; i < n * c; i++) w->residual[i] = alpha[i] / size;
#ifdef WIDER
    if (w->W64)
        done = WIDER(gradients)(w->exact, w->residual, w->W64, n, w->r, c, p->center, w->S, w->K64);
    else
#endif
        done = N(gradients)(w->P, w->residual, w->W, n, w->r, c, p->center, w->S, w->factor);
    if (!done) return NO_MEMORY;
    metric_of_features(p, rooted ? w->F : NULL, w->S, w->T, w->r, scale * scale / (double)n, size, metric_out);
    return state;
}

/* All points of the chains; see `Chains`. Returns 0 without memory, and where the call is to end. */
static int N(follow)(const Chains *p) {
    const Index n = p->n, m = p->m, c = p->c, R = p->ridges_count, entries = p->diagonal ? p->d : p->d * p->d;
    N(Work) w;
    int memory = N(allocate)(p, &w);
    for (Index k = 0; k < p->steps * R; k++) p->status[k] = NOT_REACHED;
    for (Index step = 0; memory && step < p->steps; step++) {
        const int shared = step == 0 && !p->start, heavy = step < p->steps - 1 || p->update_last;
        for (Index first = 0; memory && first < R; first += shared ? R : 1) {
            /* Chains that have the same metric: all of them in the identity, one otherwise. */
            Index members = 0, solved = 0;
            for (Index k = first; k < (shared ? R : first + 1); k++) {
                const int before = step ? p->status[(step - 1) * R + k] : SOLVED;
                if (before == SOLVED || before == SOLVED_FLOAT64) w.group[members++] = k;
            }
            if (!members) continue;
            const double *from = step ? p->metrics + (step - 1) * R * entries : p->start;
            const double *metric = from ? from + first * entries : NULL;
            if (!N(place)(p, &w, metric)) {
                for (Index k = 0; k < members; k++) p->status[step * R + w.group[k]] = HANDED_BACK;
                continue;
            }
            N(kernel_matrix)(p->kernel, w.P, w.squares, n, w.r, w.scale, w.K, heavy ? w.W : NULL, w.found);
            for (Index k = 0; memory && k < members; k++) {
                if (n >= LONG && (memory = !interrupted(p->turn)) == 0) break;
                const Index chain = w.group[k], at = step * R + chain;
                const int state = N(point)(p, &w, chain, heavy, metric != NULL, w.alphas + solved * c * n,
                                           p->alpha + at * n * c, heavy ? p->metrics + at * entries : NULL);
                memory = state != NO_MEMORY;
                p->status[at] = state;
                if (state != HANDED_BACK) w.group[solved++] = chain;
            }
            if (!memory || !solved || !m) continue;
            const clock_t started = clock();
            double *scores = solved == 1 ? p->scores + (step * R + w.group[0]) * m * c : w.several;
            N(score_rows)(p->kernel, w.P + n * w.r, w.squares + n, m, w.P, w.squares, n, w.r, w.scale, w.alphas,
                          solved * c, scores, solved * c, w.block, w.wide, w.found);
            for (Index k = 0; solved > 1 && k < solved; k++)
                for (Index i = 0; i < m; i++)
                    memcpy(p->scores + ((step * R + w.group[k]) * m + i) * c, w.several + (i * solved + k) * c,
                           (size_t)c * sizeof(double));
            *p->score_seconds += (double)(clock() - started) / CLOCKS_PER_SEC;
        }
    }
    N(release)(&w);
    return memory && !p->turn->raised;
}
