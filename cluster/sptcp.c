#include "sptcp.h"

void sptcp_head(uint64_t size, uint8_t out[SPTCP_HEAD])
{
    for (int i = 0; i < SPTCP_HEAD; i++)
        out[i] = (uint8_t)(size >> (8 * (SPTCP_HEAD - 1 - i)));
}

int sptcp_next(const uint8_t *at, size_t have, size_t max, uint64_t *size)
{
    if (have < SPTCP_HEAD)
        return 0;
    *size = 0;
    for (int i = 0; i < SPTCP_HEAD; i++)
        *size = *size << 8 | at[i];
    if (*size > max)
        return -1;
    return have - SPTCP_HEAD >= *size;
}
