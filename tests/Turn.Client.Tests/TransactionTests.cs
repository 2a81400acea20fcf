using System.Net;
using System.Net.Sockets;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Turn.Client.Protocol;
using WebRtcIms.Turn.Client.Tests.Scripted;

namespace WebRtcIms.Turn.Client.Tests;

/// <summary>Retransmission of requests, and the acceptance of answers.</summary>
public sealed class TransactionTests
{
    private readonly ObservedClock _clock = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    [Requirement("RFC8489-6.2.1")]
    [Requirement("TURN-A15")]
    public async Task SilentServer_GetsSevenTransmissionsOverUdp_AndIsGivenUpAfter39500Milliseconds()
    {
        var server = new ScriptedServer(_clock);
        server.AnswerNext([.. Enumerable.Repeat<Answer>(ScriptedServer.Silence, 7)]);
        await using var client = server.Connect();

        var binding = client.GetMappedAddressAsync(Cancel);
        for (var i = 0; i < 7; i++) _clock.Advance(await _clock.NextTimerAsync(Cancel));

        await Assert.ThrowsAsync<TurnException>(() => binding);
        Assert.Equal([0, 500, 1500, 3500, 7500, 15500, 31500], server.Sent.Select(sent => sent.At.TotalMilliseconds));
        Assert.Equal(39500, _clock.Elapsed.TotalMilliseconds);
        Assert.All(server.Sent, sent => Assert.Equal(server.Sent[0].Octets, sent.Octets));
    }

    [Fact]
    [Requirement("RFC8489-6.2.2")]
    public async Task SilentServer_GetsOneTransmissionOverAStream_AndIsGivenUpAfter39500Milliseconds()
    {
        var server = new ScriptedServer(_clock, isReliable: true);
        server.AnswerNext(ScriptedServer.Silence);
        await using var client = server.Connect();

        var binding = client.GetMappedAddressAsync(Cancel);
        _clock.Advance(await _clock.NextTimerAsync(Cancel));

        await Assert.ThrowsAsync<TurnException>(() => binding);
        Assert.Single(server.Sent);
        Assert.Equal(39500, _clock.Elapsed.TotalMilliseconds);
    }

    [Fact]
    [Requirement("RFC8489-6.2.1")]
    [Requirement("TURN-A15")]
    public async Task AnswerToARetransmission_Counts()
    {
        var server = new ScriptedServer(_clock);
        server.AnswerNext(ScriptedServer.Silence, ScriptedServer.Silence);
        await using var client = server.Connect();

        var binding = client.GetMappedAddressAsync(Cancel);
        for (var i = 0; i < 2; i++) _clock.Advance(await _clock.NextTimerAsync(Cancel));

        Assert.Equal(ScriptedServer.Mapped.ToIPEndPoint(), await binding);
        Assert.Equal(3, server.Sent.Count);
    }

    [Theory]
    [InlineData("wrong key")]
    [InlineData("none")]
    [InlineData("400")]
    [Requirement("RFC8489-9.2.5")]
    public async Task AnswerWithoutRightIntegrity_IsAsIfItHadNeverCome(string integrity)
    {
        var server = new ScriptedServer(_clock);
        await using var allocation = await server.AllocateAsync(Cancel);
        server.AnswerNext(integrity switch
        {
            "wrong key" => server.Forgery,
            "none" => server.UnsignedGrant,
            _ => server.Refuse(StunError.BadRequest, isSigned: false),
        });

        var refreshing = allocation.RefreshAsync(cancellationToken: Cancel);
        await server.HandledAsync(Cancel);
        _clock.Advance(await _clock.NextTimerAsync(Cancel));

        Assert.Equal(TimeSpan.FromSeconds(600), await refreshing);
        Assert.Equal(2, server.Sent.Count);
        Assert.Equal(server.Sent[0].Octets, server.Sent[1].Octets);
    }

    [Fact]
    [Requirement("RFC8489-9.2.5")]
    public async Task OnlyForgedAnswers_EndInAnErrorThatSaysSo()
    {
        var server = new ScriptedServer(_clock, isReliable: true);
        await using var allocation = await server.AllocateAsync(Cancel);
        server.AnswerNext(server.Forgery);

        var refreshing = allocation.RefreshAsync(cancellationToken: Cancel);
        await server.HandledAsync(Cancel);
        _clock.Advance(await _clock.NextTimerAsync(Cancel));

        var error = await Assert.ThrowsAsync<TurnException>(() => refreshing);
        Assert.Contains("MESSAGE-INTEGRITY", error.Message, StringComparison.Ordinal);
        Assert.Equal(StunError.None, error.Code);
    }

    [Fact]
    [Requirement("RFC8489-6.3.3")]
    public async Task AnswerWithAnUnknownRequiredAttribute_FailsTheRequest()
    {
        var server = new ScriptedServer(_clock);
        server.AnswerNext((in StunMessageReader request) =>
        {
            var response = new StunMessageWriter(new byte[100], request.Method, StunClass.SuccessResponse, request.TransactionId);
            response.WriteXorAddress(StunAttributeType.XorMappedAddress, ScriptedServer.Mapped);
            response.Write((StunAttributeType)0x7ABC, [1]);
            return response.Written.ToArray();
        });
        await using var client = server.Connect();

        var error = await Assert.ThrowsAsync<TurnException>(() => client.GetMappedAddressAsync(Cancel));
        Assert.Contains("0x7ABC", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    [Requirement("RFC8489-14.7")]
    public async Task AnswerWithAWrongFingerprint_IsDropped()
    {
        var server = new ScriptedServer(_clock);
        server.AnswerNext((in StunMessageReader request) =>
        {
            var response = new StunMessageWriter(new byte[100], request.Method, StunClass.SuccessResponse, request.TransactionId);
            response.WriteXorAddress(StunAttributeType.XorMappedAddress, ScriptedServer.Mapped);
            response.AddFingerprint();
            var octets = response.Written.ToArray();
            octets[^1] ^= 1;
            return octets;
        });
        await using var client = server.Connect();

        var binding = client.GetMappedAddressAsync(Cancel);
        await server.HandledAsync(Cancel);
        _clock.Advance(await _clock.NextTimerAsync(Cancel));

        await binding;
        Assert.Equal(2, server.Sent.Count);
    }

    [Fact]
    public async Task Cancellation_EndsOneRequestAndNoOther()
    {
        var server = new ScriptedServer(_clock);
        server.AnswerNext(ScriptedServer.Silence);
        await using var client = server.Connect();
        using var cancel = CancellationTokenSource.CreateLinkedTokenSource(Cancel);

        var cancelled = client.GetMappedAddressAsync(cancel.Token);
        await server.NextAsync(Cancel);
        await cancel.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled);
        Assert.Equal(ScriptedServer.Mapped.ToIPEndPoint(), await client.GetMappedAddressAsync(Cancel));
    }

    [Fact]
    public async Task Noise_DoesNotDisturb()
    {
        var server = new ScriptedServer(_clock);
        await using var client = server.Connect();
        var random = new Random(8489);
        for (var i = 0; i < 2000; i++)
        {
            var noise = new byte[random.Next(1, 200)];
            random.NextBytes(noise);

            // Every third looks like STUN, so that the attributes are also read.
            if (i % 3 == 0 && noise.Length >= 20) MakeHeader(noise, random);
            server.Send(noise);
        }

        Assert.Equal(ScriptedServer.Mapped.ToIPEndPoint(), await client.GetMappedAddressAsync(Cancel));
    }

    [Fact]
    [Requirement("RFC8489-6.2.1")]
    public async Task ClosedPort_EndsTheRequestAtOnce()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        var port = ((IPEndPoint)socket.LocalEndPoint!).Port;
        socket.Close();
        await using var client = await TurnClient.ConnectAsync(TurnUri.Parse($"turn:127.0.0.1:{port}"), cancellationToken: Cancel);

        // The clock of this client is real: only the ICMP error can end the request before half a minute is over.
        await Assert.ThrowsAsync<TurnException>(() => client.GetMappedAddressAsync(Cancel).WaitAsync(TimeSpan.FromSeconds(20), Cancel));
    }

    private static void MakeHeader(byte[] noise, Random random)
    {
        var length = (noise.Length - 20) & ~3;
        new byte[] { (byte)random.Next(2), (byte)random.Next(256), (byte)(length >> 8), (byte)length, 0x21, 0x12, 0xA4, 0x42 }.CopyTo(
            noise, 0);
    }
}
