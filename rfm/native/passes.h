/* Loops over entries of kernel matrices in the precision REAL; included once for each precision and instruction set.
 *
 * Symmetric matrices are row-major with the upper triangle given, which LAPACK calls the lower one. Vectors of c
 * classes are stored class by class, (c, n), in float64: sums over coefficients of both signs lose all digits in
 * float32. */

/* exp(x) for x <= 0: 2^k e^r with |r| <= log(2) / 2 and a polynomial for e^r, relative error below 3e-7 in float32 and
 * 1e-15 in float64. 0 where the result would be subnormal; not a number stays so. */
static inline REAL N(exp)(REAL x) {
    const REAL held = x < EXP_LEAST ? EXP_LEAST : x;
    const REAL shifted =
        held * (REAL)1.4426950408889634 + EXP_ROUNDING; /* the addition rounds to the nearest integer */
    const REAL k = shifted - EXP_ROUNDING;
    const REAL r = (held - k * EXP_LOG2_HIGH) - k * EXP_LOG2_LOW;
    REAL value = EXP_SERIES(r);
    value = (REAL)1 + (r + r * r * value);
    INTEGER bits, power;
    memcpy(&power, &shifted, sizeof power);
    memcpy(&bits, &value, sizeof bits);
    bits = (INTEGER)((UNSIGNED)bits + ((UNSIGNED)power << EXP_MANTISSA));
    memcpy(&value, &bits, sizeof value);
    return x < EXP_LEAST ? (REAL)0 : value;
}

static void N(exp_all)(REAL *x, Index count) {
#pragma omp simd
    for (Index j = 0; j < count; j++) x[j] = N(exp)(x[j]);
}

/* Squared scaled distances u in place of inner products times -2 / L^2; returns the smallest. */
static REAL N(distances)(REAL *RESTRICT u, const REAL *RESTRICT squares, REAL square, Index count) {
    REAL least = (REAL)INFINITY;
#pragma omp simd reduction(min : least)
    for (Index j = 0; j < count; j++) {
        const REAL value = u[j] + (squares[j] + square);
        u[j] = value;
        least = value < least ? value : least;
    }
    return least;
}

/* Kernel values in place of u, and their gradient weights L^2 W if asked for; W at u = 0 is not used. */
static void N(profile)(int kernel, REAL *RESTRICT u, REAL *RESTRICT weight, Index count) {
    if (kernel == GAUSSIAN) {
#pragma omp simd
        for (Index j = 0; j < count; j++) u[j] = N(exp)((REAL)-0.5 * u[j]);
        if (weight) memcpy(weight, u, (size_t)count * sizeof(REAL));
    } else if (weight) {
#pragma omp simd
        for (Index j = 0; j < count; j++) {
            const REAL distance = SQRT(u[j]);
            const REAL value = N(exp)(-distance);
            u[j] = value;
            weight[j] = value / distance;
        }
    } else {
#pragma omp simd
        for (Index j = 0; j < count; j++) u[j] = N(exp)(-SQRT(u[j]));
    }
}

/* Distances that rounding dominates, from differences of coordinates; numbers of the coincident go to `found`. */
static Index N(resolve)(REAL *u, Index count, const REAL *row, const REAL *others, Index r, REAL square, REAL scale,
                        Index *found) {
    const REAL close = CLOSE * square, least = close * COINCIDENT;
    Index number = 0;
    for (Index j = 0; j < count; j++) {
        if (!(u[j] <= close)) continue;
        const REAL *other = others + j * r;
        REAL sum = 0;
#pragma omp simd reduction(+ : sum)
        for (Index k = 0; k < r; k++) {
            const REAL gap = row[k] - other[k];
            sum += gap * gap;
        }
        u[j] = sum * scale;
        if (u[j] <= least) found[number++] = j;
    }
    return number;
}

/* (rows x count) block of kernel values from inner products in `u`, whose rows and those of `weight` are `stride` long.
 * With `triangle`, row i begins at its own column i. */
static void N(block)(int kernel, REAL *u, REAL *weight, Index stride, Index rows, Index count, int triangle,
                     const REAL *row, const REAL *square, const REAL *others, const REAL *squares, Index r, REAL scale,
                     Index *found) {
    for (Index i = 0; i < rows; i++) {
        const Index first = triangle ? i : 0, left = count - first;
        REAL *RESTRICT line = u + i * stride + first;
        REAL *RESTRICT heavy = weight ? weight + i * stride + first : NULL;
        const REAL least = N(distances)(line, squares + first, square[i], left);
        Index coincident = 0;
        if (triangle) line[0] = (REAL)INFINITY;
        if (least <= CLOSE * square[i])
            coincident = N(resolve)(line, left, row + i * r, others + first * r, r, square[i], scale, found);
        if (triangle) line[0] = 0;
        N(profile)(kernel, line, heavy, left);
        if (heavy) {
            for (Index k = 0; k < coincident; k++) heavy[found[k]] = 0;
            if (triangle) heavy[0] = 0;
        }
    }
}

/* out (c, n) += K a for the symmetric K (n, n); every entry is read once, four rows at a time. */
static void N(symmetric_product)(const REAL *K, Index n, const double *a, double *out, Index c) {
    Index i = 0;
    for (; i + 4 <= n; i += 4) {
        const REAL *RESTRICT k0 = K + i * n, *RESTRICT k1 = k0 + n, *RESTRICT k2 = k1 + n, *RESTRICT k3 = k2 + n;
        const REAL *rows[4] = {k0, k1, k2, k3};
        Index q = 0;
        for (; q + 2 <= c; q += 2) {
            const double *RESTRICT x = a + q * n, *RESTRICT z = x + n;
            double *RESTRICT y = out + q * n, *RESTRICT w = y + n;
            const double x0 = x[i], x1 = x[i + 1], x2 = x[i + 2], x3 = x[i + 3];
            const double z0 = z[i], z1 = z[i + 1], z2 = z[i + 2], z3 = z[i + 3];
            double s0 = 0, s1 = 0, s2 = 0, s3 = 0, t0 = 0, t1 = 0, t2 = 0, t3 = 0;
#pragma omp simd reduction(+ : s0, s1, s2, s3, t0, t1, t2, t3)
            for (Index j = i + 4; j < n; j++) {
                const double e0 = k0[j], e1 = k1[j], e2 = k2[j], e3 = k3[j], xj = x[j], zj = z[j];
                s0 += e0 * xj, s1 += e1 * xj, s2 += e2 * xj, s3 += e3 * xj;
                t0 += e0 * zj, t1 += e1 * zj, t2 += e2 * zj, t3 += e3 * zj;
                y[j] += e0 * x0 + e1 * x1 + (e2 * x2 + e3 * x3);
                w[j] += e0 * z0 + e1 * z1 + (e2 * z2 + e3 * z3);
            }
            y[i] += s0, y[i + 1] += s1, y[i + 2] += s2, y[i + 3] += s3;
            w[i] += t0, w[i + 1] += t1, w[i + 2] += t2, w[i + 3] += t3;
        }
        for (; q < c; q++) {
            const double *RESTRICT x = a + q * n;
            double *RESTRICT y = out + q * n;
            const double x0 = x[i], x1 = x[i + 1], x2 = x[i + 2], x3 = x[i + 3];
            double s0 = 0, s1 = 0, s2 = 0, s3 = 0;
#pragma omp simd reduction(+ : s0, s1, s2, s3)
            for (Index j = i + 4; j < n; j++) {
                const double e0 = k0[j], e1 = k1[j], e2 = k2[j], e3 = k3[j], xj = x[j];
                s0 += e0 * xj, s1 += e1 * xj, s2 += e2 * xj, s3 += e3 * xj;
                y[j] += e0 * x0 + e1 * x1 + (e2 * x2 + e3 * x3);
            }
            y[i] += s0, y[i + 1] += s1, y[i + 2] += s2, y[i + 3] += s3;
        }
        for (q = 0; q < c; q++) /* the square on the diagonal */
            for (Index u = 0; u < 4; u++)
                for (Index v = 0; v < 4; v++)
                    out[q * n + i + u] += (v < u ? rows[v][i + u] : rows[u][i + v]) * a[q * n + i + v];
    }
    for (; i < n; i++)
        for (Index q = 0; q < c; q++) {
            const double *x = a + q * n;
            double *y = out + q * n, sum = K[i * n + i] * x[i];
            for (Index j = i + 1; j < n; j++) {
                sum += K[i * n + j] * x[j];
                y[j] += K[i * n + j] * x[i];
            }
            y[i] += sum;
        }
}

/* out (rows, c), rows `stride` apart, = B a' for B (rows, n) and a (c, n). */
static void N(scores)(const REAL *B, Index rows, Index n, const double *a, Index c, double *out, Index stride) {
    Index i = 0;
    for (; i + 4 <= rows; i += 4) {
        const REAL *RESTRICT k0 = B + i * n, *RESTRICT k1 = k0 + n, *RESTRICT k2 = k1 + n, *RESTRICT k3 = k2 + n;
        double *y = out + i * stride;
        Index q = 0;
        for (; q + 2 <= c; q += 2) {
            const double *RESTRICT x = a + q * n, *RESTRICT z = x + n;
            double s0 = 0, s1 = 0, s2 = 0, s3 = 0, t0 = 0, t1 = 0, t2 = 0, t3 = 0;
#pragma omp simd reduction(+ : s0, s1, s2, s3, t0, t1, t2, t3)
            for (Index j = 0; j < n; j++) {
                const double e0 = k0[j], e1 = k1[j], e2 = k2[j], e3 = k3[j], xj = x[j], zj = z[j];
                s0 += e0 * xj, s1 += e1 * xj, s2 += e2 * xj, s3 += e3 * xj;
                t0 += e0 * zj, t1 += e1 * zj, t2 += e2 * zj, t3 += e3 * zj;
            }
            y[q] = s0, y[stride + q] = s1, y[2 * stride + q] = s2, y[3 * stride + q] = s3;
            y[q + 1] = t0, y[stride + q + 1] = t1, y[2 * stride + q + 1] = t2, y[3 * stride + q + 1] = t3;
        }
        for (; q < c; q++) {
            const double *RESTRICT x = a + q * n;
            double s0 = 0, s1 = 0, s2 = 0, s3 = 0;
#pragma omp simd reduction(+ : s0, s1, s2, s3)
            for (Index j = 0; j < n; j++) {
                const double xj = x[j];
                s0 += k0[j] * xj, s1 += k1[j] * xj, s2 += k2[j] * xj, s3 += k3[j] * xj;
            }
            y[q] = s0, y[stride + q] = s1, y[2 * stride + q] = s2, y[3 * stride + q] = s3;
        }
    }
    for (; i < rows; i++)
        for (Index q = 0; q < c; q++) {
            const REAL *line = B + i * n;
            const double *x = a + q * n;
            double sum = 0;
#pragma omp simd reduction(+ : sum)
            for (Index j = 0; j < n; j++) sum += line[j] * x[j];
            out[i * stride + q] = sum;
        }
}

/* x (c, n) in place of (U' U)^-1 x, where U (n, n), upper, is what the factorisation left: four rows of it at a time.
 */
static void N(substitute)(const REAL *U, Index n, REAL *x, Index c) {
    const Index whole = n - n % 4;
    for (Index j = 0; j < n; j += 4) {
        const Index width = j + 4 <= n ? 4 : n - j;
        const REAL *RESTRICT u0 = U + j * n, *RESTRICT u1 = u0 + n, *RESTRICT u2 = u1 + n, *RESTRICT u3 = u2 + n;
        for (Index q = 0; q < c; q++) {
            REAL *RESTRICT y = x + q * n;
            for (Index s = 0; s < width; s++) {
                REAL value = y[j + s];
                for (Index t = 0; t < s; t++) value -= U[(j + t) * n + j + s] * y[j + t];
                y[j + s] = value / U[(j + s) * n + j + s];
            }
            if (width < 4) continue;
            const REAL y0 = y[j], y1 = y[j + 1], y2 = y[j + 2], y3 = y[j + 3];
#pragma omp simd
            for (Index k = j + 4; k < n; k++) y[k] -= u0[k] * y0 + u1[k] * y1 + (u2[k] * y2 + u3[k] * y3);
        }
    }
    for (Index q = 0; q < c; q++)
        for (Index s = n - 1; s >= whole; s--) {
            REAL *y = x + q * n, value = y[s];
            for (Index t = s + 1; t < n; t++) value -= U[s * n + t] * y[t];
            y[s] = value / U[s * n + s];
        }
    for (Index j = whole - 4; j >= 0; j -= 4) {
        const REAL *RESTRICT u0 = U + j * n, *RESTRICT u1 = u0 + n, *RESTRICT u2 = u1 + n, *RESTRICT u3 = u2 + n;
        for (Index q = 0; q < c; q++) {
            REAL *RESTRICT y = x + q * n;
            REAL s0 = 0, s1 = 0, s2 = 0, s3 = 0;
#pragma omp simd reduction(+ : s0, s1, s2, s3)
            for (Index k = j + 4; k < n; k++) {
                const REAL yk = y[k];
                s0 += u0[k] * yk, s1 += u1[k] * yk, s2 += u2[k] * yk, s3 += u3[k] * yk;
            }
            const REAL sums[4] = {s0, s1, s2, s3};
            for (Index s = 3; s >= 0; s--) {
                REAL value = y[j + s] - sums[s];
                for (Index t = s + 1; t < 4; t++) value -= U[(j + s) * n + j + t] * y[j + t];
                y[j + s] = value / U[(j + s) * n + j + s];
            }
        }
    }
}
