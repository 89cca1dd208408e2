/* An AC sweep by KLU: analysed once, factored once, refactored at every frequency. */
#include <complex.h>
#include <klu.h>
#include <stdlib.h>

typedef struct {
    klu_common common;
    klu_symbolic *symbolic;
    klu_numeric *numeric;
    int n, entries, *column, *row;
    double complex *matrix, *x;
} sweep;

void sweep_free(sweep *s) {
    klu_z_free_numeric(&s->numeric, &s->common);
    klu_free_symbolic(&s->symbolic, &s->common);
    free(s->matrix);
    free(s->x);
    free(s);
}

sweep *sweep_new(int n, int *column, int *row) {
    sweep *s = calloc(1, sizeof *s);
    klu_defaults(&s->common);
    s->common.scale = -1; /* the fastest, and no less exact on these nets */
    s->n = n, s->entries = column[n], s->column = column, s->row = row;
    s->matrix = malloc(s->entries * sizeof *s->matrix);
    s->x = malloc(n * sizeof *s->x);
    s->symbolic = klu_analyze(n, column, row, &s->common);
    return s;
}

static void values(double complex *y, int m, const double *restrict part, double w) {
    for (int k = 0; k < m; k++)
        y[k] = CMPLX(part[k], w * part[m + k] - part[2 * m + k] / w);
}

/* parts: conductance, capacitance and inverse inductance of every entry, one array after the other; right: the same of
   the entries of the right-hand side, which stand at rows `at`. Returns 0 if KLU did not succeed. */
int sweep_factor(sweep *s, const double *parts, double w) {
    values(s->matrix, s->entries, parts, w);
    if (s->numeric) klu_z_free_numeric(&s->numeric, &s->common);
    s->numeric = klu_z_factor(s->column, s->row, (double *)s->matrix, s->symbolic, &s->common);
    return s->numeric != NULL;
}

int sweep_run(sweep *s, const double *parts, int m, const double *right, const int *at, int n_w, const double *w,
              int output, double complex *answer) {
    double complex b[m];
    for (int i = 0; i < n_w; i++) {
        values(s->matrix, s->entries, parts, w[i]);
        if (!klu_z_refactor(s->column, s->row, (double *)s->matrix, s->symbolic, s->numeric, &s->common)) return 0;
        values(b, m, right, w[i]);
        for (int k = 0; k < s->n; k++) s->x[k] = 0;
        for (int k = 0; k < m; k++) s->x[at[k]] += b[k];
        if (!klu_z_solve(s->symbolic, s->numeric, s->n, 1, (double *)s->x, &s->common)) return 0;
        answer[i] = s->x[output];
    }
    return 1;
}
