using WebRtcIms.Stun.Messages;
using WebRtcIms.Stun.OAuth;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Engine.Allocations;

namespace WebRtcIms.Turn.Engine.Tests;

/// <summary>Third-party authorization (RFC 7635), in its own form and in the one that browsers can send.</summary>
public sealed class TokenTests
{
    private readonly EngineFixture _fixture = new();

    [Theory]
    [InlineData("k1", 20)]
    [InlineData("k1", 32)]
    [InlineData("k2", 20)]
    [InlineData("k2", 32)]
    [Requirement("RFC7635-7")]
    [Requirement("RFC7635-B")]
    [Requirement("TURN-G3")]
    [Requirement("TURN-G4")]
    [Requirement("TURN-G10")]
    public void Token_IsTaken_AndAnswersAreSignedWithItsKey(string kid, int macKeyLength)
    {
        var client = _fixture.NewClient(_fixture.NewToken(kid, macKeyLength).Native);

        Assert.True(client.Verifies(client.Allocate()));
        Assert.True(client.Verifies(client.CreatePermission("203.0.113.9:1")));
        Assert.True(client.Verifies(client.Refresh()));
        Assert.True(client.Verifies(client.ChannelBind(0x3000, "203.0.113.9:1")));
    }

    [Fact]
    [Requirement("RFC7635-B")]
    [Requirement("TURN-G10")]
    public void MacKeyOf256Bits_ServesMessageIntegrityByItsSha1()
    {
        var client = _fixture.NewClient(_fixture.NewToken(macKeyLength: 32).NativeWithSha1);

        Assert.True(client.Verifies(client.Allocate()));
    }

    [Fact]
    [Requirement("ABUSE-44")]
    public void MacKeyOf256Bits_DoesNotServeMessageIntegrityAsItIs() =>
        Assert.Equal(StunError.Unauthenticated, Error(_fixture.NewToken(macKeyLength: 32).Native with { IsSha256 = false }));

    [Theory]
    [InlineData(20)]
    [InlineData(32)]
    public void TokenInTheUserName_IsTaken_AsBrowsersMustSendIt(int macKeyLength)
    {
        var client = _fixture.NewClient(_fixture.NewToken(macKeyLength: macKeyLength).Browser);

        Assert.True(client.Verifies(client.Allocate()));
        Assert.True(client.Verifies(client.CreatePermission("203.0.113.9:1")));
    }

    [Theory]
    [InlineData("k1~")]
    [InlineData("k1~AA+/")]
    [InlineData("k1~AA\0")]
    [InlineData("k1~AAA=A")]
    [InlineData("k1~~")]
    [Requirement("ABUSE-7")]
    public void UserNameThatOnlyLooksLikeAToken_IsUnauthenticated(string username) =>
        Assert.Equal(StunError.Unauthenticated, Error(StunCredential.Password(username, "secret")));

    [Fact]
    public void BrowserProfile_CanBeSwitchedOff()
    {
        var fixture = new EngineFixture(browserProfile: false);

        Assert.Equal(StunError.Unauthenticated, fixture.NewClient(fixture.NewToken().Browser).TryAllocate()!.Error);
        fixture.NewClient(fixture.NewToken().Native).Allocate();
    }

    [Fact]
    [Requirement("RFC7635-7")]
    [Requirement("ABUSE-37")]
    [Requirement("TURN-G2")]
    public void AnyFlippedBitOfTheToken_IsUnauthenticated()
    {
        var token = _fixture.NewToken();
        var client = _fixture.NewClient();
        for (var bit = 0; bit < token.Octets.Length * 8; bit++)
        {
            var changed = token.Octets.ToArray();
            changed[bit / 8] ^= (byte)(1 << (bit % 8));
            client.Credential = (token with { Octets = changed }).Native;
            Assert.Equal(StunError.Unauthenticated, client.TryAllocate()!.Error);
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(13)]
    [InlineData(63)]
    [Requirement("ABUSE-35")]
    public void TruncatedToken_IsUnauthenticated(int length)
    {
        var token = _fixture.NewToken();

        Assert.Equal(StunError.Unauthenticated, Error((token with { Octets = token.Octets[..length] }).Native));
        Assert.Equal(StunError.Unauthenticated, Error((token with { Octets = token.Octets[..length] }).Browser));
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(0, 11)]
    [InlineData(0, 13)]
    [InlineData(0xFF, 0xFF)]
    [Requirement("ABUSE-35")]
    [Requirement("ABUSE-36")]
    public void AnotherNonceLength_IsUnauthenticated(byte high, byte low)
    {
        var token = _fixture.NewToken();
        (token.Octets[0], token.Octets[1]) = (high, low);

        Assert.Equal(StunError.Unauthenticated, Error(token.Native));
    }

    [Fact]
    [Requirement("RFC7635-7")]
    [Requirement("ABUSE-34")]
    [Requirement("ABUSE-37")]
    [Requirement("TURN-G2")]
    public void UnknownKidAndForeignServerName_GetTheSameAnswerAsABadToken()
    {
        var bad = _fixture.NewToken();
        bad.Octets[^1] ^= 1;
        StunCredential[] credentials =
        [
            bad.Native,
            _fixture.NewToken(serverName: "turn2.example.org").Native,
            (_fixture.NewToken() with { Kid = "k9" }).Native,
            (_fixture.NewToken("k1") with { Kid = "k2" }).Native,
        ];

        var answers = credentials.Select(credential => _fixture.NewClient(credential).TryAllocate()!).ToList();
        Assert.All(answers, answer => Assert.Equal(StunError.Unauthenticated, answer.Error));
        Assert.Single(answers.Select(answer => answer.Octets.Length).Distinct());
    }

    [Fact]
    [Requirement("ABUSE-33")]
    [Requirement("TURN-G2")]
    public void KidWithoutToken_IsUnauthenticated()
    {
        var client = _fixture.NewClient(_fixture.NewToken().Native);

        Assert.Equal(StunError.Unauthenticated, client.Request(StunMethod.Allocate, StunRequest.UdpTransport, withToken: false)!.Error);
    }

    [Fact]
    [Requirement("ABUSE-43")]
    [Requirement("TURN-G3")]
    public void WrongSessionKey_IsUnauthenticated()
    {
        var token = _fixture.NewToken();

        Assert.Equal(StunError.Unauthenticated, Error((token with { MacKey = new byte[20] }).Native));
        Assert.Equal(StunError.Unauthenticated, Error((token with { MacKey = new byte[20] }).Browser));
        Assert.Equal(StunError.Unauthenticated, Error((token with { MacKey = token.MacKey[..16] }).Native));
    }

    [Theory]
    [InlineData(604.9, 600u, StunError.None)]
    [InlineData(605.0, 600u, StunError.Unauthenticated)]
    [InlineData(-5.0, 600u, StunError.None)]
    [InlineData(-5.1, 600u, StunError.Unauthenticated)]
    [InlineData(-60.0, 600u, StunError.Unauthenticated)]
    [InlineData(0.0, 0u, StunError.Unauthenticated)]
    [InlineData(100.0, uint.MaxValue, StunError.None)]
    [Requirement("RFC7635-7")]
    [Requirement("ABUSE-39")]
    [Requirement("ABUSE-40")]
    [Requirement("ABUSE-50")]
    [Requirement("TURN-G9")]
    public void Token_IsTakenOnlyWithinItsTime(double age, uint lifetime, StunError error) =>
        Assert.Equal(error, Error(_fixture.NewToken(age: age, lifetime: lifetime).Native));

    [Theory]
    [InlineData(64000UL)]
    [InlineData(65535UL)]
    [Requirement("RFC7635-6.2")]
    public void UndefinedFraction_IsUnauthenticated(ulong fraction)
    {
        var seconds = (ulong)_fixture.Time.Utc.ToUnixTimeSeconds();

        Assert.Equal(StunError.Unauthenticated, Error(_fixture.NewToken(timestamp: new TokenTimestamp((seconds << 16) | fraction)).Native));
    }

    [Theory]
    [InlineData(60u, 0, null, 60u)]
    [InlineData(60u, 0, 3600u, 60u)]
    [InlineData(60u, 58, null, 7u)]
    [InlineData(900u, 0, 777u, 777u)]
    [InlineData(36000u, 0, 30000u, 3600u)]
    [InlineData(600u, 603, 600u, 2u)]
    [Requirement("RFC7635-9")]
    [Requirement("ABUSE-56")]
    [Requirement("TURN-G5")]
    public void Lifetime_IsNeverLongerThanTheTokens(uint tokenLifetime, double age, uint? wanted, uint granted)
    {
        var client = _fixture.NewClient(_fixture.NewToken(lifetime: tokenLifetime, age: age).Native);
        var answer = client.Allocate((ref StunMessageWriter request) =>
        {
            StunRequest.UdpTransport(ref request);
            if (wanted is { } lifetime) request.WriteUInt32(StunAttributeType.Lifetime, lifetime);
        });

        Assert.Equal(granted, answer.Lifetime);
    }

    [Fact]
    [Requirement("RFC7635-9")]
    [Requirement("RFC7635-G6")]
    [Requirement("TURN-G6")]
    public void OneToken_MakesSeveralAllocations()
    {
        var token = _fixture.NewToken().Native;
        _fixture.NewClient(token).Allocate();
        _fixture.NewClient(token).Allocate();

        Assert.Equal(2, _fixture.Engine.AllocationCount);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    [Requirement("RFC7635-9")]
    [Requirement("ABUSE-45")]
    [Requirement("TURN-B3")]
    [Requirement("TURN-G7")]
    public void RefreshWithAnotherToken_Renews_AndTheOldKeyIsDead(bool browser)
    {
        var first = _fixture.NewToken("k1", lifetime: 60);
        var second = _fixture.NewToken("k2", macKeyLength: browser ? 20 : 32, lifetime: 600);
        var client = _fixture.NewClient(browser ? first.Browser : first.Native);
        Assert.Equal(60u, client.Allocate().Lifetime);
        var old = client.Credential;

        client.Credential = browser ? second.Browser : second.Native;
        var renewed = client.Refresh();
        Assert.Equal(600u, renewed.Lifetime);
        Assert.True(client.Verifies(renewed));
        Assert.True(client.CreatePermission("203.0.113.9:1").IsSuccess);

        client.Credential = old;
        var refused = client.CreatePermission("203.0.113.9:1").Error;
        Assert.Contains(refused, new[] { StunError.Unauthenticated, StunError.WrongCredentials });
        _fixture.Advance(599);
        client.Credential = browser ? second.Browser : second.Native;
        Assert.True(client.CreatePermission("203.0.113.9:1").IsSuccess);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    [Requirement("SEC-15")]
    [Requirement("TURN-B3")]
    public void AnotherToken_DoesNotEndTheAllocation_AndRenewsItOnlyIfTheHostSaysSo(bool browser)
    {
        var client = _fixture.NewClient(browser ? _fixture.NewToken().Browser : _fixture.NewToken().Native);
        client.Allocate();
        var (own, expiresAt) = (client.Credential, client.Allocation.ExpiresAt);
        client.Credential = browser ? _fixture.NewToken().Browser : _fixture.NewToken().Native;
        _fixture.Advance(1);
        Assert.Equal(StunError.WrongCredentials, client.Refresh(0).Error);

        _fixture.Renewal = StunError.WrongCredentials;
        var refused = client.Refresh();
        Assert.Equal(StunError.WrongCredentials, refused.Error);
        Assert.True(client.Verifies(refused));
        Assert.Equal(expiresAt, client.Allocation.ExpiresAt);
        client.Credential = own;
        Assert.True(client.CreatePermission("203.0.113.9:1").IsSuccess);
    }

    [Fact]
    [Requirement("SEC-15")]
    public void RenewalOfAnAllocationThatEndsMeanwhile_IsAMismatch()
    {
        var client = _fixture.NewClient(_fixture.NewToken().Native);
        client.Allocate();
        client.Credential = _fixture.NewToken().Native;
        var renewal = _fixture.Route(client.Build(StunMethod.Refresh), client.Flow).Renewal!;
        _fixture.Engine.End(client.Allocation, AllocationEnd.Revoked);

        var outcome = _fixture.Engine.CompleteRenewal(renewal, StunError.None, _fixture.Time, new byte[TurnEngine.ReplyBufferLength]);

        Assert.Equal((StunError.AllocationMismatch, null), (outcome.Error, outcome.Allocation));
        Assert.Equal(0, _fixture.Engine.AllocationCount);
    }

    [Fact]
    [Requirement("RFC7635-9")]
    public void AnotherTokenBeforeItsRefresh_MayNotUseTheAllocation()
    {
        var client = _fixture.NewClient(_fixture.NewToken().Browser);
        client.Allocate();
        client.Credential = _fixture.NewToken().Browser;

        Assert.Equal(StunError.WrongCredentials, client.CreatePermission("203.0.113.9:1").Error);
    }

    [Fact]
    [Requirement("RFC8656-5")]
    [Requirement("TURN-B3")]
    public void TokenAndPassword_DoNotTakeOverFromEachOther()
    {
        var client = _fixture.NewClient(_fixture.NewToken().Native);
        client.Allocate();
        client.Credential = StunCredential.Password("alice", "secret");
        Assert.Equal(StunError.WrongCredentials, client.Refresh().Error);

        var other = _fixture.NewClient();
        other.Allocate();
        other.Credential = _fixture.NewToken().Native;
        Assert.Equal(StunError.WrongCredentials, other.Refresh().Error);
    }

    [Fact]
    [Requirement("ABUSE-46")]
    [Requirement("TURN-G5")]
    public void RefreshNearTheTokensEnd_GrantsOnlyWhatIsLeft_AndNothingAfterIt()
    {
        var client = _fixture.NewClient(_fixture.NewToken(lifetime: 60).Native);
        client.Allocate();
        _fixture.Advance(40);
        Assert.Equal(25u, client.Refresh(600).Lifetime);
        _fixture.Advance(24.9);
        Assert.Equal(StunError.None, client.Refresh(0).Error);
        Assert.Equal(0, _fixture.Engine.AllocationCount);

        var late = _fixture.NewClient(_fixture.NewToken(lifetime: 60).Native);
        late.Allocate();
        _fixture.Advance(59.9);
        Assert.Equal(StunError.None, late.Refresh().Error);
        _fixture.Advance(5.2);
        Assert.Equal(StunError.Unauthenticated, late.Refresh().Error);
    }

    [Fact]
    [Requirement("RFC7635-9")]
    public void RefreshWithoutToken_UsesTheAllocationsKey()
    {
        var client = _fixture.NewClient(_fixture.NewToken().Native);
        client.Allocate();

        Assert.True(client.Verifies(client.Refresh(withToken: false)));
    }

    [Fact]
    [Requirement("RFC7635-9")]
    public void TokenWhereItDoesNotBelong_IsIgnored()
    {
        var client = _fixture.NewClient(_fixture.NewToken().Native);
        client.Allocate();
        var answer = client.Request(StunMethod.CreatePermission, (ref StunMessageWriter request) =>
        {
            request.WriteXorAddress(StunAttributeType.XorPeerAddress, EngineClient.Peer("203.0.113.9:1"));
            request.Write(StunAttributeType.AccessToken, new byte[10]);
        })!;

        Assert.True(answer.IsSuccess);
    }

    private StunError Error(StunCredential credential) => _fixture.NewClient(credential).TryAllocate()!.Error;
}
