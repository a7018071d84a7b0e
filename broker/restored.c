/* A folder that is a copy and does not know it: see restored.h. */
#include "broker/restored.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "broker/broken_tree.h"
#include "broker/clock.h"
#include "broker/endless.h"
#include "broker/engine/engine.h"
#include "broker/lost_page.h"

static int complain(const char *dir, const char *text)
{
    fprintf(stderr, "sunlined: %s: %s\n", dir, text);
    return 1;
}

static int page_lost(const struct lost_page *page)
{
    lost_page_print(page);
    return 1;
}

static int tree_broken(const struct broken_tree *tree)
{
    broken_tree_print(tree);
    return 1;
}

int restored(const char *dir)
{
    struct store *s;
    char text[512] = "", data[4096];
    uint8_t id[16];
    uint64_t first;
    struct stat st;
    /* The start makes the log, as it is configured. */
    const struct store_options o = { .dir = dir, .wal_bytes = 1, .lmdb_asserted = broken_tree_asserted };
    lost_page_catch(page_lost);
    broken_tree_catch(dir, tree_broken);
    endless_watch(ENDLESS_LOOK_S);
    if (getrandom(id, sizeof id, 0) != sizeof id) {
        return complain(dir, "the system has no random numbers");
    }
    snprintf(data, sizeof data, "%s/data.mdb", dir);
    if (stat(data, &st) != 0 || st.st_size == 0) { /* to open it would make one */
        return complain(dir, "there is no store here");
    }
    if (store_open(&s, &o, id, text, sizeof text) != STORE_OK) {
        return complain(dir, text);
    }
    enum store_rc rc = engine_restore(s, id, clock_wall_us(), &first);
    snprintf(text, sizeof text, "%s", store_error_text(s));
    store_close(&s);
    switch (rc) {
    case STORE_OK: printf("%s: a store of its own now; assignments go on at %" PRIu64 "\n", dir, first); return 0;
    case STORE_FULL: return complain(dir, "the wall clock is decades ahead of the store's: set it");
    case STORE_NOT_FOUND: return complain(dir, "no broker ever served this store");
    default: return complain(dir, *text ? text : "the store cannot be read or written");
    }
}
