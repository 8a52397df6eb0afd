#include "../../workers/port_faults.h"
#include "tap.h"

int main(void)
{
    struct port_faults faults = {0};
    uint64_t untold = 99;
    int told = 0;

    for (int i = 0; i < 1000; i++)
        told += port_faults_count(&faults, PORT_FAULT_LATE, 5000, &untold);
    tap_is_int(told, PORT_FAULTS_TOLD, "of many at once a few are told");
    tap_is_int((long long)faults.count[PORT_FAULT_LATE], 1000, "all are counted");
    tap_is_int((long long)faults.count[PORT_FAULT_BAD_LINE], 0, "each as what it is");
    CHECK(!port_faults_count(&faults, PORT_FAULT_BAD_LINE, 5999, &untold), "for that second");
    CHECK(port_faults_count(&faults, PORT_FAULT_BAD_LINE, 6000, &untold) &&
              untold == 1001 - PORT_FAULTS_TOLD,
          "then the next tells how many were not");
    CHECK(port_faults_count(&faults, PORT_FAULT_BAD_LINE, 6000, &untold) && untold == 0, "once");
    for (int i = 0; i < PORT_FAULTS; i++)
        CHECK(*port_fault_name(i), "kind %d has the name %s", i, port_fault_name(i));
    return tap_done();
}
