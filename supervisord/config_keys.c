#include "config_keys.h"

#include "rights.h"
#include "spec.h"
#include "text.h"

#include <string.h>

#define A_TIME          "a time such as 250ms, 5s, 2m or 1h"
#define A_SIZE          "a size such as 512k, 8M or 1G"
#define A_URL           "tcp://HOST:PORT or tls+tcp://HOST:PORT"
#define A_STORE         "sqlite:, sqlite:FOLDER, postgres://…, redis://ADDRESS:PORT or redis:///SOCKET"
#define DAY_MS          86400000.0
#define YEAR_MS         (365 * DAY_MS)

static const char *const restarts[] = {"permanent", "transient", "temporary", NULL};
static const char *const strategies[] = {"one_for_one", "one_for_all", "rest_for_one", NULL};
static const char *const auto_shutdowns[] = {"never", "any_significant", "all_significant", NULL};
static const char *const stderrs[] = {"joined", "separate", NULL};
static const char *const raws[] = {"on", "bytes", "off", NULL};
static const char *const verifies[] = {"required", NULL};
static const char *const placements[] = {"local", "random", "hash", "least", NULL};
static const char *const connects[] = {"transitive", "isolated", NULL};
static const char *const gateway_rights[] = {"look", "send", NULL}; /* as in rights.h */

static const char later_web[] = "web pages come with a later version";

/* ---- a file ------------------------------------------------------------------------------ */

#define AT(member) .offset = offsetof(struct spec_application, member)

static const struct config_key file_keys[] = {
    {"troupe", TYPE_FORMAT, .required = true, .expected = "1", .example = "1",
     .help = "The version of this format. It is looked at before anything else."},
    {"application", TYPE_NAME, AT(root.name), .required = true,
     .expected = "a name of letters, digits, _ . - (at most 64, no leading dot)", .example = "shop",
     .help = "The name of the application, which is the first part of the path of each of its "
             "actors. sys is taken."},
    {"restart", TYPE_CHOICE, AT(root.restart), .choices = restarts, .fallback = "temporary",
     .example = "temporary",
     .help = "What the node does when the application as a whole gives up: temporary lets it "
             "be; transient and permanent end the node."},
    {"depends_on", TYPE_PATHS, AT(depends_on), .expected = "a list of names of applications",
     .example = "[]",
     .help = "Applications that are started, and ready, before this one, and stopped after it."},
    {"supervisor", TYPE_SUPERVISOR, AT(root.supervisor), .required = true,
     .section = SECTION_SUPERVISOR, .expected = "a map of supervisor keys",
     .help = "The supervisor at the top of the application."},
    {"node", TYPE_NODE, .section = SECTION_NODE, .expected = "a map of node keys",
     .help = "The node as a whole; in at most one of the files that are started together."},
    {"log", TYPE_LOG, .section = SECTION_LOG, .expected = "a map of log keys",
     .help = "What is kept of the output of all actors; in at most one of the files that are "
             "started together."},
    {0},
};

#undef AT

/* ---- a supervisor ------------------------------------------------------------------------ */

#define AT(member) .offset = offsetof(struct spec_supervisor, member)

static const struct config_key supervisor_keys[] = {
    {"strategy", TYPE_CHOICE, AT(strategy), .choices = strategies, .fallback = "one_for_one",
     .example = "one_for_one",
     .help = "Who else is restarted when a child must be: nobody, all the others, or those that "
             "were started after it."},
    {"intensity", TYPE_INTENSITY, AT(intensity), .max = 1000000, .fallback = "3",
     .expected = "a number from 0 to 1000000, or unlimited", .example = "3",
     .help = "How many restarts are allowed within period. One more and the supervisor stops its "
             "children and gives up, for its own supervisor to decide. unlimited is allowed when "
             "every child that is restarted has a backoff."},
    {"period", TYPE_DURATION, AT(period_ms), .min = 1, .max = YEAR_MS, .fallback = "5s",
     .expected = A_TIME " (more than 0)", .example = "5s",
     .help = "The sliding window in which restarts are counted."},
    {"auto_shutdown", TYPE_CHOICE, AT(auto_shutdown), .choices = auto_shutdowns,
     .fallback = "never", .example = "never",
     .help = "Whether the supervisor ends by itself after a child that is significant has ended "
             "for good: never, after any of them, or after all of them."},
    {"max_children", TYPE_WHOLE, AT(max_children), .min = 1, .max = 100000, .fallback = "1000",
     .expected = "a number from 1 to 100000", .example = "1000",
     .help = "More children than this are refused, declared or added."},
    {"template", TYPE_TEMPLATE, AT(template), .section = SECTION_CHILD,
     .expected = "a map of child keys, without name", .sample = SAMPLE_APART,
     .help = "Stands in place of children: one child without a name, of which any number is "
             "made while the node runs (troupe add). Their names are numbers; they are stopped "
             "all at once."},
    {"children", TYPE_CHILDREN, AT(children), .section = SECTION_CHILD,
     .expected = "a list of maps of child keys", .sample = SAMPLE_APART,
     .help = "The children, in the order in which they are started, each ready before the next. "
             "They are stopped in reverse order."},
    {0},
};

#undef AT

/* ---- a child ----------------------------------------------------------------------------- */

#define AT(member)  .offset = offsetof(struct spec, member)
#define HAS(member) .has = offsetof(struct spec, member)

static const struct config_key child_keys[] = {
    {"name", TYPE_NAME, AT(name), .kinds = FOR_ALL,
     .expected = "a name of letters, digits, _ . - (at most 64, no leading dot)", .example = "web",
     .help = "The name among its siblings, and the last part of its path. Required, but for a "
             "template."},
    {"module", TYPE_MODULE, AT(module), .kinds = FOR_MODULE,
     .expected = "the name of a module, or a path with a slash", .example = "counter",
     .sample = SAMPLE_APART,
     .help = "An actor written in C, by the name of its shared object without .so. It is looked "
             "for in the folders of $TROUPE_MODULE_PATH, then beside the running program."},
    {"exec", TYPE_EXEC, AT(exec), .kinds = FOR_PROGRAM,
     .expected = "a list: a program and its arguments", .example = "[sleep, infinity]",
     .help = "Any program, with its arguments. It is looked for in the child's PATH; with a "
             "slash in it, from cwd."},
    {"supervisor", TYPE_SUPERVISOR, AT(supervisor), .kinds = FOR_SUPERVISOR,
     .section = SECTION_SUPERVISOR, .expected = "a map of supervisor keys", .sample = SAMPLE_APART,
     .help = "A supervisor of its own, with children of its own."},
    {"service", TYPE_SERVICE, AT(supervisor), .kinds = FOR_SERVICE, .section = SECTION_SERVICE,
     .expected = "a map of service keys", .sample = SAMPLE_COMMENTED,
     .example = "{module: cart, idle: 15m, max: 1000}",
     .help = "Actors that come into being with the first message to their name: shop/carts/42 is "
             "started when somebody calls it, and stops by itself when it has got no message for a "
             "while."},
    {"description", TYPE_TEXT, AT(description), .kinds = FOR_ALL, .expected = "a text",
     .example = "answers people", .help = "One line for people, shown by status."},
    {"restart", TYPE_CHOICE, AT(restart), .kinds = FOR_ALL, .choices = restarts,
     .fallback = "permanent", .example = "permanent",
     .help = "permanent: restarted always; transient: only after an end that was not orderly; "
             "temporary: never."},
    {"shutdown", TYPE_SHUTDOWN, AT(shutdown_ms), .kinds = FOR_ALL, .max = YEAR_MS,
     .fallback_words = "5s; for a supervisor infinity",
     .expected = A_TIME ", infinity or brutal_kill", .example = "5s",
     .help = "How long the child and all that it started may take to end after the stop signal, "
             "before they are killed. brutal_kill: they are killed at once."},
    {"significant", TYPE_BOOL, AT(significant), .kinds = FOR_ALL, .fallback = "false",
     .expected = "true or false", .example = "false",
     .help = "Its end counts for the auto_shutdown of its supervisor. Not for permanent "
             "children."},
    {"stop_signal", TYPE_SIGNAL, AT(stop_signal), .kinds = FOR_PROCESS, .fallback = "TERM",
     .expected = "a signal such as TERM, INT, HUP or USR1", .example = "TERM",
     .help = "The signal that asks it to stop. With or without SIG."},
    {"ready", TYPE_READY, .kinds = FOR_PROGRAM, .section = SECTION_READY,
     .fallback_words = "at once", .expected = "notify, or a map of one of tcp, exec and log",
     .help = "When a program is ready, and the next child may start. notify: when it says so "
             "(sd_notify, or a newline on the descriptor $TROUPE_READY_FD). A module is ready when "
             "its init returns."},
    {"start_timeout", TYPE_DURATION, AT(start_timeout_ms), .kinds = FOR_ALL, .min = 1,
     .max = YEAR_MS, .fallback = "30s", .expected = A_TIME " (more than 0)", .example = "30s",
     .help = "How long it may take to be ready."},
    {"watchdog", TYPE_DURATION, AT(watchdog_ms), .kinds = FOR_PROCESS, .min = 1, .max = YEAR_MS,
     .expected = A_TIME " (more than 0)", .example = "30s", .fallback_words = "none",
     .sample = SAMPLE_COMMENTED,
     .help = "The child must give a sign of life at least this often (sd_notify WATCHDOG=1; a "
             "module's loop does it), or it is ended and counts as failed."},
    {"backoff", TYPE_BACKOFF, AT(backoff), .kinds = FOR_ALL, .section = SECTION_BACKOFF,
     .fallback_words = "none", .expected = "a map of initial, factor, max, jitter and reset_after",
     .help = "Waiting before a restart, longer each time."},
    {"link", TYPE_PATHS, AT(link), .kinds = FOR_ALL, .expected = "a list of paths such as shop/db",
     .example = "[shop/db]",
     .help = "Actors whose abnormal end ends this child too. It starts when all of them are "
             "ready."},
    {"groups", TYPE_GROUPS, AT(groups), .kinds = FOR_ALL, .expected = "a list of names of groups",
     .example = "[pages]", .sample = SAMPLE_COMMENTED,
     .help = "Process groups that it joins when it is ready and leaves when it ends, on all nodes "
             "that are connected. A name may be written SCOPE:GROUP; else the scope is pg."},
    {"replicas", TYPE_WHOLE, AT(replicas), .kinds = FOR_ALL, .min = 1, .max = 100000,
     .expected = "a number from 1 to 100000", .example = "2", .sample = SAMPLE_COMMENTED,
     .help = "So many children of this entry, NAME.1 and so on. They start together, and "
             "${replica} in their values is the number of each."},
    {"args", TYPE_ARGS, AT(args), .kinds = FOR_MODULE, .expected = "a map of texts",
     .example = "{start: 10}", .sample = SAMPLE_APART,
     .help = "Arguments of a module's init, by name."},
    {"cwd", TYPE_FOLDER, AT(cwd), .kinds = FOR_PROCESS, .expected = "an existing folder",
     .fallback_words = "the folder of this file", .example = "/tmp",
     .help = "The working directory. A relative one is taken from the folder of this file."},
    {"env_file", TYPE_ENV_FILE, AT(env), .kinds = FOR_PROCESS,
     .expected = "a file of lines NAME=VALUE, or a list of such files", .example = "web.env",
     .sample = SAMPLE_COMMENTED,
     .help = "Files with lines NAME=VALUE, taken as they stand; empty lines and lines that begin "
             "with # are skipped. env goes over them."},
    {"env", TYPE_ENV, AT(env), .kinds = FOR_PROCESS, .expected = "a map of names to texts",
     .example = "{LANG: C.UTF-8}", .help = "Environment variables, added to the node's own."},
    {"stdin", TYPE_STDIN, AT(stdin_path), .kinds = FOR_PROCESS, .fallback_words = "null",
     .expected = "null or the path of a file", .example = "null",
     .help = "What standard input is: nothing, or a file."},
    {"stderr", TYPE_BOOL, AT(stderr_separate), .kinds = FOR_PROCESS, .choices = stderrs,
     .fallback = "joined", .example = "joined",
     .help = "joined: output and errors go to the log through one pipe, in order; separate: "
             "through two, so that the log can tell them apart."},
    {"mailbox", TYPE_MAILBOX, .kinds = FOR_PROCESS, .section = SECTION_MAILBOX,
     .fallback_words = "true for a module, false for a program",
     .expected = "true, false, or a map of messages and bytes",
     .help = "Whether it has a mailbox, and how much may wait in it. A program gets it as "
             "descriptor 3, a listening socket (LISTEN_FDS)."},
    {"raw", TYPE_RAW, .kinds = FOR_MODULE, .choices = raws, .fallback_words = "on",
     .expected = "on, bytes or off", .example = "on", .sample = SAMPLE_APART,
     .help = "What becomes of messages from plain nng clients: read as commands, given to the "
             "handler named raw byte for byte, or refused."},
    {"last_state", TYPE_BOOL, AT(last_state), .kinds = FOR_MODULE, .fallback = "false",
     .expected = "true or false", .example = "false", .sample = SAMPLE_APART,
     .help = "Keeps what the actor hands over at its end, and gives it to its next "
             "incarnation."},
    {"state", TYPE_BOOL, AT(keeps_state), .kinds = FOR_MODULE,
     .fallback_words = "what the module says: has it .state?", .expected = "true or false",
     .example = "false", .sample = SAMPLE_APART,
     .help = "Whether the module keeps state in the store: then the node has one. Not with a user "
             "other than the node's."},
    {"user", TYPE_USER, .kinds = FOR_PROCESS,
     .expected = "the name of a user that exists, or a number", .example = "nobody",
     .sample = SAMPLE_COMMENTED,
     .help = "Runs as this user, with the groups of that user. Needs a node of root. A number "
             "that no user has is the group's number too."},
    {"group", TYPE_GROUP, .kinds = FOR_PROCESS,
     .expected = "the name of a group that exists, or a number", .example = "nogroup",
     .sample = SAMPLE_COMMENTED, .help = "With user: another group than the user's own."},
    {"umask", TYPE_OCTAL, AT(umask), .kinds = FOR_PROCESS, .max = 0777,
     .fallback_words = "the node's", .expected = "an octal number from 000 to 777",
     .example = "022", .help = "The mask of new files, in octal."},
    {"nice", TYPE_WHOLE, AT(nice), HAS(has_nice), .kinds = FOR_PROCESS, .min = -20, .max = 19,
     .fallback_words = "the node's", .expected = "a number from -20 to 19", .example = "0",
     .help = "Priority of its use of processors; smaller is more."},
    {"oom_score_adj", TYPE_WHOLE, AT(oom_score_adj), HAS(has_oom), .kinds = FOR_PROCESS,
     .min = -1000, .max = 1000, .fallback_words = "the node's",
     .expected = "a number from -1000 to 1000", .example = "0",
     .help = "How likely the kernel ends it when memory runs out; larger is likelier."},
    {"no_new_privs", TYPE_BOOL, AT(no_new_privs), .kinds = FOR_PROCESS, .fallback = "true",
     .expected = "true or false", .example = "true",
     .help = "Whether programs that it executes are kept from gaining privileges (setuid)."},
    {"limits", TYPE_LIMITS, .kinds = FOR_PROCESS,
     .expected = "a map of limits such as {nofile: 4096, as: 512M, core: 0}",
     .example = "{nofile: 1024, core: 0}",
     .help = "Resource limits, by the kernel's names in lower case: as, core, cpu, data, fsize, "
             "locks, memlock, msgqueue, nice, nofile, nproc, rss, rtprio, sigpending, stack. "
             "Numbers, sizes, or unlimited. Both the soft and the hard limit are set."},
    {"exit_codes", TYPE_EXIT_CODES, .kinds = FOR_PROCESS,
     .expected = "a map such as {75: restart_after 30s, 78: abort}",
     .example = "{75: restart_after 30s, 78: abort}",
     .help = "What its supervisor does after an end with this status: restart, restart_after "
             "TIME (which counts as no restart), finish, or abort (ends the application)."},
    {0},
};

#undef HAS

/* Read into the same struct as the child's own keys. */
static const struct config_key ready_keys[] = {
    {"tcp", TYPE_ADDRESS, .expected = "host:port, with a port from 1 to 65535",
     .example = "\"127.0.0.1:8099\"",
     .help = "Ready when a connection to this address is accepted. An IPv6 address stands in "
             "[ ]."},
    {"exec", TYPE_COMMAND, AT(ready_exec), .expected = "a list: a program and its arguments",
     .example = "[test, -e, /tmp]", .sample = SAMPLE_COMMENTED,
     .help = "Ready when this command, run again and again, ends with status 0."},
    {"log", TYPE_REGEX, AT(ready_log), .expected = "an extended regular expression",
     .example = "\"listening on\"", .sample = SAMPLE_COMMENTED,
     .help = "Ready when a line of its output matches this."},
    {0},
};

static const struct config_key mailbox_keys[] = {
    {"messages", TYPE_COUNT, AT(mailbox_messages), .min = 1, .max = 1e9, .fallback = "10000",
     .expected = "a number from 1 to 1000000000", .example = "10000",
     .help = "So many messages may wait; then senders wait."},
    {"bytes", TYPE_SIZE, AT(mailbox_bytes), .min = 4096, .max = 1024.0 * 1024 * 1024 * 1024,
     .fallback = "8M", .expected = A_SIZE " (at least 4k)", .example = "8M",
     .help = "So many bytes may wait; then senders wait."},
    {0},
};

#undef AT

#define AT(member) .offset = offsetof(struct backoff_spec, member)

static const struct config_key backoff_keys[] = {
    {"initial", TYPE_DURATION, AT(initial_ms), .required = true, .min = 1, .max = YEAR_MS,
     .expected = A_TIME " (more than 0)", .example = "250ms",
     .help = "The wait before the first restart."},
    {"factor", TYPE_NUMBER, AT(factor), .min = 1, .max = 1000, .fallback = "2",
     .expected = "a number from 1 to 1000, such as 2 or 1.5", .example = "2",
     .help = "Each further wait is so many times the last."},
    {"max", TYPE_DURATION, AT(max_ms), .required = true, .min = 1, .max = YEAR_MS,
     .expected = A_TIME " (more than 0)", .example = "1s", .help = "No wait is longer."},
    {"jitter", TYPE_NUMBER, AT(jitter), .max = 1, .fallback = "0.1",
     .expected = "a number from 0 to 1, such as 0.1", .example = "0.1",
     .help = "Each wait is made longer or shorter by chance, by up to this part of it."},
    {"reset_after", TYPE_DURATION, AT(reset_after_ms), .min = 1, .max = 10 * YEAR_MS,
     .fallback_words = "ten times max", .expected = A_TIME " (more than 0)", .example = "10s",
     .help = "After so long a run the waits begin anew."},
    {0},
};

#undef AT

#define AT(member)       .offset = offsetof(struct config_service, service.member)
#define INSTANCE(member) .offset = offsetof(struct config_service, instance.member)
#define INSTANCE_WHOLE   .offset = offsetof(struct config_service, instance)

static const struct config_key service_keys[] = {
    {"module", TYPE_MODULE, INSTANCE(module), .required = true,
     .expected = "the name of a module, or a path with a slash", .example = "cart",
     .help = "The module of each of its actors."},
    {"idle", TYPE_DURATION, AT(idle_ms), .min = 1, .max = YEAR_MS, .fallback_words = "never",
     .expected = A_TIME " (more than 0)", .example = "15m",
     .help = "An actor that got no message for so long, and has nothing under way, stops in order. "
             "The next message starts it again."},
    {"max", TYPE_WHOLE, AT(max), .min = 1, .max = 100000, .fallback = "1000",
     .expected = "a number from 1 to 100000", .example = "1000",
     .help = "So many actors at a time. Who asks for one more hears overloaded. More than the "
             "descriptors of this machine carry are refused."},
    {"state", TYPE_BOOL, AT(state), .fallback_words = "what the module says: has it .state?",
     .expected = "true or false", .example = "false",
     .help = "Whether the actors keep their state in the store."},
    {"placement", TYPE_CHOICE, AT(placement), .choices = placements, .fallback = "local",
     .example = "local",
     .help = "On which of several nodes an actor is started: the one that asks, any, the one that "
             "its name says, or that with the fewest."},
    {"intensity", TYPE_WHOLE, AT(intensity), .max = 1000, .fallback = "3",
     .expected = "a number from 0 to 1000", .example = "3",
     .help = "How often one actor may fail within period before it is refused for a while. Others "
             "are not concerned."},
    {"period", TYPE_DURATION, AT(period_ms), .min = 1, .max = YEAR_MS, .fallback = "5s",
     .expected = A_TIME " (more than 0)", .example = "5s",
     .help = "The sliding window in which the failures of one actor are counted."},
    {"refuse", TYPE_DURATION, AT(refuse_ms), .min = 1, .max = YEAR_MS, .fallback = "10s",
     .expected = A_TIME " (more than 0)", .example = "10s",
     .help = "For how long an actor that failed more often than that is refused; who asks for it "
             "hears why."},
    {"backoff", TYPE_BACKOFF, AT(backoff), .section = SECTION_BACKOFF, .sample = SAMPLE_APART,
     .fallback_words = "{initial: 50ms, max: 1s}",
     .expected = "a map of initial, factor, max, jitter and reset_after",
     .help = "How long an actor that failed rests before the next message starts it."},
    {"args", TYPE_ARGS, INSTANCE(args), .expected = "a map of texts", .example = "{}",
     .help = "Arguments of the module's init, the same for all."},
    {"shutdown", TYPE_SHUTDOWN, INSTANCE(shutdown_ms), .max = YEAR_MS, .fallback = "5s",
     .expected = A_TIME ", infinity or brutal_kill", .example = "5s",
     .help = "How long an actor may take to end after it was told to."},
    {"start_timeout", TYPE_DURATION, INSTANCE(start_timeout_ms), .min = 1, .max = YEAR_MS,
     .fallback = "30s", .expected = A_TIME " (more than 0)", .example = "30s",
     .help = "How long an actor may take to be ready. Others do not wait for it."},
    {"watchdog", TYPE_DURATION, INSTANCE(watchdog_ms), .min = 1, .max = YEAR_MS,
     .expected = A_TIME " (more than 0)", .example = "30s", .fallback_words = "none",
     .sample = SAMPLE_COMMENTED, .help = "As that of a child."},
    {"mailbox", TYPE_MAILBOX, INSTANCE_WHOLE, .section = SECTION_MAILBOX, .fallback_words = "true",
     .expected = "a map of messages and bytes", .sample = SAMPLE_APART,
     .help = "How much may wait in the mailbox of each."},
    {"raw", TYPE_RAW, INSTANCE_WHOLE, .choices = raws, .fallback_words = "on",
     .expected = "on, bytes or off", .example = "on", .sample = SAMPLE_APART,
     .help = "As that of a child. Plain nng clients reach actors that live, and start none."},
    {"env", TYPE_ENV, INSTANCE(env), .expected = "a map of names to texts", .example = "{}",
     .help = "Environment variables, added to the node's own."},
    {"user", TYPE_USER, INSTANCE_WHOLE, .expected = "the name of a user that exists, or a number",
     .example = "nobody", .sample = SAMPLE_COMMENTED, .help = "Runs as this user."},
    {"limits", TYPE_LIMITS, INSTANCE_WHOLE,
     .expected = "a map of limits such as {nofile: 4096, as: 512M, core: 0}",
     .example = "{core: 0}", .help = "Resource limits of each."},
    {0},
};

#undef INSTANCE
#undef INSTANCE_WHOLE
#undef AT

/* ---- the node and the log ---------------------------------------------------------------- */

#define AT(member) .offset = offsetof(struct spec_node, member)

static const struct config_key node_keys[] = {
    {"name", TYPE_NAME, AT(name),
     .expected = "a name of letters, digits, _ . - (at most 64, no leading dot)",
     .example = "local", .fallback_words = "local", .help = "The node's name."},
    {"listen", TYPE_URL, AT(listen), .expected = A_URL, .example = "tls+tcp://0.0.0.0:4730",
     .sample = SAMPLE_COMMENTED,
     .help = "Where other nodes reach this one. Port 0 is any that is free."},
    {"advertise", TYPE_URL, AT(advertise), .expected = A_URL,
     .example = "tls+tcp://east.example.org:4730", .sample = SAMPLE_COMMENTED,
     .fallback_words = "as listen", .help = "The address that other nodes are told."},
    {"peers", TYPE_URLS, AT(peers), .expected = "a list of " A_URL,
     .example = "[tls+tcp://west.example.org:4730]", .sample = SAMPLE_COMMENTED,
     .help = "Nodes to connect to, again and again until they are there."},
    {"cookie_file", TYPE_FILE_PATH, AT(cookie_file), .expected = "the path of a file",
     .example = "/etc/troupe/cookie", .sample = SAMPLE_COMMENTED,
     .help = "The secret that all nodes share, of 16 bytes or more; nobody but its owner may read "
             "the file. Required with listen and peers."},
    {"tls", TYPE_SECTION, .section = SECTION_TLS, .expected = "a map of ca, cert, key and verify",
     .sample = SAMPLE_COMMENTED,
     .example = "{ca: ca.pem, cert: east.pem, key: east.key, verify: required}",
     .help = "Certificates for connections between nodes. Required where an address is tls+tcp://."},
    {"connect", TYPE_CHOICE, AT(connect), .choices = connects, .fallback = "transitive",
     .example = "transitive", .sample = SAMPLE_COMMENTED,
     .help = "transitive: the nodes that a peer is connected to are connected to as well; isolated: "
             "peers only."},
    {"trusted_network", TYPE_BOOL, AT(trusted_network), .fallback = "false",
     .expected = "true or false", .example = "false", .sample = SAMPLE_COMMENTED,
     .help = "Whether tcp:// may be spoken beyond this host. What is said there can be read and "
             "changed by whoever is on the way; the cookie only keeps strangers from speaking."},
    {"grant", TYPE_RIGHTS, AT(grant), .choices = rights_words, .fallback_words = "[look, send, control]",
     .expected = "a list of look, send and control", .example = "[look, send, control]",
     .sample = SAMPLE_COMMENTED,
     .help = "What other nodes may do here: look at actors, send to them, start and stop them."},
    {"gateway", TYPE_SECTION, .section = SECTION_GATEWAY,
     .expected = "a map of listen, grant, actors and publishers", .sample = SAMPLE_COMMENTED,
     .example = "{listen: tcp://127.0.0.1:4740, grant: [send], actors: [shop/counter]}",
     .help = "Where plain nng clients of other hosts speak to actors. They call with REQ and cast "
             "with PUSH, each message ADDRESS, TAB, MESSAGE, and a TAB before each argument; the "
             "answer is + and the values, or ! and the reason. SUB hears ADDRESS, TAB, TOPIC, TAB, "
             "values."},
    {"http", TYPE_TEXT, AT(http), .later = later_web, .expected = "host:port",
     .example = "127.0.0.1:8730", .sample = SAMPLE_COMMENTED,
     .help = "Where the pages are served."},
    {"store", TYPE_STORE, AT(store), .expected = A_STORE, .example = "\"sqlite:\"",
     .sample = SAMPLE_COMMENTED,
     .fallback_words = "sqlite: when a child says state: true, else none",
     .help = "Where the state of actors is kept: in files of this host (sqlite:, in the node's state "
             "folder, or in FOLDER, which several nodes of the host may share), in PostgreSQL, or "
             "in Redis, one server for all keys, which must write each change to its disk "
             "(appendonly yes, appendfsync always)."},
    {"store_password_file", TYPE_FILE_PATH, AT(store_password_file),
     .expected = "the path of a file", .example = "/etc/troupe/store-password",
     .sample = SAMPLE_COMMENTED,
     .help = "A file whose first line is the password of PostgreSQL or Redis; nobody but its owner "
             "may read it."},
    {"store_unsafe", TYPE_BOOL, AT(store_unsafe), .fallback = "false", .expected = "true or false",
     .example = "false", .sample = SAMPLE_COMMENTED,
     .help = "Takes a Redis that may lose what it has acknowledged."},
    {"lease", TYPE_DURATION, AT(lease_ms), .min = 500, .max = 30000, .fallback = "5s",
     .expected = A_TIME " from 500ms to 30s", .example = "5s", .sample = SAMPLE_COMMENTED,
     .help = "How long the services of this node may run without a word to the store, where nodes "
             "share one: after that its actors have ended, and others may take them over a fifth "
             "later. Nodes with store: and peers: or listen: share their services."},
    {"max_memory", TYPE_COUNT, AT(max_memory), .min = 1, .max = 100, .fallback_words = "no limit",
     .expected = "a number from 1 to 100", .example = "90", .sample = SAMPLE_COMMENTED,
     .help = "So many percent of the host's memory may be taken; then other nodes are given what "
             "would be started here, and where all are full it is overloaded. What lives goes on."},
    {"max_load", TYPE_NUMBER, AT(max_load), .min = 0.01, .max = 1000, .fallback_words = "no limit",
     .expected = "a number from 0.01 to 1000, such as 2 or 1.5", .example = "2",
     .sample = SAMPLE_COMMENTED,
     .help = "The same for the load of the last minute, divided by the number of processors."},
    {0},
};

#undef AT

#define AT(member) .offset = offsetof(struct spec_node, member)

/* These two are read into the same struct as the node's own keys. */
static const struct config_key tls_keys[] = {
    {"ca", TYPE_FILE_PATH, AT(tls_ca), .required = true, .expected = "the path of a file",
     .example = "ca.pem", .help = "Certificates to trust, PEM."},
    {"cert", TYPE_FILE_PATH, AT(tls_cert), .required = true, .expected = "the path of a file",
     .example = "east.pem", .help = "This node's certificate, PEM."},
    {"key", TYPE_FILE_PATH, AT(tls_key), .required = true, .expected = "the path of a file",
     .example = "east.key", .help = "Its private key, PEM."},
    {"verify", TYPE_UNKEPT, .choices = verifies, .fallback_words = "required",
     .example = "required",
     .help = "The certificate of the other side is always checked, and its name where it is dialled."},
    {0},
};

static const struct config_key gateway_keys[] = {
    {"listen", TYPE_URL, AT(gateway_listen), .required = true, .expected = A_URL,
     .example = "tcp://127.0.0.1:4740",
     .help = "Where the gateway listens, for REQ, PUSH and SUB alike. Port 0 is any that is free. "
             "With tls+tcp:// clients must show a certificate that ca has signed."},
    {"grant", TYPE_RIGHTS, AT(gateway_grant), .choices = gateway_rights, .fallback_words = "[send]",
     .expected = "a list of look and send", .example = "[send]",
     .help = "What its clients may do: send, which is to call and to cast; look, which is to "
             "subscribe."},
    {"actors", TYPE_PATTERNS, AT(gateway_actors), .fallback_words = "all of the applications",
     .expected = "a list of paths, in which * ? [ ] may stand for what is within a part",
     .example = "[shop/counter, \"shop/web/*\"]",
     .help = "Whom they may send to, and nobody else. The node's own actors, in sys, are never "
             "open to them."},
    {"publishers", TYPE_PATHS, AT(gateway_publishers), .fallback_words = "none",
     .expected = "a list of paths of actors", .example = "[shop/ticker]",
     .help = "Whose publications they hear when they subscribe, beside the nodes that come and go. "
             "Needs look in grant."},
    {0},
};

#undef AT

#define AT(member) .offset = offsetof(struct spec_log, member)

static const struct config_key log_keys[] = {
    {"files", TYPE_WHOLE, AT(files), .min = 1, .max = 1000, .fallback = "10",
     .expected = "a number from 1 to 1000", .example = "10",
     .help = "How many files are kept of one actor."},
    {"size", TYPE_SIZE, AT(size_bytes), .min = 4096, .max = 1024.0 * 1024 * 1024 * 1024,
     .fallback = "10M", .expected = A_SIZE " (at least 4k)", .example = "10M",
     .help = "A file that reaches this size is put aside for the next."},
    {"total", TYPE_SIZE, AT(total_bytes), .min = 65536, .max = 1024.0 * 1024 * 1024 * 1024 * 1024,
     .fallback = "1G", .expected = A_SIZE " (at least 64k)", .example = "1G",
     .help = "All files together; beyond it the oldest are removed."},
    {"patience", TYPE_DURATION, AT(patience_ms), .max = DAY_MS, .fallback = "1s",
     .expected = A_TIME, .example = "1s",
     .help = "How long actors wait for a slow or full disk before lines are dropped, and "
             "counted."},
    {0},
};

#undef AT

static const struct {
    const char *title;
    const struct config_key *keys;
} sections[SECTION_COUNT] = {
    [SECTION_FILE] = {"file", file_keys},
    [SECTION_SUPERVISOR] = {"supervisor", supervisor_keys},
    [SECTION_CHILD] = {"child", child_keys},
    [SECTION_BACKOFF] = {"backoff", backoff_keys},
    [SECTION_READY] = {"ready", ready_keys},
    [SECTION_MAILBOX] = {"mailbox", mailbox_keys},
    [SECTION_SERVICE] = {"service", service_keys},
    [SECTION_NODE] = {"node", node_keys},
    [SECTION_TLS] = {"tls", tls_keys},
    [SECTION_GATEWAY] = {"gateway", gateway_keys},
    [SECTION_LOG] = {"log", log_keys},
};

const struct config_key *config_keys(enum config_section section)
{
    return sections[section].keys;
}

const char *config_section_title(enum config_section section)
{
    return sections[section].title;
}

const struct config_key *config_key_find(enum config_section section, const char *name)
{
    for (const struct config_key *key = config_keys(section); key->name; key++)
        if (strcmp(key->name, name) == 0)
            return key;
    return NULL;
}

const char *config_key_nearest(enum config_section section, const char *name)
{
    const char *names[64];
    size_t n = 0;

    for (const struct config_key *key = config_keys(section); key->name && n < 63; key++)
        names[n++] = key->name;
    names[n] = NULL;
    return text_nearest(name, names);
}

const char *config_key_default(const struct config_key *key)
{
    return key->fallback ? key->fallback : key->fallback_words;
}
