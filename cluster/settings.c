#include "settings.h"

#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool settings_is_private_url(const char *url)
{
    static const char *const hosts[] = {"127.", "localhost:", "[::1]:"};

    if (strncmp(url, "tls+tcp://", 10) == 0)
        return true;
    if (strncmp(url, "tcp://", 6) != 0)
        return false;
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++)
        if (strncmp(url + 6, hosts[i], strlen(hosts[i])) == 0)
            return true;
    return false;
}

static int check_url(const struct settings *settings, const char *url, struct error *err)
{
    if (!auth_is_url(url) ||
        (strncmp(url, "tcp://", 6) != 0 && strncmp(url, "tls+tcp://", 10) != 0))
        return error_set(err, EINVAL, "%s: expected tcp://HOST:PORT or tls+tcp://HOST:PORT", url);
    if (!settings->is_trusted_network && !settings_is_private_url(url))
        return error_set(err, EINVAL, "%s: clear text beyond this host needs --trusted-network",
                         url);
    return 0;
}

static int check_urls(const struct settings *settings, struct error *err)
{
    if (settings->listen && check_url(settings, settings->listen, err) < 0)
        return -1;
    if (settings->advertise && check_url(settings, settings->advertise, err) < 0)
        return -1;
    for (size_t i = 0; i < settings->peer_count; i++)
        if (check_url(settings, settings->peers[i], err) < 0)
            return -1;
    return 0;
}

/* Not for others to read, and something in it; one newline at the end does not count. */
static int read_cookie(struct settings *settings, struct error *err)
{
    const char *file = settings->cookie_file;
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    struct stat status;
    ssize_t size;

    if (fd < 0 || fstat(fd, &status) < 0)
        return error_set_errno(err, errno, "the cookie %s", file);
    size = read(fd, settings->cookie, sizeof settings->cookie);
    close(fd);
    if (status.st_mode & (S_IRWXG | S_IRWXO))
        return error_set(err, EPERM, "the cookie %s: others may read it; chmod 600", file);
    if (size > 0 && settings->cookie[size - 1] == '\n')
        size--;
    if (size <= 0 || size == SETTINGS_COOKIE_MAX)
        return error_set(err, EINVAL, "the cookie %s: expected 1 to %d bytes", file,
                         SETTINGS_COOKIE_MAX - 1);
    settings->cookie_size = (size_t)size;
    return 0;
}

static int read_environment(struct settings *settings, struct error *err)
{
    const char *generation = getenv("TROUPE_GENERATION"), *control = getenv("TROUPE_CONTROL");
    uint64_t fd;

    settings->node = getenv("TROUPE_NODE");
    settings->path = getenv("TROUPE_PATH") ? getenv("TROUPE_PATH") : "sys/node";
    if (!settings->node || !addr_is_part(settings->node, strlen(settings->node)))
        return error_set(err, EINVAL, "TROUPE_NODE must be this node's name");
    if (generation && *generation)
        settings->generation = strtoull(generation, NULL, 16);
    settings->control_fd = -1;
    if (control && text_unsigned(control, 0, INT_MAX, &fd) == 0)
        settings->control_fd = (int)fd;
    return 0;
}

static int read_option(struct settings *settings, int option, struct error *err)
{
    switch (option) {
    case 'k':
        settings->cookie_file = optarg;
        return 0;
    case 'l':
        settings->listen = optarg;
        return 0;
    case 'a':
        settings->advertise = optarg;
        return 0;
    case 'p':
        if (settings->peer_count == SETTINGS_PEERS_MAX)
            return error_set(err, E2BIG, "more than %d peers", SETTINGS_PEERS_MAX);
        settings->peers[settings->peer_count++] = optarg;
        return 0;
    case 'c':
        settings->ca = optarg;
        return 0;
    case 't':
        settings->cert = optarg;
        return 0;
    case 'i':
        settings->is_isolated = true;
        return 0;
    case 'n':
        settings->is_trusted_network = true;
        return 0;
    default:
        return error_set(err, EINVAL, "not an option");
    }
}

int settings_read(struct settings *settings, int argc, char **argv, struct error *err)
{
    static const struct option names[] = {
        {"cookie", required_argument, NULL, 'k'},
        {"listen", required_argument, NULL, 'l'},
        {"advertise", required_argument, NULL, 'a'},
        {"peer", required_argument, NULL, 'p'},
        {"ca", required_argument, NULL, 'c'},
        {"cert", required_argument, NULL, 't'},
        {"isolated", no_argument, NULL, 'i'},
        {"trusted-network", no_argument, NULL, 'n'},
        {0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "", names, NULL)) != -1)
        if (read_option(settings, option, err) < 0)
            return -1;
    if (optind < argc)
        return error_set(err, EINVAL, "%s: not expected", argv[optind]);
    if (!settings->cookie_file)
        return error_set(err, EINVAL, "--cookie FILE is missing");
    if (!settings->ca != !settings->cert)
        return error_set(err, EINVAL, "--ca and --cert go together");
    if (read_environment(settings, err) < 0 || check_urls(settings, err) < 0)
        return -1;
    return read_cookie(settings, err);
}
