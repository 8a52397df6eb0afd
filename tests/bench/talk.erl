%% The peer of the talking benches: Erlang inside one VM, or between two on this machine.
%%
%%   erlc talk.erl
%%   erl +S 2:2 -noshell -pa . -s talk main inside|between roundtrip|stream N
%%
%% Prints nanoseconds: "P50 P99" of a round trip of 64 bytes, or those of one message of 64 bytes one
%% way. Between two it needs -name and a running epmd; the other VM ends with this one.
-module(talk).
-export([main/1, serve/1]).

main([Where, What, Count]) ->
    Peer = place(Where),
    run(What, Peer, list_to_integer(atom_to_list(Count))),
    halt(0).

run(roundtrip, Peer, N) -> roundtrip(Peer, N);
run(stream, Peer, N) -> stream(Peer, N).

%% ---- the other side --------------------------------------------------------------------------

place(inside) ->
    spawn(?MODULE, serve, [0]);
place(between) ->
    Name = list_to_atom("talk" ++ os:getpid() ++ "@127.0.0.1"),
    Path = filename:dirname(code:which(?MODULE)),
    open_port({spawn, "erl +S 2:2 -noshell -noinput -pa " ++ Path ++ " -name " ++ atom_to_list(Name) ++
                      " -setcookie " ++ atom_to_list(erlang:get_cookie())}, []),
    wait(Name, 200),
    Peer = spawn(Name, ?MODULE, serve, [0]),
    %% It ends when the connection to this one does.
    spawn(Name, erlang, apply, [fun watch/1, [node()]]),
    Peer.

watch(Node) ->
    monitor_node(Node, true),
    receive {nodedown, Node} -> halt(0) end.

wait(Name, 0) -> error({no_node, Name});
wait(Name, Tries) ->
    case net_adm:ping(Name) of
        pong -> ok;
        pang -> timer:sleep(50), wait(Name, Tries - 1)
    end.

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
