# What is built from what: explicit lists, one place.

comma := ,

LIB_SOURCES := \
    lib/addr.c lib/buf.c lib/envelope.c lib/error.c lib/fault.c lib/loop.c lib/mono.c lib/raw.c \
    lib/reason.c lib/rights.c lib/rundir.c lib/stats.c lib/text.c lib/sp.c lib/peer.c lib/wire.c
LIB_SOURCES += \
    lib/actor.c lib/agenda.c lib/attach.c lib/audience.c lib/call.c lib/cast.c lib/contact.c lib/crash.c \
    lib/ctl.c lib/descriptors.c lib/grant.c lib/newborn.c lib/helper.c lib/hotline.c lib/idle.c lib/logline.c lib/lookup.c lib/mailbox.c lib/message.c \
    lib/nest.c lib/notify.c lib/parent.c lib/parent_peer.c lib/parent_socket.c lib/publish.c \
    lib/reply.c lib/seat.c lib/subscription.c lib/summons.c lib/ties.c lib/timing.c lib/undelivered.c lib/values.c lib/work.c \
    lib/yield.c
LIB_SOURCES += lib/group.c lib/joining.c lib/table.c lib/views.c lib/reserve.c lib/control_right.c lib/url.c lib/store_url.c lib/shard.c lib/orders.c lib/group_name.c lib/cookie.c lib/following.c
LIB_SOURCES += lib/reminder.c lib/saving.c lib/state.c lib/storecall.c lib/ticks.c lib/verdict.c lib/withheld.c
LIB_LIBS    := -lev -ltpl -lm -ldl -static-libgcc
# What takes its memory from the nest, by these calls of libc: modules and supervisors. Sanitizers keep books on libc's.
NEST_CALLS   := $(patsubst %,-Wl$(comma)--wrap=%,malloc calloc realloc free strdup)
NEST_SOURCES := $(if $(SAN),,lib/nest_calls.c)
NEST_FLAGS   := $(if $(SAN),,$(NEST_CALLS))

CLI_SOURCES := cli/main.c cli/options.c cli/verbs.c cli/help.c cli/completion.c cli/client.c \
    cli/watch.c cli/actors.c cli/place.c cli/records.c cli/mesh.c cli/sessions.c cli/spread.c cli/target.c cli/columns.c cli/rates.c cli/listing.c cli/event.c cli/output.c \
    cli/output_json.c cli/daemon.c cli/ending.c cli/tail.c cli/ended.c cli/mail.c cli/description.c \
    cli/results.c cli/recipient.c cli/storage.c cli/whereabouts.c cli/errand.c cli/attachment.c cli/brood.c cli/command.c cli/cmd_up.c cli/cmd_down.c cli/cmd_check.c \
    cli/cmd_ps.c cli/cmd_tree.c cli/cmd_status.c cli/cmd_why.c cli/cmd_log.c cli/cmd_events.c \
    cli/cmd_start.c cli/cmd_stop.c cli/cmd_restart.c cli/cmd_add.c cli/cmd_rm.c cli/cmd_wait.c \
    cli/cmd_describe.c cli/cmd_call.c cli/cmd_send.c cli/cmd_run.c cli/cmd_counts.c cli/cmd_nodes.c cli/cmd_connect.c \
    cli/cmd_disconnect.c cli/cmd_groups.c cli/cmd_members.c cli/cmd_publish.c cli/cmd_services.c cli/cmd_state.c cli/cmd_version.c cli/cmd_help.c cli/cmd_completion.c
CLI_LIBS    := -ljansson

SUPERVISORD_SOURCES :=
SUPERVISORD_SOURCES += supervisord/intensity.c supervisord/backoff.c supervisord/strategy.c \
    supervisord/depends.c supervisord/texts.c supervisord/spec.c
CONFIG_SOURCES := supervisord/config.c supervisord/config_yaml.c supervisord/config_keys.c \
    supervisord/config_report.c supervisord/config_expand.c supervisord/config_reader.c \
    supervisord/config_values.c supervisord/config_process.c supervisord/config_tree.c \
    supervisord/config_node.c supervisord/config_service.c \
    supervisord/config_check.c supervisord/config_module.c supervisord/elf_symbols.c supervisord/sharding.c \
    supervisord/config_print.c supervisord/config_manual.c
SUPERVISORD_SOURCES += $(CONFIG_SOURCES)
SUPERVISORD_SOURCES += \
    supervisord/activations.c supervisord/askers.c supervisord/attached.c supervisord/backplane.c supervisord/batch.c supervisord/cgroup.c \
    supervisord/child.c supervisord/claims.c supervisord/end.c supervisord/epochs.c supervisord/fellows.c supervisord/linking.c supervisord/seeking.c \
    supervisord/party.c supervisord/watches.c \
    supervisord/environment.c supervisord/events.c supervisord/falling.c supervisord/files.c supervisord/guard.c \
    supervisord/inquiries.c supervisord/lineage.c supervisord/links.c supervisord/luggage.c supervisord/logpipes.c supervisord/mailbox_file.c supervisord/main.c \
    supervisord/fence.c supervisord/offers.c supervisord/members.c supervisord/memberships.c supervisord/module.c supervisord/module_exec.c supervisord/outcome.c \
    supervisord/pages.c supervisord/probe.c supervisord/reap.c supervisord/requests.c supervisord/root.c supervisord/satchel.c supervisord/service.c supervisord/shards.c supervisord/signals.c \
    supervisord/slots.c supervisord/spawn.c supervisord/status.c supervisord/stop.c supervisord/store.c \
    supervisord/supervisor.c supervisord/sys_tree.c supervisord/talk.c supervisord/thinfork.c \
    supervisord/title.c supervisord/why.c
# Few libraries, and those in few pieces: each fork of a supervisor copies what it has of them.
SUPERVISORD_LIBS    := $(if $(FAULT),-lyaml,-Wl,-Bstatic -lyaml -Wl,-Bdynamic)
# Fault points (test builds only): calls of libc that can be made to fail.
FAULT_CALLS := malloc calloc realloc strdup fork socket socketpair accept4 pipe2 write send sendmsg \
    open fopen memfd_create mmap
ifeq ($(FAULT),)
SUPERVISORD_SOURCES += $(NEST_SOURCES)
SUPERVISORD_LIBS    += $(NEST_FLAGS)
else
SUPERVISORD_SOURCES += supervisord/fault_points.c
SUPERVISORD_LIBS    += $(patsubst %,-Wl$(comma)--wrap=%,$(FAULT_CALLS))
endif

# NAME_MODULE_SOURCES when a module is more than workers/NAME.c.
WORKER_MODULES  := cart counter echo ticker
WORKER_PROGRAMS :=

WORKER_MODULES  += pool
POOL_PARTS := workers/pool_args.c workers/pool_queue.c workers/pool_rate.c workers/pool_route.c \
    workers/pool_stats.c
pool_MODULE_SOURCES := workers/pool.c workers/pool_crew.c workers/pool_field.c workers/pool_jobs.c \
    $(POOL_PARTS)

# NAME_UNITS are the sources a unit test links beside libtroupe.a; NAME_LIBS its libraries.
UNIT_TESTS   :=
UNIT_TESTS   += addr_test buf_test envelope_test raw_test reason_test text_test wire_test sp_test \
    peer_test rundir_test again_test
nest_test_UNITS = lib/nest_calls.c
nest_test_LIBS  = $(NEST_CALLS)
TEST_HELPERS :=
TEST_PRELOADS := timejump
TEST_MODULES := caller w1 w2 w3 w4 wd wn crasher stateful talker ledger source tally publisher listener dotted clockwork inbox drained_inbox laborer errand onlooker
FUZZERS      :=

UNIT_TESTS += nest_test hotline_test actor_test parent_test crash_test ctl_test seat_test subscription_test talk_test timing_test
FUZZERS += ctl_fuzz rawcall_fuzz
ctl_fuzz_FUZZED = lib/ctl.c
rawcall_fuzz_FUZZED = $(LIB_SOURCES)

# The command line's sources but its main and its verbs.
CLI_PARTS := cli/client.c cli/place.c cli/actors.c cli/columns.c cli/rates.c cli/output.c cli/output_json.c
UNIT_TESTS += output_test actors_test place_test
place_test_UNITS := cli/place.c
UNIT_TESTS += spread_test
spread_test_UNITS := cli/spread.c
output_test_UNITS := $(CLI_PARTS)
output_test_LIBS  := $(CLI_LIBS)
actors_test_UNITS := $(CLI_PARTS)
actors_test_LIBS  := $(CLI_LIBS)

# sys/log.
WORKER_PROGRAMS += log
LOG_PARTS := workers/log_line.c workers/log_plan.c workers/log_ring.c workers/log_files.c \
    workers/log_history.c
log_SOURCES := workers/log.c workers/log_reader.c workers/log_writer.c workers/log_lines.c \
    workers/log_follow.c workers/log_watch.c workers/log_jobs.c workers/log_serve.c $(LOG_PARTS)
TEST_HELPERS += log_driver
TEST_HELPERS += node_procs actor program

# The supervisor's pure files and the config reader.
SPEC_SOURCES := supervisord/spec.c supervisord/texts.c
UNIT_TESTS += intensity_test backoff_test strategy_test depends_test config_test
intensity_test_UNITS := supervisord/intensity.c
backoff_test_UNITS   := supervisord/backoff.c supervisord/intensity.c
strategy_test_UNITS  := supervisord/strategy.c
depends_test_UNITS   := supervisord/depends.c
config_test_UNITS := $(CONFIG_SOURCES) $(SPEC_SOURCES) supervisord/backoff.c supervisord/depends.c
config_test_LIBS  := -lyaml
UNIT_TESTS += store_test
store_test_UNITS := supervisord/store.c $(SPEC_SOURCES)
FUZZERS += config_fuzz
config_fuzz_FUZZED = $(config_test_UNITS) $(LIB_SOURCES)
config_fuzz_LIBS   = -lyaml

UNIT_TESTS += service_test epochs_test
service_test_UNITS := supervisord/service.c supervisord/backoff.c supervisord/intensity.c supervisord/sharding.c
epochs_test_UNITS  := supervisord/epochs.c
UNIT_TESTS += watches_test members_test table_test probe_test cgroup_test lineage_test satchel_test
watches_test_UNITS := supervisord/watches.c
UNIT_TESTS += offers_test
offers_test_UNITS := supervisord/offers.c
probe_test_UNITS   := supervisord/probe.c
cgroup_test_UNITS  := supervisord/cgroup.c
lineage_test_UNITS := supervisord/lineage.c
satchel_test_UNITS := supervisord/satchel.c supervisord/environment.c
members_test_UNITS := supervisord/members.c supervisord/cgroup.c supervisord/files.c

# The SP endpoint against libnng.
TEST_HELPERS += sp_echo nng_client
nng_client_LIBS := -lnng
FUZZERS += envelope_fuzz raw_fuzz wire_fuzz sp_fuzz
envelope_fuzz_FUZZED = lib/envelope.c
raw_fuzz_FUZZED      = lib/raw.c lib/buf.c
wire_fuzz_FUZZED     = lib/wire.c
sp_fuzz_FUZZED       = lib/sp.c lib/buf.c lib/rundir.c lib/addr.c lib/error.c lib/loop.c lib/mono.c

# Messages for the conformance scenarios.
TEST_HELPERS += say stranger liar oracle wire
UNIT_TESTS += log_line_test log_plan_test log_ring_test
log_line_test_UNITS := workers/log_line.c
log_plan_test_UNITS := workers/log_plan.c
log_ring_test_UNITS := workers/log_ring.c workers/log_line.c

# The reserve's memory is rationed by its test.
UNIT_TESTS += reserve_test
reserve_test_LIBS := -Wl,--wrap=malloc,--wrap=realloc,--wrap=free,--wrap=mmap,--wrap=munmap -lev

# Talked to from the command line.
TEST_MODULES += teller hearer grouper keeper waker

WORKER_MODULES += blackjack lobby
blackjack_MODULE_SOURCES := workers/blackjack.c workers/blackjack_rules.c
UNIT_TESTS += blackjack_rules_test
blackjack_rules_test_UNITS := workers/blackjack_rules.c

# The pool's pure files.
UNIT_TESTS += pool_args_test pool_queue_test pool_rate_test pool_route_test pool_stats_test
pool_args_test_UNITS  := workers/pool_args.c
pool_queue_test_UNITS := workers/pool_queue.c
pool_rate_test_UNITS  := workers/pool_rate.c
pool_route_test_UNITS := workers/pool_route.c
pool_stats_test_UNITS := workers/pool_stats.c
UNIT_TESTS += results_test command_test
results_test_UNITS := cli/results.c cli/description.c $(CLI_PARTS)
results_test_LIBS  := $(CLI_LIBS)
command_test_UNITS := cli/command.c cli/brood.c
# Any program as an actor.
WORKER_MODULES += port
PORT_PARTS := workers/port_args.c workers/port_deaf.c workers/port_faults.c workers/port_line.c workers/port_reader.c \
    workers/port_requests.c workers/port_table.c workers/port_words.c
port_MODULE_SOURCES := workers/port.c workers/port_hear.c workers/port_program.c \
    workers/port_tell.c $(PORT_PARTS)
UNIT_TESTS += port_words_test port_args_test port_line_test port_reader_test port_requests_test \
    port_table_test port_faults_test
UNIT_TESTS += port_deaf_test
port_deaf_test_UNITS     := workers/port_deaf.c
port_words_test_UNITS    := workers/port_words.c
port_args_test_UNITS     := workers/port_args.c workers/port_words.c
port_line_test_UNITS     := workers/port_line.c
port_reader_test_UNITS   := workers/port_reader.c
port_requests_test_UNITS := workers/port_requests.c
port_table_test_UNITS    := workers/port_table.c
port_faults_test_UNITS   := workers/port_faults.c
FUZZERS += port_fuzz
port_fuzz_FUZZED = workers/port_line.c workers/port_reader.c workers/port_table.c lib/raw.c lib/buf.c lib/text.c
TEST_MODULES += crowd

# An actor of a service, which notes its lives.
TEST_MODULES += entity swarm

# The chatter, spawners and short lives of the seeds' examples.
TEST_MODULES += chatter greeter novice spawner

# Where a node listens, and what groups are called.
UNIT_TESTS += url_test store_url_test ticks_test group_name_test cookie_test

# What sessions carry.
UNIT_TESTS += channel_test
channel_test_UNITS := cluster/channel.c
# sys/node. What is pure of it comes first: the tests, the fuzzers and the simulator link it alone.
AUTH_SOURCES := cluster/auth.c cluster/fields.c cluster/mac.c
GROUPS_SOURCES := cluster/groups.c cluster/groups_monitor.c cluster/groups_table.c
CLUSTER_PURE := $(AUTH_SOURCES) $(GROUPS_SOURCES) cluster/chunks.c cluster/dialing.c cluster/exchange.c \
    cluster/exchange_wire.c cluster/frames.c cluster/memory.c cluster/mesh.c cluster/outbound.c \
    cluster/peers.c cluster/rivals.c cluster/session.c
UNIT_TESTS += auth_test dialing_test exchange_test frames_test groups_test outbound_test rivals_test
auth_test_UNITS   := $(AUTH_SOURCES)
auth_test_LIBS    := -lmbedcrypto
dialing_test_UNITS := cluster/dialing.c cluster/mesh.c cluster/memory.c
groups_test_UNITS := $(GROUPS_SOURCES) cluster/memory.c
outbound_test_UNITS := cluster/outbound.c cluster/chunks.c cluster/frames.c cluster/memory.c
rivals_test_UNITS := cluster/rivals.c $(AUTH_SOURCES)
rivals_test_LIBS := -lmbedcrypto
exchange_test_UNITS := $(CLUSTER_PURE)
exchange_test_LIBS := -lmbedcrypto
frames_test_UNITS := cluster/frames.c cluster/memory.c
FUZZERS += auth_fuzz chunks_fuzz exchange_fuzz frames_fuzz
auth_fuzz_FUZZED   = $(AUTH_SOURCES) lib/addr.c
auth_fuzz_LIBS     = -lmbedcrypto
chunks_fuzz_FUZZED = cluster/chunks.c cluster/memory.c lib/buf.c
exchange_fuzz_FUZZED = lib/url.c lib/text.c $(CLUSTER_PURE) $(sp_fuzz_FUZZED)
exchange_fuzz_LIBS = -lmbedcrypto
frames_fuzz_FUZZED = cluster/frames.c cluster/memory.c $(sp_fuzz_FUZZED)
UNIT_TESTS += envelope_edit_test
envelope_edit_test_UNITS := cluster/envelope_edit.c
UNIT_TESTS += switchboard_test
SWITCHBOARD_SOURCES := cluster/switchboard.c cluster/callers.c cluster/callees.c cluster/trunk.c \
    cluster/partings.c cluster/channel.c cluster/envelope_edit.c cluster/losses.c
switchboard_test_UNITS := $(SWITCHBOARD_SOURCES)
FUZZERS += channel_fuzz
channel_fuzz_FUZZED = $(switchboard_test_UNITS) $(LIB_SOURCES)

# A thousand nodes in one process, on a network that fails.
UNIT_TESTS += cluster_sim_test
cluster_sim_test_UNITS := tests/sim/agenda.c tests/sim/network.c tests/sim/world.c $(CLUSTER_PURE)
cluster_sim_test_LIBS  := -lmbedcrypto

# Services: who is a member, until when, and where what lives. Pure, too.
UNIT_TESTS += lease_test
lease_test_UNITS := cluster/lease.c cluster/memory.c
UNIT_TESTS += membership_test
membership_test_UNITS := cluster/lease.c cluster/membership.c cluster/memory.c
UNIT_TESTS += host_load_test node_load_test
host_load_test_UNITS := cluster/host_load.c
node_load_test_UNITS := cluster/node_load.c
UNIT_TESTS += placing_test placement_test places_test sweeper_test
places_test_UNITS := cluster/exchange_wire.c cluster/fields.c cluster/host_load.c cluster/lease.c cluster/membership.c \
    cluster/memory.c cluster/node_load.c cluster/node_lock.c cluster/place.c cluster/placement.c cluster/places.c cluster/registry.c \
    cluster/rendezvous.c
places_test_LIBS := -lmbedcrypto
sweeper_test_UNITS := $(filter-out cluster/place.c cluster/places.c cluster/placement.c cluster/rendezvous.c cluster/exchange_wire.c,\
    $(places_test_UNITS)) cluster/sweeper.c
placing_test_UNITS := cluster/place.c cluster/lease.c cluster/membership.c cluster/memory.c
placement_test_UNITS := cluster/placement.c cluster/rendezvous.c
placement_test_LIBS := -lmbedcrypto
# The rules of leases and places under faults of the store, the ways and the clocks.
UNIT_TESTS += placement_sim_test
placement_sim_test_UNITS := tests/sim/agenda.c tests/sim/registry.c tests/sim/sites.c \
    cluster/place.c cluster/lease.c cluster/membership.c cluster/memory.c
# Which reminders are told by whom.
UNIT_TESTS += reminders_test
reminders_test_UNITS := cluster/reminders.c cluster/rendezvous.c cluster/memory.c
reminders_test_LIBS := -lmbedcrypto
SERVICES_SOURCES := cluster/host_load.c cluster/lease.c cluster/ledger.c cluster/membership.c cluster/node_load.c cluster/node_lock.c cluster/place.c \
    cluster/placement.c cluster/places.c cluster/registry.c cluster/rendezvous.c cluster/services.c cluster/sweeper.c
REMINDERS_SOURCES := cluster/delivery.c cluster/reminders.c cluster/reminding.c
# Guests of the gateway.
UNIT_TESTS += gate_test errands_test
gate_test_UNITS := cluster/gate.c cluster/sptcp.c
errands_test_UNITS := cluster/errands.c cluster/memory.c
FUZZERS += gate_fuzz
gate_fuzz_FUZZED = cluster/gate.c cluster/sptcp.c lib/addr.c
NODE_SOURCES := cluster/main.c cluster/last_port.c cluster/settings.c cluster/streams.c $(CLUSTER_PURE) \
    $(SWITCHBOARD_SOURCES) cluster/fanout.c cluster/reach.c cluster/visitors.c cluster/spokesman.c \
    cluster/gateway.c cluster/gate.c cluster/sptcp.c cluster/errands.c cluster/feeds.c $(SERVICES_SOURCES) $(REMINDERS_SOURCES)
NODE_LIBS    := -lnng -lmbedcrypto -lpthread

# sys/store: the queue that the backends share, and the backends.
STORE_PARTS := workers/store_queue.c workers/store_sqlite.c workers/store_postgres.c \
    workers/store_postgres_schema.c workers/store_redis.c workers/store_redis_scripts.c
STORE_LIBS  := -lsqlite3 -lpq -lhiredis
WORKER_PROGRAMS += store
store_SOURCES := workers/store.c workers/store_herald.c workers/store_serve.c $(STORE_PARTS)
store_LIBS    := $(STORE_LIBS)
UNIT_TESTS += sqlite_store_test
sqlite_store_test_UNITS := tests/unit/store_suite.c $(STORE_PARTS)
sqlite_store_test_LIBS  := $(STORE_LIBS)
UNIT_TESTS += postgres_store_test
postgres_store_test_UNITS := tests/unit/store_suite.c tests/unit/store_servers.c $(STORE_PARTS)
postgres_store_test_LIBS  := $(STORE_LIBS)
UNIT_TESTS += redis_store_test
redis_store_test_UNITS := tests/unit/store_suite.c tests/unit/store_servers.c $(STORE_PARTS)
redis_store_test_LIBS  := $(STORE_LIBS)
UNIT_TESTS += store_process_test
