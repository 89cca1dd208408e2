/* The native executor of a Plan (plan.py says what is computed; program.py lays out what is read here).

   A lane is one board at one frequency. Lanes go through the elimination side by side in blocks of W vectors of VL
   doubles; a complex number of every lane of a block is a `C`. No operation ever crosses lanes, so that one step of
   bookkeeping serves them all.

   Unknown t is the one that step t eliminates: its row and its column of the matrix share the index, so that every
   substitution runs in place. Slots are numbered in the order of the steps that own them: a step's branches lie
   together. Nothing is written but what a `Call` points to. */

#include <float.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__AVX512F__)
#include <immintrin.h>
#define BYTES 64
#define W 2 /* two independent chains of operations hide the latency of one; more only overflow the registers */
#define STREAM(to, v) _mm512_stream_pd(to, (__m512d)(v))
#define ZIP_LOW 0, 8, 1, 9, 2, 10, 3, 11
#define ZIP_HIGH 4, 12, 5, 13, 6, 14, 7, 15
#define EVEN 0, 2, 4, 6, 8, 10, 12, 14
#define ODD 1, 3, 5, 7, 9, 11, 13, 15
#elif defined(__AVX__)
#include <immintrin.h>
#define BYTES 32
#define W 2
#define STREAM(to, v) _mm256_stream_pd(to, (__m256d)(v))
#define ZIP_LOW 0, 4, 1, 5
#define ZIP_HIGH 2, 6, 3, 7
#define EVEN 0, 2, 4, 6
#define ODD 1, 3, 5, 7
#else /* SSE2, NEON, or whatever the compiler makes of pairs */
#define BYTES 16
#define W 4
#define ZIP_LOW 0, 2
#define ZIP_HIGH 1, 3
#define EVEN 0, 2
#define ODD 1, 3
#endif
#define VL (BYTES / 8)
#define LANES (W * VL)
#if defined(__clang__)
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (I){__VA_ARGS__})
#endif
#define INLINE static inline __attribute__((always_inline))
#define EACH for (int w = 0; w < W; w++)

typedef double V __attribute__((vector_size(BYTES), may_alias));
typedef int64_t I __attribute__((vector_size(BYTES), may_alias));
typedef struct { V re[W], im[W]; } C;

/* ---- what Python hands over, member by member as in program.py and native.py ---- */

enum { REAL, CAPACITIVE, INDUCTIVE, COMPLEX, KINDS }; /* y = q, q·s, q/s, z */
enum { FORWARD, GRADIENT, JACOBIAN, SOLVE };
enum { DRIVEN = 1, ASKED = 2, NEEDED = 4 }; /* of a step: b is not zero there, c is not, an output needs its x */

typedef struct {
    int32_t pivot, pivots, col, cols, row, rows, flags, is_mesh; /* first slots; cols leaves out the branch to ground */
} Step;
typedef struct { int32_t col, target; } Pair;
typedef struct { int32_t slot, source; double coef; } Fill;
typedef struct { int32_t rp, rm, cp, cm, source, kind; double scale; } Entry;
typedef struct { int32_t row, source; double re, im; } Drive;
typedef struct { int32_t row, col; double value; } Term;

typedef struct {
    int64_t n, rails, slots, n_q, n_z, n_out, assembly_at, checked, consts, assemblies, drives, sources, terms;
    double cancels, moved; /* of the whole: a pivot that has lost digits; a step of refinement that shows as much */
    const Step *step;       /* n of them, and one that counts the indices of all */
    const int32_t *row_index, *col_index, *row_pairs, *row_of, *col_of;
    const int32_t *is_node; /* by step, for A and after that for Aᵀ; noise as well */
    const double *noise;
    const Pair *pair;
    const Fill *fill, *constant;
    const Entry *entry, *entry_by_source;
    const Drive *drive, *drive_const, *source, *rail;
    const Term *assembly, *term, *out, *ask;
    const int64_t *fill_start, *entry_start, *drive_start, *source_start, *out_start, *ask_start;
} Program;

typedef struct {
    int64_t mode, threads, boards, points, boards_per_task, points_per_task, first, last;
    int64_t shared_f, want_f, transposed, rhs_count, rhs_board_stride, rhs_point_stride, past_caches;
    const double *q, *f, *z, *g, *rhs;
    double *h, *by_q, *by_z, *by_f, *x;
    unsigned char *flagged;
} Call;

/* ---- one block of lanes ---- */

typedef struct {
    const Program *p;
    const Call *c;
    double *board_q, *parts; /* where all lanes are of one board: its q, and what they put into the slots */
    V *q, *sum;              /* where they are of several: q of each lane; sums of gradients */
    C *z, *by_z, *slot, *inverse, *x, *lam, *fix;
    V (*whole)[W];           /* what is added up in every row */
    V omega[W], over[W];
    V finite[W], margin[W]; /* a sum that is finite only if every number was; the least margin of a pivot */
    I bad[W], live[W];      /* lanes not to be trusted; lanes that are there at all (others repeat the last one) */
    int64_t board[LANES], point[LANES], prepared;
    int count, spans, may_cancel, any_bad, flagged;
} Work;

INLINE V splat(double a) { return a - (V){0}; }
INLINE V only(V a, I mask) { return (V)((I)a & mask); }
INLINE V size(V a) { return only(a, INT64_MAX - (I){0}); }
INLINE V norm(const C *a, int w) { return size(a->re[w]) + size(a->im[w]); }
INLINE V larger(V a, V b) { I m = a > b; return (V)(((I)a & m) | ((I)b & ~m)); }

INLINE void product(C *to, const C *a, const C *b)
{
    EACH {
        V ar = a->re[w], ai = a->im[w], br = b->re[w], bi = b->im[w];
        to->re[w] = ar * br - ai * bi;
        to->im[w] = ar * bi + ai * br;
    }
}

INLINE void add_product(C *to, const C *a, const C *b)
{
    EACH { /* everything is read before anything is written, since the compiler must think that they overlap */
        V ar = a->re[w], ai = a->im[w], br = b->re[w], bi = b->im[w];
        V re = to->re[w] + ar * br, im = to->im[w] + ar * bi;
        to->re[w] = re - ai * bi;
        to->im[w] = im + ai * br;
    }
}

INLINE void add_scaled(C *to, double scale, const C *a)
{
    EACH {
        to->re[w] += scale * a->re[w];
        to->im[w] += scale * a->im[w];
    }
}

INLINE V q_of(const Work *k, int source, int w) { return k->spans ? k->q[source * W + w] : splat(k->board_q[source]); }

INLINE void admittance(const Work *k, int kind, int source, C *y)
{
    if (kind == COMPLEX) {
        *y = k->z[source];
        return;
    }
    EACH {
        V q = q_of(k, source, w);
        y->re[w] = y->im[w] = splat(0);
        if (kind == REAL)
            y->re[w] = q;
        else
            y->im[w] = kind == CAPACITIVE ? (V)(q * k->omega[w]) : (V)(-q * k->over[w]);
    }
}

/* ---- arrays of Python, complex (…, boards, …, points): board_stride numbers from board to board ---- */

INLINE int64_t place(const Work *k, int l, int64_t board_stride, int64_t point_stride)
{
    return 2 * (k->board[l] * board_stride + k->point[l] * point_stride);
}

static void get(const Work *k, const double *from, int64_t board_stride, int64_t point_stride, C *to)
{
    if (!k->spans && k->count == LANES && point_stride == 1) {
        V pair[2 * W];
        memcpy(pair, from + place(k, 0, board_stride, 1), sizeof pair);
        EACH {
            to->re[w] = SHUFFLE(pair[2 * w], pair[2 * w + 1], EVEN);
            to->im[w] = SHUFFLE(pair[2 * w], pair[2 * w + 1], ODD);
        }
        return;
    }
    for (int l = 0; l < LANES; l++) {
        const double *one = from + place(k, l, board_stride, point_stride);
        ((double *)to->re)[l] = one[0];
        ((double *)to->im)[l] = one[1];
    }
}

static void put(const Work *k, double *to, int64_t board_stride, const C *from)
{
    if (k->spans || k->count < LANES) {
        for (int l = 0; l < k->count; l++) {
            double *one = to + place(k, l, board_stride, 1);
            one[0] = ((const double *)from->re)[l];
            one[1] = ((const double *)from->im)[l];
        }
        return;
    }
    to += place(k, 0, board_stride, 1);
    EACH {
        V pair[2] = {SHUFFLE(from->re[w], from->im[w], ZIP_LOW), SHUFFLE(from->re[w], from->im[w], ZIP_HIGH)};
#ifdef STREAM /* a large Jacobian is written at once and read much later: not by way of the caches */
        if (k->c->past_caches && (uintptr_t)to % BYTES == 0) {
            STREAM(to, pair[0]);
            STREAM(to + VL, pair[1]);
        } else
#endif
            memcpy(to, pair, sizeof pair);
        to += 2 * VL;
    }
}

/* ---- elimination ---- */

/* For one board: slot = parts[0] + j·(parts[1]·ω − parts[2]/ω), but for what is complex by itself. */
static void prepare_board(Work *k)
{
    const Program *p = k->p;
    memset(k->parts, 0, 3 * sizeof(double) * p->slots);
    for (int64_t i = 0; i < p->consts; i++)
        k->parts[3 * p->constant[i].slot] += p->constant[i].coef;
    for (int kind = REAL; kind < COMPLEX; kind++)
        for (const Fill *f = p->fill + p->fill_start[kind]; f < p->fill + p->fill_start[kind + 1]; f++)
            k->parts[3 * f->slot + kind] += f->coef * k->board_q[f->source];
}

static void fill_kind(Work *k, int kind)
{
    const Fill *end = k->p->fill + k->p->fill_start[kind + 1];
    for (const Fill *f = k->p->fill + k->p->fill_start[kind]; f < end; f++) {
        C y;
        admittance(k, kind, f->source, &y);
        add_scaled(k->slot + f->slot, f->coef, &y);
    }
}

static void fill(Work *k)
{
    const Program *p = k->p;
    if (k->spans) {
        memset(k->slot, 0, sizeof(C) * p->slots);
        for (int64_t i = 0; i < p->consts; i++)
            EACH k->slot[p->constant[i].slot].re[w] += p->constant[i].coef;
        for (int kind = REAL; kind < COMPLEX; kind++)
            fill_kind(k, kind);
    } else
        for (int64_t i = 0; i < p->slots; i++)
            EACH {
                k->slot[i].re[w] = splat(k->parts[3 * i]);
                k->slot[i].im[w] = k->parts[3 * i + 1] * k->omega[w] - k->parts[3 * i + 2] * k->over[w];
            }
    fill_kind(k, COMPLEX);
}

/* r = ±1/Y of a step's pivot. A star–mesh pivot far smaller than the branches that it sums has lost digits; an LU pivot
   is judged later, by what refinement would move. */
INLINE void invert(const C *branch, const Step *s, int may_cancel, double cancels, C *r, V *finite, V *margin)
{
    C sum = {0};
    V all[W];
    EACH all[w] = splat(0);
    for (int i = 0; i < s->pivots; i++)
        EACH {
            sum.re[w] += branch[i].re[w];
            sum.im[w] += branch[i].im[w];
            if (may_cancel)
                all[w] += norm(branch + i, w);
        }
    EACH {
        V square = sum.re[w] * sum.re[w] + sum.im[w] * sum.im[w], inverse = 1 / square;
        finite[w] += square * inverse; /* NaN for a pivot of zero, infinite, or too small or large to be squared */
        if (may_cancel && s->is_mesh) {
            V spare = norm(&sum, w) - cancels * all[w];
            margin[w] = -larger(-spare, -margin[w]);
        }
        if (!s->is_mesh)
            inverse = -inverse;
        r->re[w] = sum.re[w] * inverse;
        r->im[w] = -sum.im[w] * inverse;
    }
}

INLINE void push(C *v, const C *slot, const int32_t *index, int count, const C *g)
{
    for (int i = 0; i < count; i++)
        add_product(v + index[i], g, slot + i);
}

/* v_t = r·(±v_t + Σ slot·v[index]), where v_t itself may be known to be zero */
INLINE void pull(C *v, int64_t t, int is_zero, int is_mesh, const C *r, const C *slot, const int32_t *index, int count,
                 V *finite)
{
    C a = {0}, b = {0}; /* two sums: half the additions to wait for */
    if (!is_zero)
        add_scaled(&a, is_mesh ? 1 : -1, v + t);
    for (int i = 0; i < count; i++) {
        const C *u = slot + i, *x = v + index[i];
        EACH {
            a.re[w] += u->re[w] * x->re[w];
            a.im[w] += u->re[w] * x->im[w];
            b.re[w] -= u->im[w] * x->im[w];
            b.im[w] += u->im[w] * x->re[w];
        }
    }
    add_scaled(&a, 1, &b);
    product(v + t, &a, r);
    EACH finite[w] += norm(v + t, w);
}

/* The innermost loop, kept apart so that all registers are its own: with more than FEW updates that pays for a call. */
enum { FEW = 3 };
static __attribute__((noinline)) const Pair *update(C *slot, const Pair *pair, const Pair *end, const C *factor)
{
    C g = *factor;
    for (; pair < end; pair++)
        add_product(slot + pair->target, &g, slot + pair->col);
    return end;
}

/* Eliminate everything, and bring right-hand sides along where they are given: b of A x = b in x, c of Aᵀ λ = c in lam.
   A step leaves its slots unscaled: scaling one product by R costs less than to write every slot once more. */
static void factor(Work *k, C *x, C *lam)
{
    const Program *p = k->p;
    const int32_t *row_index = p->row_index, *col_index = p->col_index, *pairs = p->row_pairs;
    const Pair *pair = p->pair;
    C *slot = k->slot, r, g;
    V finite[W], margin[W];
    EACH finite[w] = k->finite[w], margin[w] = k->margin[w];
    for (int64_t t = 0; t < p->n; t++) {
        const Step *s = p->step + t;
        if (t == p->assembly_at)
            for (int64_t i = 0; i < p->assemblies; i++)
                add_scaled(slot + p->assembly[i].row, p->assembly[i].value, slot + p->assembly[i].col);
        invert(slot + s->pivot, s, k->may_cancel, p->cancels, &r, finite, margin);
        k->inverse[t] = r;
        int driven = x && s->flags & DRIVEN, asked = lam && s->flags & ASKED, symmetric = s->row == s->col;
        C b = k->x[t], c = k->lam[t];
        for (int i = 0; i < s->rows; i++) {
            product(&g, &r, slot + s->row + i);
            if (driven)
                add_product(x + row_index[i], &g, &b);
            if (asked && symmetric)
                add_product(lam + col_index[i], &g, &c);
            if (*pairs > FEW)
                pair = update(slot, pair, pair + *pairs, &g);
            else
                for (const Pair *end = pair + *pairs; pair < end; pair++)
                    add_product(slot + pair->target, &g, slot + pair->col);
            pairs++;
        }
        if (asked && !symmetric) {
            product(&g, &r, &c);
            push(lam, slot + s->col, col_index, s->cols, &g);
        }
        row_index += s->rows;
        col_index += s->cols;
    }
    EACH k->finite[w] = finite[w], k->margin[w] = margin[w];
}

/* Bring a right-hand side through the steps of a finished elimination. */
static void eliminate(Work *k, C *v, int transposed)
{
    const Program *p = k->p;
    const int32_t *row_index = p->row_index, *col_index = p->col_index;
    for (int64_t t = 0; t < p->n; t++) {
        const Step *s = p->step + t;
        C g;
        product(&g, k->inverse + t, v + t);
        if (transposed)
            push(v, k->slot + s->col, col_index, s->cols, &g);
        else
            push(v, k->slot + s->row, row_index, s->rows, &g);
        row_index += s->rows;
        col_index += s->cols;
    }
}

/* Substitute back in x, in lam, or in both while a step's branches are at hand. `sparse`: both come from `drive` and
   `ask`, so that they are zero where the flags of the steps say so. `wanted`: only steps with this flag for x. */
static void substitute(Work *k, C *x, C *lam, int sparse, int wanted)
{
    const Program *p = k->p;
    const int32_t *row_index = p->row_index + p->step[p->n].rows, *col_index = p->col_index + p->step[p->n].cols;
    C *slot = k->slot;
    V finite[W];
    EACH finite[w] = k->finite[w];
    for (int64_t t = p->n - 1; t >= 0; t--) {
        const Step *s = p->step + t;
        const C *r = k->inverse + t;
        row_index -= s->rows;
        col_index -= s->cols;
        if (x && (s->flags & wanted) == wanted)
            pull(x, t, sparse && !(s->flags & DRIVEN), s->is_mesh, r, slot + s->col, col_index, s->cols, finite);
        if (lam)
            pull(lam, t, sparse && !(s->flags & ASKED), s->is_mesh, r, slot + s->row, row_index, s->rows, finite);
    }
    EACH k->finite[w] = finite[w];
}

/* ---- right-hand sides ---- */

/* Zeros for the unknowns of the steps with this flag, 0 for all. */
static void clear(Work *k, C *v, int flag)
{
    for (int64_t t = 0; t < k->p->n; t++)
        if ((k->p->step[t].flags & flag) == flag)
            memset(v + t, 0, sizeof(C));
}

static void drive_constant(C *v, const Drive *d, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        EACH {
            v[d[i].row].re[w] += d[i].re;
            v[d[i].row].im[w] += d[i].im;
        }
}

static void drive(Work *k)
{
    const Program *p = k->p;
    clear(k, k->x, DRIVEN);
    drive_constant(k->x, p->drive_const, p->drives);
    for (int kind = REAL; kind < KINDS; kind++)
        for (const Drive *d = p->drive + p->drive_start[kind]; d < p->drive + p->drive_start[kind + 1]; d++) {
            C y, factor;
            admittance(k, kind, d->source, &y);
            EACH factor.re[w] = splat(d->re), factor.im[w] = splat(d->im);
            add_product(k->x + d->row, &factor, &y);
        }
}

/* c = Σ conj(G_o)·W_o over all outputs o, or W_o alone of one. */
static void ask(Work *k, C *v, int64_t which, int flag)
{
    const Program *p = k->p;
    int64_t points = k->c->points;
    clear(k, v, flag);
    for (int64_t o = which < 0 ? 0 : which; o < (which < 0 ? p->n_out : which + 1); o++) {
        C g;
        EACH g.re[w] = splat(1), g.im[w] = splat(0);
        if (which < 0) {
            get(k, k->c->g + 2 * o * points, p->n_out * points, 1, &g);
            EACH g.re[w] = only(g.re[w], k->live[w]), g.im[w] = -only(g.im[w], k->live[w]);
        }
        for (int64_t i = p->ask_start[o]; i < p->ask_start[o + 1]; i++)
            add_scaled(v + p->ask[i].col, p->ask[i].value, &g);
    }
}

static void load(Work *k, C *v, int64_t which)
{
    const Call *c = k->c;
    const int32_t *of = c->transposed ? k->p->col_of : k->p->row_of;
    int64_t length = c->rhs_point_stride ? c->points : 1;
    for (int64_t t = 0; t < k->p->n; t++)
        get(k, c->rhs + 2 * (which * k->p->n + of[t]) * length, c->rhs_board_stride, c->rhs_point_stride, v + t);
}

/* ---- what can be trusted ---- */

/* Flag what a step of iterative refinement would move far, v's right-hand side being in k->fix. On top of the residual
   comes what rounding may have added: it can be next to nothing by chance, and still lie in the direction that the
   circuit magnifies. The step is not taken: it would bring in the rounding assumed. Voltages and currents are judged
   apart, since a large current that goes in a circle would excuse any voltage; currents by what flows at all. */
static void check(Work *k, C *v, int transposed)
{
    const Program *p = k->p;
    const int32_t *is_node = transposed ? p->is_node + p->n : p->is_node;
    const int32_t *adds_up = transposed ? p->is_node : p->is_node + p->n; /* currents, and not voltages */
    const double *noise = transposed ? p->noise + p->n : p->noise;
    C *r = k->fix;
    V(*whole)[W] = k->whole, moved[2][W], largest[2][W];
    memset(whole, 0, (p->n + p->rails + 1) * sizeof *whole);
    for (const Entry *e = p->entry; e < p->entry + p->entry_start[KINDS]; e++) {
        int plus = transposed ? e->cp : e->rp, minus = transposed ? e->cm : e->rm;
        C y, d, flow, *a = v + (transposed ? e->rp : e->cp), *b = v + (transposed ? e->rm : e->cm);
        admittance(k, e->kind, e->source, &y);
        EACH y.re[w] *= e->scale, y.im[w] *= e->scale;
        EACH d.re[w] = a->re[w] - b->re[w], d.im[w] = a->im[w] - b->im[w];
        product(&flow, &y, &d);
        add_scaled(r + plus, -1, &flow);
        add_scaled(r + minus, 1, &flow);
        EACH {
            V part = norm(&y, w) * (norm(a, w) + norm(b, w));
            whole[plus][w] += part;
            whole[minus][w] += part;
        }
    }
    for (const Term *m = p->term; m < p->term + p->terms; m++) {
        int to = transposed ? m->col : m->row, from = transposed ? m->row : m->col;
        add_scaled(r + to, -m->value, v + from);
        EACH whole[to][w] += size(m->value * v[from].re[w]) + size(m->value * v[from].im[w]);
    }
    for (int64_t t = 0; t < p->n; t++)
        EACH r[t].re[w] += noise[t] * whole[t][w];
    eliminate(k, r, transposed);
    substitute(k, transposed ? 0 : r, transposed ? r : 0, 0, 0);
    EACH moved[0][w] = moved[1][w] = largest[0][w] = largest[1][w] = splat(0);
    for (int64_t t = 0; t < p->n + p->rails; t++) {
        int kind = t < p->n ? is_node[t] : 1;
        if (t < p->n)
            EACH moved[kind][w] = larger(norm(r + t, w), moved[kind][w]);
        if (t < p->n && adds_up[t])
            EACH largest[0][w] = larger(whole[t][w], largest[0][w]);
        EACH largest[kind][w] = larger(norm(v + t, w), largest[kind][w]);
    }
    for (int kind = 0; kind < 2; kind++)
        EACH k->bad[w] |= (I)(moved[kind][w] > p->moved * largest[kind][w]);
}

static void judge(Work *k)
{
    k->any_bad = 0;
    EACH {
        k->bad[w] |= ~(I)(k->finite[w] <= DBL_MAX) | (I)(k->margin[w] < 0);
        for (int l = 0; l < VL; l++)
            k->any_bad |= k->bad[w][l] != 0;
    }
}

/* A bad lane takes no part in a sum: its numbers may be NaN, which no factor of zero would silence. */
static void silence(Work *k, C *v)
{
    for (int64_t t = 0; k->any_bad && t < k->p->n; t++)
        EACH {
            v[t].re[w] = only(v[t].re[w], ~k->bad[w]);
            v[t].im[w] = only(v[t].im[w], ~k->bad[w]);
        }
}

static void write_flags(Work *k)
{
    unsigned char *to = k->c->flagged + place(k, 0, k->c->points, 1) / 2;
    memset(to, 0, k->count);
    for (int l = 0; k->any_bad && l < k->count; l++)
        k->flagged |= to[l] = ((int64_t *)k->bad)[l] != 0;
}

/* ---- what is done with a solution ---- */

static void outputs(Work *k)
{
    const Program *p = k->p;
    for (int64_t o = 0; o < p->n_out; o++) {
        C h = {0};
        for (const Term *m = p->out + p->out_start[o]; m < p->out + p->out_start[o + 1]; m++)
            add_scaled(&h, m->value, k->x + m->col);
        put(k, k->c->h + 2 * o * k->c->points, p->n_out * k->c->points, &h);
    }
}

/* dH/dy = −scale·(λ_rp − λ_rm)·(X_cp − X_cm), with half the work for what is connected to ground. */
INLINE void slope(const Work *k, const Entry *e, C *to)
{
    int64_t ground = k->p->n + k->p->rails;
    C l = k->lam[e->rp], x = k->x[e->cp];
    if (e->rm != ground || e->cm != ground) {
        add_scaled(&l, -1, k->lam + e->rm);
        add_scaled(&x, -1, k->x + e->cm);
    }
    product(to, &l, &x);
    EACH to->re[w] *= -e->scale, to->im[w] *= -e->scale;
}

/* Sums dL/dq for every q, the conjugate of dL/dz for every z, and in by_f dL/df but for a factor of 2π. */
INLINE void gradient_kind(Work *k, int kind, V *by_f)
{
    const Entry *end = k->p->entry + k->p->entry_start[kind + 1];
    for (const Entry *e = k->p->entry + k->p->entry_start[kind]; e < end; e++) {
        C d;
        V part[W];
        slope(k, e, &d);
        EACH {
            if (kind == COMPLEX) {
                k->by_z[e->source].re[w] += d.re[w];
                k->by_z[e->source].im[w] -= d.im[w];
            } else if (kind == REAL)
                part[w] = d.re[w];
            else {
                V s = kind == CAPACITIVE ? (V)-k->omega[w] : k->over[w];
                part[w] = s * d.im[w];
                if (k->c->want_f) {
                    V q = only(q_of(k, e->source, w), ~k->bad[w]);
                    by_f[w] -= kind == CAPACITIVE ? (V)(q * d.im[w]) : (V)(q * d.im[w] * s * s);
                }
            }
        }
        if (kind == COMPLEX)
            continue;
        if (k->spans)
            EACH k->sum[e->source * W + w] += part[w];
        else
            for (int w = 1; w < W; w++)
                part[0] += part[w];
        if (!k->spans)
            k->sum[e->source] += part[0];
    }
}

/* Sums over lanes of several boards go to their boards block by block. */
static void scatter_sums(Work *k)
{
    for (int64_t s = 0; s < k->p->n_q; s++) {
        double *part = (double *)(k->sum + s * W), *to = k->c->by_q + s * k->c->boards, sum = 0;
        if (k->c->points == 1)
            memcpy(to + k->board[0], part, k->count * sizeof(double));
        for (int l = 0; k->c->points > 1 && l < k->count; l++) {
            sum += part[l];
            if (l + 1 == k->count || k->board[l + 1] != k->board[l]) {
                to[k->board[l]] += sum;
                sum = 0;
            }
        }
    }
    memset(k->sum, 0, k->p->n_q * W * sizeof(V));
}

static void gradient(Work *k)
{
    const Call *c = k->c;
    V by_f[W];
    EACH by_f[w] = splat(0);
    memset(k->by_z, 0, k->p->n_z * sizeof(C));
    gradient_kind(k, REAL, by_f);
    gradient_kind(k, CAPACITIVE, by_f);
    gradient_kind(k, INDUCTIVE, by_f);
    gradient_kind(k, COMPLEX, by_f);
    if (k->spans)
        scatter_sums(k);
    for (int64_t s = 0; s < k->p->n_z; s++)
        put(k, c->by_z + 2 * s * c->boards * c->points, c->points, k->by_z + s);
    for (int l = 0; c->want_f && l < k->count; l++)
        c->by_f[place(k, l, c->points, 1) / 2] = 6.283185307179586 * ((double *)by_f)[l];
}

static void jacobian(Work *k, int64_t o)
{
    const Program *p = k->p;
    int64_t points = k->c->points, row = p->n_out * points;
    for (int64_t s = 0; s < p->n_q + p->n_z; s++) {
        C all = {0}, d;
        for (int64_t i = p->source_start[s]; i < p->source_start[s + 1]; i++) {
            const Entry *e = p->entry_by_source + i;
            slope(k, e, &d);
            EACH if (e->kind == CAPACITIVE) {
                all.re[w] -= d.im[w] * k->omega[w];
                all.im[w] += d.re[w] * k->omega[w];
            } else if (e->kind == INDUCTIVE) {
                all.re[w] += d.im[w] * k->over[w];
                all.im[w] -= d.re[w] * k->over[w];
            } else {
                all.re[w] += d.re[w];
                all.im[w] += d.im[w];
            }
        }
        if (s < p->n_q)
            put(k, k->c->by_q + 2 * (s * row + o * points), p->n_q * row, &all);
        else
            put(k, k->c->by_z + 2 * ((s - p->n_q) * row + o * points), p->n_z * row, &all);
    }
}

/* ---- blocks, tasks, threads ---- */

static void begin(Work *k)
{
    const Program *p = k->p;
    const Call *c = k->c;
    V f[W];
    for (int l = 0; l < LANES; l++) {
        ((double *)f)[l] = c->f[c->shared_f ? k->point[l] : k->board[l] * c->points + k->point[l]];
        ((int64_t *)k->live)[l] = l < k->count ? -1 : 0;
    }
    EACH {
        V omega = 6.283185307179586 * f[w], over = 1 / omega;
        I known = (I)(size(omega) <= DBL_MAX), inverted = (I)(over > 0) & (I)(over <= DBL_MAX);
        k->omega[w] = only(omega, known);
        k->over[w] = only(over, inverted);
        k->bad[w] = ~known;
        if (p->fill_start[INDUCTIVE] < p->fill_start[COMPLEX])
            k->bad[w] |= ~inverted;
        k->finite[w] = splat(0);
        k->margin[w] = splat(DBL_MAX);
    }
    for (int64_t s = 0; k->spans && s < p->n_q; s++)
        for (int l = 0; l < LANES; l++)
            ((double *)(k->q + s * W))[l] = c->q[s * c->boards + k->board[l]];
    for (int64_t s = 0; s < p->n_z; s++)
        get(k, c->z + 2 * s * c->boards * c->points, c->points, 1, k->z + s);
    fill(k);
}

static void solve(Work *k)
{
    const Program *p = k->p;
    const Call *c = k->c;
    const int32_t *of = c->transposed ? p->row_of : p->col_of;
    C *v = k->x;
    factor(k, 0, 0);
    for (int64_t r = 0; r < c->rhs_count; r++) {
        load(k, v, r);
        eliminate(k, v, c->transposed);
        substitute(k, c->transposed ? 0 : v, c->transposed ? v : 0, 0, 0);
        if (p->checked) {
            load(k, k->fix, r);
            check(k, v, c->transposed);
        }
        for (int64_t t = 0; t < p->n; t++)
            put(k, c->x + 2 * (r * p->n + of[t]) * c->points, c->rhs_count * p->n * c->points, v + t);
    }
}

static void block(Work *k)
{
    const Program *p = k->p;
    int64_t mode = k->c->mode, adjoints = mode == GRADIENT ? 1 : mode == JACOBIAN ? p->n_out : 0;
    begin(k);
    if (mode == SOLVE) {
        solve(k);
    } else {
        drive(k);
        if (adjoints)
            ask(k, k->lam, mode == GRADIENT ? -1 : 0, ASKED);
        factor(k, k->x, adjoints ? k->lam : 0);
        substitute(k, k->x, adjoints ? k->lam : 0, 1, adjoints ? 0 : NEEDED);
        if (p->checked) {
            clear(k, k->fix, 0);
            drive_constant(k->fix, p->source, p->sources);
            check(k, k->x, 0);
        }
        if (mode != GRADIENT)
            outputs(k);
    }
    for (int64_t o = 0; o < adjoints; o++) {
        if (o > 0) {
            ask(k, k->lam, o, 0);
            eliminate(k, k->lam, 1);
            substitute(k, 0, k->lam, 0, 0);
        }
        if (p->checked) {
            ask(k, k->fix, mode == GRADIENT ? -1 : o, 0);
            check(k, k->lam, 1);
        }
        if (mode == JACOBIAN)
            jacobian(k, o);
    }
    judge(k);
    if (mode == GRADIENT) {
        silence(k, k->x);
        silence(k, k->lam);
        gradient(k);
    }
    write_flags(k);
}

/* A task is some points of one board, or all points of several. */
static void run_task(Work *k, int64_t task)
{
    const Program *p = k->p;
    const Call *c = k->c;
    int64_t chunks = (c->points + c->points_per_task - 1) / c->points_per_task, chunk = task % chunks;
    int64_t board = task / chunks * c->boards_per_task, point = chunk * c->points_per_task;
    int64_t boards = c->boards - board < c->boards_per_task ? c->boards - board : c->boards_per_task;
    int64_t points = c->points - point < c->points_per_task ? c->points - point : c->points_per_task;
    double *sums = c->by_q ? c->by_q + chunk * p->n_q * c->boards : 0; /* every chunk of points has its own */
    k->spans = boards > 1;
    k->may_cancel = p->fill_start[INDUCTIVE] < p->fill_start[KINDS]; /* resistors and capacitors cannot */
    for (int64_t s = 0; s < p->n_q; s++) {
        const double *q = c->q + s * c->boards + board;
        k->board_q[s] = *q;
        for (int64_t b = 0; b < boards; b++)
            k->may_cancel |= !(q[b] >= 0);
        if (c->mode == GRADIENT)
            memset(sums + s * c->boards + board, 0, boards * sizeof(double));
    }
    memset(k->sum, 0, p->n_q * W * sizeof(V));
    if (!k->spans && k->prepared != board) {
        prepare_board(k);
        k->prepared = board;
    }
    int64_t b = board, i = point;
    for (int64_t done = 0; done < boards * points; done += LANES) {
        k->count = boards * points - done < LANES ? boards * points - done : LANES;
        for (int l = 0; l < LANES; l++) {
            k->board[l] = b;
            k->point[l] = i;
            if (l + 1 < k->count && ++i == point + points) {
                i = point;
                b++;
            }
        }
        if (++i == point + points) {
            i = point;
            b++;
        }
        block(k);
    }
#ifdef STREAM
    _mm_sfence();
#endif
    for (int64_t s = 0; c->mode == GRADIENT && !k->spans && s < p->n_q; s++)
        for (int l = 0; l < VL; l++)
            sums[s * c->boards + board] += k->sum[s][l];
}

/* All that a thread needs, in one piece of memory: how much that is, or where in `space` it lies. */
static int64_t layout(Work *k, char *space)
{
    const Program *p = k->p;
    int64_t extended = (p->n + p->rails + 1) * sizeof(C);
    struct { void *at; int64_t size; } arrays[] = {
        {&k->board_q, p->n_q * sizeof(double)}, {&k->parts, 3 * p->slots * sizeof(double)},
        {&k->q, p->n_q * W * sizeof(V)}, {&k->sum, p->n_q * W * sizeof(V)}, {&k->z, p->n_z * sizeof(C)},
        {&k->by_z, p->n_z * sizeof(C)}, {&k->slot, p->slots * sizeof(C)}, {&k->inverse, p->n * sizeof(C)},
        {&k->x, extended}, {&k->lam, extended}, {&k->fix, extended},
        {&k->whole, p->checked ? extended / 2 : 0},
    };
    char *next = space;
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        memcpy(arrays[i].at, &next, sizeof next);
        next += (arrays[i].size + 63) / 64 * 64;
    }
    return next - space;
}

typedef struct {
    const Program *p;
    const Call *c;
    char *space;
    int64_t each, workers, next, flagged;
} Job;

static void *work(void *argument)
{
    Job *job = argument;
    Work k;
    k.p = job->p;
    k.c = job->c;
    layout(&k, job->space + job->each * __atomic_fetch_add(&job->workers, 1, __ATOMIC_RELAXED));
    memset(k.x + k.p->n, 0, (k.p->rails + 1) * sizeof(C));
    memset(k.lam + k.p->n, 0, (k.p->rails + 1) * sizeof(C));
    if (k.c->mode != SOLVE)
        drive_constant(k.x + k.p->n, k.p->rail, k.p->rails);
    k.prepared = -1;
    k.flagged = 0;
    int64_t task;
    while ((task = __atomic_fetch_add(&job->next, 1, __ATOMIC_RELAXED)) < job->c->last)
        run_task(&k, task);
    __atomic_fetch_or(&job->flagged, k.flagged, __ATOMIC_RELAXED);
    return 0;
}

/* Returns whether some lanes are flagged, or −1 where memory is short. A task comes out the same whoever does it. */
int ohmgrad_run(const Program *p, const Call *c)
{
    enum { MOST = 256 };
    Job job = {p, c, 0, 0, 0, c->first, 0};
    Work measured = {.p = p};
    pthread_t thread[MOST];
    int64_t started = 0, wanted = (c->threads < MOST ? c->threads : MOST) - 1;
    job.each = layout(&measured, 0);
    if (posix_memalign((void **)&job.space, 64, job.each * (wanted + 1))) /* here: a new thread has a heap to set up */
        return -1;
    if (wanted > 0) {
        sigset_t all, before; /* signals are for Python's own threads */
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        while (started < wanted && !pthread_create(thread + started, 0, work, &job))
            started++;
        pthread_sigmask(SIG_SETMASK, &before, 0);
    }
    work(&job);
    while (started)
        pthread_join(thread[--started], 0);
    free(job.space);
    return job.flagged != 0;
}

int ohmgrad_lanes(void) { return LANES; }
