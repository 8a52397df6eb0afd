/* A stop finishes what waits in its mailbox. */
#define DRAINS true
#include "inbox.h"
