%% The peer of the talking benches: Erlang inside one VM, or between two on this machine.
%%
%%   erl … -s talk main inside roundtrip|stream N
%%   erl … -s talk main between NODE roundtrip|stream N     NODE runs `-s talk answer`
%%
%% Prints nanoseconds: "P50 P99" of a round trip of 64 bytes, or those of one message of 64 bytes one
%% way. Whoever starts NODE ends it.
-module(talk).
-export([main/1, answer/0, serve/1, wait/2]).

-define(TRIES, 200).
-define(PAUSE_MS, 50).

main([inside, What, Count]) ->
    run(What, spawn(?MODULE, serve, [0]), Count);
main([between, Node, What, Count]) ->
    wait(Node, ?TRIES),
    {answer, Node} ! {serve, self()},
    receive {served_by, Peer} -> run(What, Peer, Count) end.

run(What, Peer, Count) ->
    N = list_to_integer(atom_to_list(Count)),
    case What of
        roundtrip -> roundtrip(Peer, N);
        stream -> stream(Peer, N)
    end,
    halt(0).

wait(Node, 0) -> error({no_node, Node});
wait(Node, Tries) ->
    case net_adm:ping(Node) of
        pong -> ok;
        pang -> timer:sleep(?PAUSE_MS), wait(Node, Tries - 1)
    end.

%% ---- the other side --------------------------------------------------------------------------

answer() ->
    register(answer, spawn(fun answer_all/0)).

answer_all() ->
    receive {serve, From} -> From ! {served_by, spawn(?MODULE, serve, [0])} end,
    answer_all().

serve(Got) ->
    receive
        {echo, From, Bytes} -> From ! {echoed, Bytes}, serve(Got);
        {put, _Bytes} -> serve(Got + 1);
        {count, From} -> From ! {count, Got}, serve(Got)
    end.

%% ---- what is measured ------------------------------------------------------------------------

roundtrip(Peer, N) ->
    Bytes = binary:copy(<<"x">>, 64),
    Took = lists:sort([once(Peer, Bytes) || _ <- lists:seq(1, N)]),
    io:format("~b ~b~n", [lists:nth(N div 2 + 1, Took), lists:nth(N * 99 div 100 + 1, Took)]).

once(Peer, Bytes) ->
    Begin = erlang:monotonic_time(nanosecond),
    Peer ! {echo, self(), Bytes},
    receive {echoed, _} -> ok end,
    erlang:monotonic_time(nanosecond) - Begin.

stream(Peer, N) ->
    Bytes = binary:copy(<<"x">>, 64),
    Begin = erlang:monotonic_time(nanosecond),
    pour(Peer, Bytes, N),
    Peer ! {count, self()},
    receive {count, N} -> ok end,
    io:format("~.1f~n", [(erlang:monotonic_time(nanosecond) - Begin) / N]).

pour(_, _, 0) -> ok;
pour(Peer, Bytes, N) -> Peer ! {put, Bytes}, pour(Peer, Bytes, N - 1).
