/* The two precisions for one instruction set, whose name is SET. */
#define JOIN_(name, real, set) name##_##real##_##set
#define JOIN(name, real, set) JOIN_(name, real, set)

#define REAL double
#define INTEGER int64_t
#define UNSIGNED uint64_t
#define N(name) JOIN(name, double, SET)
#define SQRT sqrt
#define EPSILON DBL_EPSILON
#define ACCURATE 1e-6
#define EXP_LEAST (-708.39)
#define EXP_ROUNDING 6755399441055744.0 /* 1.5 times 2^52 */
#define EXP_LOG2_HIGH 0.6931471801362932
#define EXP_LOG2_LOW 4.236521365809284e-10
#define EXP_MANTISSA 52
#define EXP_SERIES(r)                                                                                                  \
    (0.5 + r * (0.16666666666666669 +                                                                                  \
                r * (0.04166666666662413 +                                                                             \
                     r * (0.008333333333330062 +                                                                       \
                          r * (0.0013888888917213717 +                                                                 \
                               r * (0.00019841269863053618 +                                                           \
                                    r * (2.4801521295954376e-05 +                                                      \
                                         r * (2.7557268459997064e-06 +                                                 \
                                              r * (2.7620088445409746e-07 + r * 2.510038549551032e-08)))))))))
#define PARALLEL 1e-3 /* cosines within 1.2e-6 of 1 or -1 */
#define ASIN_SERIES(z)                                                                                                 \
    (0.1666666666666665 +                                                                                              \
     z * (0.07500000000020764 +                                                                                        \
          z * (0.044642857103423646 +                                                                                  \
               z * (0.03038194736709848 +                                                                              \
                    z * (0.02237204763174451 +                                                                         \
                         z * (0.017355259955786323 +                                                                   \
                              z * (0.013929652902326633 +                                                              \
                                   z * (0.011875494382636922 +                                                         \
                                        z * (0.0078029494773533175 +                                                   \
                                             z * (0.01603551434914882 +                                                \
                                                  z * (-0.010749050339697808 + z * 0.028169218060881414)))))))))))
#define TERMS PROFILE_TERMS
#define PROFILE_STEPS PROFILE_STEP(20) PROFILE_STEP(16) PROFILE_STEP(12) PROFILE_STEP(8) PROFILE_STEP(4) PROFILE_STEP(0)
#define GEMM dgemm
#define SYMM dsymm
#define SYRK dsyrk
#define POTRF dpotrf
#define TRSM dtrsm
#include "one_precision.h"

#define REAL float
#define INTEGER int32_t
#define UNSIGNED uint32_t
#define N(name) JOIN(name, float, SET)
#define WIDER(name) JOIN(name, double, SET)
#define SQRT sqrtf
#define EPSILON FLT_EPSILON
#define ACCURATE 0.03
#define EXP_LEAST (-87.33f)
#define EXP_ROUNDING 12582912.0f /* 1.5 times 2^23 */
#define EXP_LOG2_HIGH 0.693115234375f
#define EXP_LOG2_LOW 3.1946184945309415e-05f
#define EXP_MANTISSA 23
#define EXP_SERIES(r)                                                                                                  \
    (0.5f + r * (0.16666576989698775f +                                                                                \
                 r * (0.041666554617204574f + r * (0.008363179052722578f + r * 0.0013926183587713494f))))
#define PARALLEL 0.015f /* cosines within 2.8e-4 of 1 or -1 */
#define ASIN_SERIES(z)                                                                                                 \
    (0.16666666337430908f +                                                                                            \
     z * (0.07500094543497424f +                                                                                       \
          z * (0.04459940152851218f +                                                                                  \
               z * (0.03110066273549457f + z * (0.017149238357677253f + z * 0.03369084720283012f)))))
#define TERMS PROFILE_TERMS_FLOAT
#define PROFILE_STEPS PROFILE_STEP(12) PROFILE_STEP(8) PROFILE_STEP(4) PROFILE_STEP(0)
#define GEMM sgemm
#define SYMM ssymm
#define SYRK ssyrk
#define POTRF spotrf
#define TRSM strsm
#include "one_precision.h"
