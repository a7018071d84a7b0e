/* Where the recorded answers of Snow et al. 2008 lie: SUNLINE_RTE says it, else they are looked for as shared/data/rte in this folder and in each above it. */
#ifndef TESTS_UNIT_RTE_DATA_H
#define TESTS_UNIT_RTE_DATA_H
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where gold.csv is; else the last place that was looked at. */
static inline void find_data(char *dir, size_t size)
{
    char up[128] = "", path[512];
    const char *told = getenv("SUNLINE_RTE");
    snprintf(dir, size, "%s", told ? told : "");
    for (unsigned levels = 0; !told && levels < 16; levels++) {
        snprintf(dir, size, "%sshared/data/rte", up);
        snprintf(path, sizeof path, "%s/gold.csv", dir);
        FILE *f = fopen(path, "re");
        if (f) {
            fclose(f);
            return;
        }
        strcat(up, "../");
    }
}

#endif
