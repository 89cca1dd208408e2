/* Lanes of one precision: included once with T double and once with T float.
 *
 * V is a vector of W numbers of type T, I one of integers of the same size. NAME(x) gives every function the ending of
 * its precision.
 */

typedef T NAME(V) __attribute__((vector_size(BYTES), aligned(BYTES)));
typedef INT NAME(I) __attribute__((vector_size(BYTES), aligned(BYTES)));
#define V NAME(V)
#define I NAME(I)
#define W ((int)(BYTES / sizeof(T)))

static inline V NAME(splat)(T a) { return (V){0} + a; }

static inline V NAME(load)(const T *p) {
    V v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
}

static inline V NAME(pick)(I mask, V a, V b) { return (V)(((I)a & mask) | ((I)b & ~mask)); }

static inline V NAME(select)(V condition, V a, V b) { return NAME(pick)(condition != NAME(splat)(0), a, b); }

static inline V NAME(less)(V a, V b) { return NAME(pick)(a < b, NAME(splat)(1), NAME(splat)(0)); }

static inline V NAME(equal)(V a, V b) { return NAME(pick)(a == b, NAME(splat)(1), NAME(splat)(0)); }

static inline V NAME(abs)(V a) { return NAME(pick)(a < NAME(splat)(0), -a, a); }

static inline V NAME(sign)(V a) { return NAME(less)(NAME(splat)(0), a) - NAME(less)(a, NAME(splat)(0)); }

#define EACH(name, call)                                                                                               \
    static inline V NAME(name)(V a) {                                                                                  \
        V b;                                                                                                           \
        for (int i = 0; i < W; i++) b[i] = call(a[i]);                                                                 \
        return b;                                                                                                      \
    }
EACH(expm1, MATH(expm1))
EACH(atan, MATH(atan))
EACH(floor, MATH(floor))

static inline V NAME(atan2)(V a, V b) {
    V c;
    for (int i = 0; i < W; i++) c[i] = MATH(atan2)(a[i], b[i]);
    return c;
}

#if defined(OHMGRAD_MVEC) && defined(__AVX512F__)
#define MVEC(name)                                                                                                     \
    V WIDE(name)(V);                                                                                                   \
    static inline V NAME(name)(V a) { return WIDE(name)(a); }
MVEC(exp)
MVEC(log)
MVEC(sin)
MVEC(cos)
#undef MVEC
#else
EACH(exp, MATH(exp))
EACH(log, MATH(log))
EACH(sin, MATH(sin))
EACH(cos, MATH(cos))
#endif
#undef EACH

/* ln(1 + a): with s = 1 + a rounded, ln s · a/(s − 1) has all digits (after W. Kahan; HP-15C handbook, 1982). */
static inline V NAME(log1p)(V a) {
    V s = 1 + a, d = s - 1;
    V exact = NAME(log)(s) * (a / NAME(pick)(d == NAME(splat)(0), NAME(splat)(1), d));
    return NAME(pick)(d == NAME(splat)(0), a, exact);
}

static inline V NAME(sqrt)(V a) {
#ifdef __AVX512F__
    return (V)INTEL(sqrt)((WIDTH)a);
#else
    V b;
    for (int i = 0; i < W; i++) b[i] = MATH(sqrt)(a[i]);
    return b;
#endif
}

static inline V NAME(reciprocal)(V a) {
#if defined(__AVX512F__) && IS_FLOAT
    V y = (V)INTEL(rcp14)((WIDTH)a);
    return y * (2 - a * y);
#else
    return 1 / a;
#endif
}

/* 1/√a: an estimate of 14 bits, doubled by each of Newton's steps. */
static inline V NAME(rsqrt)(V a) {
#ifdef __AVX512F__
    V y = (V)INTEL(rsqrt14)((WIDTH)a), half = (T)0.5 * a;
    y = y * ((T)1.5 - half * y * y);
#if !IS_FLOAT
    y = y * ((T)1.5 - half * y * y);
#endif
    return y;
#else
    return 1 / NAME(sqrt)(a);
#endif
}

static inline T NAME(sum)(V a) {
#ifdef __AVX512F__
    return INTEL(reduce_add)((WIDTH)a);
#else
    T total = 0;
    for (int i = 0; i < W; i++) total += a[i];
    return total;
#endif
}

/* Variance of all targets, of real and imaginary parts of `count` each together. */
static inline double NAME(spread)(const T *t, long count) {
    double total = 0;
    long whole = count / W * W;
    for (int part = 0; part < PARTS; part++, t += count) {
        V first = NAME(splat)(t[0]), sum = NAME(splat)(0), squares = NAME(splat)(0);
        for (long i = 0; i < whole; i += W) {
            V off = NAME(load)(t + i) - first;
            sum += off;
            squares += off * off;
        }
        double s = NAME(sum)(sum), ss = NAME(sum)(squares);
        for (long i = whole; i < count; i++) s += t[i] - t[0], ss += (t[i] - t[0]) * (t[i] - t[0]);
        total += ss / count - (s / count) * (s / count);
    }
    return total;
}
