/* Levenberg-Marquardt for many boards, each on its own: the steps of circuits/fitting/methods/levenberg_marquardt.py.
 *
 * A board's data stay in the first cache while it walks from its start to its minimum. Where the caller allows it, the
 * way there is walked in single precision, and double precision has the last word: it takes whatever steps are still
 * worth taking, by the same rules. Nothing is shared by boards, so that neither their order nor the number of threads
 * matters.
 */

enum { RUNNING, NOT_FINITE, GRADIENT, LOSS, DECREASE, STEP, STEPS };
enum { SINGLE_STEPS = 40 };
enum { FEW = 48, LEAST = 3 * FEW };
static const double SINGLE_DECREASE = 1e-11, SINGLE_NOISE = 1e-6, FEW_DECREASE = 1e-3, WIDE_DECREASE = 1e-12;
static const double ROUNDING = 1e-12, LARGEST_LOG_STEP = 4.0, TINY_DAMPING = 1e-12;

struct call {
    long points, boards, single, threads, shared_f, shared_t, shared_w, shared_count, steps;
    double damping, gradient_stop, loss_stop, decrease_stop, step_stop;
    const double *constants, *f, *t, *w, *count, *held, *low, *high, *prior_at, *prior_weight;
    const unsigned char *is_log;
    const float *t_single, *constants_single; /* t_single in place of t where the targets came in single precision */
    double *x, *loss, *gradient, *curvature, *spread; /* boards x P, boards, boards x P, boards x P x P, boards */
    int *taken, *reason;
    long next, first, last;
};

/* Points in single precision: planes of n, the last of which that fill no vector lie in `tail`; w may be missing. */
struct lanes {
    float *f, *w, *tail;
    const float *t;
    long n, whole;
    double count;
};

/* The data of the board at hand: as given, in single precision, and few of its points. */
struct board {
    const struct call *call;
    const double *f, *t, *w, *held, *prior_at;
    double *tail, *wide;
    float *narrow, *narrow_few;
    struct lanes all, few;
    long number, whole;
    double count, spread;
};

struct quadratic {
    double loss, gradient[P], curvature[P][P]; /* of which the lower triangle counts */
};

static inline double larger(double a, double b) { return a > b ? a : b; }
static inline double smaller(double a, double b) { return a < b ? a : b; }

#define ROOM ((P + W_d - 1) / W_d * W_d)
#define TRIANGLE (1 + P + P * (P + 1) / 2)

/* Values at the coordinates x; whether they are within the range of numbers. */
static inline int values_at(const struct board *b, const double *x, double *v) {
    double at[ROOM] = {0};
    int fine = 1;
    for (int j = 0; j < P; j++) {
        int is_log = b->call->is_log[j];
        at[j] = is_log ? x[j] : 0;
        fine &= fabs(x[j]) <= (is_log ? 700 : 1.7e308); /* not so for NaN */
    }
    for (int j = 0; j < P; j += W_d) {
        V_d e = exp_d(load_d(at + j));
        __builtin_memcpy(at + j, &e, sizeof e);
    }
    for (int j = 0; j < P; j++) v[j] = b->call->is_log[j] ? at[j] : x[j];
    for (int j = 0; j < HELD; j++) v[P + j] = b->held[j];
    return fine;
}

/* From sums by the values to means by the coordinates, with what the priors add. */
static void finish(const struct board *b, const double *x, const double *v, const double *out, double count,
                   struct quadratic *q) {
    const struct call *c = b->call;
    double stretch[P], share = 1 / count;
    for (int j = 0; j < P; j++) stretch[j] = c->is_log[j] ? v[j] : 1;
    q->loss = out[0] * share;
    for (int j = 0, place = 1 + P; j < P; j++) {
        double own = share * stretch[j];
        q->gradient[j] = out[1 + j] * own;
        for (int k = 0; k <= j; k++, place++) q->curvature[j][k] = out[place] * own * stretch[k];
    }
    if (!b->prior_at) return;
    share = 1 / b->count;
    for (int j = 0; j < P; j++) {
        double off = x[j] - b->prior_at[j], weight = c->prior_weight[j] * share;
        if (weight == 0) continue;
        q->loss += weight * off * off;
        q->gradient[j] += 2 * weight * off;
        q->curvature[j][j] += 2 * weight;
    }
}

static void look(const struct board *b, const double *x, struct quadratic *q) {
    double v[P + HELD + 1], out[TRIANGLE] = {0};
    const double *c = b->call->constants, *rest = b->tail;
    long n = b->call->points;
    q->loss = NAN;
    if (!values_at(b, x, v)) return;
    if (b->w)
        weighted_d(v, c, b->f, b->t, b->w, n, b->whole, out);
    else
        plain_d(v, c, b->f, b->t, 0, n, b->whole, out);
    if (b->whole < n) weighted_d(v, c, rest, rest + W_d, rest + (1 + PLANES) * W_d, W_d, W_d, out);
    finish(b, x, v, out, b->count, q);
}

static void look_single(const struct board *b, const struct lanes *at, const double *x, struct quadratic *q) {
    double v[P + HELD + 1], out[TRIANGLE];
    float v_single[P + HELD + 1], sums[TRIANGLE] = {0};
    const float *c = b->call->constants_single, *rest = at->tail;
    q->loss = NAN;
    if (!values_at(b, x, v)) return;
    for (int j = 0; j < P + HELD; j++) v_single[j] = (float)v[j];
    if (at->w)
        weighted_f(v_single, c, at->f, at->t, at->w, at->n, at->whole, sums);
    else
        plain_f(v_single, c, at->f, at->t, 0, at->n, at->whole, sums);
    if (at->whole < at->n) weighted_f(v_single, c, rest, rest + W_f, rest + (1 + PLANES) * W_f, W_f, W_f, sums);
    for (int j = 0; j < TRIANGLE; j++) out[j] = sums[j];
    finish(b, x, v, out, at->count, q);
}

/* (A + damping D) step = -g by LDL'; D holds squared lengths, and a coordinate that is blocked stays. LINKED tells where
 * the factor can be other than zero, which is known when this is compiled.
 */
static inline int solve(const double a[P][P], const double *g, const double *square, double damping, const int *blocked,
                        double *step) {
    double l[P][P], d[P], inverse[P];
    int fine = 1;
#pragma GCC unroll 16
    for (int j = 0; j < P; j++) {
        d[j] = blocked[j] ? 1 : a[j][j] + damping * (square[j] > 0 ? square[j] : 1);
        step[j] = blocked[j] ? 0 : -g[j];
#pragma GCC unroll 16
        for (int k = 0; k < j; k++) {
            if (!LINKED[j][k]) continue;
            double s = blocked[j] || blocked[k] ? 0 : a[j][k];
#pragma GCC unroll 16
            for (int i = 0; i < k; i++)
                if (LINKED[j][i] && LINKED[k][i]) s -= l[j][i] * d[i] * l[k][i];
            l[j][k] = s * inverse[k];
            d[j] -= s * l[j][k];
            step[j] -= l[j][k] * step[k];
        }
        fine &= d[j] > 0;
        inverse[j] = 1 / d[j];
    }
#pragma GCC unroll 16
    for (int j = P - 1; j >= 0; j--) {
        step[j] *= inverse[j];
#pragma GCC unroll 16
        for (int i = j + 1; i < P; i++)
            if (LINKED[i][j]) step[j] -= l[i][j] * step[i];
    }
    return fine;
}

struct aim {
    double step[P], expected, slope, move;
};

/* The next step, what it promises, the largest slope that no bound holds, and the largest relative change. */
static void aim_at(const struct call *c, const double *x, const struct quadratic *q, const double *square,
                   double damping, struct aim *aim) {
    double largest = 0, curved = 0, linear = 0;
    int blocked[P], finite = 1;
    aim->slope = aim->move = 0;
    aim->expected = NAN;
    for (int j = 0; j < P; j++) {
        double g = q->gradient[j];
        blocked[j] = c->low && ((x[j] <= c->low[j] && g > 0) || (x[j] >= c->high[j] && g < 0));
        if (!blocked[j]) aim->slope = larger(aim->slope, fabs(g));
        finite &= isfinite(g) != 0;
    }
    if (!finite) aim->slope = NAN;
    if (!finite || !solve(q->curvature, q->gradient, square, damping, blocked, aim->step)) return;
#pragma GCC unroll 16
    for (int j = 0; j < P; j++) {
        double bend = 0.5 * q->curvature[j][j] * aim->step[j];
#pragma GCC unroll 16
        for (int k = 0; k < j; k++)
            if (LINKED[j][k]) bend += q->curvature[j][k] * aim->step[k];
        curved += 2 * bend * aim->step[j];
        linear += q->gradient[j] * aim->step[j];
        if (c->is_log[j]) largest = larger(largest, fabs(aim->step[j]));
    }
    double shrink = largest > LARGEST_LOG_STEP ? LARGEST_LOG_STEP / largest : 1;
    for (int j = 0; j < P; j++) {
        aim->step[j] *= shrink;
        aim->move = larger(aim->move, fabs(aim->step[j]) / (c->is_log[j] ? 1 : fabs(x[j]) + 2.2250738585072014e-308));
    }
    aim->expected = -(linear * shrink + 0.5 * curved * shrink * shrink);
}

static void move(const struct call *c, const double *x, const double *step, double *there) {
    for (int j = 0; j < P; j++) {
        there[j] = x[j] + step[j];
        if (c->low) there[j] = smaller(larger(there[j], c->low[j]), c->high[j]);
    }
}

static int ended(const struct call *c, const struct quadratic *q, const struct aim *aim, long taken) {
    if (!isfinite(q->loss) || !isfinite(aim->slope)) return NOT_FINITE;
    if (aim->slope <= c->gradient_stop) return GRADIENT;
    if (q->loss <= c->loss_stop) return LOSS;
    double wanted = c->t_single && c->single ? WIDE_DECREASE : c->decrease_stop;
    if (q->loss == 0 || aim->expected <= wanted * fabs(q->loss)) return DECREASE;
    if (aim->move <= c->step_stop) return STEP;
    return taken >= c->steps ? STEPS : RUNNING;
}

/* Move to `there` if the loss is smaller there, as far as it can tell, and adapt the damping to how well the step kept
 * its promise.
 */
static int judge(double *x, struct quadratic *q, const double *there, const struct quadratic *ahead, double expected,
                 double *damping, double *growth) {
    int is_rounding = expected <= ROUNDING * q->loss && ahead->loss <= (1 + 1e-9) * q->loss;
    if (!(ahead->loss < q->loss) && !is_rounding) {
        *damping *= *growth;
        *growth *= 2;
        return 0;
    }
    double kept = is_rounding ? 1 : 2 * smaller((q->loss - ahead->loss) / expected, 2.0) - 1;
    *damping *= larger(1.0 / 3, 1 - kept * kept * kept);
    *growth = 2;
    memcpy(x, there, P * sizeof *x);
    *q = *ahead;
    return 1;
}

/* Walk from x, where q has been seen, until a reason to stop; x and q are where it ended. */
static int walk(const struct board *b, double *x, struct quadratic *q, double *damping, long *taken) {
    const struct call *c = b->call;
    double square[P], growth = 2, there[P], before = INFINITY;
    struct quadratic ahead;
    struct aim aim;
    *damping = smaller(*damping, c->damping);
    for (int j = 0; j < P; j++) square[j] = q->curvature[j][j];
    for (;;) {
        *damping = larger(*damping, TINY_DAMPING);
        aim_at(c, x, q, square, *damping, &aim);
        int reason = ended(c, q, &aim, *taken);
        if (!reason && c->decrease_stop >= 0 && before <= ROUNDING * q->loss && aim.expected > 0.5 * before) return DECREASE; /* rounding, no step */
        before = aim.expected;
        if (reason == DECREASE && isfinite(aim.expected) && q->loss > 0) { /* it is solved for: take it */
            move(c, x, aim.step, x);
            if (aim.expected > 0) q->loss = larger(q->loss - aim.expected, 0);
        }
        if (reason) return reason;
        move(c, x, aim.step, there);
        look(b, there, &ahead);
        ++*taken;
        judge(x, q, there, &ahead, aim.expected, damping, &growth);
        for (int j = 0; j < P; j++) square[j] = larger(q->curvature[j][j], 0.25 * square[j]);
    }
}

/* The same in single precision, as far as that sees, until the step after the next promises less than `wanted`: it will
 * shrink as it did last. 1 where it arrived, 2 where it came to rest, 0 where it ended at no number.
 */
static int walk_single(const struct board *b, const struct lanes *at, double wanted, double *x, struct quadratic *q,
                       double *damping, long *taken) {
    const struct call *c = b->call;
    double square[P], growth = 2, there[P], before = INFINITY;
    struct quadratic ahead;
    struct aim aim;
    look_single(b, at, x, q);
    *damping = smaller(*damping, c->damping); /* what stopped the walk before says nothing of this one */
    for (int j = 0; j < P; j++) square[j] = q->curvature[j][j];
    for (int steps = 0; steps < SINGLE_STEPS; steps++) {
        *damping = larger(*damping, TINY_DAMPING);
        aim_at(c, x, q, square, *damping, &aim);
        if (!isfinite(q->loss) || !isfinite(aim.expected)) return 0;
        move(c, x, aim.step, there);
        double shrinks = before < INFINITY && wanted < FEW_DECREASE ? smaller(aim.expected / before, 1) : 1;
        if (aim.expected * shrinks <= wanted * q->loss) { /* after this step, nothing to be seen */
            memcpy(x, there, sizeof there);
            q->loss -= aim.expected;
            return growth > 2 ? 2 : 1; /* after a bad step the damping alone may have made this one short */
        }
        before = aim.expected;
        look_single(b, at, there, &ahead);
        ++*taken;
        int better = judge(x, q, there, &ahead, aim.expected, damping, &growth);
        if (!better && aim.expected <= SINGLE_NOISE * q->loss) return 1;
        if (!better) before = INFINITY;
        for (int j = 0; j < P; j++) square[j] = larger(q->curvature[j][j], 0.25 * square[j]);
    }
    return 2;
}

/* To the neighbourhood of the minimum: on few points, then on all; 1 where x and q are to be trusted, 0 where not. With
 * targets of single precision this is the answer, and 2 asks for a closer look from here.
 */
static int approach(const struct board *b, double *x, struct quadratic *q, double *damping, long *taken) {
    double start[P];
    int arrived;
    memcpy(start, x, sizeof start);
    if (b->few.n && !walk_single(b, &b->few, FEW_DECREASE, x, q, damping, taken)) {
        memcpy(x, start, sizeof start);
        *damping = b->call->damping;
    }
    arrived = walk_single(b, &b->all, SINGLE_DECREASE, x, q, damping, taken);
    if (!arrived || b->call->t_single) return arrived;
    double seen = q->loss;
    look(b, x, q);
    return fabs(q->loss - seen) <= 1e-3 * fabs(seen) + 1e-9;
}

/* Targets of single precision as double, for a walk that needs it. */
static void widen(const struct board *b) {
    const struct call *c = b->call;
    long n = c->points;
    if (!c->t_single) return;
    for (long i = 0; i < PLANES * n; i++) b->wide[i] = b->all.t[i];
    for (long k = 1; k <= PLANES; k++)
        for (long j = 0; j < W_d; j++) b->tail[k * W_d + j] = b->all.t[(k - 1) * n + (b->whole + j < n ? b->whole + j : n - 1)];
}

static void fit_board(const struct board *b) {
    const struct call *c = b->call;
    double *x = c->x + b->number * P, start[P], damping = c->damping;
    struct quadratic q;
    long taken = 0;
    memcpy(start, x, sizeof start);
    int arrived = c->single ? approach(b, x, &q, &damping, &taken) : 0;
    if (arrived != 1) {
        widen(b);
        if (arrived == 0) memcpy(x, start, sizeof start); /* not to be trusted */
        damping = c->damping;
        taken = arrived ? taken : 0;
        look(b, x, &q);
    }
    c->reason[b->number] = arrived == 1 && c->t_single ? DECREASE : walk(b, x, &q, &damping, &taken);
    c->loss[b->number] = q.loss;
    c->taken[b->number] = (int)taken;
    if (c->spread) c->spread[b->number] = b->spread;
    memcpy(c->gradient + b->number * P, q.gradient, sizeof q.gradient);
    if (!c->curvature) return;
    double *to = c->curvature + b->number * P * P;
    for (int j = 0; j < P; j++)
        for (int k = 0; k <= j; k++) to[j * P + k] = to[k * P + j] = q.curvature[j][k];
}

/* The points from `whole` on, filled up to a vector, of frequency, targets and weights: those of no point are zero. */
#define COPY_TAIL(to, W, targets)                                                                                               \
    for (long k = 0; k < 1 + 2 * PLANES; k++) {                                                                        \
        for (long j = 0, i = n / W * W; j < W; j++, i++) {                                                             \
            long at = i < n ? i : n - 1;                                                                               \
            to[k * W + j] = k == 0 ? b->f[at] : k <= PLANES ? targets[(k - 1) * n + at] : i >= n ? 0 : 1;              \
            if (k > PLANES && i < n && b->w) to[k * W + j] = b->w[(k - 1 - PLANES) * n + at];                          \
        }                                                                                                              \
    }

static inline void to_single(const double *restrict from, float *restrict to, long count) {
    for (long i = 0; i < count; i++) to[i] = (float)from[i];
}

/* Every so many points of the planes of n. */
static inline void pick_few(const float *from, float *to, long planes, long n) {
    for (long k = 0, apart = n / FEW; k < planes; k++)
        for (long i = 0; i < FEW; i++) to[k * FEW + i] = from[k * n + i * apart];
}

/* The targets of a board as they came. */
static void open_targets(struct board *b) {
    const struct call *c = b->call;
    long each = PLANES * c->points, at = c->shared_t ? 0 : b->number * each;
    if (c->t_single) {
        b->all.t = c->t_single + at;
        b->t = b->wide;
        if (c->spread) b->spread = spread_f(b->all.t, each / PARTS);
        return;
    }
    b->t = c->t + at;
    b->all.t = b->narrow;
    if (c->spread) b->spread = spread_d(b->t, each / PARTS);
    if (c->single) to_single(b->t, b->narrow, each);
}

/* Point to the data of a board, with copies of what does not fill a vector and of few points. */
static void open_board(struct board *b, long number) {
    const struct call *c = b->call;
    struct lanes *all = &b->all, *few = &b->few;
    long n = c->points, is_new = !c->shared_f || b->number < 0;
    b->number = number;
    b->f = c->f + (c->shared_f ? 0 : number * n);
    b->w = c->w ? c->w + (c->shared_w ? 0 : number * PLANES * n) : 0;
    b->held = c->held ? c->held + number * HELD : 0;
    b->prior_at = c->prior_at;
    b->count = all->count = c->count[c->shared_count ? 0 : number];
    open_targets(b);
    if (b->whole < n && !c->t_single) COPY_TAIL(b->tail, W_d, b->t)
    if (b->whole < n && c->t_single) COPY_TAIL(b->tail, W_d, all->t)
    if (!c->single) return;
    if (is_new) to_single(b->f, all->f, n);
    if (b->w) to_single(b->w, all->w, PLANES * n);
    if (all->whole < n) COPY_TAIL(all->tail, W_f, all->t)
    if (!few->n) return;
    few->count = b->count * FEW / n;
    if (is_new) pick_few(all->f, few->f, 1, n);
    pick_few(all->t, b->narrow_few, PLANES, n);
    if (b->w) pick_few(all->w, few->w, PLANES, n);
}

/* Ask for the data of the next board while this one is being fitted. */
static inline void fetch(const struct call *c, long number) {
    long each = PLANES * c->points * (c->t_single ? sizeof(float) : sizeof(double));
    const char *from = c->t_single ? (const char *)c->t_single : (const char *)c->t;
    if (number >= c->last || c->shared_t || each > 32768) return;
    for (long i = 0; i < each; i += 64) __builtin_prefetch(from + number * each + i, 0, 2);
}

static void *work(void *given) {
    struct call *c = given;
    long n = c->points, planes = 1 + 2 * PLANES;
    struct board b = {.call = c, .number = -1, .whole = n / W_d * W_d};
    size_t doubles = planes * W_d + PLANES * n, floats = planes * (n + FEW + 2 * W_f);
    char *room = aligned_alloc(64, (doubles * sizeof(double) + floats * sizeof(float) + 63) / 64 * 64);
    if (!room) return (void *)1;
    b.tail = (double *)room;
    b.wide = b.tail + planes * W_d;
    float *next = (float *)(b.wide + PLANES * n);
    b.all = (struct lanes){.n = n, .whole = n / W_f * W_f, .tail = next, .f = next + planes * W_f};
    b.all.w = c->w ? b.all.f + n : 0;
    b.narrow = b.all.f + (1 + PLANES) * n;
    next = b.narrow + PLANES * n;
    if (n >= LEAST) b.few = (struct lanes){.n = FEW, .whole = FEW, .f = next, .t = next + FEW};
    b.narrow_few = next + FEW;
    b.few.w = c->w ? b.narrow_few + PLANES * FEW : 0;
    for (;;) {
        long first = __atomic_fetch_add(&c->next, BATCH, __ATOMIC_RELAXED);
        if (first >= c->last) break;
        for (long i = first; i < first + BATCH && i < c->last; i++) {
            open_board(&b, i);
            fetch(c, i + 1);
            fit_board(&b);
        }
    }
    free(room);
    return 0;
}

/* Fit the boards first … last − 1; not zero where there was no memory. */
int ohmgrad_fit(struct call *c) {
    pthread_t threads[64];
    long started = 0;
    int failed = 0;
    c->next = c->first;
    while (started < c->threads - 1 && started < 64 && !pthread_create(&threads[started], 0, work, c)) started++;
    failed |= work(c) != 0;
    for (long i = 0; i < started; i++) {
        void *result;
        pthread_join(threads[i], &result);
        failed |= result != 0;
    }
    return failed;
}
