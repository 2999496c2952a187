/* SPDX-License-Identifier: Apache-2.0
 * Feeds a fuzz target every file of its corpus, and the same files damaged in ways that a seed
 * fixes: cut short, bits and bytes changed, pieces removed, repeated or filled. It needs neither
 * clang nor libFuzzer.
 *
 *     replay-NAME [--damages N] FILE-OR-FOLDER... */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"

static uint64_t random_state;

static size_t pick(size_t below)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return below ? (size_t)((random_state >> 33) % below) : 0;
}

/* In a block of exactly its size, so that sanitizers see a read past the end. */
static void feed(const uint8_t *data, size_t size)
{
    uint8_t *exact = malloc(size ? size : 1);
    if (!exact)
        exit(1);
    if (size)
        memcpy(exact, data, size);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

/* One damage to data of *size bytes in a block of capacity. */
static void damage(uint8_t *data, size_t *size, size_t capacity)
{
    static const uint8_t telling[] = {
        0, 1, 0x7F, 0x80, 0xFF, '"', '\\', '{', '[', '}', ']', ',', '-', '9', ' ', '\n'};
    size_t at = pick(*size), n = 1 + pick(8);
    if (!*size)
        return;
    if (n > *size - at)
        n = *size - at;
    switch (pick(6)) {
    case 0:
        *size = at;
        break;
    case 1:
        data[at] ^= (uint8_t)(1u << pick(8));
        break;
    case 2:
        data[at] = telling[pick(sizeof telling)];
        break;
    case 3:
        memset(data + at, telling[pick(sizeof telling)], n);
        break;
    case 4:
        memmove(data + at, data + at + n, *size - at - n);
        *size -= n;
        break;
    default:
        if (*size + n <= capacity) {
            memmove(data + at + n, data + at, *size - at);
            *size += n;
        }
    }
}

static int replay_file(const char *path, unsigned long damages)
{
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END))
        return perror(path), 1;
    size_t size = (size_t)ftell(file), capacity = size + 64;
    rewind(file);
    uint8_t *data = malloc(capacity), *damaged = malloc(capacity);
    if (!data || !damaged || fread(data, 1, size, file) != size)
        return fprintf(stderr, "%s: cannot be read\n", path), 1;
    fclose(file);
    feed(data, size);
    random_state = size;
    for (unsigned long i = 0; i < damages; i++) {
        size_t damaged_size = size;
        memcpy(damaged, data, size);
        for (size_t n = 1 + pick(3); n > 0; n--)
            damage(damaged, &damaged_size, capacity);
        feed(damaged, damaged_size);
    }
    free(damaged);
    free(data);
    return 0;
}

static int replay(const char *path, unsigned long damages, size_t *count)
{
    struct stat info;
    if (stat(path, &info))
        return perror(path), 1;
    if (!S_ISDIR(info.st_mode))
        return ++*count, replay_file(path, damages);
    struct dirent **entries;
    int n = scandir(path, &entries, NULL, alphasort), failed = 0;
    if (n < 0)
        return perror(path), 1;
    for (int i = 0; i < n; i++) {
        char inner[4096];
        snprintf(inner, sizeof inner, "%s/%s", path, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.' && !failed)
            failed = replay(inner, damages, count);
        free(entries[i]);
    }
    free(entries);
    return failed;
}

int main(int argc, char **argv)
{
    unsigned long damages = 0;
    size_t count = 0;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--damages") && i + 1 < argc)
            damages = strtoul(argv[++i], NULL, 10);
        else if (replay(argv[i], damages, &count))
            return 1;
    }
    printf("%zu inputs, %lu damages of each\n", count, damages);
    return count ? 0 : 1; /* an empty corpus tests nothing */
}
