using System.Text.Json;
using System.Text.Json.Serialization;
using WebRtcIms.Turn.Load;

// Loads TURN servers. `compare` runs coturn and this project's server in turn. `telemetry` runs the services with and without telemetry.
// `hold` keeps many allocations on one server at a time.
// Without a command it loads a running server and prints the cost of each allocation and each relayed datagram as JSON.
if (args is ["compare", ..])
{
    new Comparison(args[1..]).Run();
    return 0;
}

if (args is ["telemetry", ..])
{
    await TelemetryCost.RunAsync(args[1..]);
    return 0;
}

if (args is ["hold", ..])
{
    return new HeldAllocations(args[1..]).Run();
}

LoadOptions options;
try
{
    options = LoadOptions.Parse(args);
}
catch (FormatException problem)
{
    Console.Error.WriteLine(problem.Message);
    return 2;
}

using var run = new LoadRun(options);
var setUp = run.SetUp();
object relay;
if (options.Direction == Direction.Echo)
{
    run.Echo(options.Rate);
    relay = run.Echo(options.Packets);
}
else
{
    run.Relay(options.WarmUp);
    relay = run.Relay(options.Packets);
}

run.TearDown();
Console.WriteLine(
    JsonSerializer.Serialize(new { options = options with { Password = "***" }, set_up = setUp, relay }, new JsonSerializerOptions
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Converters = { new JsonStringEnumConverter() },
    }));
return 0;
