using System.Diagnostics;
using System.Text.Json;
using WebRtcIms.Turn.Client.Protocol;

namespace WebRtcIms.AppHost;

/// <summary>"Place a test call" of the dashboard: a <see cref="GuestCall"/> in a trace of its own.</summary>
internal sealed class TestCall : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(15);

    private readonly HttpClient _gateway;
    private readonly GuestCall _call;
    private readonly ActivityTraceId _trace = ActivityTraceId.CreateRandom();

    private TestCall(string gateway)
    {
        _gateway = new HttpClient(new HttpClientHandler { CookieContainer = new CookieContainer() }) { BaseAddress = new Uri(gateway) };
        _gateway.DefaultRequestHeaders.Add("traceparent", $"00-{_trace}-{ActivitySpanId.CreateRandom()}-01");
        _call = new GuestCall(_gateway);
    }

    public static IResourceBuilder<ProjectResource> AddTo(IResourceBuilder<ProjectResource> gateway) =>
        gateway.WithCommand("test-call", "Place a test call", context =>
            PlaceAsync(gateway.GetEndpoint("http").Url, context.CancellationToken), new CommandOptions
            {
                Description =
                "Places a test call: anonymous session, token, Allocate, permission, channel and an echo through the relay, with the time of each step.",
                IconName = "CallConnecting",
                IsHighlighted = true,
            });

    public void Dispose() => _gateway.Dispose();

    private static async Task<ExecuteCommandResult> PlaceAsync(string gateway, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Limit);
        using var call = new TestCall(gateway);
        try
        {
            await call._call.PlaceAsync(limit.Token);
            var total = call._call.Steps.Aggregate(TimeSpan.Zero, (sum, step) => sum + step.Duration);
            return CommandResults.Success(
                $"The test call worked in {Milliseconds(total)}.", call.Report(), CommandResultFormat.Markdown, displayImmediately: true);
        }
        catch (Exception error) when (error is HttpRequestException or TurnException or JsonException or OperationCanceledException)
        {
            var reason = error is OperationCanceledException ? $"no answer within {Limit.TotalSeconds:0} s" : error.Message;
            return CommandResults.Failure(
                $"The test call failed at \"{call._call.Step}\": {reason}", call.Report(), CommandResultFormat.Markdown);
        }
    }

    private string Report()
    {
        var report = new StringBuilder("| Step | Time |\n|---|--:|\n");
        foreach (var (name, duration) in _call.Steps)
            report.Append(CultureInfo.InvariantCulture, $"| {name} | {Milliseconds(duration)} |\n");
        report.Append(CultureInfo.InvariantCulture, $"\nTrace `{_trace}`: [call ladder]({_gateway.BaseAddress}flow/#/calls/{_trace})\n");
        return report.ToString();
    }

    private static string Milliseconds(TimeSpan duration) =>
        string.Create(CultureInfo.InvariantCulture, $"{duration.TotalMilliseconds:0.0} ms");
}
