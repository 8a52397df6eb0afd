#include "settings.h"

#include "lease.h"
#include "rights.h"
#include "text.h"
#include "url.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

static int check_url(const struct settings *settings, const char *text, struct error *err)
{
    struct url url;
    const char *why;

    if (!auth_is_url(text) || url_parse(text, &url, &why) < 0)
        return error_set(err, EINVAL, "%s: expected tcp://HOST:PORT or tls+tcp://HOST:PORT", text);
    if (!settings->is_trusted_network && !url_is_private(&url))
        return error_set(err, EINVAL, "%s: clear text beyond this host needs --trusted-network",
                         text);
    return 0;
}

static int check_urls(const struct settings *settings, struct error *err)
{
    if (settings->listen && check_url(settings, settings->listen, err) < 0)
        return -1;
    if (settings->advertise && check_url(settings, settings->advertise, err) < 0)
        return -1;
    if (settings->gateway && check_url(settings, settings->gateway, err) < 0)
        return -1;
    for (size_t i = 0; i < settings->peer_count; i++)
        if (check_url(settings, settings->peers[i], err) < 0)
            return -1;
    return 0;
}

static int read_cookie(struct settings *settings, struct error *err)
{
    const char *why;

    if (cookie_read(settings->cookie_file, &settings->cookie, &why) == 0)
        return 0;
    return error_set(err, EINVAL,
                     "the cookie %s: %s: expected a file of %d to %d bytes that only its owner may "
                     "read (chmod 600)",
                     settings->cookie_file, why, COOKIE_MIN, COOKIE_MAX);
}

/* nng takes one file of both; it is read anew for each connection. */
static int join_cert_and_key(struct settings *settings, struct error *err)
{
    const char *const files[] = {settings->cert, settings->key};
    int out = memfd_create("certificate and key", MFD_CLOEXEC);

    for (int i = 0; i < 2; i++) {
        int in = open(files[i], O_RDONLY | O_CLOEXEC);
        struct stat status;

        if (in < 0 || fstat(in, &status) < 0 || out < 0 ||
            sendfile(out, in, NULL, (size_t)status.st_size) != status.st_size ||
            write(out, "\n", 1) != 1)
            return error_set_errno(err, errno, "%s", files[i]);
        close(in);
    }
    snprintf(settings->cert_and_key, sizeof settings->cert_and_key, "/proc/self/fd/%d", out);
    return 0;
}

static int read_rights(unsigned *rights, const char *text, struct error *err)
{
    *rights = 0;
    while (*(text += strspn(text, " "))) {
        size_t length = strcspn(text, " ");
        unsigned i = 0;

        while (rights_words[i] &&
               (strlen(rights_words[i]) != length || strncmp(rights_words[i], text, length)))
            i++;
        if (!rights_words[i])
            return error_set(err, EINVAL, "%s: expected words of look, send and control", text);
        *rights |= 1U << i;
        text += length;
    }
    return 0;
}

static int read_uid(struct settings *settings, const char *text, struct error *err)
{
    uint64_t uid;

    if (text_unsigned(text, 0, UINT32_MAX - 1, &uid) < 0)
        return error_set(err, EINVAL, "--uid %s: expected a number", text);
    if (settings->uid_count == SETTINGS_UIDS_MAX)
        return error_set(err, E2BIG, "more than %d uids", SETTINGS_UIDS_MAX);
    settings->uids[settings->uid_count++] = (uid_t)uid;
    return 0;
}

static int add_text(const char **texts, size_t *count, size_t max, const char *what,
                    struct error *err)
{
    if (*count == max)
        return error_set(err, E2BIG, "more than %zu %s", max, what);
    texts[(*count)++] = optarg;
    return 0;
}

static int read_environment(struct settings *settings, struct error *err)
{
    const char *generation = getenv("TROUPE_GENERATION");

    settings->node = getenv("TROUPE_NODE");
    settings->path = getenv("TROUPE_PATH") ? getenv("TROUPE_PATH") : "sys/node";
    if (!settings->node || !addr_is_part(settings->node, strlen(settings->node)))
        return error_set(err, EINVAL, "TROUPE_NODE must be this node's name");
    if (generation && *generation)
        settings->generation = strtoull(generation, NULL, 16);
    settings->has_mailbox = getenv("LISTEN_FDS") && !strcmp(getenv("LISTEN_FDS"), "1");
    settings->run_dir = getenv("TROUPE_RUN");
    if ((settings->has_mailbox || settings->gateway) && !settings->run_dir)
        return error_set(err, EINVAL, "TROUPE_RUN must say where the mailboxes are");
    return 0;
}

static int read_lease(struct settings *settings, const char *text, struct error *err)
{
    uint64_t ms;

    if (text_unsigned(text, LEASE_MIN_MS, LEASE_MAX_MS, &ms) < 0)
        return error_set(err, EINVAL, "--lease-ms %s: expected %d to %d", text, LEASE_MIN_MS,
                         LEASE_MAX_MS);
    settings->lease_ms = (int64_t)ms;
    return 0;
}

static int read_max_memory(struct settings *settings, const char *text, struct error *err)
{
    uint64_t percent;

    if (text_unsigned(text, 1, 100, &percent) < 0)
        return error_set(err, EINVAL, "--max-memory %s: expected 1 to 100", text);
    settings->limits.max_memory = (uint32_t)percent;
    return 0;
}

static int read_max_load(struct settings *settings, const char *text, struct error *err)
{
    char *end;
    double load = strtod(text, &end);

    if (end == text || *end || !(load > 0))
        return error_set(err, EINVAL, "--max-load %s: expected a number above 0", text);
    settings->limits.max_load = load;
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
        return add_text(settings->peers, &settings->peer_count, SETTINGS_PEERS_MAX, "peers", err);
    case 'c':
        settings->ca = optarg;
        return 0;
    case 't':
        settings->cert = optarg;
        return 0;
    case 'y':
        settings->key = optarg;
        return 0;
    case 'g':
        return read_rights(&settings->grant, optarg, err);
    case 'w':
        settings->gateway = optarg;
        return 0;
    case 'G':
        return read_rights(&settings->gateway_grant, optarg, err);
    case 'A':
        return add_text(settings->actors, &settings->actor_count, SETTINGS_GATEWAY_MAX,
                        "patterns of actors", err);
    case 'P':
        return add_text(settings->publishers, &settings->publisher_count, SETTINGS_GATEWAY_MAX,
                        "publishers", err);
    case 'u':
        return read_uid(settings, optarg, err);
    case 'i':
        settings->is_isolated = true;
        return 0;
    case 'n':
        settings->is_trusted_network = true;
        return 0;
    case 'e':
        return read_lease(settings, optarg, err);
    case 'm':
        return read_max_memory(settings, optarg, err);
    case 'o':
        return read_max_load(settings, optarg, err);
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
        {"key", required_argument, NULL, 'y'},
        {"grant", required_argument, NULL, 'g'},
        {"gateway", required_argument, NULL, 'w'},
        {"gateway-grant", required_argument, NULL, 'G'},
        {"gateway-actor", required_argument, NULL, 'A'},
        {"gateway-publisher", required_argument, NULL, 'P'},
        {"uid", required_argument, NULL, 'u'},
        {"isolated", no_argument, NULL, 'i'},
        {"trusted-network", no_argument, NULL, 'n'},
        {"lease-ms", required_argument, NULL, 'e'},
        {"max-memory", required_argument, NULL, 'm'},
        {"max-load", required_argument, NULL, 'o'},
        {0},
    };
    int option;

    settings->grant = RIGHT_ALL;
    settings->gateway_grant = RIGHT_SEND;
    while ((option = getopt_long(argc, argv, "", names, NULL)) != -1)
        if (read_option(settings, option, err) < 0)
            return -1;
    if (optind < argc)
        return error_set(err, EINVAL, "%s: not expected", argv[optind]);
    if (!settings->cookie_file && (settings->listen || settings->peer_count))
        return error_set(err, EINVAL, "--cookie FILE is missing");
    if (!settings->ca != !settings->cert || (settings->key && !settings->cert))
        return error_set(err, EINVAL, "--ca and --cert go together, and --key with them");
    if (settings->key && join_cert_and_key(settings, err) < 0)
        return -1;
    if (read_environment(settings, err) < 0 || check_urls(settings, err) < 0)
        return -1;
    return settings->cookie_file ? read_cookie(settings, err) : 0;
}
