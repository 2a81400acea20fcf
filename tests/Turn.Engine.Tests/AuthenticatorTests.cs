using System.Security.Cryptography;
using System.Text;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Stun.OAuth;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Engine.Authentication;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Engine.Tests;

/// <summary>What the authenticator counts for operators, and its limits and settings.</summary>
public sealed class AuthenticatorTests
{
    private readonly EngineFixture _fixture = new();

    [Fact]
    public void UnknownKid_IsCountedEachTime_AndOneIsShown()
    {
        Assert.Null(_fixture.Authenticator.RemoveUnknownKeyId());
        TryKid("k8");
        TryKid("k9");
        TryKid("k1");

        Assert.Equal(2, _fixture.Authenticator.UnknownKeys);
        Assert.Equal("k8", _fixture.Authenticator.RemoveUnknownKeyId());
        Assert.Null(_fixture.Authenticator.RemoveUnknownKeyId());
        TryKid("k9");
        Assert.Equal("k9", _fixture.Authenticator.RemoveUnknownKeyId());
    }

    /// <summary>Any sender can choose a kid, and the log shows it.</summary>
    [Theory]
    [InlineData("abcdefghijklmnopqrstuvwxyz012345", true)]
    [InlineData("abcdefghijklmnopqrstuvwxyz0123456", false)]
    [InlineData("AZaz09-_.+/=", true)]
    [InlineData("k9\nevil", false)]
    [InlineData("k9 ", false)]
    public void UnknownKid_IsShownOnlyIfItLooksLikeOne(string kid, bool isShown)
    {
        TryKid(kid);

        Assert.Equal(isShown ? kid : "(no kid as the WAF makes them)", _fixture.Authenticator.RemoveUnknownKeyId());
    }

    /// <summary>Ages around the life time of 600 s, with 5 s allowed for clocks that differ.</summary>
    [Theory]
    [InlineData(-6, 600u, 1, 0)]
    [InlineData(-5, 600u, 0, 0)]
    [InlineData(0, 0u, 0, 1)]
    [InlineData(604, 600u, 0, 0)]
    [InlineData(605, 600u, 0, 1)]
    [InlineData(659, 600u, 0, 1)]
    [InlineData(660, 600u, 0, 0)]
    [InlineData(5000, 600u, 0, 0)]
    [Requirement("RFC7635-7")]
    public void TokenOutsideItsTime_IsCountedAsSkew_IfItIsNear(double age, uint lifetime, long ahead, long behind)
    {
        _fixture.NewClient(_fixture.NewToken(age: age, lifetime: lifetime).Native).TryAllocate();

        Assert.Equal((ahead, behind), _fixture.Authenticator.SkewSuspected);
    }

    [Theory]
    [InlineData(StunAttributeType.Username, 508, StunError.Unauthenticated)]
    [InlineData(StunAttributeType.Username, 509, StunError.BadRequest)]
    [InlineData(StunAttributeType.Nonce, 127, StunError.StaleNonce)]
    [InlineData(StunAttributeType.Nonce, 128, StunError.BadRequest)]
    [InlineData(StunAttributeType.Realm, 127, StunError.Unauthenticated)]
    [InlineData(StunAttributeType.Realm, 128, StunError.BadRequest)]
    [Requirement("RFC8489-14.3")]
    [Requirement("RFC8489-14.9")]
    [Requirement("RFC8489-14.10")]
    [Requirement("ABUSE-9")]
    [Requirement("TURN-A33")]
    public void LongestAttribute_IsRead_AndALongerOneIsABadRequest(StunAttributeType type, int length, StunError error)
    {
        var client = _fixture.NewClient();
        var value = Encoding.ASCII.GetBytes(new string('a', length));
        client.Credential = type switch
        {
            StunAttributeType.Username => client.Credential with { Username = value },
            StunAttributeType.Nonce => client.Credential with { Nonce = value },
            _ => client.Credential with { Realm = value },
        };

        Assert.Equal(error, client.TryAllocate()!.Error);
    }

    /// <summary>REALM and NONCE have up to 127 characters, each of up to four octets.</summary>
    [Theory]
    [InlineData(127, StunError.Unauthenticated)]
    [InlineData(128, StunError.BadRequest)]
    [Requirement("RFC8489-14.9")]
    [Requirement("TURN-A33")]
    public void Realm_IsCountedInCharacters(int characters, StunError error)
    {
        var client = _fixture.NewClient();
        client.Credential = client.Credential with { Realm = Encoding.UTF8.GetBytes(new string('\u20AC', characters)) };

        Assert.Equal(error, client.TryAllocate()!.Error);
    }

    [Fact]
    [Requirement("RFC7635-7")]
    public void ServerThatTakesOnlyTokens_ReadsNoPasswordAlgorithm()
    {
        var fixture = new EngineFixture(browserProfile: false, staticUsers: false);

        fixture.NewClient(fixture.NewToken().Native).Allocate();
    }

    [Fact]
    [Requirement("RFC7635-B")]
    public void MacKeyOf160Bits_DoesNotServeMessageIntegritySha256()
    {
        var client = _fixture.NewClient(_fixture.NewToken(macKeyLength: 20).Native with { IsSha256 = true });

        Assert.Equal(StunError.Unauthenticated, client.TryAllocate()!.Error);
    }

    [Fact]
    public void TimeOfIssue_IsThatOfTheToken_AndAPasswordHasNone()
    {
        var withToken = _fixture.NewClient(_fixture.NewToken(age: 10).Native);
        withToken.Allocate();
        var withPassword = _fixture.NewClient();
        withPassword.Allocate();

        Assert.Equal(_fixture.Time.Utc.AddSeconds(-10), withToken.Allocation.Credential.IssuedAt);
        Assert.Equal(DateTimeOffset.UnixEpoch, withPassword.Allocation.Credential.IssuedAt);
    }

    /// <summary>USERHASH names a user only where the server knows all users beforehand (RFC 8489 §9.2).</summary>
    [Theory]
    [InlineData(false, false, false, false, "AAAA")]
    [InlineData(true, false, false, false, "gAAA")]
    [InlineData(false, true, false, false, "wAAA")]
    [InlineData(false, true, true, false, "gAAA")]
    [InlineData(false, true, false, true, "gAAA")]
    [InlineData(false, false, false, true, "gAAA")]
    [Requirement("RFC8489-9.2")]
    public void FeatureBits_FollowTheCredentials(bool browserProfile, bool users, bool tokens, bool sharedSecret, string bits)
    {
        var fixture = new EngineFixture(
            tokens: tokens, browserProfile: browserProfile, staticUsers: users, sharedSecret: sharedSecret ? "secret" : null);

        Assert.StartsWith(
            "obMatJos2" + bits, fixture.NewClient().Challenge().Text(StunAttributeType.Nonce), StringComparison.Ordinal);
    }

    [Fact]
    public void UserNameThatStartsWithATilde_IsAnOrdinaryOne()
    {
        var user = StunCredential.Password("~carol", "secret");
        using var authenticator = new SoleAuthenticator([Credential.FromStaticUser("~carol", "secret", EngineFixture.Realm)]);

        Assert.Equal(StunError.None, authenticator.Authenticate(user));
    }

    [Theory]
    [InlineData(false, StunError.None)]
    [InlineData(true, StunError.Unauthenticated)]
    [Requirement("ABUSE-48")]
    public void RevokedToken_IsUnauthenticated(bool isRevoked, StunError error)
    {
        using var authenticator = new SoleAuthenticator([], new FixedRevocations(isRevoked));

        Assert.Equal(error, authenticator.Authenticate(authenticator.NewToken()));
    }

    private void TryKid(string kid) => _fixture.NewClient((_fixture.NewToken() with { Kid = kid }).Native).TryAllocate();

    private sealed class FixedRevocations(bool areAll) : IRevocations
    {
        public bool Cover(Credential credential, DateTimeOffset now) => areAll;
    }

    /// <summary>An authenticator with a key of its own, and one client.</summary>
    private sealed class SoleAuthenticator : IDisposable
    {
        private static readonly EngineTime Time = new(0, new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
        private static readonly FiveTuple Flow =
            new(ClientTransport.Udp, EngineClient.Peer("198.51.100.7:40000"), EngineClient.Peer("192.0.2.1:3478"));

        private readonly AccessTokenKey _key = new("k1", AccessTokenAlgorithm.A256Gcm, new byte[32]);
        private readonly NonceIssuer _nonces = new(new byte[32], SecurityFeatures.None, new Random(1));
        private readonly RequestAuthenticator _authenticator;

        public SoleAuthenticator(Credential[] users, IRevocations? revocations = null) => _authenticator = new RequestAuthenticator(
            new AuthenticationSettings(EngineFixture.ServerName, EngineFixture.Realm, BrowserProfile: true, users),
            new AccessTokenKeyRing([_key]), _nonces, revocations);

        public StunCredential NewToken()
        {
            var macKey = RandomNumberGenerator.GetBytes(20);
            var octets = new byte[AccessToken.MaxEncodedLength];
            var length = _key.Encrypt(
                new AccessToken(macKey, TokenTimestamp.FromDateTimeOffset(Time.Utc), 600),
                RandomNumberGenerator.GetBytes(AccessTokenKey.NonceLength), Encoding.UTF8.GetBytes(EngineFixture.ServerName), octets);
            return StunCredential.NativeToken("k1", octets[..length], macKey);
        }

        public StunError Authenticate(StunCredential credential)
        {
            var nonce = new byte[NonceIssuer.Length];
            _nonces.Issue(Flow, Time, nonce);
            var request = StunRequest.Authenticated(
                StunMethod.Allocate, null, credential, new StunChallenge(Encoding.UTF8.GetBytes(EngineFixture.Realm), nonce));
            Assert.Equal(StunParseStatus.Ok, StunMessageReader.TryRead(request, out var message));
            return _authenticator.Authenticate(message, Flow, current: null, Time).Error;
        }

        public void Dispose()
        {
            _key.Dispose();
            _nonces.Dispose();
        }
    }
}
