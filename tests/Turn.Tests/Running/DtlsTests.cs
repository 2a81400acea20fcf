using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Stun;

namespace WebRtcIms.Turn.Tests.Running;

/// <summary>DTLS at the TLS port of the running server (RFC 7350).</summary>
public sealed class DtlsTests : IAsyncLifetime
{
    private readonly TestCertificate _certificate = new();
    private TurnServerProcess? _server;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private IPEndPoint Address => new(IPAddress.Loopback, _server!.TlsPort);

    public async ValueTask InitializeAsync() =>
        _server = await TurnServerProcess.StartAsync(Alice.Settings(_certificate.Settings));

    public async ValueTask DisposeAsync()
    {
        if (_server is not null) await _server.DisposeAsync();
        _certificate.Dispose();
    }

    [Theory]
    [InlineData("ECDHE-RSA-AES128-GCM-SHA256", true)]
    [InlineData("AES128-GCM-SHA256", false)]
    [InlineData("ECDHE-RSA-AES128-SHA", false)]
    [Requirement("RFC7350-4.6")]
    [Requirement("RFC8489-6.2.3")]
    [Requirement("TURN-E4")]
    public async Task Openssl_AgreesOnSuitesWithForwardSecrecyAndAead_AndOnStunTurn(string suite, bool isTaken)
    {
        using var openssl = Process.Start(new ProcessStartInfo(
            Tools.Require("openssl", "openssl"),
            ["s_client", "-dtls1_2", "-cipher", suite, "-alpn", "stun.turn", "-connect", Address.ToString()])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        openssl.StandardInput.Close();
        var output = await openssl.StandardOutput.ReadToEndAsync(Cancel);
        await openssl.WaitForExitAsync(Cancel);

        Assert.Equal(isTaken, output.Contains($"Cipher is {suite}", StringComparison.Ordinal));
        Assert.Equal(isTaken, output.Contains("ALPN protocol: stun.turn", StringComparison.Ordinal));
    }

    [Fact]
    [Requirement("RFC7350-4.6")]
    [Requirement("TURN-E1")]
    public async Task ClientHello_IsAnsweredWithACookie_WhichServesThatAddressAlone()
    {
        using var first = DtlsHello.Bound();
        using var second = DtlsHello.Bound();
        var hello = DtlsHello.Write([]);
        var verify = await DtlsHello.AskAsync(first, Address, hello);

        Assert.Equal(DtlsHello.HelloVerifyRequest, DtlsHello.TypeOf(verify));
        Assert.True(verify.Length < hello.Length);
        var withCookie = DtlsHello.Write(verify[28..]);
        Assert.Equal(DtlsHello.HelloVerifyRequest, DtlsHello.TypeOf(await DtlsHello.AskAsync(second, Address, withCookie)));
        Assert.Equal(
            DtlsHello.HelloVerifyRequest, DtlsHello.TypeOf(await DtlsHello.AskAsync(second, Address, DtlsHello.Write(new byte[32]))));
        Assert.Equal(DtlsHello.ServerHello, DtlsHello.TypeOf(await DtlsHello.AskAsync(first, Address, withCookie)));
    }

    [Fact]
    [Requirement("RFC8656-5")]
    [Requirement("TURN-B1")]
    [Requirement("ABUSE-28")]
    public async Task Client_AllocatesAndRelaysBothWays()
    {
        using var client = Connected();
        using var peer = DtlsHello.Bound();
        var peerAddress = (IPEndPoint)peer.Client.LocalEndPoint!;

        var relay = client.Allocate().Address(StunAttributeType.XorRelayedAddress).ToIPEndPoint();
        Assert.True(client.Request(StunMethod.CreatePermission, StunRequest.Peer(peerAddress)).IsSuccess);
        client.Send(StunRequest.SendIndication(peerAddress, [1, 2, 3]));
        Assert.Equal([1, 2, 3], (await peer.ReceiveAsync(Cancel)).Buffer);

        // No record carries the first of these, and it must not cost the session.
        await peer.SendAsync(new byte[20_000], relay, Cancel);
        await peer.SendAsync(new byte[] { 4, 5 }, relay, Cancel);
        Assert.Equal([4, 5], new StunAnswer(client.TryReceive()!).Value(StunAttributeType.Data));

        // The session's end is the allocation's: its port is free again.
        client.End();
        await UntilFreeAsync(relay);
    }

    [Fact]
    [Requirement("ABUSE-25")]
    public void ForgedAndRepeatedRecords_AreDropped_AndTheSessionLives()
    {
        using var client = Connected();
        var request = StunRequest.Plain(StunMethod.Binding);
        client.Send(request);
        var record = client.Sent[^1];
        Assert.NotNull(client.TryReceive());

        for (var i = 0; i < 2000; i++)
        {
            client.Send(record);
            var forged = record.ToArray();
            forged[10] = 77;
            forged[^1] ^= 1;
            client.Send(forged);
            client.Send([21, 0xFE, 0xFD, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 2, 40]);
            client.Send([22, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1, 20]);
            client.Send(record.AsSpan(0, 20));
        }

        // None of them is answered, and what the client says itself may be lost among so many.
        Assert.Null(client.TryReceive(200));
        byte[]? answer = null;
        for (var i = 0; i < 20 && answer is null; i++)
        {
            client.Send(request);
            answer = client.TryReceive(1000);
        }

        Assert.Equal(request[8..20], answer![8..20]);
        Assert.DoesNotContain("fail:", _server!.Output, StringComparison.Ordinal);
    }

    [Fact]
    [Requirement("RFC7350-4.6")]
    public async Task ClientThatComesAgainFromItsPort_GetsANewSession_AndLosesWhatItHad()
    {
        using var client = Connected();
        var relay = client.Allocate().Address(StunAttributeType.XorRelayedAddress).ToIPEndPoint();

        client.Handshake();
        client.Send(StunRequest.Plain(StunMethod.Binding));
        Assert.NotNull(client.TryReceive());
        await UntilFreeAsync(relay);

        Assert.True(client.Allocate().IsSuccess);
    }

    [Fact]
    public async Task NewCertificate_IsForNewSessions_AndOldOnesGoOn()
    {
        using var before = Connected();
        _certificate.Replace();
        await _server!.WaitForOutputAsync("New TLS connections get the new certificate");

        using var after = Connected();
        Assert.Equal(_certificate.Thumbprint, Convert.ToHexString(SHA256.HashData(after.Certificate)));
        Assert.NotEqual(after.Certificate, before.Certificate);
        before.Send(StunRequest.Plain(StunMethod.Binding));
        Assert.NotNull(before.TryReceive());
    }

    [Fact]
    [Requirement("RFC7443-3")]
    public void ClientOfAnotherProtocol_IsRefused()
    {
        using var client = new DtlsClient(Address);

        Assert.ThrowsAny<IOException>(() => client.Handshake("h2"));
    }

    [Fact]
    [Requirement("ABUSE-26")]
    public async Task HalfOpenHandshakes_GiveWayToNewOnes()
    {
        var halfOpen = new List<UdpClient>();
        try
        {
            for (var i = 0; i < 100; i++)
            {
                var socket = DtlsHello.Bound();
                halfOpen.Add(socket);
                var verify = await DtlsHello.AskAsync(socket, Address, DtlsHello.Write([]));
                Assert.Equal(
                    DtlsHello.ServerHello, DtlsHello.TypeOf(await DtlsHello.AskAsync(socket, Address, DtlsHello.Write(verify[28..]))));
            }

            using var client = Connected();
            client.Send(StunRequest.Plain(StunMethod.Binding));
            Assert.NotNull(client.TryReceive());
        }
        finally
        {
            foreach (var socket in halfOpen) socket.Dispose();
        }
    }

    private static Task UntilFreeAsync(IPEndPoint relay) => Eventually.IsTrueAsync(() => CanBind(relay));

    private static bool CanBind(IPEndPoint address)
    {
        try
        {
            using var socket = new UdpClient(address);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    [Fact]
    [Requirement("ABUSE-26")]
    public async Task NinthHandshakeOfOneAddress_EndsItsFirst()
    {
        using var first = DtlsHello.Bound();
        var hello = DtlsHello.Write((await DtlsHello.AskAsync(first, Address, DtlsHello.Write([])))[28..]);
        var answer = await DtlsHello.AskAsync(first, Address, hello);
        List<UdpClient> others = [.. Enumerable.Range(0, 8).Select(_ => DtlsHello.Bound())];
        foreach (var other in others)
        {
            var verify = await DtlsHello.AskAsync(other, Address, DtlsHello.Write([]));
            Assert.Equal(DtlsHello.ServerHello, DtlsHello.TypeOf(await DtlsHello.AskAsync(other, Address, DtlsHello.Write(verify[28..]))));
        }

        // The same hello begins another handshake, with other octets at random in its answer.
        var again = answer;
        while (DtlsHello.TypeOf(again) != DtlsHello.ServerHello || again.AsSpan(27, 32).SequenceEqual(answer.AsSpan(27, 32)))
            again = await DtlsHello.AskAsync(first, Address, hello);
        Assert.NotEqual(answer, again);
        others.ForEach(other => other.Dispose());
    }

    private DtlsClient Connected()
    {
        var client = new DtlsClient(Address);
        client.Handshake();
        return client;
    }
}
