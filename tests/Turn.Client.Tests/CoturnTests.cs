using System.Net;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Turn.Client.Protocol;
using WebRtcIms.Turn.Client.Tests.Servers;

namespace WebRtcIms.Turn.Client.Tests;

/// <summary>The client against coturn.</summary>
public sealed class CoturnTests(Coturn coturn)
{
    private static readonly TurnCredential Carol = TurnCredential.LongTerm(Coturn.User, Coturn.Password);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("udp", "udp", true)]
    [InlineData("udp", "udp", false)]
    [InlineData("tcp", "tcp", true)]
    [InlineData("tcp", "tcp", false)]
    [InlineData("tls", "udp", true)]
    [Requirement("RFC8656-11")]
    [Requirement("RFC8656-12")]
    public async Task TwoAllocationsByPassword_ExchangeDatagrams(string first, string second, bool inChannels)
    {
        var server = await coturn.WithPasswordsAsync();
        await using var a = await ConnectAsync(server, first);
        await using var b = await ConnectAsync(server, second);
        await using var alice = await a.AllocateAsync(Carol, cancellationToken: Cancel);
        await using var bob = await b.AllocateAsync(Carol, cancellationToken: Cancel);
        await Echo.ThroughAsync(alice, bob, inChannels, Cancel);
    }

    [Fact]
    [Requirement("RFC8656-8")]
    public async Task Refresh_IsGrantedWhatItAsksFor_AndDisposeDeletes()
    {
        var server = await coturn.WithPasswordsAsync();
        await using var client = await ConnectAsync(server, "udp");
        var allocation = await client.AllocateAsync(Carol, new TurnAllocationOptions { Lifetime = TimeSpan.FromSeconds(700) }, Cancel);
        Assert.Equal(TimeSpan.FromSeconds(700), allocation.Lifetime);
        Assert.Equal(TimeSpan.FromSeconds(800), await allocation.RefreshAsync(TimeSpan.FromSeconds(800), Cancel));
        await allocation.DisposeAsync();
    }

    [Fact]
    [Requirement("RFC8489-9.2.5")]
    public async Task WrongPassword_IsRefused()
    {
        var server = await coturn.WithPasswordsAsync();
        await using var client = await ConnectAsync(server, "udp");
        var error = await Assert.ThrowsAsync<TurnException>(
            () => client.AllocateAsync(TurnCredential.LongTerm(Coturn.User, "guessed"), cancellationToken: Cancel));
        Assert.Equal(StunError.Unauthenticated, error.Code);
    }

    [Fact]
    [Requirement("RFC8489-6.2.3")]
    public async Task CertificateThatNobodyTrusts_EndsTheConnection()
    {
        await coturn.WithPasswordsAsync();
        var error = await Assert.ThrowsAsync<TurnException>(() => TurnClient.ConnectAsync(coturn.Tls, cancellationToken: Cancel));
        Assert.IsType<System.Security.Authentication.AuthenticationException>(error.InnerException);
    }

    [Theory]
    [InlineData("udp")]
    [InlineData("tcp")]
    [Requirement("RFC7635-9")]
    public async Task NativeTokens_AllocateAndRenew(string transport)
    {
        var server = await coturn.WithTokensAsync();
        await using var a = await ConnectAsync(server, transport);
        await using var b = await ConnectAsync(server, transport);
        await using var alice = await a.AllocateAsync(coturn.IssueToken(lifetimeSeconds: 60).Native, cancellationToken: Cancel);
        await using var bob = await b.AllocateAsync(coturn.IssueToken().Native, cancellationToken: Cancel);
        Assert.InRange(alice.Lifetime, TimeSpan.FromSeconds(50), TimeSpan.FromSeconds(65));

        Assert.True(await alice.RenewAsync(coturn.IssueToken().Native, Cancel) > TimeSpan.FromSeconds(500));

        // coturn knows only the new session key now, and the next requests are signed with it.
        await Echo.ThroughAsync(alice, bob, inChannels: true, Cancel);
    }

    [Fact]
    [Requirement("RFC7635-7")]
    public async Task NativeTokenForAServerThatTakesNone_IsNotSent()
    {
        var server = await coturn.WithPasswordsAsync();
        await using var client = await ConnectAsync(server, "udp");
        var error = await Assert.ThrowsAsync<TurnException>(() =>
            client.AllocateAsync(coturn.IssueToken().Native, cancellationToken: Cancel));
        Assert.Contains("THIRD-PARTY-AUTHORIZATION", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    [Requirement("RFC8489-12")]
    public async Task Binding_OverTls_TellsTheAddressOfTheClient()
    {
        var server = await coturn.WithPasswordsAsync();
        await using var client = await ConnectAsync(server, "tls");
        Assert.Equal(IPAddress.Loopback, (await client.GetMappedAddressAsync(Cancel)).Address);
    }

    private Task<TurnClient> ConnectAsync(CoturnProcess server, string transport)
    {
        var uri = transport switch
        {
            "udp" => TurnUri.Parse($"turn:127.0.0.1:{server.Port}"),
            "tcp" => TurnUri.Parse($"turn:127.0.0.1:{server.Port}?transport=tcp"),
            _ => coturn.Tls,
        };
        return TurnClient.ConnectAsync(uri, new TurnClientOptions { Tls = coturn.TlsOptions }, Cancel);
    }
}
