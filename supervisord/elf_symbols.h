/*
 * Does a shared object export a symbol? Read from its dynamic symbol table, without running a line
 * of it. Bytes are not trusted: every offset is checked.
 */
#ifndef TROUPE_ELF_SYMBOLS_H
#define TROUPE_ELF_SYMBOLS_H

#include <stddef.h>
#include <stdint.h>

/* 1: it does; 0: it does not; -1 with errno: ENOEXEC (not a 64-bit ELF shared object of this
 * machine), or why the file cannot be read. */
int elf_exports(const char *file, const char *symbol);
/* The same for bytes in memory. */
int elf_bytes_export(const uint8_t *bytes, size_t size, const char *symbol);

#endif
