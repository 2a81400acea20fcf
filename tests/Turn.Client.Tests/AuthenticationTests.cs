using System.Security.Cryptography;
using WebRtcIms.Stun.Integrity;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Turn.Client.Protocol;
using WebRtcIms.Turn.Client.Tests.Scripted;

namespace WebRtcIms.Turn.Client.Tests;

/// <summary>The answers to challenges, and the attributes of a credential in a request.</summary>
public sealed class AuthenticationTests
{
    private static readonly TurnCredential Alice = TurnCredential.LongTerm(ScriptedServer.User, ScriptedServer.Password);

    private readonly ObservedClock _clock = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    [Requirement("RFC8489-9.2.3")]
    public async Task FirstRequest_HasNoCredential_AndTheSecondAnswersTheChallenge()
    {
        var server = new ScriptedServer(_clock);
        await using var client = server.Connect();
        await using var allocation = await client.AllocateAsync(Alice, cancellationToken: Cancel);

        Assert.Equal(2, server.Sent.Count);
        Assert.Null(server.Sent[0].Text(StunAttributeType.Username));
        Assert.False(server.Sent[0].Stun.HasMessageIntegrity);
        Assert.Equal("alice", server.Sent[1].Text(StunAttributeType.Username));
        Assert.Equal("example.org", server.Sent[1].Text(StunAttributeType.Realm));
        Assert.Equal("nonce-1", server.Sent[1].Text(StunAttributeType.Nonce));
        Assert.True(server.Sent[1].Stun.VerifyMessageIntegrity(ScriptedServer.PasswordKey()));
        Assert.NotEqual(server.Sent[0].Stun.TransactionId, server.Sent[1].Stun.TransactionId);
    }

    [Fact]
    [Requirement("RFC8489-9.2.5")]
    public async Task SecondChallenge_IsNotAnswered()
    {
        var server = new ScriptedServer(_clock);
        server.AnswerNext(server.Challenge, server.Challenge);
        await using var client = server.Connect();

        var error = await Assert.ThrowsAsync<TurnException>(() => client.AllocateAsync(Alice, cancellationToken: Cancel));
        Assert.Equal(StunError.Unauthenticated, error.Code);
        Assert.Equal("Unauthenticated", error.Reason);
        Assert.Equal(2, server.Sent.Count);
    }

    [Fact]
    [Requirement("RFC8489-9.2.5")]
    public async Task StaleNonce_IsAnsweredWithTheNewOne_WhichIsUsedFromThenOn()
    {
        var server = new ScriptedServer(_clock);
        await using var allocation = await server.AllocateAsync(Cancel);
        server.Nonce = "nonce-2";
        server.AnswerNext(server.StaleNonce);

        await allocation.RefreshAsync(cancellationToken: Cancel);
        await allocation.RefreshAsync(cancellationToken: Cancel);

        Assert.Equal(["nonce-1", "nonce-2", "nonce-2"], server.Sent.Select(sent => sent.Text(StunAttributeType.Nonce)));
    }

    [Fact]
    [Requirement("RFC8489-9.2.5")]
    public async Task NonceThatIsAlwaysStale_EndsTheRequest()
    {
        var server = new ScriptedServer(_clock);
        await using var allocation = await server.AllocateAsync(Cancel);
        server.AnswerNext(server.StaleNonce, server.StaleNonce);

        var error = await Assert.ThrowsAsync<TurnException>(() => allocation.RefreshAsync(cancellationToken: Cancel));
        Assert.Equal(StunError.StaleNonce, error.Code);
    }

    [Theory]
    [InlineData(new byte[] { 0, 2, 0, 0, 0, 1, 0, 0 }, 2)]
    [InlineData(new byte[] { 0, 1, 0, 0 }, 1)]
    [InlineData(new byte[] { 0x7F, 1, 0, 3, 9, 9, 9, 0, 0, 2, 0, 0 }, 2)]
    [Requirement("RFC8489-9.2.5")]
    public async Task OfferedPasswordAlgorithms_AreSentBackWithTheStrongestChosen(byte[] offered, byte chosen)
    {
        var server = new ScriptedServer(_clock) { Nonce = "obMatJos2gAAAnonce", PasswordAlgorithms = offered, UsesSha256 = true };
        if (chosen == 2)
        {
            server.Key = new byte[LongTermKey.Sha256Length];
            LongTermKey.ComputeSha256("alice"u8, "example.org"u8, "secret"u8, server.Key);
        }

        await using var client = server.Connect();
        await using var allocation = await client.AllocateAsync(Alice, cancellationToken: Cancel);

        Assert.True(server.Sent[1].Stun.TryGet(StunAttributeType.PasswordAlgorithms, out var list));
        Assert.Equal(offered, list.ToArray());
        Assert.True(server.Sent[1].Stun.TryGet(StunAttributeType.PasswordAlgorithm, out var choice));
        Assert.Equal([0, chosen, 0, 0], choice.ToArray());
        Assert.True(server.Sent[1].Stun.VerifyMessageIntegritySha256(server.Key));
    }

    [Theory]
    [InlineData(null)]
    [InlineData(new byte[] { 0, 9, 0, 0 })]
    [InlineData(new byte[] { 0, 2, 0xFF, 0xFF })]
    [Requirement("RFC8489-9.2.5")]
    public async Task AnnouncedPasswordAlgorithmsThatAreNotThere_EndTheRequest(byte[]? offered)
    {
        var server = new ScriptedServer(_clock) { Nonce = "obMatJos2gAAAnonce", PasswordAlgorithms = offered };
        await using var client = server.Connect();

        var error = await Assert.ThrowsAsync<TurnException>(() => client.AllocateAsync(Alice, cancellationToken: Cancel));
        Assert.Contains("PASSWORD-ALGORITHMS", error.Message, StringComparison.Ordinal);
        Assert.Single(server.Sent);
    }

    [Theory]
    [InlineData(20)]
    [InlineData(32)]
    [Requirement("RFC7635-4")]
    [Requirement("RFC7635-9")]
    public async Task NativeToken_StandsInAllocateAndRefreshOnly_UnderItsOwnKey(int macKeyLength)
    {
        var macKey = RandomNumberGenerator.GetBytes(macKeyLength);
        var token = RandomNumberGenerator.GetBytes(76);
        var server = new ScriptedServer(_clock)
        {
            Nonce = "obMatJos2gAAAnonce",
            PasswordAlgorithms = [0, 2, 0, 0],
            OffersTokens = true,
            Key = macKey,
            UsesSha256 = macKeyLength == 32,
        };
        await using var client = server.Connect();
        await using var allocation = await client.AllocateAsync(TurnCredential.AccessToken("k1", token, macKey), cancellationToken: Cancel);
        await allocation.RefreshAsync(cancellationToken: Cancel);
        await allocation.CreatePermissionAsync(System.Net.IPAddress.Parse("192.0.2.9"), Cancel);
        await allocation.BindChannelAsync(new(System.Net.IPAddress.Parse("192.0.2.9"), 9), Cancel);

        var signed = server.Sent.Skip(1).ToList();
        Assert.Equal(
            [StunMethod.Allocate, StunMethod.Refresh, StunMethod.CreatePermission, StunMethod.ChannelBind],
            signed.Select(sent => sent.Method));
        Assert.All(signed, sent =>
        {
            Assert.Equal("k1", sent.Text(StunAttributeType.Username));
            Assert.Null(sent.Text(StunAttributeType.PasswordAlgorithm));
            Assert.True(macKeyLength == 32 ? sent.Stun.VerifyMessageIntegritySha256(macKey) : sent.Stun.VerifyMessageIntegrity(macKey));
            var carriesToken = sent.Stun.TryGet(StunAttributeType.AccessToken, out var carried);
            Assert.Equal(sent.Method is StunMethod.Allocate or StunMethod.Refresh, carriesToken);
            if (carriesToken) Assert.Equal(token, carried.ToArray());
            Assert.InRange(sent.Octets.Length, 20, 548);
        });
    }

    [Fact]
    [Requirement("RFC7635-7")]
    public async Task ServerThatOffersNoTokens_DoesNotGetOne()
    {
        var server = new ScriptedServer(_clock);
        await using var client = server.Connect();
        var credential = TurnCredential.AccessToken("k1", new byte[76], new byte[32]);

        var error = await Assert.ThrowsAsync<TurnException>(() => client.AllocateAsync(credential, cancellationToken: Cancel));
        Assert.Contains("THIRD-PARTY-AUTHORIZATION", error.Message, StringComparison.Ordinal);
        Assert.Single(server.Sent);
    }

    [Fact]
    public void Credential_DoesNotShowItselfAsText()
    {
        var token = TurnCredential.AccessToken("the-kid", [1, 2, 3], new byte[20]);
        var password = TurnCredential.LongTerm("the-user", "the-password");
        Assert.DoesNotContain("the-", $"{token} {password}", StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, 20)]
    [InlineData(1025, 20)]
    [InlineData(64, 16)]
    [InlineData(64, 0)]
    [Requirement("RFC7635-6.2")]
    public void TokenOrKeyOfAWrongLength_IsRefusedAtOnce(int tokenLength, int macKeyLength) =>
        Assert.Throws<ArgumentException>(() => TurnCredential.AccessToken("k1", new byte[tokenLength], new byte[macKeyLength]));

    [Theory]
    [InlineData(0)]
    [InlineData(509)]
    [Requirement("RFC8489-14.3")]
    public void UserNameOfAWrongLength_IsRefusedAtOnce(int length) =>
        Assert.Throws<ArgumentException>(() => TurnCredential.LongTerm(new string('u', length), "password"));
}
