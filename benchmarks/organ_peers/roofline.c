/* How fast one thread of this machine gives rsqrt(1 + x*x), from memory that stays in its first cache.

   In double precision also by a single-precision estimate and two steps of Newton, which is what a clever kernel would
   do; the faster of the two is the roof. */
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

/* The best rate of several rounds, in 1/s. */
static double rate(void (*work)(void)) {
    double best = 0;
    for (int round = 0; round < 9; round++) {
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
    double single_rate = rate(single), plain_rate = rate(plain), newton_rate = rate(newton);
    printf("%g %g\n", single_rate, plain_rate > newton_rate ? plain_rate : newton_rate);
    return 0;
}
