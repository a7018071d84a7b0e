/* What must hold in a test's own library: else the test ends, and says where. */
#ifndef TESTS_LIB_CHECK_H
#define TESTS_LIB_CHECK_H
#include <stdio.h>
#include <stdlib.h>

#define CHECK(x)                                                                                                       \
    do {                                                                                                               \
        if (!(x)) {                                                                                                    \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x);                                                    \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)
#endif
