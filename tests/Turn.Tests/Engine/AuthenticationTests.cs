using System.Security.Cryptography;
using System.Text;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Tests.Engine;

/// <summary>Who sent a request: the order of RFC 8489 §9.2.4.</summary>
public sealed class AuthenticationTests
{
    private readonly EngineBench _bench = new();

    [Fact]
    [Requirement("RFC8489-9.2.4-1")]
    [Requirement("RFC7635-4")]
    [Requirement("ABUSE-29")]
    [Requirement("TURN-A25")]
    [Requirement("TURN-B6")]
    [Requirement("TURN-G1")]
    public void WithoutIntegrity_IsChallenged()
    {
        var answer = _bench.NewClient().Challenge();

        Assert.Equal(StunError.Unauthenticated, answer.Error);
        Assert.Equal(EngineBench.Realm, answer.Text(StunAttributeType.Realm));
        Assert.Equal(EngineBench.ServerName, answer.Text(StunAttributeType.ThirdPartyAuthorization));
        Assert.StartsWith("obMatJos2gAAA", answer.Text(StunAttributeType.Nonce), StringComparison.Ordinal);
        Assert.Equal("0002000000010000", Convert.ToHexString(answer.Value(StunAttributeType.PasswordAlgorithms)));
        Assert.False(answer.HasIntegrity || answer.Has(StunAttributeType.Username));
        Assert.Equal(0, _bench.Engine.AllocationCount);
    }

    [Fact]
    [Requirement("RFC8489-9.2")]
    [Requirement("TURN-A24")]
    public void WhereOnlyTokensAreTaken_NoPasswordAlgorithmsAreOffered()
    {
        var answer = new EngineBench(browserProfile: false, staticUsers: false).NewClient().Challenge();

        Assert.StartsWith("obMatJos2AAAA", answer.Text(StunAttributeType.Nonce), StringComparison.Ordinal);
        Assert.False(answer.Has(StunAttributeType.PasswordAlgorithms));
    }

    [Fact]
    [Requirement("RFC7635-7")]
    [Requirement("TURN-G8")]
    public void WhereNoTokensAreTaken_TheAttributeIsUnknown_AndNoServerIsNamed()
    {
        var bench = new EngineBench(tokens: false);
        var client = bench.NewClient();
        var answer = client.Request(StunMethod.Allocate, (ref StunMessageWriter request) =>
        {
            TestClient.Transport(ref request);
            request.Write(StunAttributeType.AccessToken, new byte[64]);
        })!;

        Assert.False(client.Challenge().Has(StunAttributeType.ThirdPartyAuthorization));
        Assert.Equal(StunError.UnknownAttribute, answer.Error);
        Assert.Equal("001B", Convert.ToHexString(answer.Value(StunAttributeType.UnknownAttributes)));
    }

    [Theory]
    [InlineData(StunAttributeType.Username)]
    [InlineData(StunAttributeType.Realm)]
    [InlineData(StunAttributeType.Nonce)]
    [Requirement("RFC8489-9.2.4-2")]
    [Requirement("TURN-A26")]
    public void IntegrityWithoutItsAttributes_IsABadRequest(StunAttributeType missing)
    {
        var answer = SendWithout(missing);

        Assert.Equal(StunError.BadRequest, answer.Error);
        Assert.False(answer.HasIntegrity || answer.Has(StunAttributeType.Nonce) || answer.Has(StunAttributeType.Realm));
    }

    [Theory]
    [InlineData(StunAttributeType.Username, 0)]
    [InlineData(StunAttributeType.Username, 509)]
    [InlineData(StunAttributeType.Realm, 0)]
    [InlineData(StunAttributeType.Realm, 764)]
    [InlineData(StunAttributeType.Nonce, 0)]
    [InlineData(StunAttributeType.Nonce, 764)]
    [Requirement("ABUSE-9")]
    [Requirement("TURN-A33")]
    public void AttributesOfImpossibleLength_AreABadRequest(StunAttributeType type, int length) =>
        Assert.Equal(StunError.BadRequest, SendWithout(type, new byte[length]).Error);

    [Theory]
    [InlineData(StunAttributeType.Username)]
    [InlineData(StunAttributeType.Realm)]
    [Requirement("ABUSE-10")]
    public void InvalidUtf8_IsABadRequest(StunAttributeType type) =>
        Assert.Equal(StunError.BadRequest, SendWithout(type, [0xC3, 0x28]).Error);

    [Fact]
    [Requirement("RFC8489-9.2.4-4")]
    [Requirement("TURN-A28")]
    public void UnknownUserAndWrongPassword_GetTheSameAnswer()
    {
        foreach (var credential in new[] { TestCredential.Password("nobody", "secret"), TestCredential.Password("alice", "wrong") })
        {
            var answer = _bench.NewClient(credential).TryAllocate()!;
            Assert.Equal(StunError.Unauthenticated, answer.Error);
            Assert.True(answer.Has(StunAttributeType.Nonce) && answer.Has(StunAttributeType.Realm)
                && answer.Has(StunAttributeType.PasswordAlgorithms));
            Assert.False(answer.HasIntegrity);
        }
    }

    [Theory]
    [InlineData('A')]
    [InlineData('!')]
    [InlineData('=')]
    [InlineData(' ')]
    [Requirement("RFC8489-9.2.4-6")]
    [Requirement("ABUSE-31")]
    [Requirement("TURN-A29")]
    public void ForgedNonce_IsStale_AndTheAnswerBringsAGoodOne(char character)
    {
        var client = _bench.NewClient();
        client.Nonce = Encoding.ASCII.GetBytes("obMatJos2gAAA" + new string(character, 27));
        var answer = client.TryAllocate()!;

        Assert.Equal(StunError.StaleNonce, answer.Error);
        client.Nonce = answer.Value(StunAttributeType.Nonce);
        client.Allocate();
    }

    [Fact]
    [Requirement("RFC8489-9.2.4")]
    [Requirement("ABUSE-32")]
    [Requirement("TURN-A29")]
    public void NonceOfAnotherClient_IsStale()
    {
        var client = _bench.NewClient();
        client.Nonce = _bench.NewClient().Challenge().Value(StunAttributeType.Nonce);

        Assert.Equal(StunError.StaleNonce, client.TryAllocate()!.Error);
    }

    [Fact]
    [Requirement("RFC8656-5")]
    [Requirement("ABUSE-32")]
    [Requirement("TURN-A29")]
    [Requirement("TURN-B4")]
    public void Nonce_LivesForAnHour()
    {
        var client = _bench.NewClient();
        client.Nonce = client.Challenge().Value(StunAttributeType.Nonce);
        _bench.Advance(3599);
        client.Allocate();
        _bench.Advance(1);

        Assert.Equal(StunError.StaleNonce, client.Refresh().Error);
    }

    [Fact]
    [Requirement("RFC8489-9.2.4")]
    [Requirement("TURN-A30")]
    public void TwoClients_NeverGetOneNonce()
    {
        var nonces = Enumerable.Range(0, 100).Select(_ => _bench.NewClient().Challenge().Text(StunAttributeType.Nonce));

        Assert.Equal(100, nonces.Distinct().Count());
    }

    [Fact]
    [Requirement("RFC8489-9.2.4-3")]
    [Requirement("TURN-A27")]
    public void PasswordAlgorithms_AreEitherBothThereAndAsOffered_OrBothAbsent()
    {
        byte[] offered = [0, 2, 0, 0, 0, 1, 0, 0];
        Assert.Equal(StunError.BadRequest, WithAlgorithms(offered, null));
        Assert.Equal(StunError.BadRequest, WithAlgorithms(null, [0, 1, 0, 0]));
        Assert.Equal(StunError.BadRequest, WithAlgorithms([0, 1, 0, 0], [0, 1, 0, 0]));
        Assert.Equal(StunError.BadRequest, WithAlgorithms(offered, [0, 3, 0, 0]));
        Assert.Equal(StunError.None, WithAlgorithms(offered, [0, 1, 0, 0]));
        Assert.Equal(StunError.None, WithAlgorithms(null, null));
    }

    [Fact]
    [Requirement("RFC8489-9.2.4")]
    [Requirement("RFC8489-18.5.1.2")]
    [Requirement("TURN-A23")]
    public void Sha256Credential_IsTakenAndAnsweredInKind()
    {
        var client = _bench.NewClient(TestCredential.PasswordSha256("alice", "secret"));
        var answer = client.Allocate();

        Assert.True(client.Verifies(answer));
        Assert.False(answer.Message.HasMessageIntegrity);
    }

    [Fact]
    [Requirement("RFC8489-9.2.4")]
    [Requirement("TURN-A31")]
    public void AuthenticatedAnswers_CarryIntegrityButNoUserNameRealmOrNonce()
    {
        var client = _bench.NewClient();
        var success = client.Allocate();
        var error = client.ChannelBind(0x3FFF, "203.0.113.9:1");

        foreach (var answer in new[] { success, error })
        {
            Assert.True(client.Verifies(answer));
            Assert.False(answer.Has(StunAttributeType.Username) || answer.Has(StunAttributeType.Realm)
                || answer.Has(StunAttributeType.Nonce));
        }
    }

    [Fact]
    [Requirement("RFC8656-5")]
    [Requirement("ABUSE-47")]
    [Requirement("TURN-B3")]
    public void AnotherUser_MayNotUseTheAllocation()
    {
        var client = _bench.NewClient();
        client.Allocate();
        client.Credential = TestCredential.Password("bob", "secret");

        Assert.Equal(StunError.WrongCredentials, client.Refresh().Error);
        Assert.Equal(StunError.WrongCredentials, client.CreatePermission("203.0.113.9:1").Error);
        Assert.Equal(StunError.WrongCredentials, client.ChannelBind(0x4000, "203.0.113.9:1").Error);
    }

    [Fact]
    [Requirement("RFC8489-6.3.1")]
    [Requirement("ABUSE-13")]
    [Requirement("ABUSE-14")]
    [Requirement("TURN-A7")]
    public void UnknownRequiredAttributes_AreListedOnce_AfterAuthentication_AndBounded()
    {
        Attributes unknown = (ref StunMessageWriter request) =>
        {
            TestClient.Transport(ref request);
            request.Write((StunAttributeType)0x7FFF, []);
            request.Write((StunAttributeType)0x7FFF, []);
            for (ushort type = 0x7000; type < 0x7000 + 200; type++) request.Write((StunAttributeType)type, []);
            request.Write((StunAttributeType)0x9000, []);
        };
        var client = _bench.NewClient();
        var answer = client.Request(StunMethod.Allocate, unknown)!;
        var list = answer.Value(StunAttributeType.UnknownAttributes);

        Assert.Equal(StunError.Unauthenticated, _bench.Send(TestClient.Plain(StunMethod.Allocate, unknown), _bench.NewFlow())!.Error);
        Assert.Equal(StunError.UnknownAttribute, answer.Error);
        Assert.Equal("7FFF7000", Convert.ToHexString(list.AsSpan(0, 4)));
        Assert.Equal(32, list.Length);
        Assert.True(client.Verifies(answer));
    }

    [Fact]
    [Requirement("RFC8489-14")]
    [Requirement("RFC8489-6.3")]
    [Requirement("TURN-A9")]
    public void OptionalAndUnexpectedAttributes_AreIgnored()
    {
        var answer = _bench.NewClient().Allocate((ref StunMessageWriter request) =>
        {
            TestClient.Transport(ref request);
            request.Write((StunAttributeType)0xC001, [1, 2, 3]);
            request.Write(StunAttributeType.Data, [1]);
            request.WriteXorAddress(StunAttributeType.XorMappedAddress, TestClient.Peer("203.0.113.9:1"));
        });

        Assert.True(answer.IsSuccess);
    }

    [Fact]
    [Requirement("RFC8489-14.5")]
    [Requirement("ABUSE-12")]
    [Requirement("TURN-A19")]
    public void LifetimeBehindIntegrity_IsNotActedOn()
    {
        var client = _bench.NewClient();
        client.Allocate();
        var request = new StunMessageWriter(new byte[512], StunMethod.Refresh, StunClass.Request, TestClient.NewTransaction());
        request.Write(StunAttributeType.Username, "alice"u8);
        request.Write(StunAttributeType.Realm, Encoding.UTF8.GetBytes(EngineBench.Realm));
        request.Write(StunAttributeType.Nonce, client.Nonce);
        client.Sign(ref request);
        request.WriteUInt32(StunAttributeType.Lifetime, 0);

        Assert.Equal(600u, _bench.Send(request.Written.ToArray(), client.Flow)!.Lifetime);
        Assert.Equal(1, _bench.Engine.AllocationCount);
    }

    [Fact]
    [Requirement("RFC8489-14.7")]
    [Requirement("TURN-A18")]
    public void FingerprintIsAnsweredWithFingerprint_AndAWrongOneIsDropped()
    {
        var request = new StunMessageWriter(new byte[64], StunMethod.Binding, StunClass.Request, TestClient.NewTransaction());
        request.AddFingerprint();
        var octets = request.Written.ToArray();
        var answer = _bench.Send(octets, _bench.NewFlow())!;
        octets[^1] ^= 1;

        Assert.True(answer.Message.HasFingerprint && answer.Message.FingerprintIsAbsentOrRight);
        Assert.Null(_bench.Send(octets, _bench.NewFlow()));
        Assert.Equal(DropReason.WrongFingerprint, _bench.LastDrop);
    }

    [Fact]
    [Requirement("RFC8489-14.4")]
    [Requirement("RFC8489-9.2.4-4")]
    [Requirement("TURN-A32")]
    public void UserHash_StandsForTheUserName()
    {
        var bench = new EngineBench(tokens: false, browserProfile: false);
        Assert.StartsWith("obMatJos2wAAA", bench.NewClient().Challenge().Text(StunAttributeType.Nonce), StringComparison.Ordinal);

        Assert.Equal(StunError.None, WithUserHash(bench, SHA256.HashData(Encoding.UTF8.GetBytes($"alice:{EngineBench.Realm}"))));
        Assert.Equal(StunError.Unauthenticated, WithUserHash(bench, SHA256.HashData("mallory"u8)));
        Assert.Equal(StunError.BadRequest, WithUserHash(bench, new byte[31]));
        Assert.Equal(StunError.None, WithUserHash(_bench, SHA256.HashData(Encoding.UTF8.GetBytes($"alice:{EngineBench.Realm}"))));
    }

    [Theory]
    [InlineData(60, "", StunError.None, 60u)]
    [InlineData(60, ":carol", StunError.None, 60u)]
    [InlineData(3600, ":carol:with:colons", StunError.None, 600u)]
    [InlineData(0, ":carol", StunError.Unauthenticated, 0u)]
    [InlineData(-1, ":carol", StunError.Unauthenticated, 0u)]
    [InlineData(60, "carol", StunError.Unauthenticated, 0u)]
    public void EphemeralUser_IsTakenUntilItsTime(int secondsLeft, string name, StunError error, uint lifetime)
    {
        var bench = new EngineBench(sharedSecret: "shared by all servers");
        var username = $"{bench.Time.Utc.ToUnixTimeSeconds() + secondsLeft}{name}";
        var client = bench.NewClient(TestCredential.Password(username, EphemeralPassword("shared by all servers", username)));
        var answer = client.TryAllocate()!;

        Assert.Equal(error, answer.Error);
        if (error == StunError.None) Assert.Equal(lifetime, answer.Lifetime);
    }

    [Fact]
    public void EphemeralUser_NeedsTheSecret_AndTheSecretMustBeConfigured()
    {
        var username = $"{_bench.Time.Utc.ToUnixTimeSeconds() + 60}:carol";
        var right = TestCredential.Password(username, EphemeralPassword("shared by all servers", username));
        var wrong = TestCredential.Password(username, EphemeralPassword("shared by nobody else", username));

        Assert.Equal(
            StunError.Unauthenticated, new EngineBench(sharedSecret: "shared by all servers").NewClient(wrong).TryAllocate()!.Error);
        Assert.Equal(StunError.Unauthenticated, _bench.NewClient(right).TryAllocate()!.Error);
    }

    private static string EphemeralPassword(string secret, string username) =>
        Convert.ToBase64String(HMACSHA1.HashData(Encoding.UTF8.GetBytes(secret), Encoding.UTF8.GetBytes(username)));

    private static StunError WithUserHash(EngineBench bench, byte[] hash)
    {
        var client = bench.NewClient();
        var request = new StunMessageWriter(new byte[512], StunMethod.Allocate, StunClass.Request, TestClient.NewTransaction());
        TestClient.Transport(ref request);
        request.Write(StunAttributeType.UserHash, hash);
        request.Write(StunAttributeType.Realm, Encoding.UTF8.GetBytes(EngineBench.Realm));
        request.Write(StunAttributeType.Nonce, client.Challenge().Value(StunAttributeType.Nonce));
        client.Sign(ref request);
        return TestClient.Answered(bench.Send(request.Written.ToArray(), client.Flow)).Error;
    }

    private Answer SendWithout(StunAttributeType type, byte[]? instead = null)
    {
        var client = _bench.NewClient();
        var nonce = client.Challenge().Value(StunAttributeType.Nonce);
        var request = new StunMessageWriter(new byte[2048], StunMethod.Allocate, StunClass.Request, TestClient.NewTransaction());
        TestClient.Transport(ref request);
        foreach (var (attribute, value) in new[]
        {
            (StunAttributeType.Username, "alice"u8.ToArray()),
            (StunAttributeType.Realm, Encoding.UTF8.GetBytes(EngineBench.Realm)),
            (StunAttributeType.Nonce, nonce),
        })
        {
            if (attribute != type) request.Write(attribute, value);
            else if (instead is not null) request.Write(attribute, instead);
        }

        client.Sign(ref request);
        return TestClient.Answered(_bench.Send(request.Written.ToArray(), client.Flow));
    }

    private StunError WithAlgorithms(byte[]? list, byte[]? choice) =>
        _bench.NewClient().Request(StunMethod.Allocate, (ref StunMessageWriter request) =>
        {
            TestClient.Transport(ref request);
            if (list is not null) request.Write(StunAttributeType.PasswordAlgorithms, list);
            if (choice is not null) request.Write(StunAttributeType.PasswordAlgorithm, choice);
        })!.Error;
}
