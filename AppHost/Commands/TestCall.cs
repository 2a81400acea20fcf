using System.Diagnostics;
using System.Net.Http.Json;
using System.Text.Json;
using WebRtcIms.Turn.Client;
using WebRtcIms.Turn.Client.Protocol;

namespace WebRtcIms.AppHost;

/// <summary>
/// "Place a test call" does with our own TURN client what the page does when a guest clicks the call button. Two allocations stand for
/// caller and callee, and data goes through both relays and back.
/// </summary>
internal sealed class TestCall : IDisposable
{
    private const int Echoes = 20;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(15);

    private readonly HttpClient _gateway;
    private readonly List<(string Name, TimeSpan Duration)> _steps = [];
    private readonly ActivityTraceId _trace = ActivityTraceId.CreateRandom();
    private string _step = "";

    private TestCall(string gateway)
    {
        _gateway = new HttpClient(new HttpClientHandler { CookieContainer = new CookieContainer() }) { BaseAddress = new Uri(gateway) };
        _gateway.DefaultRequestHeaders.Add("traceparent", $"00-{_trace}-{ActivitySpanId.CreateRandom()}-01");
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
            await call.PlaceAsync(limit.Token);
            var total = call._steps.Aggregate(TimeSpan.Zero, (sum, step) => sum + step.Duration);
            return CommandResults.Success(
                $"The test call worked in {Milliseconds(total)}.", call.Report(), CommandResultFormat.Markdown, displayImmediately: true);
        }
        catch (Exception error) when (error is HttpRequestException or TurnException or JsonException or OperationCanceledException)
        {
            var reason = error is OperationCanceledException ? $"no answer within {Limit.TotalSeconds:0} s" : error.Message;
            return CommandResults.Failure(
                $"The test call failed at \"{call._step}\": {reason}", call.Report(), CommandResultFormat.Markdown);
        }
    }

    private async Task PlaceAsync(CancellationToken cancel)
    {
        await StepAsync("Anonymous session", () => BeginSessionAsync(cancel));
        try
        {
            var (server, credential) = await StepAsync("TURN token", () => GetTokenAsync(cancel));
            await using var callerClient = await TurnClient.ConnectAsync(server, cancellationToken: cancel);
            await using var calleeClient = await TurnClient.ConnectAsync(server, cancellationToken: cancel);
            var caller = await StepAsync("Allocate (caller)", () => callerClient.AllocateAsync(credential, cancellationToken: cancel));
            var callee = await StepAsync("Allocate (callee)", () => calleeClient.AllocateAsync(credential, cancellationToken: cancel));
            await StepAsync("Permission", () => callee.CreatePermissionAsync(caller.RelayedAddress.Address, cancel));
            await StepAsync("Channel", () => caller.BindChannelAsync(callee.RelayedAddress, cancel));
            await StepAsync($"Echo through both relays, {Echoes} times", () => EchoAsync(caller, callee, cancel));
        }
        finally
        {
            // The guest's identity is free for others at once.
            using var _ = await _gateway.DeleteAsync(new Uri("/api/session", UriKind.Relative), CancellationToken.None);
        }
    }

    private async Task BeginSessionAsync(CancellationToken cancel)
    {
        await UseAntiforgeryTokenAsync(await _gateway.GetAsync(new Uri("/api/session", UriKind.Relative), cancel), cancel);
        await UseAntiforgeryTokenAsync(await PostAsync("/api/session/anonymous", cancel), cancel);
    }

    private async Task UseAntiforgeryTokenAsync(HttpResponseMessage answer, CancellationToken cancel)
    {
        const string header = "X-XSRF-TOKEN";
        var token = (await ReadAsync(answer, cancel)).GetProperty("antiforgery_token").GetString();
        _gateway.DefaultRequestHeaders.Remove(header);
        _gateway.DefaultRequestHeaders.Add(header, token);
    }

    private async Task<(TurnUri Server, TurnCredential Credential)> GetTokenAsync(CancellationToken cancel)
    {
        var answer = await ReadAsync(await PostAsync("/api/turn-token", cancel), cancel);
        var credential = TurnCredential.AccessToken(
            answer.GetProperty("kid").GetString()!, answer.GetProperty("access_token").GetBytesFromBase64(),
            answer.GetProperty("key").GetBytesFromBase64());
        return (TurnUri.Parse(answer.GetProperty("uris")[0].GetString()!), credential);
    }

    private Task<HttpResponseMessage> PostAsync(string path, CancellationToken cancel) =>
        _gateway.PostAsync(new Uri(path, UriKind.Relative), null, cancel);

    // The services' problem details are sentences for people.
    private static async Task<JsonElement> ReadAsync(HttpResponseMessage answer, CancellationToken cancel)
    {
        using (answer)
        {
            if (answer.IsSuccessStatusCode) return await answer.Content.ReadFromJsonAsync<JsonElement>(cancel);
            throw new HttpRequestException(
                $"{answer.RequestMessage!.RequestUri!.AbsolutePath} answered {(int)answer.StatusCode}: " +
                $"{await answer.Content.ReadAsStringAsync(cancel)}");
        }
    }

    private static async Task EchoAsync(TurnAllocation caller, TurnAllocation callee, CancellationToken cancel)
    {
        var data = RandomNumberGenerator.GetBytes(160);
        for (var echo = 0; echo < Echoes; echo++)
        {
            await caller.SendAsync(data, callee.RelayedAddress, cancel);
            var heard = await callee.Received.ReadAsync(cancel);
            await callee.SendAsync(heard.Data, heard.Peer, cancel);
            var back = await caller.Received.ReadAsync(cancel);
            if (!back.Data.Span.SequenceEqual(data)) throw new TurnException("The echo is not what was sent");
        }
    }

    private async Task StepAsync(string name, Func<Task> step) => await StepAsync(name, async () =>
    {
        await step();
        return true;
    });

    private async Task<TResult> StepAsync<TResult>(string name, Func<Task<TResult>> step)
    {
        _step = name;
        var started = Stopwatch.GetTimestamp();
        var result = await step();
        _steps.Add((name, Stopwatch.GetElapsedTime(started)));
        return result;
    }

    private string Report()
    {
        var report = new StringBuilder("| Step | Time |\n|---|--:|\n");
        foreach (var (name, duration) in _steps) report.Append(CultureInfo.InvariantCulture, $"| {name} | {Milliseconds(duration)} |\n");
        report.Append(CultureInfo.InvariantCulture, $"\nTrace `{_trace}`: [call ladder]({_gateway.BaseAddress}flow/#/calls/{_trace})\n");
        return report.ToString();
    }

    private static string Milliseconds(TimeSpan duration) =>
        string.Create(CultureInfo.InvariantCulture, $"{duration.TotalMilliseconds:0.0} ms");
}
