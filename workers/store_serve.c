#include "store_serve.h"

#include "addr.h"
#include "control.h"
#include "control_right.h"
#include "peer.h"
#include "rights.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

enum { OUTBOX_BYTES = 64 << 20, TEXT_MAX = 4096, ANSWER_MS = 50 };

struct client {
    TAILQ_ENTRY(client) entry;
    struct store_server *server;
    struct peer *peer;
    unsigned rights;
    LIST_HEAD(asked_list, asked) asked;
};

/* A request that the store has. client is NULL when its connection has ended. */
struct asked {
    LIST_ENTRY(asked) entry;
    struct client *client;
    struct herald *herald;
    int64_t due; /* of a reminder that is put */
    const struct verb *verb;
    uint64_t ref;
};

struct store_server {
    struct store *store;
    struct herald *herald;
    const char *self;
    struct sp_listener *listener;
    TAILQ_HEAD(client_list, client) clients;
    struct asked_list orphans; /* whose connection has ended */
};

/* ---- the verbs: where each value goes, and which come back ----------------------------------- */

enum field {
    SERVICE,
    ID,
    NAME, /* texts of a request, all of them before the first that is none */
    NODE,
    GENERATION,
    STATE,
    WANTED,
    URL,
    SERVICES,
    LOAD,
    MESSAGE,
    AFTER, /* a service */
    EPOCH,
    VERSION,
    BEAT,
    LIMIT,
    SAVED,
    SCHEMA,
    DUE,
    PERIOD,
    VALUE,
};

enum { FIELDS_MAX = 8 };

/* What a list answers: its rows. */
#define ROWS NULL

static const struct verb {
    const char *name;
    enum store_op op;
    const char *format;
    enum field fields[FIELDS_MAX];
    const char *reply;
    enum field answers[FIELDS_MAX];
} verbs[] = {
    {CONTROL_STATE_GET,
     STORE_STATE_GET,
     "sss",
     {SERVICE, ID, NAME},
     "IIIIB",
     {VERSION, EPOCH, SAVED, SCHEMA, VALUE}},
    {CONTROL_STATE_PUT,
     STORE_STATE_PUT,
     "sssIIIB",
     {SERVICE, ID, NAME, EPOCH, VERSION, SCHEMA, VALUE},
     "I",
     {VERSION}},
    {CONTROL_STATE_RM, STORE_STATE_REMOVE, "sssII", {SERVICE, ID, NAME, EPOCH, VERSION}, "", {0}},
    {CONTROL_STATE_LIST, STORE_STATE_LIST, "sssI", {SERVICE, ID, NAME, LIMIT}, ROWS, {0}},
    {CONTROL_EPOCH, STORE_EPOCH, "", {0}, "I", {EPOCH}},
    {CONTROL_PLACE_CLAIM,
     STORE_PLACE_CLAIM,
     "ssssI",
     {SERVICE, ID, NODE, GENERATION, EPOCH},
     "I",
     {EPOCH}},
    {CONTROL_PLACE_FREE, STORE_PLACE_FREE, "ssI", {SERVICE, ID, EPOCH}, "", {0}},
    {CONTROL_PLACE_READ, STORE_PLACE_READ, "ss", {SERVICE, ID}, "ssI", {NODE, GENERATION, EPOCH}},
    {CONTROL_PLACE_LIST,
     STORE_PLACE_LIST,
     "sssssI",
     {SERVICE, NODE, GENERATION, AFTER, ID, LIMIT},
     ROWS,
     {0}},
    {CONTROL_REMINDER_PUT,
     STORE_REMINDER_PUT,
     "sssIIIIs",
     {SERVICE, ID, NAME, EPOCH, VERSION, DUE, PERIOD, MESSAGE},
     "I",
     {VERSION}},
    {CONTROL_REMINDER_RM,
     STORE_REMINDER_REMOVE,
     "sssII",
     {SERVICE, ID, NAME, EPOCH, VERSION},
     "",
     {0}},
    {CONTROL_REMINDER_DUE, STORE_REMINDER_DUE, "II", {DUE, LIMIT}, ROWS, {0}},
    {CONTROL_REMINDER_ADVANCE,
     STORE_REMINDER_ADVANCE,
     "sssII",
     {SERVICE, ID, NAME, VERSION, DUE},
     "I",
     {VERSION}},
    {CONTROL_NODE_INSERT,
     STORE_NODE_INSERT,
     "ssssss",
     {NODE, GENERATION, STATE, URL, SERVICES, LOAD},
     "",
     {0}},
    {CONTROL_NODE_BEAT, STORE_NODE_BEAT, "ssss", {NODE, GENERATION, STATE, LOAD}, "I", {BEAT}},
    {CONTROL_NODE_SET, STORE_NODE_SET, "sssIs", {NODE, GENERATION, STATE, BEAT, WANTED}, "", {0}},
    {CONTROL_NODE_RM, STORE_NODE_REMOVE, "ss", {NODE, GENERATION}, "", {0}},
    {CONTROL_NODE_LIST, STORE_NODE_LIST, "", {0}, ROWS, {0}},
};

static const struct verb *find_verb(struct envelope_text name)
{
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (envelope_text_equals(name, verbs[i].name))
            return &verbs[i];
    }
    return NULL;
}

/* ---- from values to a request -------------------------------------------------------------------
 */

static const char **text_field(struct store_request *request, enum field field)
{
    const char **texts[] = {
        [SERVICE] = &request->service,   [ID] = &request->id,
        [NAME] = &request->name,         [NODE] = &request->node,
        [STATE] = &request->state,       [GENERATION] = &request->generation,
        [WANTED] = &request->wanted,     [URL] = &request->url,
        [SERVICES] = &request->services, [LOAD] = &request->load,
        [MESSAGE] = &request->message,   [AFTER] = &request->after,
    };

    return texts[field];
}

static bool is_node_state(const char *text)
{
    return !strcmp(text, "joining") || !strcmp(text, "alive") || !strcmp(text, "draining") ||
           !strcmp(text, "dead");
}

static bool text_is_good(const struct verb *verb, enum field field, const char *text)
{
    /* A list begins at the beginning, and may be of all. */
    if (!*text && (verb->op == STORE_PLACE_LIST ||
                   (verb->op == STORE_STATE_LIST && (field == ID || field == NAME))))
        return true;
    switch (field) {
    case SERVICE:
    case AFTER:
        return addr_is_path(text);
    case ID:
    case NAME:
    case NODE:
    case GENERATION:
    case MESSAGE:
        return addr_is_part(text, strlen(text));
    case STATE:
    case WANTED:
        return is_node_state(text);
    case LOAD:
        return strlen(text) <= CONTROL_LOAD_MAX;
    default:
        return strlen(text) <= TEXT_MAX;
    }
}

static bool set_number(struct store_request *request, enum field field, int64_t number)
{
    switch (field) {
    case EPOCH:
        request->epoch = number;
        return number >= 0;
    case VERSION:
        request->version = number;
        return number >= STORE_ANY;
    case BEAT:
        request->beat = number;
        return number >= STORE_ANY;
    case SCHEMA:
        request->schema = number;
        return number >= 0;
    case DUE:
        request->due = number;
        return number >= 0;
    case PERIOD:
        request->period = number;
        return number >= 0;
    default:
        request->limit = (uint32_t)number;
        return number >= 0 && number <= STORE_LIST_MAX;
    }
}

/* The request borrows the values. False: one of them is out of its bounds. */
static bool fill(const struct verb *verb, const union wire_value *values,
                 struct store_request *request)
{
    for (size_t i = 0; verb->format[i]; i++) {
        enum field field = verb->fields[i];
        bool is_good = true;

        if (verb->format[i] == 's') {
            *text_field(request, field) = values[i].bytes.at;
            is_good = text_is_good(verb, field, values[i].bytes.at);
        } else if (verb->format[i] == 'I') {
            is_good = set_number(request, field, values[i].i);
        } else {
            request->value = values[i].bytes.at;
            request->value_size = values[i].bytes.size;
        }
        if (!is_good)
            return false;
    }
    return true;
}

/* ---- from an answer to a reply ------------------------------------------------------------------
 */

static union wire_value value_of(const struct store_answer *answer, enum field field)
{
    switch (field) {
    case VERSION:
        return (union wire_value){.i = answer->version};
    case EPOCH:
        return (union wire_value){.i = answer->epoch};
    case BEAT:
        return (union wire_value){.i = answer->beat};
    case SAVED:
        return (union wire_value){.i = answer->saved_us};
    case SCHEMA:
        return (union wire_value){.i = answer->schema};
    case NODE:
        return (union wire_value){.bytes = {(char *)answer->node, strlen(answer->node)}};
    case GENERATION:
        return (union wire_value){
            .bytes = {(char *)answer->generation, strlen(answer->generation)}};
    default:
        return (union wire_value){.bytes = {answer->value, answer->value_size}};
    }
}

static void reply_values(struct peer *peer, const struct asked *asked,
                         const struct store_answer *answer)
{
    union wire_value values[FIELDS_MAX];
    struct wire_image image = {0};
    struct envelope env = {.kind = ENVELOPE_CONTROL_REPLY,
                           .ref = asked->ref,
                           .flags = ENVELOPE_TYPED,
                           .type = envelope_text("values")};

    for (size_t i = 0; asked->verb->reply[i]; i++)
        values[i] = value_of(answer, asked->verb->answers[i]);
    if (wire_pack_values(asked->verb->reply, values, &image) < 0) {
        peer_break(peer);
        return;
    }
    env.payload = image.data;
    env.payload_size = (uint32_t)image.size;
    if (peer_send(peer, &env, -1) < 0) /* it does not read: it asks again, on another connection */
        peer_break(peer);
    wire_image_finish(&image);
}

static void reply_conflict(struct peer *peer, const struct asked *asked,
                           const struct store_answer *answer)
{
    long long version = answer->version, epoch = answer->epoch, beat = answer->beat;

    switch (asked->verb->op) {
    case STORE_PLACE_CLAIM:
        peer_reply_error(peer, asked->ref, "%s %s %s %lld", CONTROL_E_CONFLICT, answer->node,
                         answer->generation, epoch);
        break;
    case STORE_PLACE_FREE:
        peer_reply_error(peer, asked->ref, "%s %lld", CONTROL_E_CONFLICT, epoch);
        break;
    case STORE_STATE_PUT:
    case STORE_STATE_REMOVE:
    case STORE_REMINDER_PUT:
    case STORE_REMINDER_REMOVE:
    case STORE_REMINDER_ADVANCE:
        peer_reply_error(peer, asked->ref, "%s %lld", CONTROL_E_CONFLICT, version);
        break;
    default:
        peer_reply_error(peer, asked->ref, "%s %s %s %lld", CONTROL_E_CONFLICT, answer->generation,
                         answer->state, beat);
    }
}

static void reply(struct peer *peer, const struct asked *asked, const struct store_answer *answer)
{
    switch (answer->status) {
    case STORE_OK:
        if (asked->verb->reply)
            reply_values(peer, asked, answer);
        else
            peer_reply_words(peer, asked->ref, &answer->rows, -1);
        break;
    case STORE_NOT_FOUND:
        peer_reply_error(peer, asked->ref, "%s", CONTROL_E_NOT_FOUND);
        break;
    case STORE_CONFLICT:
        reply_conflict(peer, asked, answer);
        break;
    case STORE_FENCED:
        peer_reply_error(peer, asked->ref, "%s", CONTROL_E_FENCED);
        break;
    case STORE_UNREACHABLE:
        peer_reply_error(peer, asked->ref, "%s %s %s", CONTROL_E_UNREACHABLE,
                         answer->was_sent ? "sent" : "unsent", answer->why);
        break;
    case STORE_FAILED:
        peer_reply_error(peer, asked->ref, "%s %s", CONTROL_E_FAILED, answer->why);
        break;
    }
}

static void on_answer(void *data, const struct store_answer *answer)
{
    struct asked *asked = data;

    if (asked->verb->op == STORE_REMINDER_PUT && answer->status == STORE_OK)
        herald_tell(asked->herald, asked->due);
    LIST_REMOVE(asked, entry);
    if (asked->client)
        reply(asked->client->peer, asked, answer);
    free(asked);
}

/* ---- requests -----------------------------------------------------------------------------------
 */

static void submit(struct client *client, const struct verb *verb, const struct envelope *env,
                   struct store_request *request)
{
    struct asked *asked = calloc(1, sizeof *asked);

    request->op = verb->op;
    if (env->deadline_us) /* the answer is there by then, and says why */
        request->deadline = mono_add_ms((struct mono){(int64_t)env->deadline_us}, -ANSWER_MS);
    request->on_answer = on_answer;
    request->data = asked;
    if (asked && store_submit(client->server->store, request) == 0) {
        asked->client = client;
        asked->verb = verb;
        asked->herald = client->server->herald;
        asked->due = request->due;
        asked->ref = env->ref;
        LIST_INSERT_HEAD(&client->asked, asked, entry);
        return;
    }
    free(asked);
    if (errno == EMSGSIZE)
        peer_reply_error(client->peer, env->ref, "%s %s: a value of more than %d bytes",
                         CONTROL_E_BAD, verb->name, STORE_VALUE_MAX);
    else
        peer_reply_error(client->peer, env->ref, "%s", CONTROL_E_OVERLOADED);
}

static void dispatch(struct client *client, const struct envelope *env)
{
    const struct verb *verb = find_verb(env->type);
    struct store_request request = {0};
    union wire_value values[FIELDS_MAX] = {0};

    if (!verb) {
        peer_reply_error(client->peer, env->ref, "%s sys/store knows rows only", CONTROL_E_UNKNOWN);
        return;
    }
    if (!(client->rights & control_right(verb->name))) {
        peer_reply_error(client->peer, env->ref, "%s %s", CONTROL_E_DENIED, verb->name);
        return;
    }
    if (wire_unpack_values(verb->format, env->payload, env->payload_size, values) < 0) {
        peer_reply_error(client->peer, env->ref, "%s %s: expected values %s", CONTROL_E_BAD,
                         verb->name, verb->format);
        return;
    }
    if (fill(verb, values, &request))
        submit(client, verb, env, &request);
    else
        peer_reply_error(client->peer, env->ref, "%s %s: a value is out of its bounds",
                         CONTROL_E_BAD, verb->name);
    wire_values_finish(verb->format, values);
}

/* ---- connections --------------------------------------------------------------------------------
 */

static void on_envelope(struct peer *peer, const struct envelope *env, int fd)
{
    if (env->kind == ENVELOPE_CONTROL)
        dispatch(peer_data(peer), env);
    else if (env->kind == ENVELOPE_CALL)
        peer_reply_error(peer, env->ref, "unknown_message sys/store takes control requests only");
    if (fd >= 0)
        close(fd);
}

static void client_destroy(struct client *client)
{
    struct asked *asked;

    while ((asked = LIST_FIRST(&client->asked))) {
        LIST_REMOVE(asked, entry);
        LIST_INSERT_HEAD(&client->server->orphans, asked, entry);
        asked->client = NULL;
    }
    TAILQ_REMOVE(&client->server->clients, client, entry);
    free(client);
}

static void on_close(struct peer *peer, const char *why)
{
    (void)why;
    client_destroy(peer_data(peer));
}

static const struct peer_handlers peer_handlers = {
    .on_envelope = on_envelope,
    .on_close = on_close,
};

static bool on_open(struct sp_conn *conn)
{
    struct store_server *server = sp_conn_data(conn);
    const struct ucred *creds = sp_conn_creds(conn);
    struct rights rights = {.node_uid = geteuid()};
    struct client *client;

    if (sp_conn_protocol(conn) != SP_PAIR0)
        return false;
    client = calloc(1, sizeof *client);
    if (!client)
        return false;
    client->server = server;
    LIST_INIT(&client->asked);
    client->rights = rights_of(&rights, creds->uid, creds->gid);
    if (client->rights)
        client->peer = peer_accept(conn, server->self, &peer_handlers, client);
    if (!client->peer) {
        free(client);
        return false;
    }
    TAILQ_INSERT_TAIL(&server->clients, client, entry);
    return true;
}

/* ---- life ---------------------------------------------------------------------------------------
 */

struct store_server *store_server_create(struct ev_loop *loop, int listen_fd, const char *self,
                                         unsigned max_conns, struct store *store,
                                         struct herald *herald)
{
    struct sp_limits limits = {.max_outbox = OUTBOX_BYTES, .max_conns = max_conns};
    struct sp_handlers handlers = peer_sp_handlers(on_open);
    struct store_server *server = calloc(1, sizeof *server);

    if (!server)
        return NULL;
    server->store = store;
    server->herald = herald;
    server->self = self;
    TAILQ_INIT(&server->clients);
    LIST_INIT(&server->orphans);
    server->listener = sp_listen(loop, listen_fd, &limits, &handlers, server);
    if (server->listener)
        return server;
    free(server);
    return NULL;
}

/* The store answers none of them any more. */
static void forget_orphans(struct store_server *server)
{
    struct asked *asked;

    while ((asked = LIST_FIRST(&server->orphans))) {
        LIST_REMOVE(asked, entry);
        free(asked);
    }
}

void store_server_destroy(struct store_server *server)
{
    if (!server)
        return;
    while (!TAILQ_EMPTY(&server->clients)) {
        struct client *client = TAILQ_FIRST(&server->clients);

        peer_flush(client->peer); /* the loop turns no more */
        peer_close(client->peer, false);
        client_destroy(client);
    }
    sp_listener_destroy(server->listener, true);
    forget_orphans(server);
    free(server);
}
