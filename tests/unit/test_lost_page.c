/* The signal of a page that is lost: which are told as the store's, and that all others end the process as if nobody had looked. Each in a child, whom it ends. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "broker/lost_page.h"
#include "tests/unit/child.h"

#define TOLD 42
#define NAMED                                                                                                          \
    "a page of the store cannot be read, or not written: the disk is damaged, full, or over its quota, or a damaged "  \
    "page leads to where the file has none"

static size_t page;

struct world {
    char dir[2048], path[2200];
    unsigned char *shared, *private; /* maps of the file's second and third page; it has not got the third any more */
};

static void map_file(struct world *w)
{
    snprintf(w->path, sizeof w->path, "%s/file", w->dir);
    int fd = open(w->path, O_RDWR | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)(3 * page)), 0);
    w->shared = mmap(NULL, 2 * page, PROT_READ, MAP_SHARED, fd, (off_t)page);
    w->private = mmap(NULL, 2 * page, PROT_READ, MAP_PRIVATE, fd, (off_t)page);
    assert_true(w->shared != MAP_FAILED && w->private != MAP_FAILED);
    assert_int_equal(ftruncate(fd, (off_t)(2 * page)), 0);
    close(fd);
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    page = (size_t)sysconf(_SC_PAGESIZE);
    strcpy(w->dir, "/tmp/sunline-lost-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    map_file(w);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    munmap(w->shared, 2 * page);
    munmap(w->private, 2 * page);
    unlink(w->path);
    for (char *slash = w->path; (slash = strrchr(w->path, '/')) > w->path + strlen("/tmp");) {
        *slash = '\0';
        rmdir(w->path);
    }
    free(w);
    return 0;
}

static int tell(const struct lost_page *lost)
{
    lost_page_print(lost);
    return TOLD;
}

struct attempt {
    const struct world *w;
    void (*act)(const struct world *);
};

static void watched(void *arg, int said_fd)
{
    const struct attempt *a = arg;
    dup2(said_fd, STDERR_FILENO);
    lost_page_catch(tell);
    a->act(a->w);
}

static struct end end_of(const struct world *w, void (*act)(const struct world *))
{
    return in_a_child(watched, &(struct attempt){ w, act });
}

static void expect_told(const struct end *e, const char *file, const char *why, size_t byte)
{
    char want[4096];
    snprintf(want, sizeof want, "sunlined: %s: %s, at byte %zu\n", file, why, byte);
    expect_exit(e, TOLD, want);
}

static void expect_killed(const struct world *w, void (*act)(const struct world *))
{
    struct end e = end_of(w, act);
    expect_signal(&e, SIGBUS);
}

static void touch(const unsigned char *p)
{
    (void)*(const volatile unsigned char *)p;
}

/* The signal as the kernel would send it; it takes any code from a process for itself. */
static void send_self(int code, const void *address)
{
    siginfo_t info = { .si_signo = SIGBUS, .si_code = code };
    info.si_addr = (void *)(uintptr_t)address;
    syscall(SYS_rt_sigqueueinfo, getpid(), SIGBUS, &info);
}

static void touch_shared(const struct world *w)
{
    touch(w->shared + page + 5);
}
static void touch_private(const struct world *w)
{
    touch(w->private + page + 5);
}
static void fail_in_memory(const struct world *w)
{
    send_self(BUS_MCEERR_AR, w->shared + 7);
}
static void fail_in_private_memory(const struct world *w)
{
    send_self(BUS_MCEERR_AR, w->private + 7);
}
static void touch_askew(const struct world *w)
{
    send_self(BUS_ADRALN, w->shared + 7);
}
static void touch_nothing(const struct world *w)
{
    (void)w;
    send_self(BUS_ADRERR, (const void *)16);
}
static void be_killed(const struct world *w)
{
    (void)w;
    kill(getpid(), SIGBUS);
}

static void a_page_that_a_file_mapped_shared_has_not_is_told_with_file_and_byte(void **state)
{
    struct world *w = *state;
    struct end e = end_of(w, touch_shared);
    expect_told(&e, w->path, NAMED, 2 * page + 5);
}

static void a_page_whose_memory_went_bad_is_told_as_such(void **state)
{
    struct world *w = *state;
    struct end e = end_of(w, fail_in_memory);
    expect_told(&e, w->path, "a page of the store cannot be read: the machine's memory is damaged", page + 7);
}

static void a_page_of_the_program_or_a_library_is_none_of_the_store(void **state)
{
    struct world *w = *state;
    expect_killed(w, touch_private);
    expect_killed(w, fail_in_private_memory);
}

static void an_address_where_nothing_is_mapped_is_none_of_the_store(void **state)
{
    struct world *w = *state;
    expect_killed(w, touch_nothing);
}

static void a_mistake_in_the_stores_own_map_is_no_lost_page(void **state)
{
    struct world *w = *state;
    expect_killed(w, touch_askew);
}

static void who_sends_the_signal_ends_the_process_by_the_first_one(void **state)
{
    struct world *w = *state;
    expect_killed(w, be_killed);
}

static void a_name_that_is_very_long_is_cut(void **state)
{
    struct world *w = *state;
    char part[202] = "/";
    tear_down(state);
    set_up(state);
    w = *state;
    unlink(w->path);
    memset(part + 1, 'x', 200);
    for (int i = 0; i < 4; i++) {
        strcat(w->dir, part);
        assert_int_equal(mkdir(w->dir, 0700), 0);
    }
    munmap(w->shared, 2 * page);
    munmap(w->private, 2 * page);
    map_file(w);
    struct end e = end_of(w, touch_shared);
    size_t same = strlen("sunlined: ");
    while (e.said[same] != ':')
        same++;
    same -= strlen("sunlined: ");
    assert_in_range(same, 300, 600);
    w->path[same] = '\0'; /* of which is told what there was room for */
    expect_told(&e, w->path, NAMED, 2 * page + 5);
    snprintf(w->path, sizeof w->path, "%s/file", w->dir);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_page_that_a_file_mapped_shared_has_not_is_told_with_file_and_byte),
        T(a_page_whose_memory_went_bad_is_told_as_such),
        T(a_page_of_the_program_or_a_library_is_none_of_the_store),
        T(an_address_where_nothing_is_mapped_is_none_of_the_store),
        T(a_mistake_in_the_stores_own_map_is_no_lost_page),
        T(who_sends_the_signal_ends_the_process_by_the_first_one),
        T(a_name_that_is_very_long_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
