using System.Diagnostics;
using System.Net.Http.Json;
using System.Text.Json;
using WebRtcIms.Turn.Client;
using WebRtcIms.Turn.Client.Protocol;

namespace WebRtcIms.AppHost;

/// <summary>
/// Does with our own TURN client what the page does when a guest clicks the call button. Two allocations stand for caller and callee, and
/// data goes through both relays and back.
/// </summary>
/// <param name="gateway">A client of the gateway that keeps cookies.</param>
internal sealed class GuestCall(HttpClient gateway)
{
    private const int Echoes = 20;
    private const int Octets = 160;

    private readonly List<(string Name, TimeSpan Duration)> _steps = [];

    /// <summary>The steps that have worked.</summary>
    public IReadOnlyList<(string Name, TimeSpan Duration)> Steps => _steps;

    /// <summary>The step that has begun last.</summary>
    public string Step { get; private set; } = "";

    /// <exception cref="HttpRequestException">A service refused a request. The message has its answer.</exception>
    /// <exception cref="TurnException">The TURN server refused a request, or the echo is not what was sent.</exception>
    public async Task PlaceAsync(CancellationToken cancel)
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
            using var _ = await gateway.DeleteAsync(new Uri("/api/session", UriKind.Relative), CancellationToken.None);
        }
    }

    private async Task BeginSessionAsync(CancellationToken cancel)
    {
        await UseAntiforgeryTokenAsync(await gateway.GetAsync(new Uri("/api/session", UriKind.Relative), cancel), cancel);
        await UseAntiforgeryTokenAsync(await PostAsync("/api/session/anonymous", cancel), cancel);
    }

    private async Task UseAntiforgeryTokenAsync(HttpResponseMessage answer, CancellationToken cancel)
    {
        const string header = "X-XSRF-TOKEN";
        var token = (await ReadAsync(answer, cancel)).GetProperty("antiforgery_token").GetString();
        gateway.DefaultRequestHeaders.Remove(header);
        gateway.DefaultRequestHeaders.Add(header, token);
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
        gateway.PostAsync(new Uri(path, UriKind.Relative), null, cancel);

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
        for (var echo = 0; echo < Echoes; echo++)
        {
            byte[] data = [.. Enumerable.Range(echo, Octets).Select(octet => (byte)octet)];
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
        Step = name;
        var started = Stopwatch.GetTimestamp();
        var result = await step();
        _steps.Add((name, Stopwatch.GetElapsedTime(started)));
        return result;
    }
}
