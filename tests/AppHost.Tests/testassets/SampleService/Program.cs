using System.Collections;
using System.Globalization;

// A service that behaves as its environment says, well by default.
if (Environment.GetEnvironmentVariable("SAMPLE_EXIT_CODE") is { Length: > 0 } exitCode)
{
    await Console.Error.WriteLineAsync("The sample does not want to start.");
    return int.Parse(exitCode, CultureInfo.InvariantCulture);
}

var app = WebApplication.CreateBuilder(args).Build();
var started = TimeProvider.System.GetTimestamp();
var healthyAfter = TimeSpan.FromMilliseconds(app.Configuration.GetValue("SAMPLE_HEALTHY_AFTER_MS", 0));

app.MapGet("/health", () => TimeProvider.System.GetElapsedTime(started) >= healthyAfter ? Results.Ok() : Results.StatusCode(503));
app.MapGet("/environment", () => Environment.GetEnvironmentVariables().Cast<DictionaryEntry>()
    .ToDictionary(entry => (string)entry.Key, entry => (string?)entry.Value));
app.MapGet("/process", () => new { id = Environment.ProcessId, folder = Environment.CurrentDirectory });
app.MapPost("/crash/{code:int}", (int code) => Environment.Exit(code));
app.Lifetime.ApplicationStarted.Register(() => Console.WriteLine($"sample process {Environment.ProcessId}"));

// A process that does not end when asked: it hangs in its shutdown.
if (app.Configuration.GetValue<bool>("SAMPLE_STUBBORN")) app.Lifetime.ApplicationStopping.Register(() => Thread.Sleep(Timeout.Infinite));

await app.RunAsync();
return 0;
