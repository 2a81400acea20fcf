using System.Net;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Turn.Client;
using WebRtcIms.Turn.Client.Protocol;

namespace WebRtcIms.Turn.Tests.Running;

/// <summary>The end of the process, from the first signal on.</summary>
public sealed class DrainTests : IAsyncDisposable
{
    private static readonly (string, string)[] User =
        [("Turn__StaticUsers__0__Name", "u"), ("Turn__StaticUsers__0__Password", "p"), ("Turn__Workers", "1")];

    private readonly HttpClient _http = new();
    private TurnServerProcess? _server;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        if (_server is not null) await _server.DisposeAsync();
    }

    [Theory]
    [InlineData("127.0.0.1:40001", "udp", "127.0.0.1", 40001)]
    [InlineData("192.0.2.7,[2001:db8::7]:3478", "tcp", "192.0.2.7", 0)]
    [Requirement("TURN-A35")]
    [Requirement("ABUSE-79")]
    public async Task Term_SendsNewClientsElsewhere_ServesTheOthers_AndEndsWithTheLast(
        string alternate, string transport, string address, int port)
    {
        await StartAsync(("Turn__Drain__Deadline", "00:05:00"), ("Turn__Drain__AlternateServer", alternate));
        var client = await ConnectAsync();
        var allocation = await AllocateAsync(client);
        var traffic = new Traffic([allocation]);
        Assert.Equal(HttpStatusCode.OK, await ReadyAsync());
        await _server!.SignalAsync("TERM");
        await _server.UntilItSaysAsync("takes no new clients and stops when its 1 allocations have ended");

        Assert.Equal(HttpStatusCode.ServiceUnavailable, await ReadyAsync());
        Assert.Equal(HttpStatusCode.OK, (await _http.GetAsync(Url("/health"), Cancel)).StatusCode);
        var answer = await RawAllocate.SendAsync(_server.Port, transport, "u", "p");
        Assert.Equal(StunError.TryAlternate, answer.Error);
        Assert.True(answer.IsSigned);
        Assert.Equal(new IPEndPoint(IPAddress.Parse(address), port == 0 ? _server.Port : port), answer.AlternateServer);

        // Not to strangers: they get the challenge of always (RFC 8489 §10).
        var challenge = await RawAllocate.SendAsync(_server.Port, transport, null, null);
        Assert.Equal(StunError.Unauthenticated, challenge.Error);
        Assert.Null(challenge.AlternateServer);

        await allocation.RefreshAsync(cancellationToken: Cancel);
        await traffic.AssertEachRelaysAsync();
        await traffic.DisposeAsync();
        await client.DisposeAsync();
        Assert.Equal(0, await _server.UntilExitAsync());
    }

    [Fact]
    [Requirement("TURN-A35")]
    [Requirement("ABUSE-79")]
    public async Task NoAlternateOfTheClientsFamily_Is508_AndTheDeadlineEndsTheRest()
    {
        await StartAsync(("Turn__Drain__Deadline", "00:00:10"), ("Turn__Drain__AlternateServer", "[2001:db8::7]:3478"));
        await using var client = await ConnectAsync();
        var allocation = await AllocateAsync(client);
        await _server!.SignalAsync("TERM");
        await _server.UntilItSaysAsync("takes no new clients");

        var answer = await RawAllocate.SendAsync(_server.Port, "udp", "u", "p");
        Assert.Equal(StunError.InsufficientCapacity, answer.Error);
        Assert.Null(answer.AlternateServer);
        await allocation.RefreshAsync(cancellationToken: Cancel);
        Assert.Equal(0, await _server.UntilExitAsync());
    }

    [Theory]
    [InlineData("TERM")]
    [InlineData("INT")]
    [Requirement("ABUSE-80")]
    public async Task SecondSignal_EndsItAtOnce(string signal)
    {
        await StartAsync(("Turn__Drain__Deadline", "01:00:00"));
        await using var client = await ConnectAsync();
        await AllocateAsync(client);
        await _server!.SignalAsync(signal);
        await _server.UntilItSaysAsync("takes no new clients");
        Assert.False(_server.HasExited);

        Assert.Equal(0, await _server.EndAsync(signal));
    }

    [Fact]
    [Requirement("ABUSE-79")]
    public async Task WithoutADeadline_TheProcessDoesNotWait_NotEvenForOpenStreams()
    {
        await StartAsync();
        await using var client = await ConnectAsync("?transport=tcp");
        await AllocateAsync(client);
        var began = TimeProvider.System.GetTimestamp();

        Assert.Equal(0, await _server!.EndAsync("TERM"));
        Assert.True(TimeProvider.System.GetElapsedTime(began) < TimeSpan.FromSeconds(15), _server.Output);
    }

    private async Task StartAsync(params (string, string)[] settings) =>
        _server = await TurnServerProcess.StartAsync([.. User, .. settings]);

    private async Task<TurnClient> ConnectAsync(string query = "") =>
        await TurnClient.ConnectAsync(TurnUri.Parse($"turn:127.0.0.1:{_server!.Port}{query}"), cancellationToken: Cancel);

    private static async Task<TurnAllocation> AllocateAsync(TurnClient client) =>
        await client.AllocateAsync(TurnCredential.LongTerm("u", "p"), cancellationToken: Cancel);

    private Uri Url(string path) => new($"http://127.0.0.1:{_server!.ManagementPort}{path}");

    private async Task<HttpStatusCode> ReadyAsync() => (await _http.GetAsync(Url("/ready"), Cancel)).StatusCode;
}
