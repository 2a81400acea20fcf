using WebRtcIms.AppHost;

// The application: each part, what it refers to, and what it waits for. Parts/ has what belongs to one part: its keys and its settings.
try
{
    var builder = DistributedApplication.CreateBuilder(args);
    var publicAddress = PublicAddress.Read(builder.Configuration);
    var replicas = builder.ReadReplicas();

    var redis = builder.AddRedisServer("redis");

    var flowView = builder.AddCallLadder("flow-view");

    var turn = builder.AddTurnServers("turn", publicAddress, replicas, server => server
        .WithReference(redis).WaitFor(redis)
        .WithCallLadder(flowView));

    var waf = builder.AddWaf("waf")
        .WithReplicas(replicas)
        .WithTokensFor(turn)
        .WithReference(redis).WaitFor(redis)
        .WithCallLadder(flowView);

    var epCscf = builder.AddEpCscf("ep-cscf", waf)
        .WithReplicas(replicas)
        .WithReference(redis).WaitFor(redis)
        .WithCallLadder(flowView);

    var wwsf = builder.AddWwsf("wwsf", waf, turn)
        .WithReplicas(replicas)
        .WithSessionsAt(epCscf)
        .WithReference(redis).WaitFor(redis)
        .WithCallLadder(flowView);

    var gateway = builder.AddGateway("wic-web", publicAddress, replicas)
        .WithReference(wwsf).WaitForStart(wwsf)
        .WithReference(epCscf).WaitForStart(epCscf)
        .WithReference(flowView)
        .WaitForStart(turn[0])
        .WithCallLadder(flowView);

    wwsf.WithPageOf(gateway)
        .WithStage(turn, [turn, [waf], [epCscf], [redis]]);

    builder.CheckPorts();
    StartProblems.Report(builder);
    await builder.Build().RunAsync();
    return 0;
}
catch (DistributedApplicationException error)
{
    await Console.Error.WriteLineAsync($"WebRtcIms cannot start. {error.Message}");
    return 1;
}
