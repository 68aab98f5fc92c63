/* Products of kernel matrices too large to be formed as a whole, tile by tile, in the precision REAL; included once for
 * each precision and instruction set.
 *
 * A tile stays in the second-level cache from its inner products to the last of its sums. Vectors of c targets are
 * stored target by target, `length` entries each, in float64. */

/* Kernel values K (rows, count), `stride` entries a row, and gradient weights if asked for, between the rows P and Q.
 */
static void N(tile)(const Table *t, const REAL *P, const REAL *p, Index rows, const REAL *Q, const REAL *q, Index count,
                    REAL *K, REAL *weight, Index stride, Index *found) {
    const REAL scale = (REAL)t->scale;
    GEMM("T", "N", count, rows, t->r, -2 * scale, Q, t->r, P, t->r, 0, K, stride);
    N(block)(t->kernel, K, weight, stride, rows, count, 0, P, p, Q, q, t->r, scale, found);
}

/* The tile of the rows P among themselves, exactly symmetric. */
static void N(square_tile)(const Table *t, const REAL *P, const REAL *p, Index rows, REAL *K, Index stride,
                           Index *found) {
    const REAL scale = (REAL)t->scale;
    GEMM("T", "N", rows, rows, t->r, -2 * scale, P, t->r, P, t->r, 0, K, stride);
    N(block)(t->kernel, K, NULL, stride, rows, rows, 1, P, p, P, p, t->r, scale, found);
    for (Index i = 1; i < rows; i++)
        for (Index j = 0; j < i; j++) K[i * stride + j] = K[j * stride + i];
}

/* y (c, rows) += K x for K (rows, count) and x (c, count). */
static void N(add_product)(const REAL *K, Index stride, Index rows, Index count, const double *x, Index x_length,
                           double *y, Index y_length, Index c) {
    Index i = 0;
    for (; i + 4 <= rows; i += 4) {
        const REAL *RESTRICT k0 = K + i * stride, *RESTRICT k1 = k0 + stride, *RESTRICT k2 = k1 + stride,
                             *RESTRICT k3 = k2 + stride;
        Index q = 0;
        for (; q + 2 <= c; q += 2) {
            const double *RESTRICT a = x + q * x_length, *RESTRICT b = a + x_length;
            double *u = y + q * y_length + i, *v = u + y_length;
            double s0 = 0, s1 = 0, s2 = 0, s3 = 0, t0 = 0, t1 = 0, t2 = 0, t3 = 0;
#pragma omp simd reduction(+ : s0, s1, s2, s3, t0, t1, t2, t3)
            for (Index j = 0; j < count; j++) {
                const double e0 = k0[j], e1 = k1[j], e2 = k2[j], e3 = k3[j], aj = a[j], bj = b[j];
                s0 += e0 * aj, s1 += e1 * aj, s2 += e2 * aj, s3 += e3 * aj;
                t0 += e0 * bj, t1 += e1 * bj, t2 += e2 * bj, t3 += e3 * bj;
            }
            u[0] += s0, u[1] += s1, u[2] += s2, u[3] += s3;
            v[0] += t0, v[1] += t1, v[2] += t2, v[3] += t3;
        }
        for (; q < c; q++) {
            const double *RESTRICT a = x + q * x_length;
            double *u = y + q * y_length + i;
            double s0 = 0, s1 = 0, s2 = 0, s3 = 0;
#pragma omp simd reduction(+ : s0, s1, s2, s3)
            for (Index j = 0; j < count; j++) {
                const double aj = a[j];
                s0 += k0[j] * aj, s1 += k1[j] * aj, s2 += k2[j] * aj, s3 += k3[j] * aj;
            }
            u[0] += s0, u[1] += s1, u[2] += s2, u[3] += s3;
        }
    }
    for (; i < rows; i++)
        for (Index q = 0; q < c; q++) {
            const REAL *line = K + i * stride;
            const double *a = x + q * x_length;
            double sum = 0;
#pragma omp simd reduction(+ : sum)
            for (Index j = 0; j < count; j++) sum += line[j] * a[j];
            y[q * y_length + i] += sum;
        }
}

/* y += K x as above, and z (c, count) += K' w for w (c, rows), reading K once; all vectors of one length. */
static void N(add_products)(const REAL *K, Index stride, Index rows, Index count, const double *x, double *y,
                            const double *w, double *z, Index length, Index c) {
    Index i = 0;
    for (; i + 4 <= rows; i += 4) {
        const REAL *RESTRICT k0 = K + i * stride, *RESTRICT k1 = k0 + stride, *RESTRICT k2 = k1 + stride,
                             *RESTRICT k3 = k2 + stride;
        Index q = 0;
        for (; q + 2 <= c; q += 2) {
            const double *RESTRICT a = x + q * length, *RESTRICT b = a + length, *f = w + q * length + i;
            const double f0 = f[0], f1 = f[1], f2 = f[2], f3 = f[3];
            const double g0 = f[length], g1 = f[length + 1], g2 = f[length + 2], g3 = f[length + 3];
            double *RESTRICT d = z + q * length, *RESTRICT e = d + length, *u = y + q * length + i, *v = u + length;
            double s0 = 0, s1 = 0, s2 = 0, s3 = 0, t0 = 0, t1 = 0, t2 = 0, t3 = 0;
#pragma omp simd reduction(+ : s0, s1, s2, s3, t0, t1, t2, t3)
            for (Index j = 0; j < count; j++) {
                const double e0 = k0[j], e1 = k1[j], e2 = k2[j], e3 = k3[j], aj = a[j], bj = b[j];
                s0 += e0 * aj, s1 += e1 * aj, s2 += e2 * aj, s3 += e3 * aj;
                t0 += e0 * bj, t1 += e1 * bj, t2 += e2 * bj, t3 += e3 * bj;
                d[j] += e0 * f0 + e1 * f1 + (e2 * f2 + e3 * f3);
                e[j] += e0 * g0 + e1 * g1 + (e2 * g2 + e3 * g3);
            }
            u[0] += s0, u[1] += s1, u[2] += s2, u[3] += s3;
            v[0] += t0, v[1] += t1, v[2] += t2, v[3] += t3;
        }
        for (; q < c; q++) {
            const double *RESTRICT a = x + q * length, *f = w + q * length + i;
            const double f0 = f[0], f1 = f[1], f2 = f[2], f3 = f[3];
            double *RESTRICT d = z + q * length, *u = y + q * length + i;
            double s0 = 0, s1 = 0, s2 = 0, s3 = 0;
#pragma omp simd reduction(+ : s0, s1, s2, s3)
            for (Index j = 0; j < count; j++) {
                const double e0 = k0[j], e1 = k1[j], e2 = k2[j], e3 = k3[j], aj = a[j];
                s0 += e0 * aj, s1 += e1 * aj, s2 += e2 * aj, s3 += e3 * aj;
                d[j] += e0 * f0 + e1 * f1 + (e2 * f2 + e3 * f3);
            }
            u[0] += s0, u[1] += s1, u[2] += s2, u[3] += s3;
        }
    }
    for (; i < rows; i++)
        for (Index q = 0; q < c; q++) {
            const REAL *RESTRICT line = K + i * stride;
            const double *RESTRICT a = x + q * length, factor = w[q * length + i];
            double *RESTRICT d = z + q * length, sum = 0;
#pragma omp simd reduction(+ : sum)
            for (Index j = 0; j < count; j++) {
                sum += line[j] * a[j];
                d[j] += line[j] * factor;
            }
            y[q * length + i] += sum;
        }
}

/* A tile's products: y += K x and, with `z`, z += K' w. `wide` (rows, count) is overwritten where there are so many
 * targets that BLAS is faster with them. */
static void N(multiply)(const REAL *K, Index stride, Index rows, Index count, const double *x, Index x_length,
                        double *y, Index y_length, const double *w, double *z, Index c, double *wide) {
    if (c < MANY) {
        if (z)
            N(add_products)(K, stride, rows, count, x, y, w, z, x_length, c);
        else
            N(add_product)(K, stride, rows, count, x, x_length, y, y_length, c);
        return;
    }
    for (Index i = 0; i < rows; i++)
        for (Index j = 0; j < count; j++) wide[i * count + j] = K[i * stride + j];
    dgemm("T", "N", rows, c, count, 1, wide, count, x, x_length, 1, y, y_length);
    if (z) dgemm("N", "N", count, c, rows, 1, wide, count, w, x_length, 1, z, x_length);
}

/* Working memory for tiles: a tile, the same in float64 for many targets, numbers of coincident rows. NULL without
 * memory. */
static REAL *N(tile_memory)(Index c, double **wide, Index **found) {
    const size_t entries = (size_t)TILE_HEIGHT * TILE_WIDTH;
    const size_t widths = c < MANY ? 0 : entries * sizeof(double), numbers = TILE_WIDTH * sizeof(Index);
    char *memory = malloc(widths + numbers + entries * sizeof(REAL));
    if (!memory) return NULL;
    *wide = (double *)memory;
    *found = (Index *)(memory + widths);
    return (REAL *)(memory + widths + numbers);
}

/* K (rows, count), `stride` entries a row, and `weight` alike unless NULL, between the rows P and Q. 0 without memory.
 */
static int N(fill)(const Table *t, const void *P_, const void *p_, Index rows, const void *Q_, const void *q_,
                   Index count, void *K_, void *weight_, Index stride) {
    const REAL *P = P_, *p = p_, *Q = Q_, *q = q_;
    REAL *K = K_, *weight = weight_;
    Index *found = malloc(TILE_WIDTH * sizeof(Index));
    if (!found) return 0;
    for (Index i = 0; i < rows; i += TILE_HEIGHT)
        for (Index j = 0; j < count; j += TILE_WIDTH) {
            const Index height = i + TILE_HEIGHT < rows ? TILE_HEIGHT : rows - i;
            const Index width = j + TILE_WIDTH < count ? TILE_WIDTH : count - j, at = i * stride + j;
            REAL *heavy = weight ? weight + at : NULL;
            N(tile)(t, P + i * t->r, p + i, height, Q + j * t->r, q + j, width, K + at, heavy, stride, found);
        }
    free(found);
    return 1;
}

/* out (c, rows) += K B for the kernel between the rows P and Q (count) and B (c, count). 0 without memory. */
static int N(product)(const Table *t, const void *P_, const void *p_, Index rows, const void *Q_, const void *q_,
                      Index count, const double *B, double *out, Index c) {
    const REAL *P = P_, *p = p_, *Q = Q_, *q = q_;
    double *wide;
    Index *found;
    REAL *K = N(tile_memory)(c, &wide, &found);
    if (!K) return 0;
    for (Index i = 0; i < rows; i += TILE_HEIGHT)
        for (Index j = 0; j < count; j += TILE_WIDTH) {
            const Index height = i + TILE_HEIGHT < rows ? TILE_HEIGHT : rows - i;
            const Index width = j + TILE_WIDTH < count ? TILE_WIDTH : count - j;
            N(tile)(t, P + i * t->r, p + i, height, Q + j * t->r, q + j, width, K, NULL, width, found);
            N(multiply)(K, width, height, width, B + j, count, out + i, rows, NULL, NULL, c, wide);
        }
    free(wide);
    return 1;
}

/* out (c, n) += L B + (L - D)' B for the rows `top` to `bottom` of the lower triangle L of the kernel among n rows P,
 * whose diagonal tiles D are whole. `kept` (bottom - top, bottom), unless NULL, holds these rows if they are `formed`,
 * and takes them if not. 0 without memory. */
static int N(panel)(const Table *t, const void *P_, const void *p_, Index n, Index top, Index bottom, void *kept_,
                    int formed, const double *B, double *out, Index c) {
    const REAL *P = P_, *p = p_;
    double *wide;
    Index *found;
    REAL *kept = kept_, *own = N(tile_memory)(c, &wide, &found);
    if (!own) return 0;
    for (Index i = top; i < bottom; i += TILE_HEIGHT) {
        const Index height = i + TILE_HEIGHT < bottom ? TILE_HEIGHT : bottom - i;
        for (Index j = 0; j <= i; j += TILE_WIDTH) {
            const Index width = j + TILE_WIDTH < i ? TILE_WIDTH : i - j, stride = kept ? bottom : width;
            REAL *K = kept ? kept + (i - top) * bottom + j : own;
            if (width == 0) break;
            if (!kept || !formed)
                N(tile)(t, P + i * t->r, p + i, height, P + j * t->r, p + j, width, K, NULL, stride, found);
            N(multiply)(K, stride, height, width, B + j, n, out + i, n, B + i, out + j, c, wide);
        }
        const Index stride = kept ? bottom : height;
        REAL *K = kept ? kept + (i - top) * bottom + i : own;
        if (!kept || !formed) N(square_tile)(t, P + i * t->r, p + i, height, K, stride, found);
        N(multiply)(K, stride, height, height, B + i, n, out + i, n, NULL, NULL, c, wide);
    }
    free(wide);
    return 1;
}
