/* Whole chains of Recursive Feature Machines in one call: kernel matrix, ridge regression, scores, AGOP.
 *
 * Large tables have products with kernels that are never formed, tile by tile, in calls of their own (tiles.h,
 * table_calls.h). The arithmetic stands in passes.h, chain.h and tiles.h, compiled for each precision and instruction
 * set. Products and factorisations go to the BLAS and LAPACK that scipy brings: `load` gets their addresses from the
 * capsules of scipy.linalg.cython_blas and cython_lapack, so that nothing is linked. Only Python's limited API of 3.11
 * is used: one file serves that and every later version. The lock is released while a chain is followed, and taken for
 * a moment now and then: Ctrl-C ends a call.
 *
 * Why C with that API, and not nanobind or Numba: as it stands one wheel a platform serves every Python from 3.11 on,
 * is built by any C compiler in seconds, needs nothing but the NumPy and SciPy that rfm needs anyway, and compiles
 * nothing at run time. nanobind would save the code that takes arrays apart, for C++, a build dependency, and a stable
 * ABI from 3.12 on only. Numba would be a hard dependency with LLVM, would compile in each new process that finds no
 * cache, and a job could not be repeated with another instruction set. These two were weighed by what they are, not
 * measured. A prototype in C++ took 2.5 to 3.6 times less than the Python engine up to 625 rows; C is where it was:
 * 1.9 to 4.8 times less there (benchmarks/native.md), in BLAS or in the same loops. */

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>
#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifdef _MSC_VER
#define RESTRICT __restrict
#else
#define RESTRICT restrict
#endif

#ifndef SOURCES
#define SOURCES "" /* what the build gives: the sha256 of the sources */
#endif

typedef ptrdiff_t Index;

enum { LAPLACE, GAUSSIAN };
enum { NONE, TRACE, LARGEST };
enum { NO_MEMORY = -2, NOT_REACHED = -1, SOLVED = 0, SOLVED_FLOAT64 = 1, HANDED_BACK = 2 };

/* As in rfm/rows.py, rfm/linalg.py and rfm/agop.py. */
#define CLOSE ((REAL)5e-4)
#define COINCIDENT ((REAL)(256.0 * EPSILON * (256.0 * EPSILON) / 5e-4))
#define WELL_CONDITIONED 2500.0
#define MOST_REFINEMENTS 4
#define LEAST_SHRINKAGE 0.5
#define REFINED 1e-6
#define ACCEPTED 1e-4
/* Multiply-adds of a matrix product that an entry's passes in the Gram form cost. */
#define PASSES 40.0
/* From so many targets on BLAS is faster with them than the loops over entries. */
#ifndef MANY
#define MANY 12
#endif
/* Rows of the blocks of a Cholesky factor. */
#define OUTER 256
#define INNER 64
/* From so many rows on it is asked before every regression whether the call is to end. */
#define LONG 256
/* Bytes of a block that stays in the second-level cache, and of a chunk of classes. */
#define TILE (256 << 10)
#define CHUNK (8 << 20)
/* Rows and columns of a tile of a matrix that is not formed: 256 KB in float32. */
#define TILE_HEIGHT 128
#define TILE_WIDTH 512

/* What a long call asks now and then: whether a signal has come, Ctrl-C say, whose handler has raised an exception. */
typedef struct {
    PyThreadState *thread;
    clock_t asked;
    int raised;
} Turn;

/* Whether the call is to end. At most ten times a second of the processor it takes the lock, which is released. */
static int interrupted(Turn *turn) {
    const clock_t now = clock();
    if (turn->raised || now - turn->asked < CLOCKS_PER_SEC / 10) return turn->raised;
    turn->asked = now;
    PyEval_RestoreThread(turn->thread);
    turn->raised = PyErr_CheckSignals() != 0;
    turn->thread = PyEval_SaveThread();
    return turn->raised;
}

/* Chains of R ridges on n fitted rows of d features and m others, for c targets, through `steps` points. */
typedef struct {
    int kernel, scaling, center, diagonal, update_last;
    double bandwidth, gain;
    Index n, m, d, c, ridges_count, steps;
    Index features;        /* d, or more where the rows are coordinates in their span: what a trace is divided by */
    const double *X;       /* (n + m, d) */
    const double *Y;       /* (n, c) */
    const double *sizes;   /* (d,) of the features */
    const double *ridges;  /* (R,) */
    const double *start;   /* (R, d, d), with diagonal (R, d): the metrics of the first point; NULL for the identity */
    double *scores;        /* (steps, R, m, c) */
    double *alpha;         /* (steps, R, n, c) */
    double *metrics;       /* (steps, R, d, d): learned at each point; the last point's with update_last alone */
    int32_t *status;       /* (steps, R) */
    double *score_seconds; /* of the processor, in all */
    Turn *turn;
} Chains;

/* Coefficients of the neural tangent kernel's profile in float64 and float32; see rfm/ntk.py. Multiples of four. */
#define PROFILE_TERMS 28
#define PROFILE_TERMS_FLOAT 20
#define PROFILE_STEP(k)                                                                                                \
    a = a * z + profile[k], b = b * z + profile[k + 1], c = c * z + profile[k + 2], d = d * z + profile[k + 3];
/* Whether a factor in float32 and its refinement cost less than one in float64: of n rows, for c targets. */
#ifndef NARROW
#define NARROW(n, c) ((n) > 150 + 8 * (c))
#endif
/* A factor of n rows takes as long as n / (REUSE c) steps of conjugate gradients for c columns. */
#ifndef REUSE_FEW
#define REUSE_FEW 40
#define REUSE_MANY 30
#endif

/* Ridge regressions with the neural tangent kernels of D depths, R ridges each, descending, on n fitted rows of d
 * features, and m others, for c targets. */
typedef struct {
    Index n, m, d, c, ridges_count, depths;
    const double *unit;     /* (n + m, d): the rows over their norms, a zero row as it is */
    const double *norms;    /* (n + m,) */
    const double *Y;        /* (c, n) */
    const double *ridges;   /* (R,) */
    const double *profiles; /* (D, PROFILE_TERMS) */
    double *scores;         /* (D, R, m, c) */
    double *alpha;          /* (D, R, c, n) */
    int32_t *status;        /* (D, R) */
    double *score_seconds;  /* of the processor, in all */
    Turn *turn;
} Tangents;

/* A kernel among rows of r coordinates; `scale` is 1 over the bandwidth's square. */
typedef struct {
    int kernel;
    Index r;
    double scale;
} Table;

/* BLAS and LAPACK. */

#define GEMM_ARGUMENTS(real)                                                                                           \
    char *, char *, int *, int *, int *, real *, real *, int *, real *, int *, real *, real *, int *
#define SYMM_ARGUMENTS(real) char *, char *, int *, int *, real *, real *, int *, real *, int *, real *, real *, int *
#define SYRK_ARGUMENTS(real) char *, char *, int *, int *, real *, real *, int *, real *, real *, int *

#define TRSM_ARGUMENTS(real) char *, char *, char *, char *, int *, int *, real *, real *, int *, real *, int *

static struct {
    void (*strsm)(TRSM_ARGUMENTS(float));
    void (*dtrsm)(TRSM_ARGUMENTS(double));
    void (*sgemm)(GEMM_ARGUMENTS(float));
    void (*dgemm)(GEMM_ARGUMENTS(double));
    void (*ssymm)(SYMM_ARGUMENTS(float));
    void (*dsymm)(SYMM_ARGUMENTS(double));
    void (*ssyrk)(SYRK_ARGUMENTS(float));
    void (*dsyrk)(SYRK_ARGUMENTS(double));
    void (*spotrf)(char *, int *, float *, int *, int *);
    void (*dpotrf)(char *, int *, double *, int *, int *);
    void (*dpstrf)(char *, int *, double *, int *, int *, int *, double *, double *, int *);
} fortran;

#define DEFINE_PRODUCTS(x, real)                                                                                       \
    static void x##gemm(const char *ta, const char *tb, Index m, Index n, Index k, real alpha, const real *A,          \
                        Index lda, const real *B, Index ldb, real beta, real *C, Index ldc) {                          \
        int rows = (int)m, columns = (int)n, inner = (int)k, a = (int)lda, b = (int)ldb, out = (int)ldc;               \
        fortran.x##gemm((char *)ta, (char *)tb, &rows, &columns, &inner, &alpha, (real *)A, &a, (real *)B, &b, &beta,  \
                        C, &out);                                                                                      \
    }                                                                                                                  \
    static void x##symm(const char *side, const char *uplo, Index m, Index n, real alpha, const real *A, Index lda,    \
                        const real *B, Index ldb, real beta, real *C, Index ldc) {                                     \
        int rows = (int)m, columns = (int)n, a = (int)lda, b = (int)ldb, out = (int)ldc;                               \
        fortran.x##symm((char *)side, (char *)uplo, &rows, &columns, &alpha, (real *)A, &a, (real *)B, &b, &beta, C,   \
                        &out);                                                                                         \
    }                                                                                                                  \
    static void x##syrk(const char *uplo, const char *trans, Index n, Index k, real alpha, const real *A, Index lda,   \
                        real beta, real *C, Index ldc) {                                                               \
        int rows = (int)n, inner = (int)k, a = (int)lda, out = (int)ldc;                                               \
        fortran.x##syrk((char *)uplo, (char *)trans, &rows, &inner, &alpha, (real *)A, &a, &beta, C, &out);            \
    }                                                                                                                  \
    static void x##trsm(const char *side, const char *uplo, const char *trans, const char *diag, Index m, Index n,     \
                        real alpha, const real *A, Index lda, real *B, Index ldb) {                                    \
        int rows = (int)m, columns = (int)n, a = (int)lda, b = (int)ldb;                                               \
        fortran.x##trsm((char *)side, (char *)uplo, (char *)trans, (char *)diag, &rows, &columns, &alpha, (real *)A,   \
                        &a, B, &b);                                                                                    \
    }                                                                                                                  \
    static int x##potrf(const char *uplo, Index n, real *A, Index lda) {                                               \
        int rows = (int)n, a = (int)lda, info = 0;                                                                     \
        fortran.x##potrf((char *)uplo, &rows, A, &a, &info);                                                           \
        return info;                                                                                                   \
    }
DEFINE_PRODUCTS(s, float)
DEFINE_PRODUCTS(d, double)

/* F (d, r) with F F' = M (d, d) up to rounding, and its rank r, by Cholesky's method with complete pivoting; 0 if M is
 * not finite. `scaled` (d, d), `work` (4 d) and `pivots` (d) are overwritten. See rfm.linalg.metric_factor. */
static Index metric_root(const double *M, const double *sizes, Index d, double *F, double *scaled, double *work,
                         int *pivots) {
    double *weights = work + 2 * d, largest = 0;
    for (Index i = 0; i < d; i++) weights[i] = sizes[i] > 0 ? sizes[i] : 1.0;
    for (Index i = 0; i < d; i++)
        for (Index j = 0; j < d; j++) {
            const double entry = M[i * d + j] * weights[i] * weights[j];
            if (!(fabs(entry) < INFINITY)) return 0;
            scaled[i * d + j] = entry;
            if (i == j && entry > largest) largest = entry;
        }
    int order = (int)d, rank = 0, info = 0;
    double tolerance = (double)d * DBL_EPSILON * largest;
    if (!(largest > 0)) return 0;
    fortran.dpstrf("L", &order, scaled, &order, pivots, &rank, &tolerance, work, &info);
    for (Index k = 0; k < d; k++) {
        const Index row = pivots[k] - 1;
        for (Index t = 0; t < rank; t++) F[row * rank + t] = t <= k ? scaled[t * d + k] / weights[row] : 0.0;
    }
    return rank;
}

/* The metric learned, (d, d) or (d,), from S (r, r) times `share` among coordinates that F gives (NULL: the features)
 * and coefficients `size` times as large. `T` (d, d) is overwritten. */
static void metric_of_features(const Chains *p, const double *F, const double *S, double *T, Index r, double share,
                               double size, double *out) {
    const Index d = p->d, entries = p->diagonal ? d : d * d;
    if (p->diagonal) {
        for (Index k = 0; k < d; k++) out[k] = S[k * d + k] * (F ? F[k] * F[k] : 1.0);
    } else if (F) {
        dgemm("N", "N", r, d, r, 1, S, r, F, r, 0, T, r); /* T (d, r) = F S */
        dgemm("T", "N", d, d, r, 1, F, r, T, r, 0, out, d);
    } else {
        memcpy(out, S, (size_t)entries * sizeof(double));
    }
    double mean = 0, largest = 0;
    for (Index i = 0; i < entries; i++) {
        const Index row = i / d, column = i % d;
        if (!p->diagonal && column > row) out[i] = out[column * d + row] = (out[i] + out[column * d + row]) / 2;
    }
    for (Index i = 0; i < entries; i++) {
        out[i] *= share;
        largest = fabs(out[i]) > largest ? fabs(out[i]) : largest;
    }
    for (Index k = 0; k < d; k++) mean += out[p->diagonal ? k : k * d + k] / (double)p->features;
    double factor = size * size;
    if (p->scaling != NONE) {
        const double over = p->scaling == TRACE ? mean : largest;
        factor = over > 0 ? 1.0 / over : 1.0;
    }
    for (Index i = 0; i < entries; i++) out[i] *= factor;
}

/* One copy of the arithmetic for each instruction set; which one runs is the caller's choice among the processor's. */

#if (defined(__x86_64__) || defined(_M_X64)) && defined(__GNUC__)
#define SEVERAL_SETS
#endif

#define SET baseline
#define BLOCKED 0
#include "precisions.h"
#undef SET
#ifdef SEVERAL_SETS
#define SET avx2
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#include "precisions.h"
#pragma clang attribute pop
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#include "precisions.h"
#pragma GCC pop_options
#endif
#undef SET
#undef BLOCKED
#define SET avx512
#define BLOCKED 1
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma,avx512f,avx512dq,avx512bw,avx512vl"))),                   \
                             apply_to = function)
#include "precisions.h"
#pragma clang attribute pop
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma,avx512f,avx512dq,avx512bw,avx512vl,prefer-vector-width=512")
#include "precisions.h"
#pragma GCC pop_options
#endif
#undef SET
#endif

typedef struct {
    const char *name;
    int (*follow[2])(const Chains *); /* in float64, float32 */
    int (*tangents)(const Tangents *);
    void (*tile64)(const double *, const double *, Index, Index, Index, const double *, const double *, const double *,
                   double *);
    void (*tile32)(const float *, const float *, Index, Index, Index, const float *, const float *, const float *,
                   float *);
    void (*exp64)(double *, Index);
    void (*exp32)(float *, Index);
    int (*fill[2])(const Table *, const void *, const void *, Index, const void *, const void *, Index, void *, void *,
                   Index);
    int (*product[2])(const Table *, const void *, const void *, Index, const void *, const void *, Index,
                      const double *, double *, Index);
    int (*panel[2])(const Table *, const void *, const void *, Index, Index, Index, void *, int, const double *,
                    double *, Index);
} Set;

#define BOTH(name, set) {name##_double_##set, name##_float_##set}
#define FUNCTIONS(set)                                                                                                 \
    {#set,                                                                                                             \
     BOTH(follow, set),                                                                                                \
     tangents_float_##set,                                                                                             \
     tangent_tile_double_##set,                                                                                        \
     tangent_tile_float_##set,                                                                                         \
     exp_all_double_##set,                                                                                             \
     exp_all_float_##set,                                                                                              \
     BOTH(fill, set),                                                                                                  \
     BOTH(product, set),                                                                                               \
     BOTH(panel, set)}

static const Set SETS[] = {
#ifdef SEVERAL_SETS
    FUNCTIONS(avx512),
    FUNCTIONS(avx2),
#endif
    FUNCTIONS(baseline),
};
#define SETS_COUNT ((int)(sizeof SETS / sizeof SETS[0]))

static int runs_here(const char *name) {
#ifdef SEVERAL_SETS
    __builtin_cpu_init();
    if (strcmp(name, "avx512") == 0)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("fma");
    if (strcmp(name, "avx2") == 0) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
    return strcmp(name, "baseline") == 0;
}

static const Set *set_called(const char *name) {
    for (int k = 0; k < SETS_COUNT; k++)
        if (strcmp(SETS[k].name, name) == 0 && runs_here(name)) return &SETS[k];
    PyErr_Format(PyExc_ValueError, "unknown instruction set '%s', or this processor has it not", name);
    return NULL;
}

/* The address in the capsule `name` of `capsules`, whose signature must begin with `expected`; NULL and an error. */
static void *address(PyObject *capsules, const char *name, const char *expected) {
    PyObject *key = PyUnicode_FromString(name), *capsule = key ? PyObject_GetItem(capsules, key) : NULL;
    Py_XDECREF(key);
    if (!capsule) return NULL;
    const char *signature = PyCapsule_GetName(capsule);
    void *found = signature ? PyCapsule_GetPointer(capsule, signature) : NULL;
    if (found && strncmp(signature, expected, strlen(expected)) != 0) {
        PyErr_Format(PyExc_ImportError, "scipy's %s is %s, not %s...", name, signature, expected);
        found = NULL;
    }
    Py_DECREF(capsule);
    return found;
}

static PyObject *load(PyObject *self, PyObject *args) {
    PyObject *blas, *lapack;
    (void)self;
    if (!PyArg_ParseTuple(args, "OO:load", &blas, &lapack)) return NULL;
#define LOAD(from, name, expected)                                                                                     \
    do {                                                                                                               \
        void *found = address(from, #name, "void (" expected);                                                         \
        if (!found) return NULL;                                                                                       \
        memcpy(&fortran.name, &found, sizeof found);                                                                   \
    } while (0)
    LOAD(blas, sgemm, "char *, char *, int *, int *, int *, ");
    LOAD(blas, dgemm, "char *, char *, int *, int *, int *, ");
    LOAD(blas, strsm, "char *, char *, char *, char *, int *, int *, ");
    LOAD(blas, dtrsm, "char *, char *, char *, char *, int *, int *, ");
    LOAD(blas, ssymm, "char *, char *, int *, int *, ");
    LOAD(blas, dsymm, "char *, char *, int *, int *, ");
    LOAD(blas, ssyrk, "char *, char *, int *, int *, ");
    LOAD(blas, dsyrk, "char *, char *, int *, int *, ");
    LOAD(lapack, spotrf, "char *, int *, ");
    LOAD(lapack, dpotrf, "char *, int *, ");
    LOAD(lapack, dpstrf, "char *, int *, ");
#undef LOAD
    Py_RETURN_NONE;
}

static PyObject *instruction_sets(PyObject *self, PyObject *none) {
    PyObject *names = PyList_New(0);
    (void)self, (void)none;
    for (int k = 0; names && k < SETS_COUNT; k++)
        if (runs_here(SETS[k].name)) {
            PyObject *name = PyUnicode_FromString(SETS[k].name);
            if (!name || PyList_Append(names, name) != 0) Py_CLEAR(names);
            Py_XDECREF(name);
        }
    return names;
}

static PyObject *exponentials(PyObject *self, PyObject *args) {
    const char *name;
    Py_buffer values;
    int narrow;
    (void)self;
    if (!PyArg_ParseTuple(args, "spw*:exponentials", &name, &narrow, &values)) return NULL;
    const Set *set = set_called(name);
    if (set && narrow) set->exp32(values.buf, values.len / (Index)sizeof(float));
    if (set && !narrow) set->exp64(values.buf, values.len / (Index)sizeof(double));
    PyBuffer_Release(&values);
    if (!set) return NULL;
    Py_RETURN_NONE;
}

/* Whether arrays and numbers agree; sets the error if not. */
static int agree(int all) {
    if (!all) PyErr_SetString(PyExc_ValueError, "the arrays are not of the shapes that the numbers give");
    return all;
}

static int loaded(void) {
    if (!fortran.dpstrf) PyErr_SetString(PyExc_RuntimeError, "load the addresses of BLAS and LAPACK first");
    return fortran.dpstrf != NULL;
}

/* follow(set, narrow, kernel, bandwidth, gain, scaling, center, diagonal, update_last, (n, m, d, c, R, steps,
 * features), X, Y, sizes, ridges, start or None, scores, alpha, metrics, status): the CPU seconds of scoring */
static PyObject *follow(PyObject *self, PyObject *args) {
    const char *name;
    int narrow, done = 0;
    double score_seconds = 0;
    Chains p;
    Py_ssize_t n, m, d, c, R, steps, features;
    Py_buffer X, Y, sizes, ridges, start, scores, alpha, metrics, status;
    (void)self;
    if (!PyArg_ParseTuple(args, "spiddippp(nnnnnnn)y*y*y*y*z*w*w*w*w*:follow", &name, &narrow, &p.kernel, &p.bandwidth,
                          &p.gain, &p.scaling, &p.center, &p.diagonal, &p.update_last, &n, &m, &d, &c, &R, &steps,
                          &features, &X, &Y, &sizes, &ridges, &start, &scores, &alpha, &metrics, &status))
        return NULL;
    const Set *set = set_called(name);
    const Py_ssize_t word = sizeof(double), entries = p.diagonal ? d : d * d;
    if (set &&
        agree(n > 0 && m >= 0 && d > 0 && c > 0 && R > 0 && steps > 0 && X.len == (n + m) * d * word &&
              Y.len == n * c * word && sizes.len == d * word && ridges.len == R * word &&
              (!start.buf || start.len == R * entries * word) && scores.len == steps * R * m * c * word &&
              alpha.len == steps * R * n * c * word && metrics.len == (steps - !p.update_last) * R * entries * word &&
              status.len == steps * R * (Py_ssize_t)sizeof(int32_t)) &&
        loaded()) {
        p.n = n, p.m = m, p.d = d, p.c = c, p.ridges_count = R, p.steps = steps, p.features = features;
        p.X = X.buf, p.Y = Y.buf, p.sizes = sizes.buf, p.ridges = ridges.buf, p.start = start.buf;
        p.scores = scores.buf, p.alpha = alpha.buf, p.metrics = metrics.buf, p.status = status.buf;
        p.score_seconds = &score_seconds;
        Turn turn = {PyEval_SaveThread(), clock(), 0};
        p.turn = &turn;
        done = set->follow[narrow ? 1 : 0](&p);
        PyEval_RestoreThread(turn.thread);
        if (!done && !turn.raised) PyErr_NoMemory();
    }
    PyBuffer_Release(&X), PyBuffer_Release(&Y), PyBuffer_Release(&sizes), PyBuffer_Release(&ridges);
    if (start.obj) PyBuffer_Release(&start);
    PyBuffer_Release(&scores), PyBuffer_Release(&alpha), PyBuffer_Release(&metrics), PyBuffer_Release(&status);
    return done ? PyFloat_FromDouble(score_seconds) : NULL;
}

/* tangents(set, (n, m, d, c, R, D), unit, norms, Y, ridges, profiles, scores, alpha, status): the CPU seconds of
 * scoring; see rfm/native/tangents.py */
static PyObject *tangents(PyObject *self, PyObject *args) {
    const char *name;
    int done = 0;
    double score_seconds = 0;
    Tangents p;
    Py_ssize_t n, m, d, c, R, D;
    Py_buffer unit, norms, Y, ridges, profiles, scores, alpha, status;
    (void)self;
    if (!PyArg_ParseTuple(args, "s(nnnnnn)y*y*y*y*y*w*w*w*:tangents", &name, &n, &m, &d, &c, &R, &D, &unit, &norms, &Y,
                          &ridges, &profiles, &scores, &alpha, &status))
        return NULL;
    const Set *set = set_called(name);
    const Py_ssize_t word = sizeof(double);
    if (set &&
        agree(n > 0 && m >= 0 && d > 0 && c > 0 && R > 0 && D > 0 && unit.len == (n + m) * d * word &&
              norms.len == (n + m) * word && Y.len == n * c * word && ridges.len == R * word &&
              profiles.len == D * PROFILE_TERMS * word && scores.len == D * R * m * c * word &&
              alpha.len == D * R * n * c * word && status.len == D * R * (Py_ssize_t)sizeof(int32_t)) &&
        loaded()) {
        p.n = n, p.m = m, p.d = d, p.c = c, p.ridges_count = R, p.depths = D;
        p.unit = unit.buf, p.norms = norms.buf, p.Y = Y.buf, p.ridges = ridges.buf, p.profiles = profiles.buf;
        p.scores = scores.buf, p.alpha = alpha.buf, p.status = status.buf, p.score_seconds = &score_seconds;
        Turn turn = {PyEval_SaveThread(), clock(), 0};
        p.turn = &turn;
        done = set->tangents(&p);
        PyEval_RestoreThread(turn.thread);
        if (!done && !turn.raised) PyErr_NoMemory();
    }
    PyBuffer_Release(&unit), PyBuffer_Release(&norms), PyBuffer_Release(&Y), PyBuffer_Release(&ridges);
    PyBuffer_Release(&profiles), PyBuffer_Release(&scores), PyBuffer_Release(&alpha), PyBuffer_Release(&status);
    return done ? PyFloat_FromDouble(score_seconds) : NULL;
}

/* tangent_tile(set, narrow, (rows, count, d), left, right, rises, runs, profile, K), all of one type */
static PyObject *tangent_tile(PyObject *self, PyObject *args) {
    const char *name;
    int narrow, done = 0;
    Py_ssize_t rows, count, d;
    Py_buffer left, right, rises, runs, profile, K;
    (void)self;
    if (!PyArg_ParseTuple(args, "sp(nnn)y*y*y*y*y*w*:tangent_tile", &name, &narrow, &rows, &count, &d, &left, &right,
                          &rises, &runs, &profile, &K))
        return NULL;
    const Set *set = set_called(name);
    const Py_ssize_t word = narrow ? sizeof(float) : sizeof(double);
    const Py_ssize_t terms = narrow ? PROFILE_TERMS_FLOAT : PROFILE_TERMS;
    if (set &&
        agree(rows >= 0 && count > 0 && d > 0 && left.len == rows * d * word && right.len == count * d * word &&
              rises.len == rows * word && runs.len == count * word && profile.len == terms * word &&
              K.len == rows * count * word) &&
        loaded()) {
        Py_BEGIN_ALLOW_THREADS;
        if (narrow)
            set->tile32(left.buf, right.buf, rows, count, d, rises.buf, runs.buf, profile.buf, K.buf);
        else
            set->tile64(left.buf, right.buf, rows, count, d, rises.buf, runs.buf, profile.buf, K.buf);
        Py_END_ALLOW_THREADS;
        done = 1;
    }
    PyBuffer_Release(&left), PyBuffer_Release(&right), PyBuffer_Release(&rises), PyBuffer_Release(&runs);
    PyBuffer_Release(&profile), PyBuffer_Release(&K);
    if (!done) return NULL;
    Py_RETURN_NONE;
}

#include "table_calls.h"

static PyMethodDef METHODS[] = {
    {"load", load, METH_VARARGS, "Take the addresses of BLAS and LAPACK from scipy's capsules."},
    {"instruction_sets", instruction_sets, METH_NOARGS, "Names of those that this processor has, the best first."},
    {"exponentials", exponentials, METH_VARARGS, "exp of non-positive numbers in place, by an instruction set."},
    {"follow", follow, METH_VARARGS, "Follow chains; see rfm/native/chains.py."},
    {"tangent_tile", tangent_tile, METH_VARARGS, "A tile of a neural tangent kernel's matrix."},
    {"tangents", tangents, METH_VARARGS, "Ridge regressions with neural tangent kernels; see rfm/native/tangents.py."},
    {"fill", fill, METH_VARARGS, "A block of a kernel; see rfm/native/tables.py."},
    {"product", product, METH_VARARGS, "A block of a kernel times vectors; see rfm/native/tables.py."},
    {"panel", panel, METH_VARARGS, "Rows of a kernel among one set of rows, times vectors; see rfm/native/tables.py."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef MODULE = {PyModuleDef_HEAD_INIT,
                                    "_chain",
                                    "Whole chains of Recursive Feature Machines.",
                                    -1,
                                    METHODS,
                                    NULL,
                                    NULL,
                                    NULL,
                                    NULL};

PyMODINIT_FUNC PyInit__chain(void) {
    PyObject *module = PyModule_Create(&MODULE);
    if (module && PyModule_AddStringConstant(module, "SOURCES", SOURCES) != 0) Py_CLEAR(module);
    return module;
}
