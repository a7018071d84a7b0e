#include "tests/sim/endings.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "broker/broken_tree.h"
#include "broker/endless.h"
#include "broker/log.h"
#include "broker/lost_page.h"
#include "broker/store/store.h"

bool in_broker;
static int told = -1;

void endings_wrong(const char *text)
{
    log_raw(told, text, strlen(text));
    _exit(ENDS_WRONG);
}

/* ---- signals ---- */

/* What LMDB did not bring. */
static void dies(int signal)
{
    const char *text = "the agent's core or the simulator crashed";
    if (in_broker)
        text = signal == SIGABRT ? "the broker's own code ended by an assertion"
                                 : "the broker's own code crashed, outside of LMDB";
    endings_wrong(text);
}

static int by_lmdb(void)
{
    if (!in_broker)
        dies(SIGSEGV);
    return ENDS_STOPPED;
}

static int tree_broken(const struct broken_tree *tree)
{
    (void)tree;
    return by_lmdb();
}

static int page_lost(const struct lost_page *page)
{
    (void)page;
    return by_lmdb();
}

void endings_watch(int fd)
{
    static const int fatal[] = { SIGABRT, SIGSEGV, SIGFPE, SIGILL };
    told = fd;
    for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++)
        signal(fatal[i], dies);
    broken_tree_catch("", tree_broken); /* what it does not take comes to dies() */
    endless_watch(ENDLESS_LOOK_S);
    lost_page_catch(page_lost); /* here it ends by the signal */
}

/* ---- texts ---- */

static const char *behind(const char *text, const char *word)
{
    size_t n = strlen(word);
    return n && !strncmp(text, word, n) ? text + n : NULL;
}

static bool names_a_table(const char *text)
{
    for (int tb = 0; tb < STORE_TABLE_COUNT; tb++) {
        const char *rest = behind(text, store_table_name((enum store_table)tb));
        if (rest && (*rest == ' ' || *rest == ':'))
            return true;
    }
    return false;
}

static bool names_a_file(const char *text)
{
    static const char *const files[] = { "data.mdb", "wal" };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        const char *rest = behind(text, files[i]);
        if (rest && (*rest == ' ' || *rest == ':') && rest[1])
            return true;
    }
    return false;
}

enum ending endings_named(const char *text, const char *dir)
{
    const char *of_dir = behind(text, dir);
    text = of_dir && (*of_dir == '/' || *of_dir == ':') ? of_dir + 1 + strspn(of_dir + 1, " ") : text;
    return names_a_table(text) ? ENDS_NAMED : names_a_file(text) ? ENDS_FILE_NAMED : ENDS_STOPPED;
}
