/*
 * The handshake of two nodes, one side of it (CLUSTER 1). Pure: messages and time-outs go in; what
 * is to be sent, who the other proved to be, or why it is refused, come out. No I/O, no clock, no
 * allocation; the nonce comes from the caller.
 *
 *   listener                                   dialer
 *     CHALLENGE versions nonce             →
 *                                          ←      HELLO versions nonce mac
 *     WELCOME version, who it is, mac      →
 *                                          ←      IDENTITY who it is, mac
 *     READY                               ← →     READY
 *
 * The listener is proven to the dialer by WELCOME, the dialer to the listener by HELLO, and by
 * IDENTITY who it is. READY is said first by the lower-named, on the one connection that it chose.
 *
 * The macs are HMAC-SHA256 with the cookie as the key over a word that says whose mac this is and
 * of what, CHALLENGE, HELLO and the message itself, each preceded by its length. Both nonces are in
 * all of them: a mac that was heard once is of no use in another handshake, nor for the other side
 * of the same.
 *
 * What a stranger learns. Whoever dials us: the versions that we speak. Whoever listens where we
 * dial: these, and one mac over two nonces, no name. With that mac it can try cookies at home, as
 * fast as it can hash: somebody has to give the first proof, and the dialer does, because it has
 * chosen whom to speak to, and anybody may dial. So a cookie must not be guessable: COOKIE_MIN
 * bytes at least, and they should be random ones.
 *
 * A side that has PROVEN the other asks its own rivals.h and then says auth_admit() or
 * auth_refuse(). The session begins when both have admitted: READY is answered by READY, so that
 * neither holds for open what the other refuses. Whoever is not proven is told nothing but the end
 * of the stream.
 */
#ifndef TROUPE_CLUSTER_AUTH_H
#define TROUPE_CLUSTER_AUTH_H

#include "addr.h"
#include "mac.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    AUTH_NONCE_SIZE = 32,
    AUTH_URL_MAX = 255,
    AUTH_MESSAGE_MAX = 1024, /* a longer frame before the proof is refused unread */
    AUTH_LATE_MS = 5000,     /* for the proof, and again for both to admit */
    AUTH_CHALLENGE_MAX = 64,
    AUTH_HELLO_MAX = 128,
    AUTH_FIRST_BYTE = 1, /* all messages of the handshake begin so, and nothing else may */
};

/* Who a node is. Generation: 64 random bits of a root's life; instance: of a troupe-node's. */
struct auth_identity {
    char name[ADDR_PART_MAX + 1];
    uint64_t generation, instance; /* never 0 */
    char url[AUTH_URL_MAX + 1];    /* where it listens; "" nowhere */
};

/* This side, the same for all its handshakes. */
struct auth_self {
    struct auth_identity identity;
    uint16_t version_min, version_max; /* of what is spoken after the handshake */
    struct mac_part key;               /* the cookie; borrowed */
};

/* The numbers go over the wire: they stay as they are. */
enum auth_reason {
    AUTH_NO_REASON,
    AUTH_MALFORMED,
    AUTH_OUT_OF_ORDER,
    AUTH_NOT_TROUPE,
    AUTH_VERSION,
    AUTH_COOKIE,
    AUTH_SELF,
    AUTH_NAME_TAKEN,
    AUTH_DUPLICATE,
    AUTH_LATE,
    AUTH_ENDED,
    AUTH_UNWANTED,
    AUTH_SHUTDOWN,
    AUTH_REASONS
};

enum auth_outcome {
    AUTH_WAIT,    /* for the other side */
    AUTH_PROVEN,  /* once: peer and version are known; decide and admit or refuse */
    AUTH_OPEN,    /* once: what comes now is the session's, but for AUTH_FIRST_BYTE */
    AUTH_REFUSED, /* reason says why; send what is in out, then close */
};

enum auth_state {
    AUTH_CHALLENGED, /* dialer: waits for CHALLENGE */
    AUTH_GREETED,    /* listener: waits for HELLO */
    AUTH_ANSWERED,   /* dialer: waits for WELCOME */
    AUTH_WELCOMED,   /* listener: waits for IDENTITY */
    AUTH_JUDGING,    /* the other is proven; this side has not decided */
    AUTH_ADMITTED,   /* this side has; waits for READY */
    AUTH_SESSION,
    AUTH_CLOSED,
    AUTH_STATES
};

struct auth {
    const struct auth_self *self;
    enum auth_state state;
    bool is_dialer;
    bool is_ready_come; /* the lower-named was faster than our own judgement */
    uint8_t nonce[AUTH_NONCE_SIZE];
    uint8_t challenge[AUTH_CHALLENGE_MAX], hello[AUTH_HELLO_MAX]; /* as they went over the wire */
    size_t challenge_size, hello_size;

    /* What the caller reads. */
    struct auth_identity peer; /* before the proof it is only a claim, for the log */
    uint16_t version;
    enum auth_reason reason;
    bool is_told; /* the reason is the other's, and the other is proven */
    uint8_t out[AUTH_MESSAGE_MAX];
    size_t out_size; /* bytes to be sent as one frame after this event; 0: none */
};

/* Begins; self is borrowed. A listener has its CHALLENGE in out. */
void auth_init(struct auth *auth, const struct auth_self *self, bool is_dialer,
               const uint8_t nonce[AUTH_NONCE_SIZE]);

/* A message has come. In AUTH_CLOSED nothing happens. In AUTH_SESSION it can only be a refusal: our
 * READY came too late for the other. */
enum auth_outcome auth_receive(struct auth *auth, const void *bytes, size_t size);
/* This side wants this connection as its session. Only after AUTH_PROVEN. */
enum auth_outcome auth_admit(struct auth *auth);
/* This side does not. Tells the other when both are proven. Always AUTH_REFUSED. */
enum auth_outcome auth_refuse(struct auth *auth, enum auth_reason reason);
/* AUTH_LATE_MS have gone by since the beginning, or since AUTH_PROVEN. */
enum auth_outcome auth_timeout(struct auth *auth);

/* May this be a URL in what a node says? Printable, without blanks; "" too. */
bool auth_is_url(const char *text);

/* "wrong cookie": for people. Any number; "unknown reason" when there is no such. */
const char *auth_reason_text(enum auth_reason reason);

#endif
