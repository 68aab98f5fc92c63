/* Neural tangent kernels in the precision REAL, and ridge regressions with them; included like chain.h, after it.
 *
 * The kernel of rfm/ntk.py is |x| |z| t(theta). In 2 theta / pi - 1, the *position* of the angle theta in [-1, 1], t is
 * a polynomial for every depth (`angular_profile`): one arc sine serves all depths. */

/* asin(s) for 0 <= s <= 1 / 2: a polynomial, right to rounding. */
static inline REAL N(short_asin)(REAL s) {
    const REAL z = s * s;
    return s + s * z * ASIN_SERIES(z);
}

/* The position of the angle whose cosine is c. */
static inline REAL N(position)(REAL c) {
    const REAL size = c < 0 ? -c : c, held = size < (REAL)1 ? size : (REAL)1;
    const int high = held > (REAL)0.5; /* asin c = pi / 2 - 2 asin sqrt((1 - c) / 2) */
    const REAL half = SQRT(((REAL)1 - held) * (REAL)0.5);
    const REAL arc = N(short_asin)(high ? half : held) * (REAL)0.6366197723675814;
    const REAL turned = high ? (REAL)1 - (REAL)2 * arc : arc;
    return c < 0 ? turned : -turned;
}

/* Positions of the angles between unit vectors `left` (rows, r) and `right` (count, r) in place of their inner products
 * `u`, whose rows are `stride` long. With `triangle`, row i begins at its own column i, where its angle is 0.
 *
 * An inner product near 1 or -1 has lost half of the angle's digits: there the angle comes from the difference or the
 * sum of the vectors. */
static void N(positions)(REAL *u, Index stride, Index rows, Index count, int triangle, const REAL *left,
                         const REAL *right, Index r) {
    for (Index i = 0; i < rows; i++) {
        const Index first = triangle ? i : 0;
        REAL *RESTRICT line = u + i * stride;
        if (triangle) line[i] = 0;
        REAL least = 0, most = 0;
#pragma omp simd reduction(min : least) reduction(max : most)
        for (Index j = first; j < count; j++) {
            const REAL at = N(position)(line[j]);
            line[j] = at;
            least = at < least ? at : least;
            most = at > most ? at : most;
        }
        if (least <= PARALLEL - 1 || most >= 1 - PARALLEL)
            for (Index j = first; j < count; j++) {
                const int opposite = line[j] >= 1 - PARALLEL;
                if (!opposite && !(line[j] <= PARALLEL - 1)) continue;
                const REAL *RESTRICT one = left + i * r, *RESTRICT other = right + j * r;
                const REAL sign = opposite ? -1 : 1;
                REAL sum = 0;
#pragma omp simd reduction(+ : sum)
                for (Index k = 0; k < r; k++) {
                    const REAL gap = one[k] - sign * other[k];
                    sum += gap * gap;
                }
                const REAL half = SQRT(sum) * (REAL)0.5, held = half < (REAL)0.5 ? half : (REAL)0.5;
                line[j] = sign * ((REAL)4 * N(short_asin)(held) * (REAL)0.3183098861837907 - 1);
            }
        if (triangle) line[i] = -1;
    }
}

/* K (count,) of one row of norm `rise` and others of norms `runs`, from their positions; `profile` has TERMS
 * coefficients from the constant up, K may be where the positions are. In four sums, so that no multiply-add waits for
 * the one before it. */
static void N(tangent_line)(const REAL *at, const REAL *RESTRICT profile, REAL rise, const REAL *RESTRICT runs, REAL *K,
                            Index count) {
#pragma omp simd
    for (Index j = 0; j < count; j++) {
        const REAL x = at[j], y = x * x, z = y * y;
        REAL a = profile[TERMS - 4], b = profile[TERMS - 3], c = profile[TERMS - 2], d = profile[TERMS - 1];
        PROFILE_STEPS
        K[j] = (a + b * x + (c + d * x) * y) * (rise * runs[j]);
    }
}

/* The kernel K (rows, count) of unit vectors `left` (rows, r) and `right` (count, r) times `rises` and `runs`. */
static void N(tangent_tile)(const REAL *left, const REAL *right, Index rows, Index count, Index r, const REAL *rises,
                            const REAL *runs, const REAL *profile, REAL *K) {
    const Index step = TILE / (count * (Index)sizeof(REAL)) + 8;
    for (Index start = 0; start < rows; start += step) {
        const Index height = start + step <= rows ? step : rows - start;
        REAL *block = K + start * count;
        GEMM("T", "N", count, height, r, 1, right, r, left + start * r, r, 0, block, count);
        N(positions)(block, count, height, count, 0, left + start * r, right, r);
        for (Index i = 0; i < height; i++)
            N(tangent_line)(block + i * count, profile, rises[start + i], runs, block + i * count, count);
    }
}

#ifdef WIDER

/* out (c, n) = K a for the symmetric K (n, n) in float64, upper triangle given, and a (c, n). */
static void N(product_float64)(const double *K, Index n, const double *a, double *out, Index c) {
    if (c < MANY) {
        memset(out, 0, (size_t)(n * c) * sizeof(double));
        WIDER(symmetric_product)(K, n, a, out, c);
    } else {
        dsymm("L", "L", n, c, 1, K, n, a, n, 0, out, n);
    }
}

/* Working memory of the regressions: angles and the kernel of one depth in float64, a factor in either precision. */
typedef struct {
    double *positions, *K, *exact;  /* (n, n); the last allocated where float32 does not suffice */
    double *block, *tile, *several; /* tiles (rows, n): positions of the other rows, their kernel; (rows, R c) */
    double *left, *search, *image;  /* (c, n) */
    double *inner;                  /* (c,) */
    REAL *factor, *x;               /* (n, n); (c, n) */
} N(Tangent);

/* Conjugate gradients for (K + ridge I) alpha = Y, all columns side by side, from `alpha` (c, n) with w->left = Y -
 * (K + ridge I) alpha. They are preconditioned by the factor in float32 of this matrix, or of one with a ridge `above`
 * times as large. At most `most` products with K; 0 if these do not suffice.
 *
 * Corrections shrink by a factor that two of them tell; a solution from nothing moves by its own size first. What is
 * wrong with alpha is at most `above` times the next correction, where eigenvalues are below the ridge. What is wrong
 * with scores is at most the residual: many equal rows have coefficients that are large and cancel, so that a small
 * part of alpha can be a large one of scores. The last correction takes no product: w->left is not the residual of what
 * comes back. */
static int N(conjugate)(const Tangents *p, N(Tangent) * w, double ridge, double above, double *alpha, Index most) {
    const Index n = p->n, c = p->c, total = n * c;
    double previous = 0, target = 0;
    for (Index i = 0; i < total; i++) target += p->Y[i] * p->Y[i];
    target = sqrt(target);
    for (Index step = 0; step <= most; step++) {
        double moved = 0, size = 0, wrong = 0;
        for (Index i = 0; i < total; i++) w->x[i] = (REAL)w->left[i];
        N(back)(w->factor, n, w->x, c);
        for (Index q = 0; q < c; q++) {
            const REAL *RESTRICT x = w->x + q * n;
            const double *RESTRICT left = w->left + q * n, *RESTRICT own = alpha + q * n;
            double *RESTRICT search = w->search + q * n, inner = 0, change = 0, length = 0, rest = 0;
#pragma omp simd reduction(+ : inner, change, length, rest)
            for (Index i = 0; i < n; i++) {
                const double value = x[i];
                inner += value * left[i], change += value * value, length += own[i] * own[i];
                rest += left[i] * left[i];
            }
            const double ratio = step && w->inner[q] > 0 ? inner / w->inner[q] : 0;
            w->inner[q] = inner;
            if (!step) memset(search, 0, (size_t)n * sizeof(double));
#pragma omp simd
            for (Index i = 0; i < n; i++) search[i] = x[i] + ratio * search[i];
            moved += change, size += length, wrong += rest;
        }
        moved = sqrt(moved), size = sqrt(size), wrong = sqrt(wrong);
        if (moved == 0) return 1;
        if (!(moved < INFINITY)) return 0;
        if (step) {
            const double shrinkage = moved / previous, further = shrinkage < 1 ? shrinkage / (1 - shrinkage) : INFINITY;
            if (moved * further <= REFINED * size && moved * above <= ACCEPTED * size &&
                wrong * further <= REFINED * target) {
                for (Index i = 0; i < total; i++) alpha[i] += w->x[i];
                return 1;
            }
            /* What will be left at this rate, roughly: no need to take the steps. */
            double rest = moved / 100;
            for (Index k = step; k < most && rest > REFINED * size; k++) rest *= shrinkage;
            if (rest > REFINED * size) return 0;
        }
        if (step == most) break;
        previous = moved;
        N(product_float64)(w->K, n, w->search, w->image, c);
        for (Index q = 0; q < c; q++) {
            double *RESTRICT search = w->search + q * n, *RESTRICT image = w->image + q * n, curvature = 0;
#pragma omp simd reduction(+ : curvature)
            for (Index i = 0; i < n; i++) {
                image[i] += ridge * search[i];
                curvature += search[i] * image[i];
            }
            const double step_size = curvature > 0 ? w->inner[q] / curvature : 0;
            double *RESTRICT own = alpha + q * n, *RESTRICT left = w->left + q * n;
#pragma omp simd
            for (Index i = 0; i < n; i++) own[i] += step_size * search[i], left[i] -= step_size * image[i];
        }
    }
    return 0;
}

static void N(release_tangent)(N(Tangent) * w) {
    free(w->positions), free(w->factor), free(w->exact);
}

/* 0 without memory. */
static int N(allocate_tangent)(const Tangents *p, N(Tangent) * w, Index rows) {
    const Index n = p->n, c = p->c, narrow = NARROW(n, c);
    memset(w, 0, sizeof *w);
    w->positions =
        malloc((size_t)(2 * n * n + 3 * n * c + c + 2 * rows * n + rows * p->ridges_count * c) * sizeof(double));
    w->factor = malloc((size_t)(narrow * n * n + n * c) * sizeof(REAL));
    if (!w->positions || !w->factor) return 0;
    w->K = w->positions + n * n, w->left = w->K + n * n, w->search = w->left + n * c, w->image = w->search + n * c;
    w->inner = w->image + n * c, w->block = w->inner + c, w->tile = w->block + rows * n;
    w->several = w->tile + rows * n, w->x = w->factor + narrow * n * n;
    return 1;
}

/* Coefficients p->alpha and p->status of one depth, for all ridges, from the largest to the smallest. A factor serves
 * the ridges after it as long as conjugate gradients cost less than another one; `reuse` (R,) says for which ridges
 * they may. 0 without memory, and where the call is to end. */
static int N(solve_depth)(const Tangents *p, N(Tangent) * w, Index depth, int *reuse) {
    const Index n = p->n, c = p->c, R = p->ridges_count, total = n * c;
    const Index budget = n / ((c < MANY ? REUSE_FEW : REUSE_MANY) * c);
    const double *previous = NULL;
    double held = 0; /* the ridge of the factor */
    for (Index k = 0; k < R; k++) {
        const double ridge = p->ridges[k];
        double *alpha = p->alpha + (depth * R + k) * total;
        int32_t *status = p->status + depth * R + k;
        *status = SOLVED;
        if (n >= LONG && interrupted(p->turn)) return 0;
        if (NARROW(n, c)) {
            if (previous && reuse[k] && budget > 1) {
                N(product_float64)(w->K, n, previous, w->left, c);
                for (Index i = 0; i < total; i++) w->left[i] = p->Y[i] - (w->left[i] + ridge * previous[i]);
                memcpy(alpha, previous, (size_t)total * sizeof(double));
                if (N(conjugate)(p, w, ridge, held / ridge, alpha, budget - 1)) {
                    previous = alpha;
                    continue;
                }
                reuse[k] = 0;
            }
            previous = NULL, held = ridge;
            for (Index i = 0; i < n; i++) {
                for (Index j = i; j < n; j++) w->factor[i * n + j] = (REAL)w->K[i * n + j];
                w->factor[i * n + i] += (REAL)ridge;
            }
            if (N(factor)(w->factor, n, p->turn)) {
                memset(alpha, 0, (size_t)total * sizeof(double));
                memcpy(w->left, p->Y, (size_t)total * sizeof(double));
                if (N(conjugate)(p, w, ridge, 1, alpha, 2 * MOST_REFINEMENTS)) {
                    previous = alpha;
                    continue;
                }
            }
            *status = SOLVED_FLOAT64;
        }
        if (!w->exact && !(w->exact = malloc((size_t)(n * n) * sizeof(double)))) return 0;
        if (!WIDER(solve)(w->K, ridge, p->Y, n, c, w->exact, alpha, w->left, alpha, NULL, p->turn)) {
            *status = HANDED_BACK;
            memset(alpha, 0, (size_t)total * sizeof(double));
        }
    }
    return 1;
}

/* Scores of the other rows: tile by tile, their kernel of every depth from the same positions. */
static void N(score_tangents)(const Tangents *p, N(Tangent) * w, Index most) {
    const Index n = p->n, m = p->m, c = p->c, R = p->ridges_count, columns = R * c;
    for (Index start = 0; start < m; start += most) {
        const Index rows = start + most <= m ? most : m - start;
        const double *others = p->unit + (n + start) * p->d;
        dgemm("T", "N", n, rows, p->d, 1, p->unit, p->d, others, p->d, 0, w->block, n);
        WIDER(positions)(w->block, n, rows, n, 0, others, p->unit, p->d);
        for (Index depth = 0; depth < p->depths; depth++) {
            const double *profile = p->profiles + depth * PROFILE_TERMS, *alpha = p->alpha + depth * columns * n;
            for (Index i = 0; i < rows; i++)
                WIDER(tangent_line)(w->block + i * n, profile, p->norms[n + start + i], p->norms, w->tile + i * n, n);
            if (columns < MANY)
                WIDER(scores)(w->tile, rows, n, alpha, columns, w->several, columns);
            else
                dgemm("T", "N", columns, rows, n, 1, alpha, n, w->tile, n, 0, w->several, columns);
            for (Index k = 0; k < R; k++)
                for (Index i = 0; i < rows; i++)
                    memcpy(p->scores + ((depth * R + k) * m + start + i) * c, w->several + i * columns + k * c,
                           (size_t)c * sizeof(double));
        }
    }
}

/* All regressions; see `Tangents`. 0 without memory, and where the call is to end. */
static int N(tangents)(const Tangents *p) {
    const Index n = p->n, R = p->ridges_count, tile = TILE / (n * (Index)sizeof(double)) + 8;
    N(Tangent) w;
    int *reuse = malloc((size_t)R * sizeof(int)), memory = reuse && N(allocate_tangent)(p, &w, tile);
    if (!reuse) return 0;
    for (Index k = 0; k < R; k++) reuse[k] = 1;
    for (Index start = 0; memory && start < n; start += tile) {
        const Index rows = start + tile <= n ? tile : n - start, count = n - start;
        const double *first = p->unit + start * p->d;
        double *corner = w.positions + start * n + start;
        dgemm("T", "N", count, rows, p->d, 1, first, p->d, first, p->d, 0, corner, n);
        WIDER(positions)(corner, n, rows, count, 1, first, first, p->d);
    }
    for (Index depth = p->depths - 1; memory && depth >= 0; depth--) { /* what is deeper is better conditioned */
        for (Index i = 0; i < n; i++)
            WIDER(tangent_line)(w.positions + i * n + i, p->profiles + depth * PROFILE_TERMS, p->norms[i], p->norms + i,
                                w.K + i * n + i, n - i);
        memory = N(solve_depth)(p, &w, depth, reuse);
    }
    if (memory && p->m) {
        const clock_t started = clock();
        N(score_tangents)(p, &w, tile);
        *p->score_seconds = (double)(clock() - started) / CLOCKS_PER_SEC;
    }
    N(release_tangent)(&w);
    free(reuse);
    return memory && !p->turn->raised;
}
#endif
