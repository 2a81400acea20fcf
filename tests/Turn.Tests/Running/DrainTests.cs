using System.Buffers.Binary;
using System.Net;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Client;
using WebRtcIms.Turn.Client.Protocol;

namespace WebRtcIms.Turn.Tests.Running;

/// <summary>The end of the process, from the first signal on.</summary>
public sealed class DrainTests : IAsyncDisposable
{
    private static readonly (string, string)[] User =
        [("Turn__StaticUsers__0__Name", "u"), ("Turn__StaticUsers__0__Password", "p"), ("Turn__Workers", "1")];

    private static readonly StunCredential Credential = StunCredential.Password("u", "p");

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
        await _server.WaitForOutputAsync("takes no new clients and stops when its 1 allocations have ended");

        Assert.Equal(HttpStatusCode.ServiceUnavailable, await ReadyAsync());
        Assert.Equal(HttpStatusCode.OK, (await _http.GetAsync(Url("/health"), Cancel)).StatusCode);
        var (challenge, answer) = await AllocateOnTheWireAsync(transport);
        Assert.Equal(StunError.TryAlternate, answer.Error);
        Assert.True(Credential.Verifies(answer.Message, challenge.Challenge));
        Assert.Equal(new IPEndPoint(IPAddress.Parse(address), port == 0 ? _server.Port : port), AlternateServer(answer));

        // Not to strangers: they get the challenge of always (RFC 8489 §10).
        Assert.Equal(StunError.Unauthenticated, challenge.Error);
        Assert.Null(AlternateServer(challenge));

        await allocation.RefreshAsync(cancellationToken: Cancel);
        await traffic.AssertEachRelaysAsync();
        await traffic.DisposeAsync();
        await client.DisposeAsync();
        Assert.Equal(0, await _server.WaitForExitAsync());
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
        await _server.WaitForOutputAsync("takes no new clients");

        var (_, answer) = await AllocateOnTheWireAsync("udp");
        Assert.Equal(StunError.InsufficientCapacity, answer.Error);
        Assert.Null(AlternateServer(answer));
        await allocation.RefreshAsync(cancellationToken: Cancel);
        Assert.Equal(0, await _server.WaitForExitAsync());
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
        await _server.WaitForOutputAsync("takes no new clients");
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

    /// <summary>The challenge, and the answer to the Allocate with credentials.</summary>
    private async Task<(StunAnswer Challenge, StunAnswer Answer)> AllocateOnTheWireAsync(string transport)
    {
        var server = new IPEndPoint(IPAddress.Loopback, _server!.Port);
        await using var client = transport == "udp" ? StunTestClient.Udp(server) : await StunTestClient.TcpAsync(server);
        var challenge = await client.RequestAsync(StunMethod.Allocate, StunRequest.UdpTransport);
        var request = StunRequest.Authenticated(StunMethod.Allocate, StunRequest.UdpTransport, Credential, challenge.Challenge);
        return (challenge, await client.ExchangeAsync(request));
    }

    // ALTERNATE-SERVER is coded as MAPPED-ADDRESS (RFC 8489 §14.15).
    private static IPEndPoint? AlternateServer(StunAnswer answer) =>
        answer.Has(StunAttributeType.AlternateServer) && answer.Value(StunAttributeType.AlternateServer) is [0, 1, _, _, _, _, _, _] value
        ? new IPEndPoint(new IPAddress(value.AsSpan(4)), BinaryPrimitives.ReadUInt16BigEndian(value.AsSpan(2)))
        : null;

    private async Task<TurnClient> ConnectAsync(string query = "") =>
        await TurnClient.ConnectAsync(TurnUri.Parse($"turn:127.0.0.1:{_server!.Port}{query}"), cancellationToken: Cancel);

    private static async Task<TurnAllocation> AllocateAsync(TurnClient client) =>
        await client.AllocateAsync(TurnCredential.LongTerm("u", "p"), cancellationToken: Cancel);

    private Uri Url(string path) => new($"http://127.0.0.1:{_server!.ManagementPort}{path}");

    private async Task<HttpStatusCode> ReadyAsync() => (await _http.GetAsync(Url("/ready"), Cancel)).StatusCode;
}
