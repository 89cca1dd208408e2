/* What lanes.c and the formula of a circuit are compiled with; see circuits/fitting/many/emission.py. */

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#ifdef __AVX512F__
#include <immintrin.h>
#define BYTES 64
#elif defined(__AVX__)
#define BYTES 32
#else
#define BYTES 16
#endif
#define W_d ((int)(BYTES / sizeof(double)))
#define W_f ((int)(BYTES / sizeof(float)))
#define BATCH 16
