/*
 * Which port sys/node listened on before it was restarted, where its configuration leaves the
 * choice to the kernel (port 0): peers dial the same address again. A file below the run directory,
 * which lives as long as the node.
 */
#ifndef TROUPE_CLUSTER_LAST_PORT_H
#define TROUPE_CLUSTER_LAST_PORT_H

#include <stdint.h>

/* 0: none is known. */
uint16_t last_port_read(const char *run_dir);
/* 0, or -1 with errno: then the next sys/node has another. */
int last_port_write(const char *run_dir, uint16_t port);

#endif
