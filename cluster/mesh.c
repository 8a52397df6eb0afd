#include "mesh.h"

#include "memory.h"
#include "url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum { LEARNED_SPREAD_MS = 250, HIGHER_WAITS_MS = 1500 };

struct mesh_unwanted {
    char name[ADDR_PART_MAX + 1];
    struct mesh_unwanted *prev, *next;
};

static bool is_private(const char *text)
{
    struct url url;
    const char *why;

    return url_parse(text, &url, &why) == 0 && url_is_private(&url);
}

static void copy_text(char *out, size_t size, const char *text)
{
    snprintf(out, size, "%s", text);
}

void mesh_init(struct mesh *mesh, const char *name, const char *url, enum mesh_learning learning)
{
    *mesh = (struct mesh){.learning = learning};
    copy_text(mesh->name, sizeof mesh->name, name);
    copy_text(mesh->url, sizeof mesh->url, url);
}

static void forget(struct mesh *mesh, struct mesh_target *target)
{
    mesh->learned -= target->origin == MESH_LEARNED;
    DL_DELETE(mesh->targets, target);
    free(target);
}

void mesh_finish(struct mesh *mesh)
{
    struct mesh_unwanted *unwanted, *next;

    while (mesh->targets)
        forget(mesh, mesh->targets);
    for (unwanted = mesh->unwanted; unwanted; unwanted = next) {
        next = unwanted->next;
        DL_DELETE(mesh->unwanted, unwanted);
        free(unwanted);
    }
}

/* ---- who is known ------------------------------------------------------------------------ */

static struct mesh_target *find_url(const struct mesh *mesh, const char *url)
{
    struct mesh_target *target;

    for (target = mesh->targets; target; target = target->next)
        if (strcmp(target->url, url) == 0)
            return target;
    return NULL;
}

static struct mesh_target *find_name(const struct mesh *mesh, const char *name)
{
    struct mesh_target *target;

    for (target = mesh->targets; target; target = target->next)
        if (strcmp(target->name, name) == 0)
            return target;
    return NULL;
}

static struct mesh_target *add(struct mesh *mesh, const char *url, enum mesh_origin origin)
{
    struct mesh_target *target = memory_zeroed(sizeof *target);

    copy_text(target->url, sizeof target->url, url);
    target->origin = origin;
    mesh->learned += origin == MESH_LEARNED;
    DL_APPEND(mesh->targets, target);
    return target;
}

static struct mesh_unwanted *find_unwanted(const struct mesh *mesh, const char *name)
{
    struct mesh_unwanted *unwanted;

    for (unwanted = mesh->unwanted; unwanted; unwanted = unwanted->next)
        if (strcmp(unwanted->name, name) == 0)
            return unwanted;
    return NULL;
}

void mesh_each_unwanted(const struct mesh *mesh, void (*visit)(void *ctx, const char *name), void *ctx)
{
    for (const struct mesh_unwanted *unwanted = mesh->unwanted; unwanted; unwanted = unwanted->next)
        visit(ctx, unwanted->name);
}

bool mesh_is_unwanted(const struct mesh *mesh, const char *name)
{
    return find_unwanted(mesh, name) != NULL;
}

/* ---- what people and peers say ----------------------------------------------------------- */

static void want_again(struct mesh *mesh, const char *name)
{
    struct mesh_unwanted *unwanted = *name ? find_unwanted(mesh, name) : NULL;

    if (!unwanted)
        return;
    DL_DELETE(mesh->unwanted, unwanted);
    free(unwanted);
}

struct mesh_target *mesh_connect(struct mesh *mesh, const char *url, int64_t now_ms)
{
    struct mesh_target *target = find_url(mesh, url);

    if (strcmp(url, mesh->url) == 0)
        return NULL;
    if (!target)
        target = add(mesh, url, MESH_ORDERED);
    else if (target->origin == MESH_LEARNED)
        mesh->learned--;
    target->origin = MESH_ORDERED;
    target->is_asked = true;
    want_again(mesh, target->name);
    if (target->dialing.state == DIALING_WAITING || target->dialing.state == DIALING_STOPPED)
        dialing_start(&target->dialing, now_ms, 0);
    return target;
}

static bool may_learn(const struct mesh *mesh, const char *name, const char *url, bool is_tls)
{
    if (mesh->learning == MESH_LEARNS_NONE || !*url || strcmp(name, mesh->name) == 0 ||
        strcmp(url, mesh->url) == 0 || mesh_is_unwanted(mesh, name))
        return false;
    if (mesh->learning == MESH_LEARNS_PRIVATE && !is_private(url))
        return false;
    return url_is_tls(url) || (!is_tls && !url_is_tls(mesh->url));
}

/* A node that was restarted may listen elsewhere. */
static void move(struct mesh *mesh, struct mesh_target *target, const char *url, int64_t now_ms)
{
    if (target->origin == MESH_ORDERED || find_url(mesh, url))
        return;
    copy_text(target->url, sizeof target->url, url);
    if (target->dialing.state == DIALING_WAITING)
        dialing_start(&target->dialing, now_ms, 0);
}

bool mesh_learn(struct mesh *mesh, const char *name, const char *url, bool is_tls, int64_t now_ms,
                uint32_t random)
{
    struct mesh_target *known = find_name(mesh, name);
    int64_t in_ms = random % LEARNED_SPREAD_MS;

    if (!may_learn(mesh, name, url, is_tls))
        return false;
    if (known) {
        move(mesh, known, url, now_ms);
        return false;
    }
    if (find_url(mesh, url) || mesh->learned == MESH_LEARNED_MAX)
        return false;
    known = add(mesh, url, MESH_LEARNED);
    copy_text(known->name, sizeof known->name, name);
    if (strcmp(mesh->name, name) > 0)
        in_ms += HIGHER_WAITS_MS;
    dialing_start(&known->dialing, now_ms, in_ms);
    return true;
}

void mesh_disconnect(struct mesh *mesh, const char *name)
{
    struct mesh_target *target, *next;

    for (target = mesh->targets; target; target = next) {
        next = target->next;
        if (!*target->name)
            target->is_asked = false;
        if (strcmp(target->name, name) != 0)
            continue;
        target->is_asked = false;
        if (target->origin == MESH_LEARNED && target->dialing.state != DIALING_TRYING)
            forget(mesh, target);
        else
            dialing_stop(&target->dialing);
    }
    if (!mesh_is_unwanted(mesh, name)) {
        struct mesh_unwanted *unwanted = memory_zeroed(sizeof *unwanted);

        copy_text(unwanted->name, sizeof unwanted->name, name);
        DL_APPEND(mesh->unwanted, unwanted);
    }
}

/* ---- dialling ---------------------------------------------------------------------------- */

/* Two URLs of one node are not tried at the same time. */
static bool is_name_tried(const struct mesh *mesh, const struct mesh_target *but)
{
    struct mesh_target *target;

    if (!*but->name)
        return false;
    for (target = mesh->targets; target; target = target->next)
        if (target != but && target->dialing.state == DIALING_TRYING &&
            strcmp(target->name, but->name) == 0)
            return true;
    return false;
}

struct mesh_target *mesh_try(struct mesh *mesh, int64_t now_ms)
{
    struct mesh_target *target;

    for (target = mesh->targets; target; target = target->next) {
        if (!dialing_is_due(&target->dialing, now_ms))
            continue;
        if (is_name_tried(mesh, target)) {
            target->dialing.due_ms = now_ms + DIALING_FIRST_MS;
            continue;
        }
        dialing_try(&target->dialing);
        return target;
    }
    return NULL;
}

int64_t mesh_due_ms(const struct mesh *mesh)
{
    int64_t due_ms = INT64_MAX;
    struct mesh_target *target;

    for (target = mesh->targets; target; target = target->next)
        if (target->dialing.state == DIALING_WAITING && target->dialing.due_ms < due_ms)
            due_ms = target->dialing.due_ms;
    return due_ms;
}

/* The end of the stream, silence and time-outs may be anything; the rest was said by somebody. */
static bool is_refusal(enum auth_reason reason)
{
    return reason != AUTH_NO_REASON && reason != AUTH_ENDED && reason != AUTH_LATE;
}

void mesh_identified(struct mesh *mesh, struct mesh_target *target, const char *name)
{
    copy_text(target->name, sizeof target->name, name);
    if (target->is_asked)
        want_again(mesh, name);
}

void mesh_failed(struct mesh_target *target, enum auth_reason reason, bool has_session,
                 int64_t now_ms, uint32_t random)
{
    if (reason == AUTH_SELF)
        dialing_stop(&target->dialing);
    else if (has_session)
        dialing_hold(&target->dialing);
    else
        dialing_fail(&target->dialing, is_refusal(reason), now_ms, random);
}

void mesh_session(struct mesh *mesh, const char *name)
{
    struct mesh_target *target;

    for (target = mesh->targets; target; target = target->next)
        if (strcmp(target->name, name) == 0)
            dialing_hold(&target->dialing);
}

void mesh_session_ended(struct mesh *mesh, const char *name, int64_t now_ms, uint32_t random)
{
    struct mesh_target *target;

    for (target = mesh->targets; target; target = target->next)
        if (strcmp(target->name, name) == 0)
            dialing_release(&target->dialing, now_ms, random);
}
