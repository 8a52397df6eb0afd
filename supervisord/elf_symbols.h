/*
 * Symbols of shared objects and programs, read from their tables without running a line of them:
 * does one export a symbol, and which function stands at an address (static ones too, where the file
 * was not stripped)? Bytes are not trusted: every offset is checked.
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

/* Does the table that is exported by that name hold a pointer other than NULL at this offset? 0:
 * also when there is no such table, or it ends before. */
int elf_points(const char *file, const char *symbol, size_t offset);
int elf_bytes_point(const uint8_t *bytes, size_t size, const char *symbol, size_t offset);

/* The name of the function that holds `address` (relative to the file's base in memory) into out,
 * and how far into it that is. 0; or -1 when no table knows. */
int elf_function_at(const char *file, uint64_t address, char *out, size_t size, uint64_t *into);

#endif
