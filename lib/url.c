#include "url.h"

#include "text.h"

#include <ctype.h>
#include <string.h>

static const char *skip_scheme(const char *text, bool *tls)
{
    static const char *const schemes[] = {"tcp://", "tls+tcp://"};

    for (unsigned i = 0; i < 2; i++)
        if (!strncmp(text, schemes[i], strlen(schemes[i]))) {
            *tls = i == 1;
            return text + strlen(schemes[i]);
        }
    return NULL;
}

/* Letters that a name or a number may have; what is behind them the resolver knows better. */
static bool is_host(const char *text, size_t length, bool bracketed)
{
    if (length == 0 || length > URL_HOST_MAX)
        return false;
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)text[i]) && !strchr(bracketed ? ":.%" : ".-_", text[i]))
            return false;
    return true;
}

int url_parse(const char *text, struct url *url, const char **why)
{
    const char *host = skip_scheme(text, &url->tls), *end;
    bool bracketed = host && *host == '[';
    uint64_t port;

    if (!host) {
        *why = "a text that begins with tcp:// or tls+tcp://";
        return -1;
    }
    host += bracketed;
    end = strchr(host, bracketed ? ']' : ':');
    if (!end || !is_host(host, (size_t)(end - host), bracketed)) {
        *why = "a host and a port, such as tcp://127.0.0.1:4730";
        return -1;
    }
    memcpy(url->host, host, (size_t)(end - host));
    url->host[end - host] = '\0';
    end += bracketed;
    if (*end != ':' || text_unsigned(end + 1, 0, UINT16_MAX, &port) < 0) {
        *why = "a port from 0 to 65535 behind the host";
        return -1;
    }
    url->port = (uint16_t)port;
    return 0;
}

bool url_is_loopback(const struct url *url)
{
    return !strcmp(url->host, "localhost") || !strcmp(url->host, "::1") ||
           (!strncmp(url->host, "127.", 4) &&
            strspn(url->host, "0123456789.") == strlen(url->host));
}

bool url_is_private(const struct url *url)
{
    return url->tls || url_is_loopback(url);
}

bool url_is_tls(const char *text)
{
    return strncmp(text, "tls+", 4) == 0;
}
