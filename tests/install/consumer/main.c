/* SPDX-License-Identifier: Apache-2.0 */
#include <pool/pool.h>

#include <stdio.h>
#include <string.h>

int main(void) {
    pool_buffers *pool;
    pool_buffer buffer;
    if (pool_buffers_create(NULL, &pool) != POOL_OK)
        return 1;
    buffer = pool_buffers_get(pool, 100);
    strcpy(buffer.data, "served");
    puts(buffer.data);
    return pool_buffers_put(pool, buffer) != POOL_OK || pool_buffers_destroy(pool) != POOL_OK;
}
