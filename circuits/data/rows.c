/* Rows of numbers in a text file whose header is known, for rows.py; -1 for whatever is not just that. */

#define _GNU_SOURCE /* strtod_l */
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __APPLE__
#include <xlocale.h>
#endif

#define POWERS 64 /* 10^-POWERS to 10^POWERS are in the table */
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

enum rule { ANY, POSITIVE, OVER_MINUS_ONE, LABEL, RISING };

struct layout {
    const char *header;
    const int64_t *place, *rule; /* of each column: its row in the output, what its numbers must be */
    const uint64_t *powers;      /* the upper 128 bits of each power of ten, low word first */
    int64_t header_size, columns, separator, max_bytes;
};

static locale_t c_locale;

int ohmgrad_rows_begin(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    return c_locale == (locale_t)0;
}

/* digits × 10^exponent, rounded to nearest, ties to even; 0 where the table cannot tell.
   D. Lemire, "Number parsing at a gigabyte per second", Software: Practice and Experience 51 (2021), section 5. */
static int scaled(const uint64_t *powers, uint64_t digits, int64_t exponent, uint64_t *bits)
{
    if (UNLIKELY(!digits || exponent < -POWERS || exponent > POWERS))
        return 0;
    const uint64_t *power = powers + 2 * (exponent + POWERS);
    int zeros = __builtin_clzll(digits);
    digits <<= zeros;
    uint64_t two = (uint64_t)(((217706 * exponent) >> 16) + 64 + 1023) - (uint64_t)zeros;
    unsigned __int128 product = (unsigned __int128)digits * power[1];
    uint64_t high = (uint64_t)(product >> 64), low = (uint64_t)product;
    if (UNLIKELY((high & 0x1FF) == 0x1FF && low + digits < digits)) { /* the bits below may carry into these */
        unsigned __int128 more = (unsigned __int128)digits * power[0];
        uint64_t sum = low + (uint64_t)(more >> 64);
        high += sum < low;
        low = sum;
        if ((high & 0x1FF) == 0x1FF && low + 1 == 0 && (uint64_t)more + digits < digits)
            return 0;
    }
    uint64_t top = high >> 63, mantissa = high >> (top + 9);
    two -= 1 ^ top;
    if (UNLIKELY(!low && !(high & 0x1FF) && (mantissa & 3) == 1)) /* may be half way between two numbers */
        return 0;
    mantissa = (mantissa + (mantissa & 1)) >> 1;
    if (mantissa >> 53) {
        mantissa >>= 1;
        two++;
    }
    *bits = two << 52 | (mantissa & ((UINT64_C(1) << 52) - 1));
    return 1;
}

/* [+-] digits [. digits] [e [+-] digits]; returns where the number ends, or NULL where there is none or it is infinite. */
static const char *number(const char *start, const uint64_t *powers, double *value)
{
    const char *at = start;
    uint64_t digits = 0, bits, negative = *at == '-';
    int64_t count = 0, exponent = 0;
    at += *at == '-' || *at == '+';
    const char *first = at;
    for (; (unsigned)(*at - '0') < 10; at++)
        digits = 10 * digits + (unsigned)(*at - '0');
    count = at - first;
    if (*at == '.') {
        const char *point = ++at;
        for (; (unsigned)(*at - '0') < 10; at++)
            digits = 10 * digits + (unsigned)(*at - '0');
        exponent = point - at;
        count += at - point;
    }
    if (UNLIKELY(!count))
        return NULL;
    if ((*at | 32) == 'e') {
        int minus = *++at == '-';
        at += *at == '-' || *at == '+';
        const char *power = at;
        int64_t given = 0;
        for (; (unsigned)(*at - '0') < 10; at++)
            given = given < 100000 ? 10 * given + (*at - '0') : given;
        if (UNLIKELY(at == power))
            return NULL;
        exponent += minus ? -given : given;
    }
    if (UNLIKELY(count > 19)) { /* leading zeros are no digits: 0.000012… has fewer than it seems */
        const char *digit = first;
        for (; *digit == '0' || *digit == '.'; digit++)
            count -= *digit == '0';
    }
    if (LIKELY(count <= 19 && scaled(powers, digits, exponent, &bits))) {
        bits |= negative << 63;
        memcpy(value, &bits, sizeof bits);
        return at;
    }
    char *end;
    *value = strtod_l(start, &end, c_locale);
    memcpy(&bits, value, sizeof bits);
    return end == at && (bits >> 52 & 0x7FF) != 0x7FF ? at : NULL;
}

static int obeys(int64_t rule, double value, double before)
{
    switch (rule) {
    case POSITIVE:
        return value > 0;
    case OVER_MINUS_ONE:
        return value >= -1;
    case LABEL:
        return value == 0 || value == 1;
    case RISING:
        return value > 0 && value >= before;
    }
    return 1;
}

/* Rows of a text that ends with a zero; what stands in the output is (columns, rows). */
static int64_t parsed(const struct layout *layout, const char *at, const char *end, double *out, int64_t room)
{
    int64_t rows = 1, columns = layout->columns;
    while (end > at && (end[-1] == '\n' || end[-1] == '\r'))
        end--;
    for (const char *line = at; (line = memchr(line, '\n', (size_t)(end - line))); line++)
        rows++;
    if (rows > room / columns)
        return -1 - rows * columns;
    for (int64_t row = 0; row < rows; row++) {
        for (int64_t column = 0; column < columns; column++) {
            double *value = out + layout->place[column] * rows + row;
            at = number(at, layout->powers, value);
            if (UNLIKELY(!at || !obeys(layout->rule[column], *value, row ? value[-1] : 0)))
                return -1;
            if (column < columns - 1 && *at++ != (char)layout->separator)
                return -1;
        }
        if (row < rows - 1) {
            at += *at == '\r';
            if (*at++ != '\n')
                return -1;
        }
    }
    return at == end ? rows : -1;
}

/* The whole of a regular file that begins with the header, with a zero behind it; NULL for any other. */
static char *content(const char *path, const struct layout *layout, int64_t *size)
{
    struct stat status;
    if (stat(path, &status) || !S_ISREG(status.st_mode) || status.st_size > layout->max_bytes ||
        status.st_size <= layout->header_size)
        return NULL;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return NULL;
    size_t wanted = (size_t)status.st_size, got = 0;
    char *text = malloc(wanted + 1);
    while (text && got <= wanted) {
        ssize_t more = read(file, text + got, wanted + 1 - got);
        if (more < 0 && errno == EINTR)
            continue;
        if (more <= 0)
            break;
        got += (size_t)more;
    }
    close(file);
    if (!text || got != wanted || memcmp(text, layout->header, (size_t)layout->header_size)) {
        free(text);
        return NULL;
    }
    text[got] = 0;
    *size = (int64_t)got;
    return text;
}

/* The number of rows; -1 for a file that is not alike; -1 - numbers where there is room for fewer numbers. */
int64_t ohmgrad_rows(const char *path, const struct layout *layout, double *out, int64_t room)
{
    int64_t size;
    char *text = content(path, layout, &size);
    if (!text)
        return -1;
    int64_t rows = parsed(layout, text + layout->header_size, text + size, out, room);
    free(text);
    return rows;
}
