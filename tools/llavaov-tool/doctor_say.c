/* SPDX-License-Identifier: Apache-2.0
 * doctor: what is said, and what files say. */
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "doctor.h"

static void say(const char *head, const char *command, const char *format, va_list arguments)
{
    printf("%s", head);
    vprintf(format, arguments);
    printf("\n");
    if (command)
        printf("       type: %s\n", command);
}

void doctor_good(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say("good   ", NULL, format, arguments);
    va_end(arguments);
}

void doctor_note(const char *command, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say("note   ", command, format, arguments);
    va_end(arguments);
}

void doctor_wrong(Doctor *doctor, const char *command, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say("WRONG  ", command, format, arguments);
    va_end(arguments);
    doctor->n_wrong++;
}

void doctor_trouble(Doctor *doctor, bool is_wrong, const char *command, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(is_wrong ? "WRONG  " : "note   ", command, format, arguments);
    va_end(arguments);
    doctor->n_wrong += is_wrong;
}

bool doctor_has(const Doctor *doctor, const char *path)
{
    char whole[PATH_MAX];
    const int n = snprintf(whole, sizeof whole, "%s%s", doctor->root, path);
    return n > 0 && (size_t)n < sizeof whole && access(whole, F_OK) == 0;
}

bool doctor_read(const Doctor *doctor, const char *path, char *text, size_t size)
{
    char whole[PATH_MAX];
    const int n = snprintf(whole, sizeof whole, "%s%s", doctor->root, path);
    FILE *file = n > 0 && (size_t)n < sizeof whole ? fopen(whole, "r") : NULL;
    if (!file)
        return false;
    text[fread(text, 1, size - 1, file)] = '\0';
    fclose(file);
    return true;
}
