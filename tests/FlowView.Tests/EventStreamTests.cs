using System.Net;
using Microsoft.Extensions.DependencyInjection;
using WebRtcIms.ServiceDefaults;
using WebRtcIms.ServiceDefaults.Admission;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.FlowView.Tests;

/// <summary>How many event streams a client address may have.</summary>
public sealed class EventStreamTests : IDisposable
{
    private const string Stranger = "203.0.113.66";
    private const string Other = "203.0.113.1";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly FlowViewApp _app = new();
    private readonly List<StreamReader> _streams = [];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _streams.ForEach(stream => stream.Dispose());
        _app.Dispose();
    }

    [Fact]
    [Requirement("SEC-4")]
    public async Task OneAddress_HasItsShareOfEventStreams_ItsOldestGivesWay_AndOthersStayLive()
    {
        var client = Start(("EventStreamsPerAddress", "2"));
        var other = await ListenAsync(client, Other);
        var first = await ListenAsync(client, Stranger);
        var second = await ListenAsync(client, Stranger);
        await ListenAsync(client, Stranger);

        var rest = await first.ReadToEndAsync(Cancel).WaitAsync(Patience, Cancel);
        Assert.Contains("retry: 60000", rest, StringComparison.Ordinal);
        await client.SendAsync("/v1/traces", Samples.Of("turn", Samples.Span(1, 1)));
        await UntilChangeAsync(other);
        await UntilChangeAsync(second);
    }

    [Fact]
    [Requirement("SEC-4")]
    public async Task AllStreamsTaken_TheAddressWithMostOfThemGivesWay()
    {
        // An address with as many as a browser needs is not a flood.
        var client = Start(("EventStreams", "10"));
        var other = await ListenAsync(client, Other);
        var flood = await ListenAsync(client, Stranger);
        for (var i = 1; i < 9; i++) await ListenAsync(client, Stranger);
        await ListenAsync(client, "203.0.113.2");

        await flood.ReadToEndAsync(Cancel).WaitAsync(Patience, Cancel);
        await client.SendAsync("/v1/traces", Samples.Of("turn", Samples.Span(1, 1)));
        await UntilChangeAsync(other);
    }

    [Fact]
    [Requirement("SEC-4")]
    public async Task AddressOfAStrangerWhoClaimsToForward_IsItsOwn()
    {
        var key = new string('k', 40);
        var client = Start(("EventStreamsPerAddress", "1"), ("ApiKey", key));
        client.DefaultRequestHeaders.Add(FlowViewKey.Header, key);
        _app.RemoteAddress = IPAddress.Parse("198.51.100.7");
        var first = await ListenAsync(client, Stranger);
        await ListenAsync(client, Other);
        await first.ReadToEndAsync(Cancel).WaitAsync(Patience, Cancel);
    }

    [Fact]
    [Requirement("SEC-4")]
    public async Task StreamsThatEnd_LeaveNothing()
    {
        var client = Start(("EventStreamsPerAddress", "5"));
        for (var i = 0; i < 20; i++) await ListenAsync(client, Stranger);
        var admission = _app.Services.GetRequiredService<ConnectionAdmission>();
        Assert.Equal(5, admission.Count);

        _streams.ForEach(stream => stream.Dispose());
        await Eventually.IsTrueAsync(() => admission.Count == 0);
    }

    private HttpClient Start(params (string Name, string Value)[] settings)
    {
        foreach (var (name, value) in settings) _app.With($"FlowView:{name}", value);
        return _app.Start();
    }

    private async Task<StreamReader> ListenAsync(HttpClient client, string address)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/flow/api/events");
        request.Headers.Add("X-Forwarded-For", address);
        var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancel);
        response.EnsureSuccessStatusCode();
        var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Cancel));
        _streams.Add(reader);
        Assert.Equal("event: hello", await reader.ReadLineAsync(Cancel));
        return reader;
    }

    private static async Task UntilChangeAsync(StreamReader stream)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        limit.CancelAfter(Patience);
        while (await stream.ReadLineAsync(limit.Token) is not "event: change")
        {
        }
    }
}
