using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using WebRtcIms.Stun.Messages;
using WebRtcIms.Tests.Common;
using WebRtcIms.Tests.Common.Engine;
using WebRtcIms.Tests.Common.Stun;
using WebRtcIms.Turn.Engine.Primitives;

namespace WebRtcIms.Turn.Engine.Tests;

/// <summary>Who sent a request: the order of RFC 8489 §9.2.4.</summary>
public sealed class AuthenticationTests
{
    private readonly EngineFixture _fixture = new();

    [Fact]
    [Requirement("RFC8489-9.2.4-1")]
    [Requirement("RFC7635-4")]
    [Requirement("ABUSE-29")]
    [Requirement("TURN-A25")]
    [Requirement("TURN-B6")]
    [Requirement("TURN-G1")]
    public void WithoutIntegrity_IsChallenged()
    {
        var answer = _fixture.NewClient().Challenge();

        Assert.Equal(StunError.Unauthenticated, answer.Error);
        Assert.Equal(EngineFixture.Realm, answer.Text(StunAttributeType.Realm));
        Assert.Equal(EngineFixture.ServerName, answer.Text(StunAttributeType.ThirdPartyAuthorization));
        Assert.StartsWith("obMatJos2gAAA", answer.Text(StunAttributeType.Nonce), StringComparison.Ordinal);
        Assert.Equal("0002000000010000", Convert.ToHexString(answer.Value(StunAttributeType.PasswordAlgorithms)));
        Assert.False(answer.HasIntegrity || answer.Has(StunAttributeType.Username));
        Assert.Equal(0, _fixture.Engine.AllocationCount);
    }

    [Fact]
    [Requirement("RFC8489-9.2")]
    [Requirement("TURN-A24")]
    public void WhereOnlyTokensAreTaken_NoPasswordAlgorithmsAreOffered()
    {
        var answer = new EngineFixture(browserProfile: false, staticUsers: false).NewClient().Challenge();

        Assert.StartsWith("obMatJos2AAAA", answer.Text(StunAttributeType.Nonce), StringComparison.Ordinal);
        Assert.False(answer.Has(StunAttributeType.PasswordAlgorithms));
    }

    [Fact]
    [Requirement("RFC7635-7")]
    [Requirement("TURN-G8")]
    public void WhereNoTokensAreTaken_TheAttributeIsUnknown_AndNoServerIsNamed()
    {
        var fixture = new EngineFixture(tokens: false);
        var client = fixture.NewClient();
        var answer = client.Request(StunMethod.Allocate, (ref StunMessageWriter request) =>
        {
            StunRequest.UdpTransport(ref request);
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
        foreach (var credential in new[] { StunCredential.Password("nobody", "secret"), StunCredential.Password("alice", "wrong") })
        {
            var answer = _fixture.NewClient(credential).TryAllocate()!;
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
        var client = _fixture.NewClient();
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
        var client = _fixture.NewClient();
        client.Nonce = _fixture.NewClient().Challenge().Value(StunAttributeType.Nonce);

        Assert.Equal(StunError.StaleNonce, client.TryAllocate()!.Error);
    }

    [Fact]
    [Requirement("RFC8656-5")]
    [Requirement("ABUSE-32")]
    [Requirement("TURN-A29")]
    [Requirement("TURN-B4")]
    public void Nonce_LivesForAnHour()
    {
        var client = _fixture.NewClient();
        client.Nonce = client.Challenge().Value(StunAttributeType.Nonce);
        _fixture.Advance(3599);
        client.Allocate();
        _fixture.Advance(1);

        Assert.Equal(StunError.StaleNonce, client.Refresh().Error);
    }

    [Fact]
    [Requirement("RFC8489-9.2.4")]
    [Requirement("TURN-A30")]
    public void TwoClients_NeverGetOneNonce()
    {
        var nonces = Enumerable.Range(0, 100).Select(_ => _fixture.NewClient().Challenge().Text(StunAttributeType.Nonce));

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
        var client = _fixture.NewClient(StunCredential.PasswordSha256("alice", "secret"));
        var answer = client.Allocate();

        Assert.True(client.Verifies(answer));
        Assert.False(answer.Message.HasMessageIntegrity);
    }

    [Fact]
    [Requirement("RFC8489-9.2.4")]
    [Requirement("TURN-A31")]
    public void AuthenticatedAnswers_CarryIntegrityButNoUserNameRealmOrNonce()
    {
        var client = _fixture.NewClient();
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
        var client = _fixture.NewClient();
        client.Allocate();
        client.Credential = StunCredential.Password("bob", "secret");

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
        WriteAttributes unknown = (ref StunMessageWriter request) =>
        {
            StunRequest.UdpTransport(ref request);
            request.Write((StunAttributeType)0x7FFF, []);
            request.Write((StunAttributeType)0x7FFF, []);
            for (ushort type = 0x7000; type < 0x7000 + 200; type++) request.Write((StunAttributeType)type, []);
            request.Write((StunAttributeType)0x9000, []);
        };
        var client = _fixture.NewClient();
        var answer = client.Request(StunMethod.Allocate, unknown)!;
        var list = answer.Value(StunAttributeType.UnknownAttributes);

        Assert.Equal(StunError.Unauthenticated, _fixture.Send(StunRequest.Plain(StunMethod.Allocate, unknown), _fixture.NewFlow())!.Error);
        Assert.Equal(StunError.UnknownAttribute, answer.Error);
        Assert.Equal("7FFF7000", Convert.ToHexString(list.AsSpan(0, 4)));
        Assert.Equal(2 * 128, list.Length);
        Assert.True(client.Verifies(answer));
    }

    [Fact]
    [Requirement("RFC8489-14")]
    [Requirement("RFC8489-6.3")]
    [Requirement("TURN-A9")]
    public void OptionalAndUnexpectedAttributes_AreIgnored()
    {
        var answer = _fixture.NewClient().Allocate((ref StunMessageWriter request) =>
        {
            StunRequest.UdpTransport(ref request);
            request.Write((StunAttributeType)0xC001, [1, 2, 3]);
            request.Write(StunAttributeType.Data, [1]);
            request.WriteXorAddress(StunAttributeType.XorMappedAddress, EngineClient.Peer("203.0.113.9:1"));
        });

        Assert.True(answer.IsSuccess);
    }

    [Fact]
    [Requirement("RFC8489-14.5")]
    [Requirement("ABUSE-12")]
    [Requirement("TURN-A19")]
    public void LifetimeBehindIntegrity_IsNotActedOn()
    {
        var client = _fixture.NewClient();
        client.Allocate();
        var request = new StunMessageWriter(new byte[512], StunMethod.Refresh, StunClass.Request, StunRequest.NewTransaction());
        request.Write(StunAttributeType.Username, "alice"u8);
        request.Write(StunAttributeType.Realm, Encoding.UTF8.GetBytes(EngineFixture.Realm));
        request.Write(StunAttributeType.Nonce, client.Nonce);
        client.Sign(ref request);
        request.WriteUInt32(StunAttributeType.Lifetime, 0);

        Assert.Equal(600u, _fixture.Send(request.Written.ToArray(), client.Flow)!.Lifetime);
        Assert.Equal(1, _fixture.Engine.AllocationCount);
    }

    [Fact]
    [Requirement("RFC8489-14.7")]
    [Requirement("TURN-A18")]
    public void FingerprintIsAnsweredWithFingerprint_AndAWrongOneIsDropped()
    {
        var request = new StunMessageWriter(new byte[64], StunMethod.Binding, StunClass.Request, StunRequest.NewTransaction());
        request.AddFingerprint();
        var octets = request.Written.ToArray();
        var answer = _fixture.Send(octets, _fixture.NewFlow())!;
        octets[^1] ^= 1;

        Assert.True(answer.Message.HasFingerprint && answer.Message.FingerprintIsAbsentOrRight);
        Assert.Null(_fixture.Send(octets, _fixture.NewFlow()));
        Assert.Equal(DropReason.WrongFingerprint, _fixture.LastDrop);
    }

    [Fact]
    [Requirement("RFC8489-14.4")]
    [Requirement("RFC8489-9.2.4-4")]
    [Requirement("TURN-A32")]
    public void UserHash_StandsForTheUserName()
    {
        var fixture = new EngineFixture(tokens: false, browserProfile: false);
        Assert.StartsWith("obMatJos2wAAA", fixture.NewClient().Challenge().Text(StunAttributeType.Nonce), StringComparison.Ordinal);

        Assert.Equal(StunError.None, WithUserHash(fixture, SHA256.HashData(Encoding.UTF8.GetBytes($"alice:{EngineFixture.Realm}"))));
        Assert.Equal(StunError.Unauthenticated, WithUserHash(fixture, SHA256.HashData("mallory"u8)));
        Assert.Equal(StunError.BadRequest, WithUserHash(fixture, new byte[31]));
        Assert.Equal(StunError.None, WithUserHash(_fixture, SHA256.HashData(Encoding.UTF8.GetBytes($"alice:{EngineFixture.Realm}"))));
    }

    [Theory]
    [InlineData(60, "", true, StunError.None, 60u)]
    [InlineData(60, ":carol", true, StunError.None, 60u)]
    [InlineData(60, ":carol", false, StunError.None, 600u)]
    [InlineData(3600, ":carol:with:colons", true, StunError.None, 600u)]
    [InlineData(1, ":carol", false, StunError.None, 600u)]
    [InlineData(0, ":carol", false, StunError.Unauthenticated, 0u)]
    [InlineData(0, ":carol", true, StunError.Unauthenticated, 0u)]
    [InlineData(-1, ":carol", true, StunError.Unauthenticated, 0u)]
    [InlineData(60, "carol", true, StunError.Unauthenticated, 0u)]
    [InlineData(60, ":", true, StunError.None, 60u)]
    [Requirement("CLIENT-7")]
    public void EphemeralUser_IsTakenUntilItsTime(int secondsLeft, string name, bool endsAllocations, StunError error, uint lifetime)
    {
        var fixture = new EngineFixture(sharedSecret: "shared by all servers", sharedSecretEndsAllocations: endsAllocations);
        var username = $"{fixture.Time.Utc.ToUnixTimeSeconds() + secondsLeft}{name}";
        var client = fixture.NewClient(StunCredential.Ephemeral(username, "shared by all servers"));
        var answer = client.TryAllocate()!;

        Assert.Equal(error, answer.Error);
        if (error == StunError.None) Assert.Equal(lifetime, answer.Lifetime);
    }

    /// <summary>coturn reads the time on either side of the first colon.</summary>
    [Theory]
    [InlineData("{0}", "ephemeral:{0}")]
    [InlineData("{0}:", "ephemeral:{0}:")]
    [InlineData("{0}:carol", "ephemeral:carol")]
    [InlineData("{0}:7:carol", "ephemeral:7:carol")]
    [InlineData("carol:{0}", "ephemeral:carol")]
    [InlineData("ca~rol:{0}", "ephemeral:ca~rol")]
    [InlineData("1x:{0}", "ephemeral:1x")]
    [InlineData("7:{0}", null)]
    [InlineData(":{0}", null)]
    [InlineData("carol:{0}x", null)]
    [InlineData("carol:7:{0}", null)]
    [InlineData("carol", null)]
    [Requirement("CLIENT-4")]
    [Requirement("CLIENT-7")]
    public void EphemeralName_HasItsTimeOnOneSideOfTheFirstColon(string format, string? user)
    {
        var fixture = new EngineFixture(sharedSecret: "shared by all servers");
        var end = fixture.Time.Utc.ToUnixTimeSeconds() + 60;
        var name = string.Format(CultureInfo.InvariantCulture, format, end);
        var client = fixture.NewClient(StunCredential.Ephemeral(name, "shared by all servers"));

        Assert.Equal(user is null ? StunError.Unauthenticated : StunError.None, client.TryAllocate()!.Error);
        if (user is not null) Assert.Equal(string.Format(CultureInfo.InvariantCulture, user, end), client.Allocation.Credential.User);
    }

    [Fact]
    public void EphemeralUser_NeedsTheSecret_AndTheSecretMustBeConfigured()
    {
        var username = $"{_fixture.Time.Utc.ToUnixTimeSeconds() + 60}:carol";
        var right = StunCredential.Ephemeral(username, "shared by all servers");
        var wrong = StunCredential.Ephemeral(username, "shared by nobody else");

        Assert.Equal(
            StunError.Unauthenticated, new EngineFixture(sharedSecret: "shared by all servers").NewClient(wrong).TryAllocate()!.Error);
        Assert.Equal(StunError.Unauthenticated, _fixture.NewClient(right).TryAllocate()!.Error);
    }

    private static StunError WithUserHash(EngineFixture fixture, byte[] hash)
    {
        var client = fixture.NewClient();
        var request = new StunMessageWriter(new byte[512], StunMethod.Allocate, StunClass.Request, StunRequest.NewTransaction());
        StunRequest.UdpTransport(ref request);
        request.Write(StunAttributeType.UserHash, hash);
        request.Write(StunAttributeType.Realm, Encoding.UTF8.GetBytes(EngineFixture.Realm));
        request.Write(StunAttributeType.Nonce, client.Challenge().Value(StunAttributeType.Nonce));
        client.Sign(ref request);
        return EngineClient.Answered(fixture.Send(request.Written.ToArray(), client.Flow)).Error;
    }

    private StunAnswer SendWithout(StunAttributeType type, byte[]? instead = null)
    {
        var client = _fixture.NewClient();
        var nonce = client.Challenge().Value(StunAttributeType.Nonce);
        var request = new StunMessageWriter(new byte[2048], StunMethod.Allocate, StunClass.Request, StunRequest.NewTransaction());
        StunRequest.UdpTransport(ref request);
        foreach (var (attribute, value) in new[]
        {
            (StunAttributeType.Username, "alice"u8.ToArray()),
            (StunAttributeType.Realm, Encoding.UTF8.GetBytes(EngineFixture.Realm)),
            (StunAttributeType.Nonce, nonce),
        })
        {
            if (attribute != type) request.Write(attribute, value);
            else if (instead is not null) request.Write(attribute, instead);
        }

        client.Sign(ref request);
        return EngineClient.Answered(_fixture.Send(request.Written.ToArray(), client.Flow));
    }

    private StunError WithAlgorithms(byte[]? list, byte[]? choice) =>
        _fixture.NewClient().Request(StunMethod.Allocate, (ref StunMessageWriter request) =>
        {
            StunRequest.UdpTransport(ref request);
            if (list is not null) request.Write(StunAttributeType.PasswordAlgorithms, list);
            if (choice is not null) request.Write(StunAttributeType.PasswordAlgorithm, choice);
        })!.Error;
}
