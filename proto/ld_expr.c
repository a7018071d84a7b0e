/* Conditions: `judge.entails == "1" and (length > 200 or not urgent == true)`.
 *
 *   condition  = conjunct { "or" conjunct }
 *   conjunct   = negation { "and" negation }
 *   negation   = "not" negation | "(" condition ")" | comparison
 *   comparison = value [ ("==" | "!=" | "<" | "<=" | ">" | ">=") value ]
 *   value      = number | "text" | 'text' | true | false | null | field | station.field
 *
 * So a comparison binds tighter than not, not tighter than and, and tighter than or. Compiled to postfix over truth values: a leaf is a
 * whole comparison. Evaluating walks the nodes once, with a stack of bits. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "proto/ld_int.h"

#define NESTING_MAX 64 /* parentheses and nots within each other */

enum value_kind { VALUE_FIELD, VALUE_TEXT, VALUE_NUMBER, VALUE_BOOL, VALUE_NULL };
enum op { OP_COMPARE, OP_TEST, OP_NOT, OP_AND, OP_OR };
enum relation { REL_EQ, REL_NE, REL_LT, REL_LE, REL_GT, REL_GE };

struct value {
    enum value_kind kind;
    struct ld_ref ref;     /* FIELD */
    struct slp_bytes text; /* as written (a TEXT without its quotes); a BOOL is its word */
};
struct node {
    enum op op;
    enum relation relation; /* COMPARE */
    struct value a, b;      /* COMPARE both, TEST a */
};
struct ld_expr {
    uint32_t count;
    struct slp_bytes source;
    struct node nodes[];
};

/* ---- what a value is when it is evaluated ---- */
enum real_kind { REAL_NULL, REAL_TEXT, REAL_DECIMAL, REAL_DOUBLE, REAL_BOOL, REAL_OTHER };
struct real {
    enum real_kind kind;
    struct slp_bytes text; /* TEXT, BOOL; a DECIMAL's digits if it was text */
    struct ld_decimal decimal;
    double d;        /* DOUBLE */
    char digits[24]; /* of a packed integer */
};

static void real_text(struct real *v, struct slp_bytes text)
{
    v->text = text;
    v->kind = ld_decimal(text.p, text.n, &v->decimal) ? REAL_DECIMAL : REAL_TEXT;
}

static void real_integer(struct real *v, uint64_t u, bool negative)
{
    uint32_t i = sizeof v->digits;
    do
        v->digits[--i] = (char)('0' + u % 10);
    while ((u /= 10) != 0);
    if (negative)
        v->digits[--i] = '-';
    real_text(v, (struct slp_bytes){ v->digits + i, (uint32_t)sizeof v->digits - i });
}

static void real_packed(struct real *v, struct slp_bytes packed)
{
    struct slr r = slr_on(packed.p, packed.n);
    struct slr_value p;
    v->kind = REAL_NULL;
    if (!packed.p || packed.n == 0 || slr_next(&r, &p) != 0)
        return;
    switch (p.type) {
    case SLR_NIL: break;
    case SLR_BOOL:
        v->kind = REAL_BOOL;
        v->text = p.b ? ld_str("true") : ld_str("false");
        break;
    case SLR_U64: real_integer(v, p.u64, false); break;
    case SLR_I64: real_integer(v, -(uint64_t)p.i64, true); break;
    case SLR_DOUBLE:
        v->kind = REAL_DOUBLE;
        v->d = p.d;
        break;
    case SLR_STR: real_text(v, (struct slp_bytes){ p.p, p.n }); break;
    case SLR_BIN:
    case SLR_ARRAY:
    case SLR_MAP:
    case SLR_EXT: v->kind = REAL_OTHER; break;
    }
}

static void real_value(struct real *v, const struct value *from, ld_get_fn *get, void *arg)
{
    switch (from->kind) {
    case VALUE_FIELD: real_packed(v, get(arg, from->ref)); break;
    case VALUE_TEXT:
    case VALUE_NUMBER: real_text(v, from->text); break;
    case VALUE_BOOL:
        v->kind = REAL_BOOL;
        v->text = from->text;
        break;
    case VALUE_NULL: v->kind = REAL_NULL; break;
    }
}

static bool is_number(const struct real *v)
{
    return v->kind == REAL_DECIMAL || v->kind == REAL_DOUBLE;
}

static double as_double(const struct real *v)
{
    return v->kind == REAL_DOUBLE ? v->d : ld_decimal_double(v->text.p, v->text.n);
}

/* -1, 0, 1; 2: they differ, and neither is less. */
static int order(const struct real *a, const struct real *b)
{
    if (a->kind == REAL_DECIMAL && b->kind == REAL_DECIMAL)
        return ld_decimal_compare(&a->decimal, &b->decimal);
    if (is_number(a) && is_number(b)) {
        double x = as_double(a), y = as_double(b);
        return x < y ? -1 : x > y ? 1 : x == y ? 0 : 2;
    }
    if (!a->text.p || !b->text.p) /* a packed double against a word, or a list */
        return 2;
    uint32_t n = a->text.n < b->text.n ? a->text.n : b->text.n;
    int c = n ? memcmp(a->text.p, b->text.p, n) : 0;
    if (c == 0)
        return a->text.n < b->text.n ? -1 : a->text.n > b->text.n;
    return c < 0 ? -1 : 1;
}

static bool holds(enum relation relation, int order_is)
{
    switch (relation) {
    case REL_EQ: return order_is == 0;
    case REL_NE: return order_is != 0;
    case REL_LT: return order_is == -1;
    case REL_LE: return order_is == -1 || order_is == 0;
    case REL_GT: return order_is == 1;
    case REL_GE: return order_is == 1 || order_is == 0;
    }
    return false;
}

static bool compare(const struct node *n, ld_get_fn *get, void *arg)
{
    struct real a = { 0 }, b = { 0 };
    real_value(&a, &n->a, get, arg);
    real_value(&b, &n->b, get, arg);
    if (n->a.kind == VALUE_NULL || n->b.kind == VALUE_NULL) {
        bool both = a.kind == REAL_NULL && b.kind == REAL_NULL;
        return n->relation == REL_EQ ? both : !both; /* the parser lets no other relation through */
    }
    if (a.kind == REAL_NULL || b.kind == REAL_NULL)
        return false;
    return holds(n->relation, order(&a, &b));
}

static bool test(const struct node *n, ld_get_fn *get, void *arg)
{
    struct real a = { 0 };
    real_value(&a, &n->a, get, arg);
    return a.text.p && ld_same(a.text, ld_str("true"));
}

bool ld_expr_true(const struct ld_expr *e, ld_get_fn *get, void *arg)
{
    bool stack[SL_EXPR_NODES_MAX];
    uint32_t n = 0;
    for (uint32_t i = 0; i < e->count; i++) {
        const struct node *node = &e->nodes[i];
        switch (node->op) {
        case OP_COMPARE: stack[n++] = compare(node, get, arg); break;
        case OP_TEST: stack[n++] = test(node, get, arg); break;
        case OP_NOT: stack[n - 1] = !stack[n - 1]; break;
        case OP_AND:
            n--;
            stack[n - 1] = stack[n - 1] && stack[n];
            break;
        case OP_OR:
            n--;
            stack[n - 1] = stack[n - 1] || stack[n];
            break;
        }
    }
    assert(n == 1);
    return stack[0];
}

struct slp_bytes ld_expr_source(const struct ld_expr *e)
{
    return e->source;
}

/* ---- words ---- */
enum token_kind { T_END, T_OPEN, T_CLOSE, T_RELATION, T_AND, T_OR, T_NOT, T_VALUE, T_BAD };
struct token {
    enum token_kind kind;
    enum relation relation;
    struct value value; /* T_VALUE; a field is not looked up yet */
    const char *p;      /* where it begins */
    uint32_t n;
};

struct parser {
    struct ld_build *b;
    uint32_t station;
    struct ld_item source;
    const char *p, *end;  /* what is not read yet */
    struct token token;   /* the one to look at */
    struct node *nodes;   /* SL_EXPR_NODES_MAX of them */
    uint32_t count, size; /* size counts operators and operands, as the limit does */
    uint32_t nesting;
    bool failed; /* syntax: nothing more can be said */
    bool wrong;  /* a name: the rest is still read */
};

static void complain(struct parser *p, const char *at, const char *text)
{
    ld_problem(p->b, p->source.at, "'when', column %u: %s",
               ld_chars(p->source.text.p, (uint32_t)(at - p->source.text.p)) + 1, text);
}

static void fail(struct parser *p, const char *at, const char *text)
{
    if (!p->failed)
        complain(p, at, text);
    p->failed = true;
    p->token.kind = T_BAD;
}

static bool word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
           c == '-';
}

static void read_word(struct parser *p, struct token *t)
{
    struct ld_decimal d;
    const char *w = p->p;
    while (p->p < p->end &&
           (word_char(*p->p) || (*p->p == '+' && (p->p == w || ((p->p[-1] | 32) == 'e' && *w <= '9')))))
        p->p++;
    struct slp_bytes s = { w, (uint32_t)(p->p - w) };
    t->kind = T_VALUE;
    t->value = (struct value){ .kind = VALUE_FIELD, .text = s };
    if (ld_decimal(s.p, s.n, &d))
        t->value.kind = VALUE_NUMBER;
    else if (ld_same(s, ld_str("true")) || ld_same(s, ld_str("false")))
        t->value.kind = VALUE_BOOL;
    else if (ld_same(s, ld_str("null")))
        t->value.kind = VALUE_NULL;
    else if (ld_same(s, ld_str("and")))
        t->kind = T_AND;
    else if (ld_same(s, ld_str("or")))
        t->kind = T_OR;
    else if (ld_same(s, ld_str("not")))
        t->kind = T_NOT;
    else if (*w == '-' || *w == '+' || *w == '.')
        fail(p, w, "this is neither a number nor a name");
}

static void read_quoted(struct parser *p, struct token *t)
{
    const char *start = p->p + 1, *close = memchr(start, *p->p, (size_t)(p->end - start));
    if (!close) {
        fail(p, p->p, "the closing quote is missing");
        return;
    }
    t->kind = T_VALUE;
    t->value = (struct value){ .kind = VALUE_TEXT, .text = { start, (uint32_t)(close - start) } };
    p->p = close + 1;
}

static void read_sign(struct parser *p, struct token *t)
{
    static const struct {
        const char *sign;
        enum token_kind kind;
        enum relation relation;
        const char *hint;
    } signs[] = {
        { "==", T_RELATION, REL_EQ, NULL },
        { "!=", T_RELATION, REL_NE, NULL },
        { "<=", T_RELATION, REL_LE, NULL },
        { ">=", T_RELATION, REL_GE, NULL },
        { "<>", T_BAD, REL_NE, "'<>' is written !=" },
        { "<", T_RELATION, REL_LT, NULL },
        { ">", T_RELATION, REL_GT, NULL },
        { "(", T_OPEN, REL_EQ, NULL },
        { ")", T_CLOSE, REL_EQ, NULL },
        { "=", T_BAD, REL_EQ, "'=' does not compare: write ==" },
        { "&&", T_BAD, REL_EQ, "'&&' is written and" },
        { "||", T_BAD, REL_EQ, "'||' is written or" },
        { "!", T_BAD, REL_EQ, "'!' is written not" },
    };
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
        size_t n = strlen(signs[i].sign);
        if ((size_t)(p->end - p->p) < n || memcmp(p->p, signs[i].sign, n) != 0)
            continue;
        if (signs[i].hint) {
            fail(p, p->p, signs[i].hint);
            return;
        }
        t->kind = signs[i].kind;
        t->relation = signs[i].relation;
        p->p += n;
        return;
    }
    fail(p, p->p, "this character has no meaning here");
}

static void advance(struct parser *p)
{
    struct token *t = &p->token;
    while (p->p < p->end && (*p->p == ' ' || *p->p == '\t' || *p->p == '\n' || *p->p == '\r'))
        p->p++;
    *t = (struct token){ .kind = T_END, .p = p->p };
    if (p->p == p->end)
        return;
    if (word_char(*p->p) || *p->p == '+')
        read_word(p, t);
    else if (*p->p == '"' || *p->p == '\'')
        read_quoted(p, t);
    else
        read_sign(p, t);
    t->n = (uint32_t)(p->p - t->p);
}

/* ---- grammar ---- */
static struct node *add(struct parser *p, enum op op, uint32_t size)
{
    p->size += size;
    if (p->size > SL_EXPR_NODES_MAX) {
        fail(p, p->source.text.p, "the condition is too long: more than 128 operators and values");
        return NULL;
    }
    struct node *n = &p->nodes[p->count++];
    *n = (struct node){ .op = op };
    return n;
}
_Static_assert(SL_EXPR_NODES_MAX == 128, "the message above names the limit");

static void look_up(struct parser *p, struct value *v, const char *at)
{
    char why[LD_WHY_BYTES];
    if (v->kind != VALUE_FIELD || ld_find_field(p->b, p->station, v->text, &v->ref, why) == 0)
        return;
    v->ref = (struct ld_ref){ -1, -1 };
    p->wrong = true;
    if (why[0])
        complain(p, at, why);
}

/* A comparison that can never be true is a mistake, too: an option that the field does not have. */
static void check_option(struct parser *p, const struct node *n, const struct value *field, const struct value *literal,
                         const char *at)
{
    if (field->kind != VALUE_FIELD || field->ref.field < 0)
        return;
    const struct ld_field *f = ld_field_of(p->b->line, field->ref);
    if (f->type == LD_CHECK_BOX && literal->kind != VALUE_NULL) {
        complain(p, at, "a check_box holds a list: it can only be compared with null");
        p->wrong = true;
        return;
    }
    if (field->ref.station >= 0 && literal->kind != VALUE_NULL) {
        const struct ld_station *s = &p->b->line->stations[field->ref.station];
        if (s->copies.max && s->copies.method == LD_ALL && (uint32_t)field->ref.field < s->field_count) {
            complain(p, at, "a station that keeps all answers hands on lists: they can only be compared with null");
            p->wrong = true;
            return;
        }
    }
    if (f->option_count == 0 || (n->relation != REL_EQ && n->relation != REL_NE) ||
        (literal->kind != VALUE_TEXT && literal->kind != VALUE_NUMBER && literal->kind != VALUE_BOOL))
        return;
    struct real a = { 0 }, b = { 0 };
    real_value(&a, literal, NULL, NULL);
    for (uint32_t i = 0; i < f->option_count; i++) {
        real_text(&b, f->options[i]);
        if (order(&a, &b) == 0)
            return;
    }
    char text[2 * LD_QUOTE_BYTES + 40];
    struct ld_guess guess;
    ld_guess_begin(&guess, literal->text);
    for (uint32_t i = 0; i < f->option_count; i++)
        ld_guess_offer(&guess, f->options[i]);
    snprintf(text, sizeof text, "'%s' is no option of '%s'%s", LD_Q(literal->text), LD_Q(field->text),
             ld_guess_end(&guess));
    complain(p, at, text);
    p->wrong = true;
}

static void comparison(struct parser *p)
{
    struct token a = p->token;
    if (a.kind != T_VALUE) {
        fail(p, a.p, a.kind == T_END ? "the condition ends where a value should stand" : "a value should stand here");
        return;
    }
    advance(p);
    if (p->failed)
        return;
    look_up(p, &a.value, a.p);
    if (p->token.kind != T_RELATION) {
        if (a.value.kind != VALUE_FIELD && a.value.kind != VALUE_BOOL) {
            fail(p, a.p, "a value alone is no condition: compare it with another");
            return;
        }
        struct node *n = add(p, OP_TEST, 1);
        if (n) {
            n->a = a.value;
            check_option(p, n, &a.value, &(struct value){ .kind = VALUE_BOOL, .text = ld_str("true") }, a.p);
        }
        return;
    }
    enum relation relation = p->token.relation;
    advance(p);
    struct token b = p->token;
    if (b.kind != T_VALUE) {
        fail(p, b.p, b.kind == T_END ? "the condition ends where a value should stand" : "a value should stand here");
        return;
    }
    look_up(p, &b.value, b.p);
    struct node *n = add(p, OP_COMPARE, 3);
    if (!n)
        return;
    n->relation = relation;
    n->a = a.value;
    n->b = b.value;
    if ((a.value.kind == VALUE_NULL || b.value.kind == VALUE_NULL) && relation != REL_EQ && relation != REL_NE)
        fail(p, a.p, "null can only be compared with == and !=");
    check_option(p, n, &a.value, &b.value, b.p);
    check_option(p, n, &b.value, &a.value, a.p);
    advance(p);
    if (p->token.kind == T_RELATION)
        fail(p, p->token.p, "comparisons do not chain: join two with and");
}

static void condition(struct parser *p);

static void negation(struct parser *p)
{
    if (p->failed)
        return;
    if (p->token.kind != T_NOT && p->token.kind != T_OPEN) {
        comparison(p);
        return;
    }
    struct token t = p->token;
    if (++p->nesting > NESTING_MAX) {
        fail(p, t.p, "the condition is nested too deeply");
        return;
    }
    advance(p);
    if (t.kind == T_NOT) {
        negation(p);
        if (!p->failed)
            add(p, OP_NOT, 1);
    } else {
        condition(p);
        if (!p->failed && p->token.kind != T_CLOSE)
            fail(p, t.p, "this parenthesis is not closed");
        else if (!p->failed)
            advance(p);
        if (!p->failed && p->token.kind == T_RELATION)
            fail(p, p->token.p, "only values can be compared, not conditions");
    }
    p->nesting--;
}

static void conjunct(struct parser *p)
{
    negation(p);
    while (!p->failed && p->token.kind == T_AND) {
        advance(p);
        negation(p);
        if (!p->failed)
            add(p, OP_AND, 1);
    }
}

static void condition(struct parser *p)
{
    conjunct(p);
    while (!p->failed && p->token.kind == T_OR) {
        advance(p);
        conjunct(p);
        if (!p->failed)
            add(p, OP_OR, 1);
    }
}

struct ld_expr *ld_expr_compile(struct ld_build *b, uint32_t station, struct ld_item source)
{
    struct node *nodes = ld_get(&b->temp, SL_EXPR_NODES_MAX, sizeof *nodes);
    if (!nodes)
        return NULL;
    struct parser p = { .b = b,
                        .station = station,
                        .source = source,
                        .p = source.text.p,
                        .end = source.text.p + source.text.n,
                        .nodes = nodes };
    b->path_n = (uint32_t)snprintf(b->path, sizeof b->path, "stations[%u].when", station);
    advance(&p);
    condition(&p);
    if (!p.failed && p.token.kind == T_VALUE)
        fail(&p, p.token.p, "and, or, or a comparison is missing before this");
    else if (!p.failed && p.token.kind != T_END)
        fail(&p, p.token.p,
             p.token.kind == T_CLOSE ? "this parenthesis was never opened" : "and or or is missing before this");
    b->path_n = 0;
    struct ld_expr *e = ld_get(&b->keep, 1, sizeof *e + p.count * sizeof *nodes);
    if (p.failed || p.wrong || !e)
        return NULL;
    e->count = p.count;
    e->source = source.text;
    memcpy(e->nodes, nodes, p.count * sizeof *nodes);
    return e;
}
