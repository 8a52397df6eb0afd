/* A stop finds what waits in its mailbox unhandled. */
#define DRAINS false
#include "inbox.h"
