using System.Net.Sockets;
using Microsoft.Extensions.Configuration;

// A model with everything that the engine does; `--second:KEY=value` goes to the environment of the second service.
var builder = DistributedApplication.CreateBuilder(args);
var redis = builder.AddRedis("redis");
var secret = builder.AddParameter("made-secret", new GenerateParameterDefault { MinLength = 30, Special = false }, secret: true, persist: true);
var given = builder.AddParameter("given");

var first = builder.AddProject<Projects.SampleService>("first")
    .WithReference(redis).WaitFor(redis)
    .WithHttpHealthCheck("/health")
    .WithEndpoint(
        port: builder.Configuration.GetValue("first-port", 18472), scheme: "sample", name: "udp", env: "SAMPLE_PORT",
        isProxied: false, protocol: ProtocolType.Udp)
    .WithEnvironment("OVERRIDDEN", "model")
    .WithEnvironment("SECRET", secret)
    .WithEnvironment("GIVEN", given);

var second = builder.AddProject<Projects.SampleService>("second-one")
    .WithReference(first).WaitFor(first)
    .WithHttpHealthCheck("/health")
    .WithExternalHttpEndpoints();
foreach (var setting in builder.Configuration.GetSection("second").GetChildren()) second.WithEnvironment(setting.Key, setting.Value);
if (builder.Configuration["first-exit-code"] is { } code) first.WithEnvironment("SAMPLE_EXIT_CODE", code);

builder.Build().Run();
