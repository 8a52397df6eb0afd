#include "port_faults.h"

bool port_faults_count(struct port_faults *faults, enum port_fault fault, int64_t now_ms,
                       uint64_t *untold)
{
    faults->count[fault]++;
    if (now_ms - faults->window_ms >= PORT_FAULTS_WINDOW_MS) {
        faults->window_ms = now_ms;
        faults->told = 0;
    }
    if (faults->told == PORT_FAULTS_TOLD) {
        faults->untold++;
        return false;
    }
    faults->told++;
    *untold = faults->untold;
    faults->untold = 0;
    return true;
}

const char *port_fault_name(enum port_fault fault)
{
    static const char *const names[PORT_FAULTS] = {
        [PORT_FAULT_UNKNOWN_REF] = "unknown_ref", [PORT_FAULT_LATE] = "late_answer",
        [PORT_FAULT_BAD_LINE] = "bad_line",       [PORT_FAULT_LONG_LINE] = "long_line",
        [PORT_FAULT_HALF_LINE] = "half_line",     [PORT_FAULT_LOST_CAST] = "lost_cast",
    };

    return names[fault];
}
