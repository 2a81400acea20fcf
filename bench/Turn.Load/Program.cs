using System.Text.Json;
using WebRtcIms.Turn.Load;

// Loads a TURN server and prints, as JSON, what each allocation and each relayed datagram cost it.
var options = LoadOptions.Parse(args);
using var run = new LoadRun(options);
var setUp = run.SetUp();
run.Relay(options.WarmUp);
var relay = run.Relay(options.Packets);
run.TearDown();
Console.WriteLine(JsonSerializer.Serialize(new { options = options with { Password = "***" }, set_up = setUp, relay }, new JsonSerializerOptions
{
    PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
    Converters = { new System.Text.Json.Serialization.JsonStringEnumConverter() },
}));
