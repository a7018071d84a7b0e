/* YAML with places: a document of libyaml, walked by tables of known keys, every mistake reported with line and column.
 * */
#ifndef SUNLINE_AGENT_YAMLMAP_H
#define SUNLINE_AGENT_YAMLMAP_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <yaml.h>

struct yaml_walk {
    yaml_document_t doc;
    bool loaded;
    const char *file;
    void (*problem)(void *arg, const char *text);
    void *arg;
    uint32_t problems;
};

/* Parse the one document of `path`. 0, or -1 with the problem reported. */
int yaml_walk_open(struct yaml_walk *w, const char *path, void (*problem)(void *, const char *), void *arg);
void yaml_walk_close(struct yaml_walk *w); /* safe to repeat */
/* Report at a node's beginning (NULL: line 1). */
void yaml_walk_problem(struct yaml_walk *w, const yaml_node_t *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Sort the pairs of a mapping into values[i] for keys[i] (NULL where absent; keys ends with NULL). Reports what is no
 * mapping, unknown keys (with a
 * guess), keys that stand twice. `what` names the thing: "a robot". false if it is no mapping. */
bool yaml_walk_map(struct yaml_walk *w, const yaml_node_t *node, const char *what, const char *const *keys,
                   const yaml_node_t **values);

/* Typed values; each reports and returns false (or NULL) if it is none. `key` names it in the message. Texts are
 * borrowed from the document. */
const char *yaml_walk_text(struct yaml_walk *w, const yaml_node_t *node, const char *key, size_t bytes_max);
const char *yaml_walk_name(struct yaml_walk *w, const yaml_node_t *node, const char *key);
bool yaml_walk_count(struct yaml_walk *w, const yaml_node_t *node, const char *key, uint64_t min, uint64_t max,
                     uint32_t *v);
bool yaml_walk_duration(struct yaml_walk *w, const yaml_node_t *node, const char *key, int64_t min_us, int64_t max_us,
                        int64_t *us);
/* Step through a sequence or a mapping's pairs: i from 0; false at the end. A node that is no sequence (mapping) is
 * reported once, at i 0. */
bool yaml_walk_item(struct yaml_walk *w, const yaml_node_t *node, const char *key, size_t i, const yaml_node_t **item);
bool yaml_walk_pair(struct yaml_walk *w, const yaml_node_t *node, const char *key, size_t i, const yaml_node_t **name,
                    const yaml_node_t **value);
#endif
