/*
 * What PostgreSQL keeps, in a schema of its own, `troupe`; and the decisions, as functions there: one
 * request is one statement, and a round trip. Each returns what struct store_answer wants to know.
 */
#ifndef TROUPE_STORE_POSTGRES_SCHEMA_H
#define TROUPE_STORE_POSTGRES_SCHEMA_H

/* Sent on each connect, as one transaction: brings any older schema to the present one, and waits for
 * another node that is doing so. A newer one is left alone. */
extern const char store_postgres_schema[];

#endif
