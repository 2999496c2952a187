/* SPDX-License-Identifier: Apache-2.0
 * The addresses of servers, and the order in which these are asked. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "remote/servers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    LvServers servers;
    LlavaovError error = {0};
    char *text = malloc(size + 1);
    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    if (lv_servers_open(text, &servers, &error) != LLAVAOV_OK) {
        if (!*error.message || servers.n != 0)
            abort();
    } else {
        for (unsigned i = 0; i < servers.n; i++)
            if (strncasecmp(servers.list[i].url, "http", 4) != 0 ||
                strchr(servers.list[i].url, '@'))
                abort();
        /* Some fail, as the text has it. */
        uint64_t now = 1;
        for (size_t i = 0; i < size && i < 1000; i++, now += UINT64_C(1000000000)) {
            const int chosen = lv_servers_choose(&servers, -1),
                      probed = lv_servers_probe(&servers, now);
            if (chosen >= (int)servers.n || (chosen >= 0 && servers.list[chosen].open))
                abort();
            if (chosen >= 0)
                lv_servers_report(&servers, (unsigned)chosen, data[i] % 4 == 0, now);
            if (probed >= 0)
                lv_servers_report(&servers, (unsigned)probed, data[i] % 3 == 0, now);
        }
        lv_servers_close(&servers);
    }
    free(text);
    return 0;
}
