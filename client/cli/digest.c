/* SHA-256 by libgcrypt. */
#include "client/cli/digest.h"

#include <gcrypt.h>
#include <string.h>

struct digest *digest_new(void)
{
    if (!gcry_control(GCRYCTL_INITIALIZATION_FINISHED_P)) {
        gcry_check_version(NULL);
        gcry_control(GCRYCTL_DISABLE_SECMEM, 0); /* nothing here is a secret */
        gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
    }
    gcry_md_hd_t h;
    return gcry_md_open(&h, GCRY_MD_SHA256, 0) ? NULL : (struct digest *)h;
}

void digest_add(struct digest *d, const void *p, size_t n)
{
    gcry_md_write((gcry_md_hd_t)d, p, n);
}

void digest_get(struct digest *d, uint8_t out[DIGEST_BYTES])
{
    memcpy(out, gcry_md_read((gcry_md_hd_t)d, GCRY_MD_SHA256), DIGEST_BYTES);
}

void digest_free(struct digest **d)
{
    gcry_md_close((gcry_md_hd_t)*d);
    *d = NULL;
}
