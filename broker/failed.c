/* The end of a broker whose store has failed: see failed.h. */
#include "broker/failed.h"

void failed_begin(struct log_line *l)
{
    log_begin(l, LOG_LEVEL_ERROR, "store_failed");
}

int failed_end(struct log_line *l)
{
    log_str(l, "then", "the process ends without answering; what is on disk stands, start it again");
    log_end(l);
    return FAILED_EXIT;
}

int failed_by_page(const struct lost_page *page)
{
    struct log_line l;
    failed_begin(&l);
    log_str(&l, "file", page->file);
    log_u64(&l, "byte", page->byte);
    log_str(&l, "text", page->why);
    return failed_end(&l);
}

int failed_by_tree(const struct broken_tree *tree)
{
    struct log_line l;
    char file[BROKEN_TREE_FILE_BYTES_MAX];
    broken_tree_file(tree, file);
    failed_begin(&l);
    log_str(&l, "file", file);
    log_str(&l, "text", broken_tree_why(tree));
    if (*tree->said != '\0') {
        log_str(&l, "lmdb", tree->said);
    }
    return failed_end(&l);
}
