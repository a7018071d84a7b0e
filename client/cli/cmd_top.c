/* sunline top: a screen that is looked at. What it shows comes from top.h; here are keys and curses. */
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "client/cli/args.h"
#include "client/cli/family.h"
#include "client/cli/text.h"
#include "client/cli/top.h"
#include "client/internal.h"

#include <curses.h> /* last: it leaves its own ERR behind */

#define HEAD_LINES 4
#define FILTER_BYTES 40
#define TOP_TIMEOUT_S 2

struct screen {
    struct top *top;
    enum top_view view;
    int sort[TOP_VIEWS]; /* column */
    bool reverse[TOP_VIEWS];
    uint32_t scroll;
    char filter[FILTER_BYTES], typed[FILTER_BYTES];
    bool typing, help, over;
    char trouble[160];
};

/* ---- order ---- */

static const struct screen *ordering; /* qsort has no argument for it */

static int by_column(const void *pa, const void *pb)
{
    const struct top_row *a = pa, *b = pb;
    int i = ordering->sort[ordering->view], c;
    double x = a->key[i], y = b->key[i];
    if (x != y) {
        c = x < y ? 1 : -1; /* the largest first */
    } else {
        c = strcmp(a->cell[i], b->cell[i]);
    }
    if (ordering->reverse[ordering->view]) {
        c = -c;
    }
    return c ? c : strcmp(a->cell[0], b->cell[0]);
}

static int columns_of(enum top_view v)
{
    int n = 0;
    while (top_columns[v][n].width) {
        n++;
    }
    return n;
}

/* Does any text of the row hold the filter? */
static bool passes(const struct screen *s, const struct top_row *r)
{
    for (int i = 0; i < columns_of(s->view); i++) {
        if (strcasestr(r->cell[i], s->filter)) {
            return true;
        }
    }
    return !s->filter[0];
}

/* ---- drawing: nothing is ever written beyond the screen's edges ---- */

static void put(int y, int x, int width, const char *text, bool right)
{
    int rows, columns;
    getmaxyx(stdscr, rows, columns);
    if (y < 0 || y >= rows || x >= columns) {
        return;
    }
    int room = width < columns - x ? width : columns - x;
    int n = (int)strlen(text);
    if (n > room) {
        mvaddnstr(y, x, text, room);
    } else {
        mvaddstr(y, x + (right ? width < columns - x ? room - n : 0 : 0), text);
    }
}

static void draw_row(const struct screen *s, int y, const struct top_row *r)
{
    const struct top_column *c = top_columns[s->view];
    int x = 0, spare = COLS;
    for (int i = 0; c[i].width; i++) {
        spare -= c[i].width + 1;
    }
    for (int i = 0; c[i].width; i++) {
        int width = c[i].width + (i == 0 && spare > 0 ? spare : 0);
        bool marked = !r && i == s->sort[s->view];
        if (marked) {
            attron(A_UNDERLINE);
        }
        put(y, x, width, r ? r->cell[i] : c[i].heading, c[i].right);
        if (marked) {
            attroff(A_UNDERLINE);
        }
        x += width + 1;
    }
}

static void draw_help(void)
{
    static const char *const lines[] = { "1-5 or Tab   lines, runs, stations, hubs, workers",
                                         "< >          sort by the column to the left or right",
                                         "r            the other way round",
                                         "/            show only rows that hold a text; Enter keeps it, Esc forgets it",
                                         "arrows, PgUp, PgDn, Home   move",
                                         "space        look again now",
                                         "h or ?       this text",
                                         "q            leave",
                                         "",
                                         "24 hours: # somebody in at a hub that was there, . nobody, blank: not known",
                                         "workers: in, off, or rest: signed in, but off shift" };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        put(HEAD_LINES + (int)i, 2, COLS - 2, lines[i], false);
    }
}

static void draw_rows(struct screen *s)
{
    uint32_t n, shown = 0, seen = 0;
    bool full;
    struct top_row *rows = top_rows(s->top, &n, &full);
    uint32_t room = LINES > HEAD_LINES + 1 ? (uint32_t)(LINES - HEAD_LINES - 1) : 0, fit = 0;
    char text[160];
    ordering = s;
    qsort(rows, n, sizeof *rows, by_column);
    for (uint32_t i = 0; i < n; i++) {
        fit += passes(s, &rows[i]);
    }
    if (s->scroll >= fit) {
        s->scroll = fit ? fit - 1 : 0;
    }
    for (uint32_t i = 0; i < n && shown < room; i++) {
        if (passes(s, &rows[i]) && seen++ >= s->scroll) {
            draw_row(s, HEAD_LINES + (int)shown++, &rows[i]);
        }
    }
    if (!fit && room) {
        put(HEAD_LINES, 0, COLS, n ? "(no row holds that text)" : "(none)", false);
    }
    snprintf(text, sizeof text, "%u of %s%u  q quit  h help  / filter  < > sort", fit, full ? "more than " : "", n);
    attron(A_DIM);
    put(LINES - 1, 0, COLS, text, false);
    attroff(A_DIM);
}

static void draw(struct screen *s)
{
    char one[256], two[256], line[256];
    int x = 0;
    erase();
    top_summary(s->top, one, two, sizeof one);
    put(0, 0, COLS, one, false);
    put(1, 0, COLS, s->trouble[0] ? s->trouble : two, false);
    for (int v = 0; v < TOP_VIEWS; v++) {
        snprintf(line, sizeof line, "%d %s", v + 1, top_titles[v]);
        attrset(v == (int)s->view ? A_REVERSE : A_NORMAL);
        put(2, x, (int)strlen(line), line, false);
        attrset(A_NORMAL);
        x += (int)strlen(line) + 2;
    }
    if (s->typing || s->filter[0]) {
        snprintf(line, sizeof line, "/%s%s", s->typing ? s->typed : s->filter, s->typing ? "_" : "");
        put(2, x + 2, COLS - x - 2, line, false);
    }
    attron(A_BOLD);
    draw_row(s, 3, NULL);
    attroff(A_BOLD);
    if (s->help) {
        draw_help();
    } else {
        draw_rows(s);
    }
    refresh();
}

/* ---- keys ---- */

static void typed(struct screen *s, int key)
{
    size_t n = strlen(s->typed);
    if (key == 27) {
        s->typing = false;
        s->filter[0] = 0;
    } else if (key == '\n' || key == '\r' || key == KEY_ENTER) {
        s->typing = false;
    } else if ((key == KEY_BACKSPACE || key == 127 || key == 8) && n) {
        s->typed[n - 1] = 0;
    } else if (key > ' ' && key < 127 && n + 1 < sizeof s->typed) {
        s->typed[n] = (char)key;
        s->typed[n + 1] = 0;
    }
    if (key != 27) {
        memcpy(s->filter, s->typed, sizeof s->filter);
    }
    s->scroll = 0;
}

static void show_view(struct screen *s, enum top_view v, bool *look)
{
    s->view = v;
    s->scroll = 0;
    s->help = false;
    *look = true;
}

static void pressed(struct screen *s, int key, bool *look)
{
    int columns = columns_of(s->view), *sort = &s->sort[s->view];
    uint32_t page = LINES > HEAD_LINES + 2 ? (uint32_t)(LINES - HEAD_LINES - 2) : 1;
    if (s->typing) {
        typed(s, key);
        return;
    }
    switch (key) {
    case 'q': s->over = true; break;
    case 'h':
    case '?': s->help = !s->help; break;
    case '\t': show_view(s, (s->view + 1) % TOP_VIEWS, look); break;
    case '<': *sort = (*sort + columns - 1) % columns; break;
    case '>': *sort = (*sort + 1) % columns; break;
    case 'r': s->reverse[s->view] = !s->reverse[s->view]; break;
    case '/':
        s->typing = true;
        s->typed[0] = s->filter[0] = 0;
        break;
    case 27: s->filter[0] = 0; break;
    case ' ': *look = true; break;
    case KEY_DOWN: s->scroll++; break;
    case KEY_UP: s->scroll -= s->scroll > 0; break;
    case KEY_NPAGE: s->scroll += page; break;
    case KEY_PPAGE: s->scroll -= s->scroll < page ? s->scroll : page; break;
    case KEY_HOME: s->scroll = 0; break;
    default:
        if (key >= '1' && key < '1' + TOP_VIEWS) {
            show_view(s, (enum top_view)(key - '1'), look);
        }
    }
}

static void look_again(struct screen *s, struct cli *cli)
{
    s->trouble[0] = 0;
    int rc = top_look(s->top, s->view);
    if (rc != SL_OK) {
        const struct sl_error *e = sl_last_error(cli->sl);
        snprintf(s->trouble, sizeof s->trouble, "the broker does not answer: %s %.100s", sl_error_name(rc), e->text);
    }
}

static void watch(struct screen *s, struct cli *cli, int64_t interval_us)
{
    int64_t next_us = 0;
    while (!s->over && !session_interrupted()) {
        bool look = false;
        if (sl__now_us() >= next_us) {
            look_again(s, cli);
            next_us = sl__now_us() + interval_us;
        }
        draw(s);
        int64_t wait_ms = (next_us - sl__now_us()) / 1000 + 1;
        timeout(wait_ms < 1 ? 1 : wait_ms > 250 ? 250 : (int)wait_ms); /* now and then, to hear of signals */
        int key = getch();
        if (key != ERR && key != KEY_RESIZE) {
            pressed(s, key, &look);
        }
        if (look) {
            next_us = 0;
        }
    }
}

int cmd_top(struct cli *cli, int argc, char **argv)
{
    uint64_t interval = 2;
    struct sl_info info;
    const struct arg args[] = { { "--interval", ARG_U64, &interval, NULL, 3600, 0 }, { .name = NULL } };
    if (args_parse(cli, argc, argv, args, 0, 0) < 0) {
        return CLI_USAGE;
    }
    if (!cli->out_tty || cli->json) {
        return cli_fail(cli, "top needs a terminal; `sunline stats --json` is for programs");
    }
    if (cli->timeout_s > TOP_TIMEOUT_S) {
        cli->timeout_s = TOP_TIMEOUT_S; /* keys are not heard while a request is under way */
    }
    if (session_open(cli) || session_check(cli, sl_info(cli->sl, &info), NULL)) {
        return CLI_FAILED;
    }
    struct screen s = { .top = top_new(cli) };
    if (!s.top) {
        return cli_nomem(cli);
    }
    setlocale(LC_CTYPE, "");
    SCREEN *terminal = newterm(NULL, cli->out, stdin);
    if (!terminal) {
        top_free(&s.top);
        return cli_fail(cli, "this terminal (TERM) is not one that curses knows");
    }
    session_catch_signals();
    cbreak();
    noecho();
    keypad(stdscr, TRUE);
    set_escdelay(50);
    curs_set(0);
    watch(&s, cli, (int64_t)(interval ? interval : 1) * 1000000);
    endwin();
    delscreen(terminal);
    top_free(&s.top);
    return CLI_DONE;
}
