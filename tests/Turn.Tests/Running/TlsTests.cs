using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Text;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Client;
using WebRtcIms.Turn.Client.Protocol;

namespace WebRtcIms.Turn.Tests.Running;

/// <summary>The TLS port of the running server: handshakes right and wrong, and certificates that change.</summary>
public sealed class TlsTests(TlsServer running) : IClassFixture<TlsServer>
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>The server of all tests, or one of its own for a test that changes its certificate.</summary>
    private TlsServer Running { get; set; } = running;

    private TurnServerProcess Server => Running.Server;

    [Theory]
    [InlineData(SslProtocols.Tls12)]
    [InlineData(SslProtocols.Tls13)]
    [Requirement("RFC7443-3")]
    [Requirement("RFC8489-6.2.3")]
    [Requirement("TURN-E2")]
    public async Task Handshake_AgreesOnStunTurn_AndBindingIsAnswered(SslProtocols version)
    {
        var options = Running.Certificate.ClientOptions("stun.turn");
        options.EnabledSslProtocols = version;
        await using var tls = await ConnectAsync(options);

        Assert.Equal("stun.turn", Encoding.ASCII.GetString(tls.NegotiatedApplicationProtocol.Protocol.Span));
        Assert.Equal(version, tls.SslProtocol);
        await AssertAnswersAsync(tls);
    }

    [Fact]
    [Requirement("RFC7443-3")]
    [Requirement("TURN-E2")]
    public async Task ClientWithoutAlpn_IsServed_AndOneOfAnotherProtocolIsNot()
    {
        await using var plain = await ConnectAsync(Running.Certificate.ClientOptions());
        await AssertAnswersAsync(plain);

        await Assert.ThrowsAnyAsync<Exception>(() => ConnectAsync(Running.Certificate.ClientOptions("h2")));
    }

    [Theory]
    [InlineData(TlsCipherSuite.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, true)]
    [InlineData(TlsCipherSuite.TLS_RSA_WITH_AES_128_GCM_SHA256, false)]
    [InlineData(TlsCipherSuite.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, false)]
    [Requirement("RFC8489-6.2.3")]
    [Requirement("TURN-A17")]
    public async Task OnlySuitesWithForwardSecrecyAndAead_AreTaken(TlsCipherSuite suite, bool isTaken)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Schannel takes its suites from the system");
        var options = Running.Certificate.ClientOptions("stun.turn");
        options.EnabledSslProtocols = SslProtocols.Tls12;
        options.CipherSuitesPolicy = OperatingSystem.IsWindows() ? null : new CipherSuitesPolicy([suite]);
        if (isTaken)
        {
            await using var tls = await ConnectAsync(options);
            Assert.Equal(suite, tls.NegotiatedCipherSuite);
            return;
        }

        await Assert.ThrowsAsync<AuthenticationException>(() => ConnectAsync(options));
    }

    [Fact]
    [Requirement("RFC8656-5")]
    public async Task ClientOverTurns_RelaysBothWays()
    {
        await using var client = await TurnClient.ConnectAsync(
            TurnUri.Parse($"turns:127.0.0.1:{Server.TlsPort}"),
            new TurnClientOptions { Tls = Running.Certificate.ClientOptions("stun.turn") }, Cancel);
        await using var allocation = await client.AllocateAsync(TurnCredential.LongTerm("u", "p"), cancellationToken: Cancel);
        using var peer = new UdpClient(new IPEndPoint(IPAddress.Loopback, 0));
        var peerAddress = (IPEndPoint)peer.Client.LocalEndPoint!;
        await allocation.CreatePermissionAsync(peerAddress.Address, Cancel);

        var message = RandomNumberGenerator.GetBytes(1200);
        await allocation.SendAsync(message, peerAddress, Cancel);
        var received = await peer.ReceiveAsync(Cancel);
        Assert.Equal(message, received.Buffer);
        Assert.Equal(allocation.RelayedAddress, received.RemoteEndPoint);

        await peer.SendAsync(message, received.RemoteEndPoint, Cancel);
        Assert.Equal(message, (await allocation.Received.ReadAsync(Cancel)).Data.ToArray());
    }

    [Theory]
    [InlineData("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")]
    [InlineData("\u0000\u0001\u0000\u0000!\u0012?B, which is not TLS")]
    [Requirement("ABUSE-25")]
    public async Task WhatIsNoTls_IsClosed_AndOthersAreServed(string text)
    {
        await using var other = await ConnectAsync(Running.Certificate.ClientOptions("stun.turn"));
        using var connection = new TcpClient();
        await connection.ConnectAsync(IPAddress.Loopback, Server.TlsPort, Cancel);
        await connection.GetStream().WriteAsync(Encoding.Latin1.GetBytes(text), Cancel);

        await TlsServer.UntilClosedAsync(connection);
        await AssertAnswersAsync(other);
        Assert.DoesNotContain("fail:", Server.Output, StringComparison.Ordinal);
    }

    [Fact]
    [Requirement("ABUSE-26")]
    [Requirement("SEC-2")]
    public async Task MoreHalfOpenHandshakesThanAreKept_CloseTheOldest_AndOthersAreServed()
    {
        const int Kept = 100;
        await using var before = await ConnectAsync(Running.Certificate.ClientOptions("stun.turn"));
        await AssertAnswersAsync(before);
        var hello = await ClientHelloAsync();
        var halfOpen = new List<TcpClient>();
        try
        {
            for (var i = 0; i < Kept + 50; i++)
            {
                var connection = new TcpClient(new IPEndPoint(IPAddress.Parse("127.0.0.66"), 0));
                halfOpen.Add(connection);
                await connection.ConnectAsync(IPAddress.Loopback, Server.TlsPort, Cancel);
                if (i % 2 == 0) await connection.GetStream().WriteAsync(hello, Cancel);
            }

            foreach (var oldest in halfOpen.Take(50)) await TlsServer.UntilClosedAsync(oldest, TimeSpan.FromSeconds(8));
            await using var after = await ConnectAsync(Running.Certificate.ClientOptions("stun.turn"));
            await AssertAnswersAsync(after);
            await AssertAnswersAsync(before);
            await AssertAnswersOverUdpAsync();
        }
        finally
        {
            foreach (var connection in halfOpen) connection.Dispose();
        }
    }

    [Fact]
    public async Task NewCertificate_IsForNewConnections_AndOldOnesGoOn()
    {
        await using var own = new TlsServer();
        await own.InitializeAsync();
        Running = own;
        await using var before = await ConnectAsync(Running.Certificate.ClientOptions("stun.turn"));
        Running.Certificate.Replace();
        await Server.WaitForOutputAsync("New TLS connections get the new certificate");

        await using var after = await ConnectAsync(Running.Certificate.ClientOptions("stun.turn"));
        Assert.False(Running.Certificate.Trusts(before.RemoteCertificate));
        await AssertAnswersAsync(before);
        await AssertAnswersAsync(after);
    }

    [Fact]
    public async Task BrokenCertificate_IsNamedOnce_AndTheOldOneStays()
    {
        await using var own = new TlsServer();
        await own.InitializeAsync();
        Running = own;
        await File.WriteAllTextAsync(Running.Certificate.KeyFile, TestCertificate.Create().KeyPem, Cancel);
        await Server.WaitForOutputAsync("The certificate was not replaced; the old one stays. Turn:TlsKey:");
        var written = await File.ReadAllTextAsync(Running.Certificate.KeyFile, Cancel);

        await using var tls = await ConnectAsync(Running.Certificate.ClientOptions("stun.turn"));
        await AssertAnswersAsync(tls);
        File.Delete(Running.Certificate.KeyFile);
        await Server.WaitForOutputAsync("cannot be read");

        Assert.Equal(2, Server.Output.Split("is not the key of the certificate").Length);
        Assert.DoesNotContain(written.Split('\n')[1], Server.Output, StringComparison.Ordinal);
    }

    private async Task<SslStream> ConnectAsync(SslClientAuthenticationOptions options)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(IPAddress.Loopback, Server.TlsPort, Cancel);
        var tls = new SslStream(new NetworkStream(socket, ownsSocket: true));
        try
        {
            await tls.AuthenticateAsClientAsync(options, Cancel);
            return tls;
        }
        catch
        {
            await tls.DisposeAsync();
            throw;
        }
    }

    /// <summary>The first message of a handshake.</summary>
    private async Task<byte[]> ClientHelloAsync()
    {
        using var sent = new MemoryStream();
        await using var tls = new SslStream(sent);
        var options = Running.Certificate.ClientOptions("stun.turn");
        await Assert.ThrowsAnyAsync<IOException>(() => tls.AuthenticateAsClientAsync(options, Cancel));
        var record = sent.ToArray();
        return record[..(5 + ((record[3] << 8) | record[4]))];
    }

    private static async Task AssertAnswersAsync(SslStream tls)
    {
        var request = StunRequest.Plain(StunMethod.Binding);
        await tls.WriteAsync(request, Cancel);
        var header = new byte[StunHeader.Length];
        await tls.ReadExactlyAsync(header, Cancel);
        await tls.ReadExactlyAsync(new byte[(header[2] << 8) | header[3]], Cancel);
        Assert.Equal(request[8..20], header[8..20]);
    }

    private async Task AssertAnswersOverUdpAsync()
    {
        using var socket = new UdpClient(new IPEndPoint(IPAddress.Loopback, 0));
        var request = StunRequest.Plain(StunMethod.Binding);
        await socket.SendAsync(request, new IPEndPoint(IPAddress.Loopback, Server.Port), Cancel);
        Assert.Equal(request[8..20], (await socket.ReceiveAsync(Cancel)).Buffer[8..20]);
    }
}
