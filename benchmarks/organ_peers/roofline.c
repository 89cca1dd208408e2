/* How fast one thread of this machine gives rsqrt(1 + x*x), from memory that stays in its first cache.

   By what the compiler makes of it, and by an estimate with one step of Newton in single precision and two in double,
   which is what a clever kernel would do; the fastest of each is the roof. */
#ifdef __AVX512F__
#include <immintrin.h>
#endif
#include <math.h>
#include <stdio.h>
#include <time.h>

#define N 1024
static float xf[N], yf[N];
static double xd[N], yd[N];

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + 1e-9 * t.tv_nsec;
}

static void single(void) {
    for (int i = 0; i < N; i++) yf[i] = 1.0f / sqrtf(1.0f + xf[i] * xf[i]);
}

static void plain(void) {
    for (int i = 0; i < N; i++) yd[i] = 1.0 / sqrt(1.0 + xd[i] * xd[i]);
}

static void newton(void) {
    for (int i = 0; i < N; i++) {
        double a = 1.0 + xd[i] * xd[i];
        double y = (double)(1.0f / sqrtf((float)a));
        y = y * (1.5 - 0.5 * a * y * y);
        yd[i] = y * (1.5 - 0.5 * a * y * y);
    }
}

#ifdef __AVX2__ /* on some processors the narrower registers have the faster estimate */
#define NARROW __attribute__((target("arch=haswell")))
NARROW static void narrow_single(void) {
    for (int i = 0; i < N; i++) yf[i] = 1.0f / sqrtf(1.0f + xf[i] * xf[i]);
}

NARROW static void narrow_newton(void) {
    for (int i = 0; i < N; i++) {
        double a = 1.0 + xd[i] * xd[i];
        double y = (double)(1.0f / sqrtf((float)a));
        y = y * (1.5 - 0.5 * a * y * y);
        yd[i] = y * (1.5 - 0.5 * a * y * y);
    }
}
#endif

#ifdef __AVX512F__
static void estimated_single(void) {
    const __m512 one = _mm512_set1_ps(1.0f), half = _mm512_set1_ps(0.5f), more = _mm512_set1_ps(1.5f);
    for (int i = 0; i < N; i += 16) {
        __m512 x = _mm512_loadu_ps(xf + i), a = _mm512_fmadd_ps(x, x, one), h = _mm512_mul_ps(half, a);
        __m512 y = _mm512_rsqrt14_ps(a);
        y = _mm512_mul_ps(y, _mm512_fnmadd_ps(_mm512_mul_ps(h, y), y, more));
        _mm512_storeu_ps(yf + i, y);
    }
}

static void estimated(void) {
    const __m512d one = _mm512_set1_pd(1.0), half = _mm512_set1_pd(0.5), more = _mm512_set1_pd(1.5);
    for (int i = 0; i < N; i += 8) {
        __m512d x = _mm512_loadu_pd(xd + i), a = _mm512_fmadd_pd(x, x, one), h = _mm512_mul_pd(half, a);
        __m512d y = _mm512_rsqrt14_pd(a);
        y = _mm512_mul_pd(y, _mm512_fnmadd_pd(_mm512_mul_pd(h, y), y, more));
        y = _mm512_mul_pd(y, _mm512_fnmadd_pd(_mm512_mul_pd(h, y), y, more));
        _mm512_storeu_pd(yd + i, y);
    }
}
#endif

/* The best rate of several rounds, in 1/s. */
static double rate(void (*work)(void)) {
    double best = 0;
    for (int round = 0; round < 7; round++) {
        long calls = 0;
        double began = now(), took;
        do {
            for (int k = 0; k < 200; k++) {
                work();
                __asm__ volatile("" : : "r"(yf), "r"(yd) : "memory"); /* somebody may read them */
            }
            calls += 200;
            took = now() - began;
        } while (took < 0.02);
        if (calls * (double)N / took > best) best = calls * (double)N / took;
    }
    return best;
}

int main(void) {
    for (int i = 0; i < N; i++) xd[i] = xf[i] = 0.01f * (float)(i + 1);
    double single_rate = rate(single), roof = rate(plain);
    roof = fmax(roof, rate(newton));
#ifdef __AVX2__
    single_rate = fmax(single_rate, rate(narrow_single));
    roof = fmax(roof, rate(narrow_newton));
#endif
#ifdef __AVX512F__
    single_rate = fmax(single_rate, rate(estimated_single));
    roof = fmax(roof, rate(estimated));
#endif
    printf("%g %g\n", single_rate, roof);
    return 0;
}
