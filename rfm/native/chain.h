/* Whole chains in the precision REAL; included once for each precision and instruction set, float64 first.
 *
 * The mathematics and its safeguards are those of rfm/kernels.py, rfm/rows.py, rfm/linalg.py and rfm/agop.py. Where
 * these have a way out that is not here, the chain stops and Python goes on from its last metric. */

/* S (r, r) in float64, both triangles, of the gradients of predictors with coefficients `alpha`
 * (c, n) at rows P (n, r), from weights W (n, n), upper triangle. Returns 1, 0 without memory. See
 * rfm/agop.py for both forms. */
static int N(gradients_by_rows)(const REAL *P, const double *alpha, const REAL *W, Index n, Index r, Index c, int center,
                                double *S) {
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

/* As above by the Gram form, Q (n, n) and W's lower triangle overwritten; *rounding is a bound of what rounding is of the trace of S. */
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
                for (Index j = from > i ? from : i + 1; j < (from + 32 < n ? from + 32 : n); j++) W[j * n + i] = W[i * n + j];
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
        GEMM("T", "N", count, rows, 2 * c, 1, right + start * 2 * c, 2 * c, left + start * 2 * c, 2 * c, 0, cross, count);
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
static void N(kernel_matrix)(int kernel, const REAL *P, const REAL *squares, Index n, Index r, REAL scale, REAL *K, REAL *W,
                             Index *found) {
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
static void N(score_rows)(int kernel, const REAL *Z, const REAL *z, Index m, const REAL *P, const REAL *squares, Index n,
                          Index r, REAL scale, const double *alpha, Index c, double *scores, Index stride, REAL *block,
                          double *wide, Index *found) {
    const Index tile = TILE / (n * (Index)sizeof(REAL)) + 4;
    for (Index start = 0; start < m; start += tile) {
        const Index rows = start + tile <= m ? tile : m - start;
        GEMM("T", "N", n, rows, r, -2 * scale, P, r, Z + start * r, r, 0, block, n);
        N(block)(kernel, block, NULL, n, rows, n, 0, Z + start * r, z + start, P, squares, r, scale, found);
        N(targets_of)(block, rows, n, alpha, c, scores + start * stride, stride, wide);
    }
}

/* The Cholesky factor of A (n, n) in place; 0 if A is not positive definite. Where OpenBLAS has kernels for AVX-512, blocks
 * of two sizes are faster than its own recursion, by a tenth from 600 rows on; with those for AVX2 they are not. */
static int N(factor)(REAL *A, Index n) {
    if (!BLOCKED || n <= 300) return POTRF("L", n, A, n) == 0;
    for (Index start = 0; start < n; start += OUTER) {
        const Index end = start + OUTER < n ? start + OUTER : n, below = n - end;
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

/* alpha (c, n) with (K + ridge I) alpha = Y (c, n); K and `factor` (n, n), in float64 the same if K is not needed again. `x` (c, n) REAL and `residual` (c, n) are
 * overwritten. 0 where the precision does not suffice. */
static int N(solve)(REAL *K, double ridge, const double *Y, Index n, Index c, REAL *factor, REAL *x,
                    double *residual, double *alpha, double *wide) {
    const Index total = n * c;
    for (Index i = 0; i < n; i++) {
        if (factor != K) memcpy(factor + i * n + i, K + i * n + i, (size_t)(n - i) * sizeof(REAL));
        factor[i * n + i] += (REAL)ridge;
    }
    if (!N(factor)(factor, n)) return 0;
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

/* All points of the chains; see `Chains`. Returns 0 without memory. */
static int N(follow)(const Chains *p) {
    const Index n = p->n, m = p->m, d = p->d, c = p->c, R = p->ridges_count, rows = n + m, steps = p->steps;
    const Index entries = p->diagonal ? d : d * d, last = steps - 1;
    const REAL scale = (REAL)(1.0 / (p->bandwidth * p->bandwidth));
    const double scale64 = 1.0 / (p->bandwidth * p->bandwidth);
    const int weights = steps > 1 || p->update_last, rooted = steps > 1 || p->start;
    /* Of many features there is no metric, or its diagonal alone, when a single point is asked for. */
    const Index square = weights || (rooted && !p->diagonal) ? d * d : d, moved = rooted ? rows * d : 0;
    const Index tile = TILE / (n * (Index)sizeof(REAL)) + 4;
    REAL *K = malloc((size_t)((2 + weights) * n * n + rows * (d + 1) + n * c + tile * n) * sizeof(REAL));
    double *P64 = malloc((size_t)(moved + 3 * square + (R + 2) * n * c + 4 * d + m * R * c + (R * c < MANY ? 0 : tile * n)) * sizeof(double));
    Index *found = malloc((size_t)(n + R) * sizeof(Index));
    int *pivots = malloc((size_t)d * sizeof(int));
    double *K64 = NULL;
    int memory = K && P64 && found && pivots;
    REAL *factor = K + n * n, *W = weights ? factor + n * n : NULL;
    REAL *P = K + (2 + weights) * n * n, *squares = P + rows * d, *x = squares + rows, *block = x + n * c;
    double *F = P64 + moved, *S = F + square, *T = S + square, *Y = T + square, *residual = Y + n * c;
    double *alphas = residual + n * c, *work = alphas + R * n * c, *several = work + 4 * d, *wide = several + m * R * c;
    Index *group = found + n;
    if (memory)
        for (Index i = 0; i < n; i++)
            for (Index q = 0; q < c; q++) Y[q * n + i] = p->Y[i * c + q];
    for (Index k = 0; memory && k < steps * R; k++) p->status[k] = NOT_REACHED;

    for (Index step = 0; memory && step < steps; step++) {
        const int shared = step == 0 && !p->start;
        for (Index first = 0; memory && first < R; first += shared ? R : 1) {
            /* Chains that have the same metric: all of them in the identity, one otherwise. */
            Index members = 0;
            for (Index k = first; k < (shared ? R : first + 1); k++)
                if (step == 0 || p->status[(step - 1) * R + k] == SOLVED || p->status[(step - 1) * R + k] == SOLVED_FLOAT64) group[members++] = k;
            if (!members) continue;
            const double *metric =
                step ? p->metrics + ((step - 1) * R + first) * entries : (shared ? NULL : p->start + first * entries);
            const int heavy = step < last || p->update_last;
            Index r = d;
            const double *exact = p->X;
            if (metric) {
                if (p->diagonal) {
                    for (Index k = 0; k < d; k++) F[k] = sqrt(metric[k] > 0 ? metric[k] : 0);
                    for (Index i = 0; i < rows; i++)
                        for (Index k = 0; k < d; k++) P64[i * d + k] = p->X[i * d + k] * F[k];
                } else {
                    r = metric_root(metric, p->sizes, d, F, S, work, pivots);
                    if (r > 0) {
                        dgemm("N", "N", r, rows, d, 1, F, r, p->X, d, 0, P64, r);
                    }
                }
                exact = P64;
            }
            int usable = r > 0;
            if (usable) {
                for (Index i = 0; i < rows * r; i++) P[i] = (REAL)exact[i];
                usable = N(squared_norms)(P, rows, r, scale, squares);
            }
            if (!usable) {
                for (Index k = 0; k < members; k++) p->status[step * R + group[k]] = HANDED_BACK;
                continue;
            }
            N(kernel_matrix)(p->kernel, P, squares, n, r, scale, K, heavy ? W : NULL, found);
            Index solved = 0;
            for (Index k = 0; memory && k < members; k++) {
                const Index chain = group[k];
                double *alpha = alphas + solved * c * n;
                int state = N(solve)(K, p->ridges[chain], Y, n, c, factor, x, residual, alpha, wide) ? SOLVED : HANDED_BACK;
#ifdef WIDER
                double *W64 = NULL;
                if (state == HANDED_BACK) { /* the kernel anew from the rows in float64 */
                    const Index need = (heavy ? 2 : 1) * n * n + n;
                    if (!K64) K64 = malloc((size_t)need * sizeof(double));
                    memory = K64 != NULL;
                    if (!memory) break;
                    double *squares64 = K64 + need - n;
                    W64 = heavy ? K64 + n * n : NULL;
                    if (WIDER(squared_norms)(exact, n, r, scale64, squares64)) {
                        WIDER(kernel_matrix)(p->kernel, exact, squares64, n, r, scale64, K64, W64, found);
                        if (WIDER(solve)(K64, p->ridges[chain], Y, n, c, K64, alpha, residual, alpha, wide))
                            state = SOLVED_FLOAT64;
                    }
                }
#endif
                if (state != HANDED_BACK) {
                    double size = 0;
                    for (Index i = 0; i < n * c; i++) {
                        alpha[i] *= p->gain;
                        const double value = fabs(alpha[i]);
                        size = value > size ? value : size;
                    }
                    double *out = p->alpha + (step * R + chain) * n * c;
                    for (Index i = 0; i < n; i++)
                        for (Index q = 0; q < c; q++) out[i * c + q] = alpha[q * n + i];
                    if (heavy) {
                        if (size == 0) size = 1;
                        for (Index i = 0; i < n * c; i++) residual[i] = alpha[i] / size;
#ifdef WIDER
                        if (W64)
                            memory = WIDER(gradients)(exact, residual, W64, n, r, c, p->center, S, K64);
                        else
#endif
                            memory = N(gradients)(P, residual, W, n, r, c, p->center, S, factor);
                        if (!memory) break;
                        metric_of_features(p, metric ? F : NULL, S, T, r, scale64 * scale64 / (double)n, size,
                                           p->metrics + (step * R + chain) * entries);
                    }
                    group[solved++] = chain;
                }
                p->status[step * R + chain] = state;
            }
            if (!memory || !solved || !m) continue;
            const int alone = solved == 1;
            double *scores = alone ? p->scores + (step * R + group[0]) * m * c : several;
            N(score_rows)(p->kernel, P + n * r, squares + n, m, P, squares, n, r, scale, alphas, solved * c, scores,
                          solved * c, block, wide, found);
            for (Index k = 0; !alone && k < solved; k++)
                for (Index i = 0; i < m; i++)
                    memcpy(p->scores + ((step * R + group[k]) * m + i) * c, several + (i * solved + k) * c,
                           (size_t)c * sizeof(double));
        }
    }
    free(K), free(P64), free(found), free(pivots), free(K64);
    return memory;
}
