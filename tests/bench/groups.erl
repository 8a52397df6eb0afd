%% The peer of the benches of groups: pg of two Erlang VMs on this machine.
%%
%%   erl … -s groups answer                       one that answers, with a scope of its own
%%   erl … -s groups main NODE visible N          joins here until NODE has heard of each: "P50 P99"
%%   erl … -s groups main NODE crowd ACTORS N     ACTORS processes join one group N times each, at once
%%   erl … -s groups main NODE connect N          N times: NODE has 20,000 memberships in 10,001
%%                                                groups; from the connection until all are here
%%
%% Prints nanoseconds. Times of two VMs are compared by os:perf_counter, the system's one clock.
-module(groups).
-export([main/1, answer/0, watch/2, fill/0]).

-define(GROUPS, 10000).
-define(ACTORS, 64).

now_ns() -> os:perf_counter(nanosecond).

scope() -> {ok, _} = pg:start(bench).

answer() ->
    scope(),
    register(answer, self()),
    receive stop -> ok end.

main([Node, What | Counts]) ->
    scope(),
    talk:wait(Node, 200),
    print(measure(What, Node, [list_to_integer(atom_to_list(C)) || C <- Counts])),
    halt(0).

print(Numbers) -> io:format("~s~n", [lists:join(" ", [integer_to_list(N) || N <- Numbers])]).

quantile(Sorted, Percent) -> lists:nth(length(Sorted) * Percent div 100 + 1, Sorted).

%% ---- seen from another node --------------------------------------------------------------------

measure(visible, Node, [N]) ->
    Watcher = spawn_link(Node, ?MODULE, watch, [self(), seen]),
    receive {watched, Watcher} -> ok end,
    Took = lists:sort([join_and_see(Watcher) || _ <- lists:seq(1, N)]),
    [quantile(Took, 50), quantile(Took, 99)];

%% ---- many at once ------------------------------------------------------------------------------

measure(crowd, _, [Actors, N]) ->
    Self = self(),
    Ready = [spawn_link(fun() -> join_many(Self, N) end) || _ <- lists:seq(1, Actors)],
    Begin = now_ns(),
    [Actor ! go || Actor <- Ready],
    [receive {joined, Actor} -> ok end || Actor <- Ready],
    [now_ns() - Begin];

%% ---- all that there is -------------------------------------------------------------------------

measure(connect, Node, [N]) ->
    ok = erpc:call(Node, ?MODULE, fill, []),
    true = await(fun has_all/0, 60000),
    Took = lists:sort([connect(Node) || _ <- lists:seq(1, N)]),
    [quantile(Took, 50)].

join_and_see(Watcher) ->
    Begin = now_ns(),
    ok = pg:join(bench, seen, self()),
    Seen = receive {seen, Watcher, At} -> At end,
    ok = pg:leave(bench, seen, self()),
    receive {left, Watcher} -> ok end,
    Seen - Begin.

watch(From, Group) ->
    pg:monitor(bench, Group),
    From ! {watched, self()},
    hear(From).

hear(From) ->
    receive
        {_, join, _, _} -> From ! {seen, self(), now_ns()};
        {_, leave, _, _} -> From ! {left, self()}
    end,
    hear(From).

join_many(Parent, N) ->
    receive go -> ok end,
    [ok = pg:join(bench, crowd, self()) || _ <- lists:seq(1, N)],
    Parent ! {joined, self()},
    receive stop -> ok end.

fill() ->
    Actors = list_to_tuple([spawn(fun() -> receive stop -> ok end end) || _ <- lists:seq(1, ?ACTORS)]),
    [begin
         Actor = element(I rem ?ACTORS + 1, Actors),
         ok = pg:join(bench, {group, I}, Actor),
         ok = pg:join(bench, all, Actor)
     end || I <- lists:seq(1, ?GROUPS)],
    ok.

has_all() -> ets:info(bench, size) =:= ?GROUPS + 1 andalso length(pg:get_members(bench, all)) =:= ?GROUPS.

await(_, 0) -> false;
await(Condition, Tries) ->
    case Condition() of
        true -> true;
        false -> timer:sleep(1), await(Condition, Tries - 1)
    end.

spin(Condition) ->
    case Condition() of
        true -> ok;
        false -> erlang:yield(), spin(Condition)
    end.

%% One that is there again by itself, before it was asked for, is parted with once more.
connect(Node) ->
    erlang:disconnect_node(Node),
    true = await(fun() -> ets:info(bench, size) =:= 0 end, 60000),
    timer:sleep(200), %% the other side, too, has to see that it is over
    Begin = now_ns(),
    case {ets:info(bench, size), lists:member(Node, nodes())} of
        {0, false} ->
            true = net_kernel:connect_node(Node),
            spin(fun has_all/0),
            now_ns() - Begin;
        _ ->
            connect(Node)
    end.
