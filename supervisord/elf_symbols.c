#include "elf_symbols.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#elif defined(__aarch64__)
#define MACHINE EM_AARCH64
#elif defined(__riscv)
#define MACHINE EM_RISCV
#else
#define MACHINE EM_NONE /* any */
#endif

struct image {
    const uint8_t *bytes;
    size_t size;
};

static int not_elf(void)
{
    errno = ENOEXEC;
    return -1;
}

/* Copies a struct out; alignment is the file's affair. */
static bool copy_out(const struct image *image, uint64_t offset, void *out, size_t size)
{
    if (offset > image->size || image->size - offset < size)
        return false;
    memcpy(out, image->bytes + offset, size);
    return true;
}

static bool is_ours(const ElfW(Ehdr) * header)
{
    static const uint16_t one = 1;
    unsigned order = *(const uint8_t *)&one ? ELFDATA2LSB : ELFDATA2MSB;
    unsigned bits = sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32;

    return memcmp(header->e_ident, ELFMAG, SELFMAG) == 0 && header->e_ident[EI_CLASS] == bits &&
           header->e_ident[EI_DATA] == order && header->e_type == ET_DYN &&
           (MACHINE == EM_NONE || header->e_machine == MACHINE) &&
           header->e_shentsize == sizeof(ElfW(Shdr));
}

static bool text_equals(const struct image *image, const ElfW(Shdr) * texts, uint64_t at,
                        const char *text)
{
    size_t size = strlen(text) + 1;
    uint64_t offset = texts->sh_offset + at;

    return at < texts->sh_size && texts->sh_size - at >= size && offset >= at &&
           offset <= image->size && image->size - offset >= size &&
           memcmp(image->bytes + offset, text, size) == 0;
}

/* 1 and the symbol, 0, or -1 with errno. */
static int table_has(const struct image *image, const ElfW(Shdr) * table, const ElfW(Shdr) * texts,
                     const char *name, ElfW(Sym) * symbol)
{
    for (uint64_t at = 0; table->sh_size - at >= sizeof *symbol; at += sizeof *symbol) {
        if (!copy_out(image, table->sh_offset + at, symbol, sizeof *symbol))
            return not_elf();
        if (symbol->st_shndx != SHN_UNDEF && ELF64_ST_BIND(symbol->st_info) != STB_LOCAL &&
            text_equals(image, texts, symbol->st_name, name))
            return 1;
    }
    return 0;
}

static int find_export(const struct image *image, const ElfW(Ehdr) * header, const char *name,
                       ElfW(Sym) * symbol)
{
    ElfW(Shdr) section, texts;

    for (unsigned i = 0; i < header->e_shnum; i++) {
        if (!copy_out(image, header->e_shoff + i * sizeof section, &section, sizeof section))
            return not_elf();
        if (section.sh_type != SHT_DYNSYM)
            continue;
        if (!copy_out(image, header->e_shoff + section.sh_link * sizeof texts, &texts,
                      sizeof texts))
            return not_elf();
        return table_has(image, &section, &texts, name, symbol);
    }
    return 0;
}

int elf_bytes_export(const uint8_t *bytes, size_t size, const char *symbol)
{
    struct image image = {bytes, size};
    ElfW(Ehdr) header;
    ElfW(Sym) found;

    if (!copy_out(&image, 0, &header, sizeof header) || !is_ours(&header))
        return not_elf();
    return find_export(&image, &header, symbol, &found);
}

/* ---- what an exported table holds
 * ---------------------------------------------------------------- */

/* Is the place at this address filled in when the file is loaded? */
static bool is_relocated(const struct image *image, const ElfW(Shdr) * table, uint64_t address)
{
    uint64_t entry = table->sh_type == SHT_RELA ? sizeof(ElfW(Rela)) : sizeof(ElfW(Rel)), place;

    for (uint64_t at = 0; table->sh_size - at >= entry; at += entry) {
        if (!copy_out(image, table->sh_offset + at, &place, sizeof place))
            return false;
        if (place == address)
            return true;
    }
    return false;
}

/* Or does the file have it, by itself or for one of the packed relocations? */
static bool is_in_file(const struct image *image, const ElfW(Shdr) * section, uint64_t address)
{
    void *value;

    return section->sh_type == SHT_PROGBITS && (section->sh_flags & SHF_ALLOC) &&
           address >= section->sh_addr && address - section->sh_addr < section->sh_size &&
           copy_out(image, section->sh_offset + (address - section->sh_addr), &value,
                    sizeof value) &&
           value;
}

static bool holds_pointer(const struct image *image, const ElfW(Ehdr) * header, uint64_t address)
{
    ElfW(Shdr) section;

    for (unsigned i = 0; i < header->e_shnum; i++) {
        if (!copy_out(image, header->e_shoff + i * sizeof section, &section, sizeof section))
            return false;
        if (is_in_file(image, &section, address) ||
            ((section.sh_type == SHT_RELA || section.sh_type == SHT_REL) &&
             is_relocated(image, &section, address)))
            return true;
    }
    return false;
}

int elf_bytes_point(const uint8_t *bytes, size_t size, const char *symbol, size_t offset)
{
    struct image image = {bytes, size};
    ElfW(Ehdr) header;
    ElfW(Sym) table;
    int found;

    if (!copy_out(&image, 0, &header, sizeof header) || !is_ours(&header))
        return not_elf();
    found = find_export(&image, &header, symbol, &table);
    if (found <= 0)
        return found;
    return table.st_size >= offset + sizeof(void *) &&
           holds_pointer(&image, &header, table.st_value + offset);
}

/* ---- which function stands where ---------------------------------------------------------------
 */

static bool copy_name(const struct image *image, const ElfW(Shdr) * texts, uint64_t at, char *out,
                      size_t size)
{
    uint64_t offset = texts->sh_offset + at;
    size_t length;

    if (at >= texts->sh_size || offset < at || offset >= image->size)
        return false;
    length = strnlen((const char *)image->bytes + offset, image->size - offset);
    if (!length || length >= size || length == image->size - offset)
        return false;
    memcpy(out, image->bytes + offset, length + 1);
    return true;
}

static bool table_holds(const struct image *image, const ElfW(Shdr) * table,
                        const ElfW(Shdr) * texts, uint64_t address, char *out, size_t size,
                        uint64_t *into)
{
    ElfW(Sym) symbol;

    for (uint64_t at = 0; table->sh_size - at >= sizeof symbol; at += sizeof symbol) {
        if (!copy_out(image, table->sh_offset + at, &symbol, sizeof symbol))
            return false;
        if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_shndx == SHN_UNDEF ||
            address < symbol.st_value || address - symbol.st_value >= symbol.st_size)
            continue;
        *into = address - symbol.st_value;
        return copy_name(image, texts, symbol.st_name, out, size);
    }
    return false;
}

static int image_function_at(const struct image *image, uint64_t address, char *out, size_t size,
                             uint64_t *into)
{
    ElfW(Ehdr) header;
    ElfW(Shdr) section, texts;

    if (!copy_out(image, 0, &header, sizeof header) || !is_ours(&header))
        return not_elf();
    for (unsigned i = 0; i < header.e_shnum; i++) {
        if (!copy_out(image, header.e_shoff + i * sizeof section, &section, sizeof section))
            return not_elf();
        if ((section.sh_type == SHT_SYMTAB || section.sh_type == SHT_DYNSYM) &&
            copy_out(image, header.e_shoff + section.sh_link * sizeof texts, &texts,
                     sizeof texts) &&
            table_holds(image, &section, &texts, address, out, size, into))
            return 0;
    }
    return -1;
}

/* ---- files
 * ----------------------------------------------------------------------------------------- */

static int map_file(const char *file, struct image *image)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK), result = -1;
    struct stat st;
    void *bytes;

    if (fd < 0)
        return -1;
    if (fstat(fd, &st) < 0)
        goto close;
    if (!S_ISREG(st.st_mode) || st.st_size < (off_t)sizeof(ElfW(Ehdr))) {
        not_elf();
        goto close;
    }
    bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED)
        goto close;
    *image = (struct image){bytes, (size_t)st.st_size};
    result = 0;
close:
    close(fd);
    return result;
}

static void unmap_file(const struct image *image)
{
    munmap((void *)image->bytes, image->size);
}

int elf_exports(const char *file, const char *symbol)
{
    struct image image;
    int result;

    if (map_file(file, &image) < 0)
        return -1;
    result = elf_bytes_export(image.bytes, image.size, symbol);
    unmap_file(&image);
    return result;
}

int elf_points(const char *file, const char *symbol, size_t offset)
{
    struct image image;
    int result;

    if (map_file(file, &image) < 0)
        return -1;
    result = elf_bytes_point(image.bytes, image.size, symbol, offset);
    unmap_file(&image);
    return result;
}

int elf_function_at(const char *file, uint64_t address, char *out, size_t size, uint64_t *into)
{
    struct image image;
    int result;

    if (map_file(file, &image) < 0)
        return -1;
    result = image_function_at(&image, address, out, size, into);
    unmap_file(&image);
    return result;
}
