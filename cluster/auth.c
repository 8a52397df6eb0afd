#include "auth.h"

#include "fields.h"

#include <string.h>

enum message { CHALLENGE = 1, HELLO, WELCOME, IDENTITY, READY, REFUSE, MESSAGES };

static const char magic[] = "troupe";

static const char *const reason_texts[AUTH_REASONS] = {
    [AUTH_NO_REASON] = "no reason",
    [AUTH_MALFORMED] = "malformed handshake",
    [AUTH_OUT_OF_ORDER] = "handshake out of order",
    [AUTH_NOT_TROUPE] = "not a Troupe node",
    [AUTH_VERSION] = "no version in common",
    [AUTH_COOKIE] = "wrong cookie",
    [AUTH_SELF] = "self",
    [AUTH_NAME_TAKEN] = "name taken",
    [AUTH_DUPLICATE] = "duplicate",
    [AUTH_LATE] = "handshake timeout",
    [AUTH_ENDED] = "end of stream",
    [AUTH_UNWANTED] = "disconnected by order",
    [AUTH_SHUTDOWN] = "shutdown",
};

const char *auth_reason_text(enum auth_reason reason)
{
    return reason < AUTH_REASONS ? reason_texts[reason] : "unknown reason";
}

/* ---- macs -------------------------------------------------------------------------------- */

/* Over a word, both nonces with all that was said beside them, and what of the present message
 * comes before its mac. */
static void make_mac(const struct auth *auth, const char *word, const uint8_t *present, size_t size,
                     uint8_t out[MAC_SIZE])
{
    const struct mac_part message = {present, size};
    struct mac_part parts[4] = {{word, strlen(word)}, {auth->challenge, auth->challenge_size}};
    size_t n = 2;

    if (auth->hello_size)
        parts[n++] = (struct mac_part){auth->hello, auth->hello_size};
    parts[n++] = message;
    mac_make(&auth->self->key, parts, n, out);
}

static const char *refusal_word(bool of_dialer)
{
    return of_dialer ? "troupe dial refuses" : "troupe listen refuses";
}

enum { MAC_FIELD = 1 + MAC_SIZE }; /* a message's last field, on the wire */

static bool has_mac(const struct auth *auth, const char *word, const uint8_t *bytes, size_t size)
{
    uint8_t wanted[MAC_SIZE];

    make_mac(auth, word, bytes, size - MAC_FIELD, wanted);
    return mac_equals(wanted, bytes + size - MAC_SIZE);
}

/* ---- what is sent ------------------------------------------------------------------------ */

static struct fields_writer begin(struct auth *auth, enum message kind)
{
    struct fields_writer writer = {auth->out, sizeof auth->out, 0, false};

    fields_put_number(&writer, kind, 1);
    return writer;
}

static void put_versions(struct fields_writer *writer, const struct auth_self *self)
{
    fields_put_number(writer, self->version_min, 2);
    fields_put_number(writer, self->version_max, 2);
}

static void put_identity(struct fields_writer *writer, const struct auth_identity *identity)
{
    fields_put_text(writer, identity->name);
    fields_put_number(writer, identity->generation, 8);
    fields_put_number(writer, identity->instance, 8);
    fields_put_text(writer, identity->url);
}

static void send_challenge(struct auth *auth)
{
    struct fields_writer writer = begin(auth, CHALLENGE);

    fields_put_text(&writer, magic);
    put_versions(&writer, auth->self);
    fields_put(&writer, auth->nonce, sizeof auth->nonce);
    auth->out_size = auth->challenge_size = writer.used;
    memcpy(auth->challenge, auth->out, writer.used);
}

static void send_with_mac(struct auth *auth, struct fields_writer *writer, const char *word)
{
    uint8_t mac[MAC_SIZE];

    make_mac(auth, word, auth->out, writer->used, mac);
    fields_put(writer, mac, sizeof mac);
    auth->out_size = writer->used;
}

static void send_hello(struct auth *auth)
{
    struct fields_writer writer = begin(auth, HELLO);

    put_versions(&writer, auth->self);
    fields_put(&writer, auth->nonce, sizeof auth->nonce);
    send_with_mac(auth, &writer, "troupe dial");
    auth->hello_size = auth->out_size;
    memcpy(auth->hello, auth->out, auth->out_size);
}

/* For one that has proven itself. */
static void send_identity(struct auth *auth)
{
    struct fields_writer writer = begin(auth, IDENTITY);

    put_identity(&writer, &auth->self->identity);
    send_with_mac(auth, &writer, "troupe dial is");
}

static void send_welcome(struct auth *auth)
{
    struct fields_writer writer = begin(auth, WELCOME);

    fields_put_number(&writer, auth->version, 2);
    put_identity(&writer, &auth->self->identity);
    send_with_mac(auth, &writer, "troupe listen");
}

static void send_refusal(struct auth *auth)
{
    struct fields_writer writer = begin(auth, REFUSE);

    fields_put_number(&writer, auth->reason, 1);
    send_with_mac(auth, &writer, refusal_word(auth->is_dialer));
}

static void send_ready(struct auth *auth)
{
    auth->out_size = begin(auth, READY).used;
}

/* ---- ends -------------------------------------------------------------------------------- */

static enum auth_outcome close_silently(struct auth *auth, enum auth_reason reason)
{
    auth->state = AUTH_CLOSED;
    auth->reason = reason;
    auth->out_size = 0;
    return AUTH_REFUSED;
}

/* For the ears of a proven one. */
static enum auth_outcome close_aloud(struct auth *auth, enum auth_reason reason)
{
    close_silently(auth, reason);
    send_refusal(auth);
    return AUTH_REFUSED;
}

static bool is_proven(const struct auth *auth)
{
    return auth->state == AUTH_JUDGING || auth->state == AUTH_ADMITTED;
}

static enum auth_outcome close_by_standing(struct auth *auth, enum auth_reason reason)
{
    return is_proven(auth) ? close_aloud(auth, reason) : close_silently(auth, reason);
}

/* ---- what is received -------------------------------------------------------------------- */

static struct fields_reader open_message(const void *bytes, size_t size)
{
    struct fields_reader reader = {bytes, size, 0, false};

    fields_get_number(&reader, 1);
    return reader;
}

static bool are_versions(uint64_t min, uint64_t max)
{
    return min >= 1 && min <= max;
}

bool auth_is_url(const char *text)
{
    if (strlen(text) > AUTH_URL_MAX)
        return false;
    for (; *text; text++)
        if (*text <= ' ' || *text > '~')
            return false;
    return true;
}

static bool is_identity(const struct auth_identity *identity)
{
    return addr_is_part(identity->name, strlen(identity->name)) && identity->generation &&
           identity->instance && auth_is_url(identity->url);
}

static void get_identity(struct fields_reader *reader, struct auth_identity *identity)
{
    fields_get_text(reader, identity->name, sizeof identity->name);
    identity->generation = fields_get_number(reader, 8);
    identity->instance = fields_get_number(reader, 8);
    fields_get_text(reader, identity->url, sizeof identity->url);
    if (!is_identity(identity)) {
        reader->is_bad = true;
        *identity = (struct auth_identity){0};
    }
}

/* Nobody else may go by our name. */
static enum auth_reason judge_identity(const struct auth *auth)
{
    const struct auth_identity *own = &auth->self->identity;

    if (strcmp(auth->peer.name, own->name) != 0)
        return AUTH_NO_REASON;
    return auth->peer.generation == own->generation ? AUTH_SELF : AUTH_NAME_TAKEN;
}

static enum auth_outcome judge(struct auth *auth)
{
    auth->state = AUTH_JUDGING;
    return AUTH_PROVEN;
}

/* An overlap is not asked for here: only a listener that is sure of whom it has can say so by name.
 */
static enum auth_outcome on_challenge(struct auth *auth, const void *bytes, size_t size)
{
    struct fields_reader reader = open_message(bytes, size);
    char word[sizeof magic];
    uint8_t nonce[AUTH_NONCE_SIZE];
    uint64_t min, max;

    fields_get_text(&reader, word, sizeof word);
    if (reader.is_bad || strcmp(word, magic) != 0)
        return close_silently(auth, AUTH_NOT_TROUPE);
    min = fields_get_number(&reader, 2);
    max = fields_get_number(&reader, 2);
    fields_get(&reader, nonce, sizeof nonce);
    if (!fields_are_done(&reader) || !are_versions(min, max) || size > sizeof auth->challenge)
        return close_silently(auth, AUTH_MALFORMED);
    memcpy(auth->challenge, bytes, size);
    auth->challenge_size = size;
    send_hello(auth);
    auth->state = AUTH_ANSWERED;
    return AUTH_WAIT;
}

/* The highest that both speak; 0: none. */
static uint16_t common_version(const struct auth_self *self, uint64_t min, uint64_t max)
{
    uint64_t low = min > self->version_min ? min : self->version_min;
    uint64_t high = max < self->version_max ? max : self->version_max;

    return (uint16_t)(low <= high ? high : 0);
}

static enum auth_outcome on_hello(struct auth *auth, const void *bytes, size_t size)
{
    struct fields_reader reader = open_message(bytes, size);
    uint8_t nonce[AUTH_NONCE_SIZE], mac[MAC_SIZE];
    uint64_t min = fields_get_number(&reader, 2), max = fields_get_number(&reader, 2);

    fields_get(&reader, nonce, sizeof nonce);
    fields_get(&reader, mac, sizeof mac);
    if (!fields_are_done(&reader) || !are_versions(min, max) || size > sizeof auth->hello)
        return close_silently(auth, AUTH_MALFORMED);
    if (!has_mac(auth, "troupe dial", bytes, size))
        return close_silently(auth, AUTH_COOKIE);
    memcpy(auth->hello, bytes, size);
    auth->hello_size = size;
    auth->version = common_version(auth->self, min, max);
    if (!auth->version)
        return close_aloud(auth, AUTH_VERSION);
    send_welcome(auth);
    auth->state = AUTH_WELCOMED;
    return AUTH_WAIT;
}

/* The end of a message: who the other is, and the mac that proves it. AUTH_WAIT: it does. */
static enum auth_outcome take_proof(struct auth *auth, struct fields_reader *reader, const char *word,
                                    const void *bytes, size_t size)
{
    uint8_t mac[MAC_SIZE];

    get_identity(reader, &auth->peer);
    fields_get(reader, mac, sizeof mac);
    if (!fields_are_done(reader))
        return close_silently(auth, AUTH_MALFORMED);
    if (!has_mac(auth, word, bytes, size))
        return close_silently(auth, AUTH_COOKIE);
    return AUTH_WAIT;
}

/* Who the dialer is; that it knows the cookie, its HELLO has shown. */
static enum auth_outcome on_identity(struct auth *auth, const void *bytes, size_t size)
{
    struct fields_reader reader = open_message(bytes, size);
    enum auth_outcome outcome = take_proof(auth, &reader, "troupe dial is", bytes, size);
    enum auth_reason reason;

    if (outcome != AUTH_WAIT)
        return outcome;
    reason = judge_identity(auth);
    return reason ? close_aloud(auth, reason) : judge(auth);
}

static enum auth_outcome on_welcome(struct auth *auth, const void *bytes, size_t size)
{
    struct fields_reader reader = open_message(bytes, size);
    uint64_t version = fields_get_number(&reader, 2);
    enum auth_outcome outcome = take_proof(auth, &reader, "troupe listen", bytes, size);
    enum auth_reason reason;

    if (outcome != AUTH_WAIT)
        return outcome;
    auth->version = (uint16_t)version;
    reason = judge_identity(auth);
    if (!reason && (version < auth->self->version_min || version > auth->self->version_max))
        reason = AUTH_VERSION;
    if (reason)
        return close_aloud(auth, reason);
    send_identity(auth);
    return judge(auth);
}

/* Does this side wait for the other's choice? */
static bool is_higher(const struct auth *auth)
{
    return strcmp(auth->self->identity.name, auth->peer.name) > 0;
}

static enum auth_outcome open_session(struct auth *auth)
{
    auth->state = AUTH_SESSION;
    return AUTH_OPEN;
}

static enum auth_outcome on_ready(struct auth *auth, const void *bytes, size_t size)
{
    struct fields_reader reader = open_message(bytes, size);

    if (!fields_are_done(&reader))
        return close_aloud(auth, AUTH_MALFORMED);
    if (auth->state == AUTH_ADMITTED) {
        if (is_higher(auth))
            send_ready(auth);
        return open_session(auth);
    }
    if (!is_higher(auth) || auth->is_ready_come)
        return close_aloud(auth, AUTH_OUT_OF_ORDER);
    auth->is_ready_come = true;
    return AUTH_WAIT;
}

static enum auth_outcome on_refuse(struct auth *auth, const void *bytes, size_t size)
{
    struct fields_reader reader = open_message(bytes, size);
    uint64_t reason = fields_get_number(&reader, 1);
    uint8_t mac[MAC_SIZE];

    fields_get(&reader, mac, sizeof mac);
    if (!fields_are_done(&reader))
        return close_silently(auth, AUTH_MALFORMED);
    if (!has_mac(auth, refusal_word(!auth->is_dialer), bytes, size))
        return close_silently(auth, AUTH_COOKIE);
    auth->is_told = true;
    return close_silently(auth, (enum auth_reason)reason);
}

/* ---- the machine ------------------------------------------------------------------------- */

typedef enum auth_outcome message_handler(struct auth *, const void *bytes, size_t size);

/* An empty cell is a message out of order. */
static message_handler *const machine[AUTH_STATES][MESSAGES] = {
    [AUTH_CHALLENGED] = {[CHALLENGE] = on_challenge},
    [AUTH_GREETED] = {[HELLO] = on_hello},
    [AUTH_ANSWERED] = {[WELCOME] = on_welcome, [REFUSE] = on_refuse},
    [AUTH_WELCOMED] = {[IDENTITY] = on_identity, [REFUSE] = on_refuse},
    [AUTH_JUDGING] = {[READY] = on_ready, [REFUSE] = on_refuse},
    [AUTH_ADMITTED] = {[READY] = on_ready, [REFUSE] = on_refuse},
    [AUTH_SESSION] = {[REFUSE] = on_refuse},
};

void auth_init(struct auth *auth, const struct auth_self *self, bool is_dialer,
               const uint8_t nonce[AUTH_NONCE_SIZE])
{
    *auth = (struct auth){
        .self = self, .is_dialer = is_dialer, .state = is_dialer ? AUTH_CHALLENGED : AUTH_GREETED};
    memcpy(auth->nonce, nonce, sizeof auth->nonce);
    if (!is_dialer)
        send_challenge(auth);
}

enum auth_outcome auth_receive(struct auth *auth, const void *bytes, size_t size)
{
    struct fields_reader reader = {bytes, size, 0, false};
    uint64_t kind = fields_get_number(&reader, 1);

    auth->out_size = 0;
    if (auth->state == AUTH_CLOSED)
        return AUTH_REFUSED;
    if (reader.is_bad || kind == 0 || kind >= MESSAGES || size > AUTH_MESSAGE_MAX)
        return close_by_standing(auth, AUTH_MALFORMED);
    if (!machine[auth->state][kind])
        return close_by_standing(auth, AUTH_OUT_OF_ORDER);
    return machine[auth->state][kind](auth, bytes, size);
}

enum auth_outcome auth_admit(struct auth *auth)
{
    auth->out_size = 0;
    if (auth->state != AUTH_JUDGING)
        return auth->state == AUTH_CLOSED ? AUTH_REFUSED : AUTH_WAIT;
    auth->state = AUTH_ADMITTED;
    if (!is_higher(auth)) {
        send_ready(auth);
        return AUTH_WAIT;
    }
    if (!auth->is_ready_come)
        return AUTH_WAIT;
    send_ready(auth);
    return open_session(auth);
}

enum auth_outcome auth_refuse(struct auth *auth, enum auth_reason reason)
{
    auth->out_size = 0;
    return auth->state == AUTH_CLOSED ? AUTH_REFUSED : close_by_standing(auth, reason);
}

enum auth_outcome auth_timeout(struct auth *auth)
{
    auth->out_size = 0;
    if (auth->state >= AUTH_SESSION)
        return auth->state == AUTH_CLOSED ? AUTH_REFUSED : AUTH_WAIT;
    return auth_refuse(auth, AUTH_LATE);
}
