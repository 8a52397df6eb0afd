#!/usr/bin/env escript
%%! +S 2:2
%% The peer of the talking benches: Erlang inside one VM, or between two on this machine.
%%
%%   talk.escript inside|between roundtrip|stream N
%%
%% Prints nanoseconds: "P50 P99" of a round trip of 64 bytes, or of one message of 64 bytes one way.
-mode(compile).

main([Where, What, Count]) ->
    N = list_to_integer(Count),
    {Spawn, Stop} = place(Where),
    Self = self(),
    Peer = Spawn(fun() -> serve(Self, 0) end),
    case What of
        "roundtrip" -> roundtrip(Peer, N);
        "stream" -> stream(Peer, N)
    end,
    Stop().

serve(Owner, Got) ->
    receive
        {echo, From, Bytes} -> From ! {echoed, Bytes}, serve(Owner, Got);
        {put, _Bytes} -> serve(Owner, Got + 1);
        {count, From} -> From ! {count, Got}, serve(Owner, Got)
    end.

place("inside") ->
    {fun(F) -> spawn(F) end, fun() -> ok end};
place("between") ->
    os:cmd("epmd -daemon"),
    Tag = os:getpid(),
    {ok, _} = net_kernel:start(['bench_a@127.0.0.1', longnames]),
    {ok, Script} = file:read_file(escript:script_name()),
    _ = Script,
    Name = list_to_atom("bench_b" ++ Tag ++ "@127.0.0.1"),
    Port = open_port({spawn, "erl +S 2:2 -noshell -name " ++ atom_to_list(Name) ++
                      " -setcookie " ++ atom_to_list(erlang:get_cookie())}, []),
    wait(Name, 200),
    {Module, Binary, File} = code_of(),
    {module, _} = rpc:call(Name, code, load_binary, [Module, File, Binary]),
    {fun(F) -> spawn(Name, F) end,
     fun() -> rpc:call(Name, erlang, halt, []), port_close(Port) end}.

wait(Name, 0) -> error({no_node, Name});
wait(Name, Tries) ->
    case net_adm:ping(Name) of
        pong -> ok;
        pang -> timer:sleep(50), wait(Name, Tries - 1)
    end.

code_of() ->
    {ok, Sections} = escript:extract(escript:script_name(), [compile_source]),
    Binary = proplists:get_value(source, Sections),
    {ok, {Module, _}} = beam_lib:chunks(Binary, []),
    {Module, Binary, "talk"}.

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
